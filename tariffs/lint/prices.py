"""Rules about prices, taxes, steps, limits and grants: numbers that are probably not meant."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from tariffs.adjustments.adjustment import (
    FeeCap,
    FreeFirst,
    Grant,
    GroupGrant,
    IdleGrace,
    ValidationGrant,
)
from tariffs.adjustments.shared import PeriodCap
from tariffs.calendar.week import Fee
from tariffs.calendar.words import amount_text, duration_text
from tariffs.lint.subject import LintSubject, Rule, Said, Severity, Spot
from tariffs.model.tariff import Dimension, ReservationRestriction, TaxIncluded
from tariffs.quantities import EXACT, plain

# Currencies whose unit is worth about as much as a kWh costs two or three times.
_STRONG_CURRENCIES: Final = frozenset({"EUR", "USD", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD"})
_ENERGY_PRICE_MAX: Final = Decimal(5)
_HOUR_PRICE_MIN: Final = Decimal("0.50")
_KWH_MAX: Final = Decimal(1000)
_KW_MAX: Final = Decimal(1000)
_AMPERE_MAX: Final = Decimal(3000)
_DURATION_MIN_S: Final = 60
_DAY_HOURS: Final = 24
_DAY_COST_MAX: Final = Decimal(100)


def is_zero(subject: LintSubject) -> Iterator[Said]:
    """Find prices of zero."""
    for spot, _, _, component, fee in subject.components():
        if component.price == 0 and not component.series and fee is not None:
            yield spot, f"{fee.value} costs 0 here, and hides the prices of later elements"


def looks_like_minor_units(subject: LintSubject) -> Iterator[Said]:
    """Find prices per kWh that look like cents."""
    if subject.tariff.currency in _STRONG_CURRENCIES:
        for spot, component in subject.priced(Fee.ENERGY):
            if component.price >= _ENERGY_PRICE_MAX:
                shown = amount_text(component.price, subject.tariff.currency)
                yield spot, f"{shown} {subject.tariff.currency} per kWh: is it meant in cents?"


def looks_per_minute(subject: LintSubject) -> Iterator[Said]:
    """Find prices per hour that look like prices per minute."""
    if subject.tariff.currency in _STRONG_CURRENCIES:
        for spot, component in subject.priced(Fee.TIME, Fee.PARKING_TIME, Fee.RESERVATION_TIME):
            if component.price < _HOUR_PRICE_MIN:
                shown = amount_text(component.price, subject.tariff.currency)
                message = f"{shown} {subject.tariff.currency} per hour: is it meant per minute?"
                yield spot, message


def has_odd_vat(subject: LintSubject) -> Iterator[Said]:
    """Find VAT rates that look like a fraction."""
    for spot, _, _, component, _ in subject.components():
        if component.vat is not None and 0 < component.vat < 1:
            yield spot, f"a VAT of {component.vat:f} %: is {component.vat * 100:f} % meant?"


def has_vat_in_part(subject: LintSubject) -> Iterator[Said]:
    """Find components without VAT beside others with it."""
    components = list(subject.components())
    if any(component.vat is not None for _, _, _, component, _ in components):
        for spot, _, _, component, _ in components:
            if component.vat is None and (component.price > 0 or component.series):
                yield spot, "no VAT is given here, but elsewhere: none applies, which is not 0 %"


def has_no_vat(subject: LintSubject) -> Iterator[Said]:
    """Find tariffs that name no VAT at all and do not say that none applies."""
    tariff = subject.tariff
    silent = all(component.vat is None for _, _, _, component, _ in subject.components())
    if silent and tariff.tax_included is not TaxIncluded.NOT_APPLICABLE:
        yield (), "no price has a VAT; if no taxes apply here, say tax_included: N/A"


def has_taxes_that_do_not_apply(subject: LintSubject) -> Iterator[Said]:
    """Find taxes of a tariff that says that none apply."""
    if subject.compiled.ignores_taxes:
        yield ("tax_included",), "N/A says that no taxes apply: those given are not charged"


def has_steps(subject: LintSubject) -> Iterator[Said]:
    """Find step sizes over 1."""
    for spot, _, _, component, fee in subject.components():
        if component.step_size > 1 and component.dimension is not Dimension.FLAT:
            unit = "Wh" if fee is Fee.ENERGY else "s"
            message = (
                f"step_size {component.step_size} {unit} bills started steps whole: OCPI advises "
                "1, its editions differ on how steps count, and OCPI 3.0 has none"
            )
            yield (*spot, "step_size"), message


def has_idle_fee_without_grace(subject: LintSubject) -> Iterator[Said]:
    """Find parking prices from the first second after charging."""
    if not any(isinstance(a, IdleGrace) and a.seconds for a in subject.tariff.adjustments):
        for spot, _ in subject.priced(Fee.PARKING_TIME):
            message = "parking costs from the second the vehicle stops asking for power: no grace"
            yield spot, message


def has_idle_fee_without_cap(subject: LintSubject) -> Iterator[Said]:
    """Find parking prices that a car forgotten for a day makes dear."""
    tariff = subject.tariff
    caps = [a for a in tariff.adjustments if isinstance(a, FeeCap | PeriodCap)]
    is_capped = tariff.max_price is not None or any(
        not cap.dimensions or Dimension.PARKING_TIME in cap.dimensions for cap in caps
    )
    if not is_capped and tariff.currency in _STRONG_CURRENCIES:
        for spot, component in subject.priced(Fee.PARKING_TIME):
            cost = component.price * _DAY_HOURS
            if cost > _DAY_COST_MAX:
                shown = f"{amount_text(cost, tariff.currency)} {tariff.currency}"
                yield spot, f"at this price a day costs {shown}, and nothing caps it"


def has_useless_grace(subject: LintSubject) -> Iterator[Said]:
    """Find grace periods without a parking price, and several where one counts."""
    graces = [
        (index, adjustment)
        for index, adjustment in enumerate(subject.tariff.adjustments)
        if isinstance(adjustment, IdleGrace)
    ]
    if graces and not any(subject.priced(Fee.PARKING_TIME)):
        yield ("adjustments", graces[0][0]), "a grace period, but parking costs nothing anyway"
    for _, (index, _) in pairwise(graces):
        longest = duration_text(max(grace.seconds for _, grace in graces))
        yield ("adjustments", index), f"several grace periods: the longest counts, {longest}"


def has_free_time_beside_steps(subject: LintSubject) -> Iterator[Said]:
    """Find what is free at first of a fee with steps, where the file does not say which counts."""
    stepped = {
        component.dimension.value
        for _, _, _, component, _ in subject.components()
        if component.step_size > 1
    }
    for index, adjustment in enumerate(subject.tariff.adjustments):
        if isinstance(adjustment, FreeFirst) and not adjustment.before_steps:
            for dimension in adjustment.dimensions:
                if str(dimension) in stepped:
                    message = (
                        f"steps of {dimension.lower()} are counted before anything is free; with "
                        "before_steps: yes they round up what is left, which is more"
                    )
                    yield ("adjustments", index), message


def has_useless_grant(subject: LintSubject) -> Iterator[Said]:
    """Find grants on what costs nothing, and grants of nothing."""
    fees = {
        "RESERVATION_TIME" if fee is Fee.RESERVATION_TIME else component.dimension.value
        for _, _, _, component, fee in subject.components()
        if component.price > 0 or component.series
    }
    for spot, grant in _grants(subject):
        for dimension in grant.dimensions:
            if str(dimension) not in fees:
                yield spot, f"a grant on {dimension.lower()}, which costs nothing here"
        if grant.percent == 0:
            yield spot, "a grant of 0 % changes nothing"


def _grants(subject: LintSubject) -> Iterator[tuple[Spot, Grant]]:
    for index, adjustment in enumerate(subject.tariff.adjustments):
        if isinstance(adjustment, GroupGrant | ValidationGrant):
            yield ("adjustments", index), adjustment


def has_several_flats(subject: LintSubject) -> Iterator[Said]:
    """Find further session fees that one session can meet besides the first."""
    flats = [
        (spot, index)
        for spot, index, _, component, fee in subject.components()
        if fee is Fee.FLAT and subject.reach.is_chosen(component.dimension, index)
    ]
    for spot, index in flats[1:]:
        message = (
            f"{subject.label(flats[0][1])} has a session fee too: a session that meets both pays "
            f"both ({subject.label(index)} as well), and OCPI leaves that open"
        )
        yield spot, message


def has_flat_only(subject: LintSubject) -> Iterator[Said]:
    """Find tariffs that have session fees only."""
    fees = {
        fee
        for _, _, _, component, fee in subject.components()
        if component.price > 0 or component.series
    }
    if fees and fees <= {Fee.FLAT, Fee.RESERVATION_FLAT}:
        message = "only session fees: CDRs of OCPI need a period, which is sent with free volumes"
        yield ("elements", 0), message


def has_crossed_limits(subject: LintSubject) -> Iterator[Said]:
    """Find a least price above the greatest; before taxes no tariff compiles with that."""
    low, high = subject.tariff.min_price, subject.tariff.max_price
    if low is not None and high is not None and low.after_taxes is not None:
        if high.after_taxes is not None and low.after_taxes > high.after_taxes:
            yield ("min_price",), "after taxes the least price is above the greatest"
        elif high.after_taxes is None:
            yield ("max_price",), "min_price has an amount after taxes, max_price has none"


def has_limits_against_rates(subject: LintSubject) -> Iterator[Said]:
    """Find limits of which no rate of the tariff makes the amount after taxes of that before."""
    rates = {component.vat or Decimal(0) for _, _, _, component, _ in subject.components()}
    low, high = subject.tariff.min_price, subject.tariff.max_price
    for name, limit, stricter in (("min_price", low, max), ("max_price", high, min)):
        if limit is None or limit.after_taxes is None:
            continue
        at_rates = {_with_tax(limit.before_taxes, rate): rate for rate in sorted(rates)}
        if min(at_rates) <= limit.after_taxes <= max(at_rates):
            continue
        nearest = min(at_rates) if limit.after_taxes < min(at_rates) else max(at_rates)
        said = f"{limit.before_taxes:f} and {at_rates[nearest]:f} % are {nearest:f} after taxes"
        if stricter(limit.after_taxes, nearest) == nearest:
            yield (name,), f"{said}: {limit.after_taxes:f} never decides"
        else:
            yield (name,), f"{said}: {limit.after_taxes:f} decides, {limit.before_taxes:f} never"


def _with_tax(amount: Decimal, percent: Decimal) -> Decimal:
    share = EXACT.add(Decimal(1), EXACT.divide(percent, Decimal(100)))
    return plain(EXACT.multiply(amount, share))


def bills_empty_sessions(subject: LintSubject) -> Iterator[Said]:
    """Find a least price, which sessions without energy pay as well."""
    low = subject.tariff.min_price
    if low is not None and low.before_taxes > 0:
        yield ("min_price",), "a session of 0 kWh pays the least price as well"


def ends_before_it_starts(subject: LintSubject) -> Iterator[Said]:
    """Find a validity that holds nothing."""
    starts_at, ends_at = subject.tariff.start_date_time, subject.tariff.end_date_time
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        yield ("end_date_time",), "the tariff ends before it starts"


def has_threshold_in_other_units(subject: LintSubject) -> Iterator[Said]:
    """Find thresholds that no session reaches or that look like another unit."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        bounds: list[tuple[str, Decimal | None, Decimal, str, str]] = [
            ("min_kwh", r.min_kwh, _KWH_MAX, "kWh", "Wh"),
            ("max_kwh", r.max_kwh, _KWH_MAX, "kWh", "Wh"),
            ("min_power", r.min_power, _KW_MAX, "kW", "W"),
            ("max_power", r.max_power, _KW_MAX, "kW", "W"),
            ("min_current", r.min_current, _AMPERE_MAX, "A", "mA"),
            ("max_current", r.max_current, _AMPERE_MAX, "A", "mA"),
        ]
        for key, bound, limit, unit, other in bounds:
            if bound is not None and bound >= limit:
                message = f"{bound:f} {unit} is never met by a car: is it meant in {other}?"
                yield ("elements", index, "restrictions", key), message
        for key, seconds in (("min_duration", r.min_duration), ("max_duration", r.max_duration)):
            if seconds is not None and 0 < seconds < _DURATION_MIN_S:
                message = f"{seconds} seconds: is it meant in minutes? write 15 min"
                yield ("elements", index, "restrictions", key), message


