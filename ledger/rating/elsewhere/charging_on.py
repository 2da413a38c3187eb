"""From a partner's CDR to what our customer owes for it. Pure.

The partner bills us; whom it concerns pays us: by our own retail tariff, over what the CDR says of
energy and time, or the partner's net with a mark-up. What the two have to do with each other is
margin, and nobody's doubt: a CDR that is disputed or flagged is not charged on before a person
accepts it (roaming_ocpi/incoming), and what cannot be priced for certain is held with its reasons.

5 kWh in Utrecht, for which the partner bills 2.00 EUR:

    retail_tariff: 0.50 per kWh with 21 %  -> 2.50 + 0.53 VAT
    mark_up_percent: 10, 21 % for NL       -> 2.20 + 0.46 VAT
    mark_up_percent: 10, nothing for NL    -> held: passed_on_vat_missing
    its total is 6 kWh, its periods have 5 -> held by a retail tariff: cdr_energy_unclear

Like a session of ours it is looked up as of its start, names what it used, and is decided again as
its next revision. Held by tests/ledger/rating/elsewhere/test_charging_on.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.log.envelope import ChargeOn
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner
from ledger.partners.elsewhere import ChargedElsewhere, session_of, station_of
from ledger.partners.elsewhere_cdrs import ElsewhereCdr
from ledger.rating.decide import refused
from ledger.rating.decisions import (
    Moment,
    RatedLine,
    Release,
    SessionHeld,
    SessionRated,
    SessionRevision,
    ZoneOffsets,
)
from ledger.rating.elsewhere.retail import Retail, retail_of
from ledger.rating.entitlements import Entitlements
from ledger.rating.payers import Driver, driver_of, payer_of, token_objections
from ledger.rating.rate import checked_rating, rated_lines, uses_of
from ledger.rating.session_price import FoundFor, priced_with_others, reverse_charge_vat_id
from ledger.rating.time_zones import ReadZones
from tariffs.cdr.usage import usage_of
from tariffs.errors import TariffError
from tariffs.kernel.priced import KERNEL_VERSION, PricedSession
from tariffs.model.policy import policy_named
from tariffs.model.usage import SessionUsage
from tariffs.offsets import zone_with
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import plain


class _Terms(NamedTuple):
    """Who charges it on, by what, to whom."""

    partner: Partner
    seller: LegalEntity
    retail: Retail
    driver: Driver


def charge_on(
    asked: ChargeOn,
    told: ElsewhereCdr,
    declarations: Declarations,
    *,
    moment: Moment,
    entitlements: Entitlements,
    revision: int,
) -> SessionRated | SessionHeld:
    """Return what the driver of *told* owes for it, or why nobody can say.

    Args:
        asked: The line of the log that wants it charged on.
        told: The partner's CDR.
        declarations: Master data as known at *moment*; looked up at the start of the CDR.
        moment: The record of *asked*.
        entitlements: What others used of shared grants, what clocks show, and what is corrected.
        revision: Which decision about it this is.
    """
    at = told.cdr.starts_at
    driver = driver_of(declarations, asked.subject, at)
    partner = declarations.partner(asked.party, at)
    seller = declarations.legal_entity(partner.legal_entity, at) if partner else None
    objections = list(_of_token(asked, driver, declarations, at))
    if partner is None or seller is None:
        objections.append(phrase("partner_undeclared", partner=asked.party))
        return _held(asked, told, declarations, objections, moment, revision)
    retail = retail_of(told, partner, declarations)
    if not isinstance(retail, Retail):
        objections += retail
    elif (told.cdr.time_zone or asked.zone) is None and _needs_zone(retail):
        objections.append(phrase("place_zone_unknown"))
    if told.country is None and isinstance(retail, Retail):
        objections.append(phrase("place_country_unknown"))
    if objections or not isinstance(retail, Retail):
        return _held(asked, told, declarations, objections, moment, revision)
    terms = _Terms(partner, seller, retail, driver)
    try:
        return _rated(asked, told, declarations, terms, moment, entitlements, revision)
    except (TariffError, LedgerError) as error:
        return _held(asked, told, declarations, [refused(error)], moment, revision)


def _of_token(
    asked: ChargeOn, driver: Driver, declarations: Declarations, at: datetime
) -> Sequence[Phrase]:
    if driver.token is None:
        # What a station would accept of a card that nobody declared is of no use: nobody pays.
        return (phrase("token_unknown", token=asked.subject),)
    if asked.by:
        return ()  # any other objection is what the person who accepts the CDR overrules
    return token_objections(driver, declarations.policy(at), at)


def _needs_zone(retail: Retail) -> bool:
    tariff = retail.compiled.tariff
    timed = retail.compiled.clock_restricted or retail.compiled.series is not None
    return timed or bool(tariff.adjustments)


def _held(
    asked: ChargeOn,
    told: ElsewhereCdr,
    declarations: Declarations,
    reasons: Sequence[Phrase],
    moment: Moment,
    revision: int,
) -> SessionHeld:
    return SessionHeld(
        session_id=session_of(asked.party, asked.cdr_id),
        revision=revision,
        station_id=station_of(asked.party),
        moment=moment,
        declared_version=declarations.version,
        flags=(),
        started_at=told.cdr.starts_at,
        energy_wh=plain(told.energy_wh),
        reasons=tuple(reasons),
    )


def _rated(
    asked: ChargeOn,
    told: ElsewhereCdr,
    declarations: Declarations,
    terms: _Terms,
    moment: Moment,
    entitlements: Entitlements,
    revision: int,
) -> SessionRated:
    usage, read = _usage(asked, told, terms, entitlements)
    policy = policy_named(declarations.policy(told.cdr.starts_at).pricing)
    decides = SessionRevision(session_of(asked.party, asked.cdr_id), revision)
    payer = payer_of(terms.driver, asked.subject)
    whose = FoundFor(decides, payer, asked.subject, entitlements)
    priced, shared = priced_with_others(usage, terms.retail.compiled, policy, whose)
    rated = SessionRated(
        **_told(asked, told, terms),
        **_priced(told, terms.retail, priced),
        revision=revision,
        moment=moment,
        declared_version=declarations.version,
        payer=payer,
        started_at=usage.starts_at,
        ended_at=usage.ends_at,
        time_zone=usage.time_zone,
        billing_month=_month(usage.ends_at.astimezone(zone_with(read.of(terms.seller.time_zone)))),
        tzdata_version=read.tzdata_version,
        offsets=read.offsets,
        release=Release(by=asked.by, reason=asked.reason) if asked.by else None,
        allowances=uses_of(priced, shared, entitlements),
        payment_method=usage.payment_method,
        reverse_charge_vat_id=usage.reverse_charge_vat_id,
    )
    return checked_rating(rated)


def _usage(
    asked: ChargeOn, told: ElsewhereCdr, terms: _Terms, entitlements: Entitlements
) -> tuple[SessionUsage, ReadZones]:
    """Return what is priced, and what the clocks there and at the seller's showed."""
    zone = told.cdr.time_zone or asked.zone or terms.seller.time_zone
    usage, token = usage_of(told.cdr, zone), terms.driver.token
    names = dict.fromkeys((zone, terms.seller.time_zone))
    readings = {
        name: entitlements.zones.read(name, usage.starts_at, usage.ends_at) for name in names
    }
    read = ReadZones(
        readings[zone].tzdata_version,
        tuple(ZoneOffsets(name, each.offsets) for name, each in readings.items()),
    )
    if terms.retail.mark_up_percent is not None:
        usage = replace(usage, points=(), spans=())  # one price for the whole: no kWh is free
    usage = replace(
        usage,
        offsets=read.of(zone),
        groups=(token.group,) if token and token.group else (),
        payment_method=token.payment_method if token else None,
        reverse_charge_vat_id=reverse_charge_vat_id(terms.driver.customer, terms.seller),
    )
    return usage, read


