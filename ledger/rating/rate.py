"""Pricing a charging session into the decision that it was rated, with its explanation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, TypedDict

from ledger.errors import LedgerError
from ledger.facts.flags import Flag
from ledger.partners.share import PartnerShare
from ledger.rating.basis import Basis, Terms
from ledger.rating.decisions import (
    AllowanceUse,
    Moment,
    PayerKind,
    RatedLine,
    Release,
    SessionRated,
)
from ledger.rating.english import ENGLISH
from ledger.rating.entitlements import NO_ENTITLEMENTS, Entitlements
from ledger.rating.session_price import FoundShared, SessionPrice, price_of
from ledger.sessions.session import ChargingSession
from tariffs.adjustments.adjustment import QuantityTax, Surcharge
from tariffs.adjustments.consumption import NOTHING
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap
from tariffs.adjustments.shared_grants import used_before
from tariffs.adjustments.shared_phrases import standing_phrase
from tariffs.cdr.cut import cut_periods
from tariffs.kernel.compiled import Why
from tariffs.kernel.priced import KERNEL_VERSION, PricedLine, PricedSession
from tariffs.model.tariff import Tariff
from tariffs.phrases.phrase import Phrase, phrase

AMOUNT_MINOR_MAX: Final = 10**15
"""Thousands of sessions like that can still be added up in the books, in 64 bits."""
_LIMITS = (Why.MIN_PRICE, Why.MAX_PRICE)


def rate(
    session: ChargingSession,
    basis: Basis,
    terms: Terms,
    *,
    moment: Moment,
    entitlements: Entitlements = NO_ENTITLEMENTS,
    release: Release | None,
    revision: int,
) -> SessionRated:
    """Return the decision that *session* costs what *basis*, that of its *terms*, says.

    Raises:
        UnpriceableSessionError: If its start, end, energy or token is unknown.
        InconsistentRatingError: If a component were billed twice, or totals were not their lines'.
        TariffError: If the kernel refuses the session or the tariff.
    """
    price = price_of(session, basis, terms, entitlements, revision=revision)
    decides = moment, terms.version, revision
    return checked_rating(_decision(decides, session, basis, price, entitlements, release))


def uses_of(
    priced: PricedSession, shared: Sequence[FoundShared], entitlements: Entitlements
) -> tuple[AllowanceUse, ...]:
    """Return what a session used of the grants that it shares with others."""
    consumed = {(each.name, each.period): each.consumption for each in priced.consumed}
    already, is_correction = entitlements.used_already, entitlements.corrects is not None
    uses: list[AllowanceUse] = []
    for claim, key, standing, found in shared:
        now = consumed.get((claim.name, claim.period), NOTHING) if claim else NOTHING
        was = already[key].of_session if key in already else NOTHING
        uses.append(
            AllowanceUse(
                key=key.key,
                period=key.period,
                number=standing.number + 1,
                used_before=standing.used,
                used=now - was if is_correction else now,
                found=found if is_correction else None,
                in_all=now if is_correction else None,
            )
        )
    return tuple(uses)


class _Told(TypedDict):
    """The fields of a decision that session and master data say, whatever the price."""

    session_id: str
    station_id: str
    flags: tuple[str, ...]
    evse_id: int | None
    connector_id: int | None
    token_uid: str | None
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    site_id: str
    legal_entity: str
    country: str
    time_zone: str


def _told(session: ChargingSession, basis: Basis, tariff: Tariff) -> _Told:
    flags = session.flags
    # What was reserved before its start is in no session; a price for it must not lapse unsaid.
    if session.reservation_id is not None and any(
        element.restrictions.reservation is not None for element in tariff.elements
    ):
        flags = tuple(sorted({*flags, Flag.RESERVATION_NOT_BILLED}))
    return {
        "session_id": session.session_id,
        "station_id": session.station_id,
        "flags": flags,
        "evse_id": session.evse_id,
        "connector_id": session.connector_id,
        "token_uid": session.token_uid,
        "meter_start_wh": session.meter_start_wh,
        "meter_stop_wh": session.meter_stop_wh,
        "site_id": basis.site_id,
        "legal_entity": basis.site.legal_entity,
        "country": basis.site.country,
        "time_zone": basis.site.time_zone,
    }


def _decision(
    decides: tuple[Moment, int, int],
    session: ChargingSession,
    basis: Basis,
    price: SessionPrice,
    entitlements: Entitlements,
    release: Release | None,
) -> SessionRated:
    priced, energy_wh = price.priced, price.energy_wh
    usage, policy, free_wh = priced.usage, priced.policy, priced.free_wh
    moment, declared_version, revision = decides
    ends_at = usage.ends_at.astimezone(price.calendar)
    return SessionRated(
        **_told(session, basis, priced.compiled.tariff),
        revision=revision,
        moment=moment,
        declared_version=declared_version,
        payer=price.payer,
        started_at=usage.starts_at,
        ended_at=usage.ends_at,
        billing_month=f"{ends_at.year:04}-{ends_at.month:02}",
        energy_wh=energy_wh,
        billed_wh=energy_wh - free_wh,
        free_wh=free_wh,
        tariff_id=priced.tariff_id,
        tariff_hash=priced.tariff_hash,
        assignment=basis.tariff.assignment.key(),
        kernel_version=KERNEL_VERSION,
        policy=policy.name,
        policy_version=policy.version,
        tzdata_version=price.read.tzdata_version,
        offsets=price.read.offsets,
        currency=priced.currency,
        lines=rated_lines(priced),
        net_minor=priced.before_minor,
        tax_minor=priced.tax_minor,
        notes=priced.notes,
        release=release,
        validations=usage.validations,
        allowances=uses_of(priced, price.found, entitlements),
        payment_method=usage.payment_method,
        reverse_charge_vat_id=usage.reverse_charge_vat_id,
        tax_included=priced.compiled.factors.inclusive,
        sales_taxes=priced.compiled.tariff.sales_taxes,
        by_policy=price.by_policy,
        exported_wh=session.exported_wh,
        partner_share=_partner_share(session, price),
    )


def _partner_share(session: ChargingSession, price: SessionPrice) -> PartnerShare | None:
    """Return what the partner that owes the session is told; None where it gets an invoice."""
    if price.payer.kind is not PayerKind.PARTNER or price.payer.invoicing is not None:
        return None
    periods = cut_periods(price.priced)
    return PartnerShare(periods=periods, authorization=session.authorization, signed=session.signed)


def rated_lines(priced: PricedSession) -> tuple[RatedLine, ...]:
    """Return the lines of a priced session as its decision keeps them."""
    components = _components(priced)
    lines = zip(priced.lines, components, strict=True)
    return tuple(
        _line(number, line, component, priced) for number, (line, component) in enumerate(lines, 1)
    )


def _components(priced: PricedSession) -> list[str]:
    """Return what each line is about, told apart where a change is made in several lines.

    A cap takes off a surcharge at each rate, a discount off a fee and off what raised it: at one
    moment, by one rule. The further lines are numbered. A price itself never has a second one.
    """
    told: Counter[tuple[str, int]] = Counter()
    found = []
    for line in priced.lines:
        component = _component(line, priced)
        if line.adjustment is not None or line.why in _LIMITS:
            spot = component, line.run.starts_us
            told[spot] += 1
            component += f"/{told[spot]}" if told[spot] > 1 else ""
        found.append(component)
    return found


def _line(number: int, line: PricedLine, component: str, priced: PricedSession) -> RatedLine:
    return RatedLine(
        line=number,
        component=component,
        dimension=line.dimension,
        element=line.element_index,
        element_name=line.component.element_name,
        reasons=_reasons(line, priced),
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        volume=line.volume,
        billed_volume=line.billed_volume,
        unit_price=line.unit_price,
        net=line.amount.amount,
        tax=line.tax_amount.amount,
        tax_percent=line.tax_percent,
        net_minor=line.before_minor,
        tax_minor=line.tax_minor,
    )


def _reasons(line: PricedLine, priced: PricedSession) -> tuple[Phrase, ...]:
    """Return why the line stands here, and what others had used where a grant is shared."""
    grant = line.adjustment
    if not isinstance(grant, Allowance | PeriodCap | CouponGrant):
        return line.reasons
    period, used = used_before(grant, line.run.starts_us, priced.usage)
    return (*line.reasons, standing_phrase(grant, period, used, priced.currency))


def _component(line: PricedLine, priced: PricedSession) -> str:
    """Return what *line* is about: "ENERGY/0/priced", "ENERGY/0/grant/1"; counted from 0."""
    element = "-" if line.element_index is None else str(line.element_index)
    parts = [line.dimension.value, element, line.why.value]
    adjustments = priced.compiled.line_adjustments
    # Its index tells two grants apart that say the same, as two for one group.
    parts += [str(i) for i, each in enumerate(adjustments) if each is line.adjustment]
    # Both have a line for each rate of VAT.
    if isinstance(line.adjustment, Surcharge) or line.why in _LIMITS:
        parts.append("no-vat" if line.tax_percent is None else f"{line.tax_percent:f}")
    if isinstance(line.adjustment, QuantityTax):
        parts.append(line.adjustment.name)
    return "/".join(parts)


def checked_rating(decision: SessionRated) -> SessionRated:
    """Return *decision*, which bills no component twice for one period, adds up, and can be booked.

    Raises:
        InconsistentRatingError: If it does not.
    """
    # Here, though the database checks it too: refused there, it would stop the whole partition.
    lines = decision.lines
    if len({(line.component, line.starts_at) for line in lines}) != len(lines):
        raise InconsistentRatingError(decision.session_id, phrase("billed_twice"))
    if sum(line.net_minor for line in lines) != decision.net_minor:
        raise InconsistentRatingError(decision.session_id, phrase("net_not_of_lines"))
    if sum(line.tax_minor for line in lines) != decision.tax_minor:
        raise InconsistentRatingError(decision.session_id, phrase("tax_not_of_lines"))
    amounts = [amount for line in lines for amount in (line.net_minor, line.tax_minor)]
    if max(map(abs, (*amounts, decision.net_minor, decision.tax_minor))) > AMOUNT_MINOR_MAX:
        raise InconsistentRatingError(decision.session_id, phrase("amount_absurd"))
    return decision


class InconsistentRatingError(LedgerError):
    """Pricing gave lines that contradict each other or their totals."""

    def __init__(self, session_id: str, what: Phrase) -> None:
        self.session_id, self.what = session_id, what
        self.said = phrase("rating_inconsistent", session=session_id, what=what)
        super().__init__(ENGLISH.words(self.said))