def has_expiry_without_reservation(subject: LintSubject) -> Iterator[Said]:
    """Find prices for expired reservations where a reservation that is used costs nothing."""
    kinds = [element.restrictions.reservation for element in subject.tariff.elements]
    if ReservationRestriction.RESERVATION not in kinds:
        for index, kind in enumerate(kinds):
            if kind is ReservationRestriction.RESERVATION_EXPIRES:
                message = "a reservation that expires costs, one that is used does not"
                yield ("elements", index, "restrictions", "reservation"), message


RULES: Final = (
    Rule(
        name="zero-price",
        severity=Severity.NOTE,
        reason="A price of 0 is still a price: it ends the search for the dimension.",
        check=is_zero,
    ),
    Rule(
        name="minor-units",
        severity=Severity.WARNING,
        reason="Prices are in the currency's unit, 0.49 and not 49.",
        check=looks_like_minor_units,
    ),
    Rule(
        name="per-minute",
        severity=Severity.WARNING,
        reason="OCPI prices time per hour; write 0.10 per min to have it multiplied.",
        check=looks_per_minute,
    ),
    Rule(
        name="vat-fraction",
        severity=Severity.WARNING,
        reason="VAT is in percent, 19 and not 0.19.",
        check=has_odd_vat,
    ),
    Rule(
        name="vat-in-part",
        severity=Severity.WARNING,
        reason="A price without VAT is billed without tax.",
        check=has_vat_in_part,
    ),
    Rule(
        name="no-vat",
        severity=Severity.NOTE,
        reason="A price without VAT is billed without tax.",
        check=has_no_vat,
    ),
    Rule(
        name="step-size",
        severity=Severity.NOTE,
        reason="Steps are the rule on which OCPI's editions and engines disagree most.",
        check=has_steps,
    ),
    Rule(
        name="idle-fee-without-grace",
        severity=Severity.WARNING,
        reason="A driver who comes back at once pays, and complains.",
        check=has_idle_fee_without_grace,
    ),
    Rule(
        name="idle-fee-without-cap",
        severity=Severity.NOTE,
        reason="A car left overnight can cost more than it charged many times over.",
        check=has_idle_fee_without_cap,
    ),
    Rule(
        name="free-beside-steps",
        severity=Severity.WARNING,
        reason="What is free and what a step adds are another price in the other order.",
        check=has_free_time_beside_steps,
    ),
    Rule(
        name="useless-grace",
        severity=Severity.WARNING,
        reason="A grace period needs a parking price to be free of.",
        check=has_useless_grace,
    ),
    Rule(
        name="useless-grant",
        severity=Severity.WARNING,
        reason="A grant that lowers nothing was meant for something else.",
        check=has_useless_grant,
    ),
    Rule(
        name="several-flats",
        severity=Severity.WARNING,
        reason="OCPI does not say what two session fees in one session cost.",
        check=has_several_flats,
    ),
    Rule(
        name="flat-only",
        severity=Severity.NOTE,
        reason="OCPI 2.2.1 asks for a charging period with a dimension.",
        check=has_flat_only,
    ),
    Rule(
        name="taxes-not-applicable",
        severity=Severity.WARNING,
        reason="A tax that is stated and not charged is owed by somebody all the same.",
        check=has_taxes_that_do_not_apply,
    ),
    Rule(
        name="crossed-limits",
        severity=Severity.ERROR,
        reason="No session can cost at least more than it costs at most.",
        check=has_crossed_limits,
    ),
    Rule(
        name="limits-against-rates",
        severity=Severity.WARNING,
        reason="Both limits hold, and tax stays at the rates: one of the two is never the price.",
        check=has_limits_against_rates,
    ),
    Rule(
        name="empty-sessions-pay",
        severity=Severity.NOTE,
        reason="A failed session of 0 kWh is a frequent complaint.",
        check=bills_empty_sessions,
    ),
    Rule(
        name="ends-before-start",
        severity=Severity.ERROR,
        reason="A tariff that never holds bills nothing.",
        check=ends_before_it_starts,
    ),
    Rule(
        name="threshold-unit",
        severity=Severity.WARNING,
        reason="Thresholds are in kWh, kW, A and seconds.",
        check=has_threshold_in_other_units,
    ),
    Rule(
        name="expiry-only",
        severity=Severity.NOTE,
        reason="Mostly a reservation that is used costs something, too.",
        check=has_expiry_without_reservation,
    ),
)