def _told(asked: ChargeOn, told: ElsewhereCdr, terms: _Terms) -> dict[str, Any]:
    """Return the fields of a decision that the CDR and master data say, whatever the price."""
    return {
        "session_id": session_of(asked.party, asked.cdr_id),
        "station_id": station_of(asked.party),
        "flags": (),
        "site_id": "",
        "legal_entity": terms.partner.legal_entity,
        "country": told.country,
        "evse_id": None,
        "connector_id": None,
        "token_uid": asked.subject,
        "meter_start_wh": None,
        "meter_stop_wh": None,
        "assignment": f"partner={asked.party}",
        "elsewhere": ChargedElsewhere(
            party=asked.party,
            cdr_id=told.cdr.id,
            position=asked.position,
            line=asked.line,
            place=told.place,
            net=told.net,
            currency=told.cdr.currency,
            mark_up_percent=terms.retail.mark_up_percent,
        ),
    }


def _priced(told: ElsewhereCdr, retail: Retail, priced: PricedSession) -> dict[str, Any]:
    """Return the fields of a decision that say its price."""
    energy_wh = plain(told.energy_wh)
    return {
        "energy_wh": energy_wh,
        "billed_wh": energy_wh - priced.free_wh,
        "free_wh": priced.free_wh,
        "tariff_id": priced.tariff_id,
        "tariff_hash": priced.tariff_hash,
        "kernel_version": KERNEL_VERSION,
        "policy": priced.policy.name,
        "policy_version": priced.policy.version,
        "currency": priced.currency,
        "lines": _lines(rated_lines(priced), told, retail),
        "net_minor": priced.before_minor,
        "tax_minor": priced.tax_minor,
        "notes": priced.notes,
        "tax_included": priced.compiled.factors.inclusive,
        "sales_taxes": priced.compiled.tariff.sales_taxes,
    }


def _month(ends_at: datetime) -> str:
    return f"{ends_at.year:04}-{ends_at.month:02}"


def _lines(
    lines: tuple[RatedLine, ...], told: ElsewhereCdr, retail: Retail
) -> tuple[RatedLine, ...]:
    """Return *lines*, that of a price that is passed on with where it comes from."""
    if retail.mark_up_percent is None:
        return lines
    percent = retail.mark_up_percent or None  # nothing on top is no fee of 0 %
    why = phrase("passed_on", net=told.net, currency=told.cdr.currency, percent=percent)
    return tuple(replace(line, reasons=(why,)) for line in lines)
