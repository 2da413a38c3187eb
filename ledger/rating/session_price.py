"""What a session costs: its facts as the kernel takes them, and the kernel's price of them."""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ledger.errors import LedgerError
from ledger.master_data.customers import Customer
from ledger.master_data.legal_entities import LegalEntity
from ledger.rating.allowances import key_of
from ledger.rating.basis import Basis, Terms
from ledger.rating.decisions import FIRST_REVISION, Payer, SessionRevision
from ledger.rating.english import ENGLISH
from ledger.rating.entitlements import AllowanceKey, Entitlements, Standing
from ledger.rating.payers import Driver, payer_of
from ledger.rating.time_zones import ReadZones, read_zones
from ledger.sessions.session import ChargingSession
from ledger.sessions.vehicle.billed_time import BilledTime, billed_time
from tariffs.adjustments.consumption import Consumed, Consumption
from tariffs.adjustments.shared_grants import Claim, claims_of
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import price_session
from tariffs.model.policy import PricingPolicy, policy_named
from tariffs.model.usage import SessionUsage
from tariffs.offsets import zone_with
from tariffs.phrases.phrase import Phrase, phrase


class FoundShared(NamedTuple):
    """A grant that the session shares, how it stands, and what others had `used` for its price.

    No `claim`: the session used it by the rating that is corrected, and does so no more.
    """

    claim: Claim | None
    key: AllowanceKey
    standing: Standing
    used: Consumption


class SessionPrice(NamedTuple):
    """What a session costs, who owes it, and what it found: uses of shared grants, time zones.

    `calendar` is the legal entity's zone, `by_policy` which policies decided what time is billed.
    """

    priced: PricedSession
    payer: Payer
    energy_wh: Decimal
    found: tuple[FoundShared, ...]
    read: ReadZones
    calendar: tzinfo
    by_policy: tuple[Phrase, ...]


def price_of(
    session: ChargingSession,
    basis: Basis,
    terms: Terms,
    entitlements: Entitlements,
    *,
    revision: int = FIRST_REVISION,
) -> SessionPrice:
    """Return what *session* costs by *basis*: until its end, or the last sign of an open one.

    *revision*: as which decision about the session it uses what it shares with others.

    Raises:
        UnpriceableSessionError: If its start, end, energy or token is unknown.
        TariffError: If the kernel refuses the session or the tariff.
    """
    started_at, ended_at, energy_wh, uid = _essentials(session)
    payer = payer_of(terms.driver, uid)
    billed = billed_time(session, ended_at, terms.policy)
    usage = _usage_of(billed, basis, terms.driver, started_at)
    names = site, calendar = basis.site.time_zone, basis.legal_entity.time_zone
    read = read_zones(session, basis.station_zone, names, entitlements.zones)
    usage = msgspec.structs.replace(
        usage,
        offsets=read.of(site),
        validations=entitlements.validations,
        reverse_charge_vat_id=reverse_charge_vat_id(terms.driver.customer, basis.legal_entity),
    )
    # As everything that prices: what held when the driver began, not when we decide.
    policy = policy_named(terms.policy.pricing)
    decides = SessionRevision(session.session_id, revision)
    used = FoundFor(decides, payer, uid, entitlements)
    priced, found = priced_with_others(usage, basis.compiled(), policy, used)
    return SessionPrice(
        priced=priced,
        payer=payer,
        energy_wh=energy_wh,
        found=found,
        read=read,
        calendar=zone_with(read.of(calendar)),
        by_policy=billed.by_policy,
    )


class FoundFor(NamedTuple):
    """For whom shared grants are looked up: the revision, who owes it, its token."""

    decides: SessionRevision
    payer: Payer
    token_uid: str
    entitlements: Entitlements


def priced_with_others(
    usage: SessionUsage, compiled: CompiledTariff, policy: PricingPolicy, whose: FoundFor
) -> tuple[PricedSession, tuple[FoundShared, ...]]:
    """Return what *usage* costs with what others used of the grants that it shares.

    Raises:
        TariffError: If the kernel refuses the session or the tariff.
    """
    found = _found(usage, compiled, whose)
    if found:
        usage = msgspec.structs.replace(usage, used=_used(found))
    return price_session(usage, compiled, policy=policy), found


def _found(
    usage: SessionUsage, compiled: CompiledTariff, whose: FoundFor
) -> tuple[FoundShared, ...]:
    decides, payer, token_uid, entitlements = whose
    claims, already = claims_of(usage, compiled), entitlements.used_already
    if not claims and not already:
        return ()
    tariff_id = compiled.tariff.id
    keys = [
        key_of(claim, tariff_id=tariff_id, payer=payer, token_uid=token_uid, groups=usage.groups)
        for claim in claims
    ]
    keys += sorted(already.keys() - set(keys))
    # All at once: their rows are locked in one order.
    standings = entitlements.allowances.standings(decides, keys)
    used = [
        already[key].priced_with if key in already else standing.used
        for key, standing in zip(keys, standings, strict=True)
    ]
    return tuple(map(FoundShared, [*claims, *[None] * len(keys)], keys, standings, used))


def _used(found: tuple[FoundShared, ...]) -> tuple[Consumed, ...]:
    return tuple(
        Consumed(each.claim.name, each.claim.period, each.used) for each in found if each.claim
    )


def _essentials(session: ChargingSession) -> tuple[datetime, datetime, Decimal, str]:
    """Return start, end, energy and token, without which there is nothing to price."""
    started_at = session.started_at
    # A person may release an open session: it is billed to its last sign.
    ended_at = session.ended_at or session.provisional_ended_at
    energy_wh, uid = session.energy_wh, session.token_uid
    if started_at is None or ended_at is None or energy_wh is None or uid is None:
        raise UnpriceableSessionError(session.session_id)
    return started_at, ended_at, energy_wh, uid


def _usage_of(
    billed: BilledTime, basis: Basis, driver: Driver, started_at: datetime
) -> SessionUsage:
    token = driver.token
    return SessionUsage(
        starts_at=started_at,
        ends_at=billed.ends_at,
        time_zone=basis.site.time_zone,
        points=billed.points,
        spans=billed.spans,
        groups=(token.group,) if token and token.group else (),
        payment_method=driver.payment_method,
    )


def reverse_charge_vat_id(customer: Customer | None, seller: LegalEntity) -> str | None:
    """Return under which VAT id the buyer owes the VAT itself; None: the seller owes it."""
    is_owed_by_buyer = customer and customer.owes_vat_itself(seller.country)
    return customer.vat_id if customer and is_owed_by_buyer else None


class UnpriceableSessionError(LedgerError):
    """A session without start, end, energy or token cannot be priced."""

    def __init__(self, session_id: str) -> None:
        self.session_id, self.said = session_id, phrase("rating_incomplete", session=session_id)
        super().__init__(ENGLISH.words(self.said))
