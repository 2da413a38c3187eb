"""Rules about prices, steps and thresholds: numbers that are probably not meant."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tariffs.adjustments.adjustment import Surcharge
from tariffs.calendar.week import Fee
from tariffs.calendar.words import amount_text
from tariffs.lint.subject import STRONG_CURRENCIES, LintSubject, Rule, Said, Severity
from tariffs.model.tariff import Dimension, ReservationRestriction
from tariffs.phrases.phrase import phrase

_ENERGY_PRICE_MAX: Final = Decimal(5)
_HOUR_PRICE_MIN: Final = Decimal("0.50")
_KWH_MAX: Final = Decimal(1000)
_KW_MAX: Final = Decimal(1000)
_AMPERE_MAX: Final = Decimal(3000)
_DURATION_MIN_S: Final = 60


def is_zero(subject: LintSubject) -> Iterator[Said]:
    """Find prices of zero."""
    for spot, _, _, component, fee in subject.components():
        if component.price == 0 and not component.series and fee is not None:
            yield spot, phrase("zero_price", fee=fee.name)


def is_below_zero(subject: LintSubject) -> Iterator[Said]:
    """Find prices and surcharges below zero."""
    currency = subject.tariff.currency
    for spot, _, _, component, fee in subject.components():
        if component.price < 0 and fee is not None:
            amount = amount_text(component.price, currency)
            said = phrase("driver_is_paid", amount=amount, currency=currency, fee=fee.name)
            yield spot, said
    for index, each in enumerate(subject.tariff.adjustments):
        if isinstance(each, Surcharge) and min(each.percent or 0, each.amount or 0) < 0:
            yield ("adjustments", index), phrase("surcharge_takes_off")


def looks_like_minor_units(subject: LintSubject) -> Iterator[Said]:
    """Find prices per kWh that look like cents."""
    currency = subject.tariff.currency
    if currency in STRONG_CURRENCIES:
        for spot, component in subject.priced(Fee.ENERGY):
            if component.price >= _ENERGY_PRICE_MAX:
                amount = amount_text(component.price, currency)
                yield spot, phrase("in_cents", amount=amount, currency=currency)


def looks_per_minute(subject: LintSubject) -> Iterator[Said]:
    """Find prices per hour that look like prices per minute."""
    currency = subject.tariff.currency
    if currency in STRONG_CURRENCIES:
        for spot, component in subject.priced(Fee.TIME, Fee.PARKING_TIME, Fee.RESERVATION_TIME):
            if component.price < _HOUR_PRICE_MIN:
                amount = amount_text(component.price, currency)
                yield spot, phrase("per_minute", amount=amount, currency=currency)


def has_steps(subject: LintSubject) -> Iterator[Said]:
    """Find step sizes over 1."""
    for spot, _, _, component, fee in subject.components():
        if component.step_size > 1 and component.dimension is not Dimension.FLAT:
            unit = "Wh" if fee is Fee.ENERGY else "s"
            yield (*spot, "step_size"), phrase("steps", step=component.step_size, unit=unit)


def has_several_flats(subject: LintSubject) -> Iterator[Said]:
    """Find further session fees that one session can meet besides the first."""
    flats = [
        (spot, index)
        for spot, index, _, component, fee in subject.components()
        if fee is Fee.FLAT and subject.reach.is_chosen(component.dimension, index)
    ]
    for spot, index in flats[1:]:
        first, label = subject.label(flats[0][1]), subject.label(index)
        yield spot, phrase("flats_together", first=first, label=label)


def has_flat_only(subject: LintSubject) -> Iterator[Said]:
    """Find tariffs that have session fees only."""
    fees = {
        fee
        for _, _, _, component, fee in subject.components()
        if component.price > 0 or component.series
    }
    if fees and fees <= {Fee.FLAT, Fee.RESERVATION_FLAT}:
        yield ("elements", 0), phrase("flats_only")


def ends_before_it_starts(subject: LintSubject) -> Iterator[Said]:
    """Find a validity that holds nothing."""
    starts_at, ends_at = subject.tariff.start_date_time, subject.tariff.end_date_time
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        yield ("end_date_time",), phrase("ends_before_start")


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
                said = phrase("never_met", bound=bound, unit=unit, other=other)
                yield ("elements", index, "restrictions", key), said
        for key, seconds in (("min_duration", r.min_duration), ("max_duration", r.max_duration)):
            if seconds is not None and 0 < seconds < _DURATION_MIN_S:
                said = phrase("in_minutes", seconds=seconds)
                yield ("elements", index, "restrictions", key), said


def has_expiry_without_reservation(subject: LintSubject) -> Iterator[Said]:
    """Find prices for expired reservations where a reservation that is used costs nothing."""
    kinds = [element.restrictions.reservation for element in subject.tariff.elements]
    if ReservationRestriction.RESERVATION not in kinds:
        for index, kind in enumerate(kinds):
            if kind is ReservationRestriction.RESERVATION_EXPIRES:
                yield ("elements", index, "restrictions", "reservation"), phrase("expiry_only")


RULES: Final = (
    Rule(
        name="zero-price",
        severity=Severity.NOTE,
        reason="A price of 0 is still a price: it ends the search for the dimension.",
        check=is_zero,
    ),
    Rule(
        name="below-zero",
        severity=Severity.WARNING,
        reason="A sign is typed by mistake more often than a driver is to be paid.",
        check=is_below_zero,
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
        name="step-size",
        severity=Severity.NOTE,
        reason="Steps are the rule on which OCPI's editions and engines disagree most.",
        check=has_steps,
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
