"""Rules about elements: which can never hold, which hide others, where the week has holes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from typing import Final

from tariffs.calendar.week import Fee, HeldPrice, Stretch, WeekCalendar, fee_of
from tariffs.calendar.words import (
    clock_text,
    days_phrase,
    hours_phrase,
    local_pieces,
    price_phrase,
    windows_phrase,
)
from tariffs.lint.reach import columns_of
from tariffs.lint.subject import LintSubject, Rule, Said, Severity, Spot
from tariffs.model.tariff import WEEKDAYS, Dimension, Restrictions, TariffElement
from tariffs.phrases.phrase import Phrase, phrase

_TINY: Final = timedelta(minutes=5)
_WEEK_DAYS: Final = 7


def never_applies(subject: LintSubject) -> Iterator[Said]:
    """Find elements whose restrictions contradict each other or the tariff's validity."""
    for index, element in enumerate(subject.tariff.elements):
        # Durations count from where a reservation ends: within one, none has passed.
        r = element.restrictions
        is_late = r.reservation is not None and bool(r.min_duration)
        reach = subject.reach
        if is_late or (reach.is_complete and not reach.ever_applies(index)):
            spot: Spot = ("elements", index, "restrictions")
            yield spot, phrase("never_applies", label=subject.label(index))


def is_shadowed(subject: LintSubject) -> Iterator[Said]:
    """Find components that an earlier element always hides."""
    seen: set[tuple[int, Dimension]] = set()
    for spot, index, _, component, fee in subject.components():
        key = (index, component.dimension)
        if key in seen or fee is None or not subject.reach.is_complete:
            continue
        seen.add(key)
        if subject.reach.is_chosen(component.dimension, index):
            continue
        if winners := subject.reach.winners(component.dimension, index):
            label, others = subject.label(index), tuple(map(subject.label, winners))
            yield spot, phrase("shadowed", fee=fee.name, label=label, others=others)


def has_repeated_component(subject: LintSubject) -> Iterator[Said]:
    """Find elements with two prices for one dimension."""
    for index, element in enumerate(subject.tariff.elements):
        named = [component.dimension for component in element.price_components]
        for dimension in sorted({d for d in named if named.count(d) > 1}):
            said = phrase("priced_twice", label=subject.label(index), dimension=dimension)
            yield ("elements", index, dimension.lower()), said


def is_not_for_reservations(subject: LintSubject) -> Iterator[Said]:
    """Find energy and parking prices inside reservation elements."""
    for spot, index, _, component, fee in subject.components():
        if fee is None:
            label, dimension = subject.label(index), component.dimension
            yield spot, phrase("not_for_reservations", label=label, dimension=dimension)


def has_gap(subject: LintSubject) -> Iterator[Said]:
    """Find fees that some hours of the week price and others do not."""
    yield from _gaps(subject, (Fee.ENERGY,))


def has_free_hours(subject: LintSubject) -> Iterator[Said]:
    """Find time fees that some hours of the week do not have."""
    yield from _gaps(subject, (Fee.TIME, Fee.PARKING_TIME, Fee.RESERVATION_TIME))


def _gaps(subject: LintSubject, fees: tuple[Fee, ...]) -> Iterator[Said]:
    said: list[Said] = []
    for when, calendar in subject.calendars:
        for fee in fees:
            stretches = calendar.stretches.get(fee, ())
            free = [s for s in stretches if s.price is None and not _is_tiny(s)]
            if free and any(s.price is not None for s in stretches):
                gap = phrase(
                    "free_hours",
                    fee=fee.name,
                    when=when,
                    windows=_windows(free, calendar),
                    from_day=_from_day(calendar),
                )
                found = (_first_spot(subject, fee), gap)
                if found not in said:
                    said.append(found)
                    yield found


def has_tiny_window(subject: LintSubject) -> Iterator[Said]:
    """Find prices that hold for a few minutes: an end that was meant to be included."""
    said: list[Said] = []
    for _, calendar in subject.calendars:
        for fee in calendar.fees:
            tiny: dict[HeldPrice | None, list[Stretch]] = {}
            for stretch in calendar.stretches[fee]:
                if _is_tiny(stretch):
                    tiny.setdefault(stretch.price, []).append(stretch)
            for price, stretches in tiny.items():
                window = phrase(
                    "tiny_window",
                    fee=fee.name,
                    price=price_phrase(price, fee, calendar.tariff.currency),
                    windows=_windows(stretches, calendar),
                    from_day=_from_day(calendar),
                )
                found = (_first_spot(subject, fee), window)
                if found not in said:
                    said.append(found)
                    yield found


def _is_tiny(stretch: Stretch) -> bool:
    return stretch.ends_at - stretch.starts_at <= _TINY


def _windows(stretches: list[Stretch], calendar: WeekCalendar) -> Phrase:
    pieces = [p for s in stretches for p in local_pieces(s.starts_at, s.ends_at, "UTC")]
    return windows_phrase(pieces, calendar.days)


def _from_day(calendar: WeekCalendar) -> str | None:
    """Return from which day a week was looked at, where the tariff has dates."""
    dated = any(
        e.restrictions.start_date or e.restrictions.end_date for e in calendar.tariff.elements
    )
    return calendar.first_day.isoformat() if dated else None


def _first_spot(subject: LintSubject, fee: Fee) -> Spot:
    return next((spot for spot, _, _, _, named in subject.components() if named is fee), ())


def overlaps(subject: LintSubject) -> Iterator[Said]:
    """Find windows that overlap in part, so that the order of elements decides the price.

    In part: neither lies inside the other.
    """
    elements, reach = subject.tariff.elements, subject.reach
    moments = [*reach.clock_masks.values()]
    by_clock = columns_of(reach.clock_masks, len(elements))
    at_once = columns_of(reach.masks, len(elements))
    for later in range(len(elements)):
        for earlier in range(later):
            both = by_clock[earlier] & by_clock[later]
            if both in {0, by_clock[earlier], by_clock[later]}:
                continue
            if not at_once[earlier] & at_once[later]:
                continue
            fees = _priced_apart(elements[earlier], elements[later])
            if fees:
                example = moments[len(moments) - both.bit_length()]
                said = phrase(
                    "overlaps",
                    label=subject.label(later),
                    other=subject.label(earlier),
                    day=WEEKDAYS[example.weekday()],
                    clock=clock_text(example.time()),
                    fees=fees,
                )
                yield ("elements", later, "restrictions"), said


def _priced_apart(earlier: TariffElement, later: TariffElement) -> tuple[str, ...]:
    """Return the names of the fees that both elements have with different prices."""
    if earlier.restrictions.reservation is not later.restrictions.reservation:
        return ()
    reserved = later.restrictions.reservation is not None
    prices = {c.dimension: c for c in reversed(earlier.price_components)}
    apart = []
    for component in later.price_components:
        other = prices.get(component.dimension)
        fee = fee_of(component.dimension, reserved=reserved)
        if other is not None and other != component and fee is not None:
            apart.append(fee.name)
    return tuple(apart)


def wraps_into_another_day(subject: LintSubject) -> Iterator[Said]:
    """Find windows over midnight that name weekdays: after midnight another day must be named."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        if _wraps(r) and r.day_of_week and len(set(r.day_of_week)) < _WEEK_DAYS:
            start, end = r.start_time or time(0), r.end_time or time(0)
            said = phrase(
                "wraps",
                days=days_phrase(r.day_of_week),
                hours=hours_phrase(start, end),
                early=hours_phrase(time(0), end),
                late=hours_phrase(start, time(0)),
            )
            yield ("elements", index, "restrictions", "day_of_week"), said


def _wraps(r: Restrictions) -> bool:
    return (
        r.start_time is not None and r.end_time is not None and time(0) != r.end_time < r.start_time
    )


def has_equal_ends(subject: LintSubject) -> Iterator[Said]:
    """Find windows that end where they start."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        if r.start_time is not None and r.start_time == r.end_time and r.start_time != time(0):
            said = phrase("equal_ends", hours=hours_phrase(r.start_time, r.start_time))
            yield ("elements", index, "restrictions", "end_time"), said


RULES: Final = (
    Rule(
        name="never-applies",
        severity=Severity.ERROR,
        reason="An element that no session can meet is a price that nobody will ever be billed.",
        check=never_applies,
    ),
    Rule(
        name="unreachable",
        severity=Severity.ERROR,
        reason="Per dimension the first element that applies counts; what comes after is dead.",
        check=is_shadowed,
    ),
    Rule(
        name="repeated-component",
        severity=Severity.ERROR,
        reason="OCPI leaves open which of two prices of one dimension counts.",
        check=has_repeated_component,
    ),
    Rule(
        name="not-for-reservations",
        severity=Severity.ERROR,
        reason="Reservations have FLAT and TIME prices only.",
        check=is_not_for_reservations,
    ),
    Rule(
        name="gap",
        severity=Severity.WARNING,
        reason="Where no element has a price, energy is free.",
        check=has_gap,
    ),
    Rule(
        name="free-hours",
        severity=Severity.NOTE,
        reason="Where no element has a price, time is free; often that is what was meant.",
        check=has_free_hours,
    ),
    Rule(
        name="tiny-window",
        severity=Severity.WARNING,
        reason="Ends are exclusive: 23:59 leaves a minute of every day to another price.",
        check=has_tiny_window,
    ),
    Rule(
        name="overlap",
        severity=Severity.WARNING,
        reason="Where windows overlap in part, the order of the elements decides the price.",
        check=overlaps,
    ),
    Rule(
        name="weekday-after-midnight",
        severity=Severity.WARNING,
        reason="The weekday is that of the instant, not that on which the night began.",
        check=wraps_into_another_day,
    ),
    Rule(
        name="equal-ends",
        severity=Severity.WARNING,
        reason="OCPI does not define a window that ends where it starts.",
        check=has_equal_ends,
    ),
)
