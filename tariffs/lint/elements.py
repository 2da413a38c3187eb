"""Rules about elements: which can never hold, which hide others, where the week has holes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from typing import Final

from tariffs.calendar.week import Fee, HeldPrice, Stretch, WeekCalendar, fee_of
from tariffs.calendar.words import (
    DAY_NAMES,
    clock_text,
    days_text,
    end_text,
    local_pieces,
    price_text,
    weekday_numbers,
    windows_text,
)
from tariffs.lint.subject import LintSubject, Rule, Said, Severity, Spot
from tariffs.model.tariff import Dimension, Restrictions, TariffElement

_TINY: Final = timedelta(minutes=5)
_WEEK_DAYS: Final = 7


def never_applies(subject: LintSubject) -> Iterator[Said]:
    """Find elements whose restrictions contradict each other or the tariff's validity."""
    for index in range(len(subject.tariff.elements)):
        if subject.reach.is_complete and not subject.reach.ever_applies(index):
            spot: Spot = ("elements", index, "restrictions")
            yield (
                spot,
                f"{subject.label(index)} can never apply: its restrictions exclude each other",
            )


def is_shadowed(subject: LintSubject) -> Iterator[Said]:
    """Find components that an earlier element always hides."""
    seen: set[tuple[int, Dimension]] = set()
    for spot, index, _, component, fee in subject.components():
        key = (index, component.dimension)
        if key in seen or fee is None or not subject.reach.is_complete:
            continue
        seen.add(key)
        winners = subject.reach.winners.get((component.dimension, index), frozenset())
        if winners and not subject.reach.is_chosen(component.dimension, index):
            names = ", ".join(subject.label(winner) for winner in sorted(winners))
            message = (
                f"{fee.value} of {subject.label(index)} is never billed: wherever it could be, "
                f"{names} comes first"
            )
            yield spot, message


def has_repeated_component(subject: LintSubject) -> Iterator[Said]:
    """Find elements with two prices for one dimension."""
    for index, element in enumerate(subject.tariff.elements):
        named = [component.dimension for component in element.price_components]
        for dimension in sorted({d for d in named if named.count(d) > 1}):
            message = f"{subject.label(index)} prices {dimension} twice; only the first is billed"
            yield ("elements", index, dimension.lower()), message


def is_not_for_reservations(subject: LintSubject) -> Iterator[Said]:
    """Find energy and parking prices inside reservation elements."""
    for spot, index, _, component, fee in subject.components():
        if fee is None:
            message = (
                f"{subject.label(index)} is for reservations: {component.dimension} never counts"
            )
            yield spot, message


def has_gap(subject: LintSubject) -> Iterator[Said]:
    """Find fees that some hours of the week price and others do not."""
    yield from _gaps(subject, (Fee.ENERGY,))


def has_free_hours(subject: LintSubject) -> Iterator[Said]:
    """Find time fees that some hours of the week do not have."""
    yield from _gaps(subject, (Fee.TIME, Fee.PARKING_TIME, Fee.RESERVATION_TIME))


def _gaps(subject: LintSubject, fees: tuple[Fee, ...]) -> Iterator[Said]:
    said: set[Said] = set()
    for when, calendar in subject.calendars:
        for fee in fees:
            stretches = calendar.stretches.get(fee, ())
            free = [s for s in stretches if s.price is None and not _is_tiny(s)]
            if free and any(s.price is not None for s in stretches):
                message = f"{fee.value}{when and f', {when},'} is free {_windows(free, calendar)}"
                found = (_first_spot(subject, fee), message)
                if found not in said:
                    said.add(found)
                    yield found


def has_tiny_window(subject: LintSubject) -> Iterator[Said]:
    """Find prices that hold for a few minutes: an end that was meant to be included."""
    said: set[Said] = set()
    for _, calendar in subject.calendars:
        for fee in calendar.fees:
            tiny: dict[HeldPrice | None, list[Stretch]] = {}
            for stretch in calendar.stretches[fee]:
                if _is_tiny(stretch):
                    tiny.setdefault(stretch.price, []).append(stretch)
            for price, stretches in tiny.items():
                text = price_text(price, fee, calendar.tariff.currency)
                message = (
                    f"{fee.value} is {text} for minutes only, {_windows(stretches, calendar)}: "
                    "ends are exclusive, write 20:00 and not 19:59"
                )
                found = (_first_spot(subject, fee), message)
                if found not in said:
                    said.add(found)
                    yield found


def _is_tiny(stretch: Stretch) -> bool:
    return stretch.ends_at - stretch.starts_at <= _TINY


def _windows(stretches: list[Stretch], calendar: WeekCalendar) -> str:
    pieces = [p for s in stretches for p in local_pieces(s.starts_at, s.ends_at, "UTC")]
    dated = any(
        e.restrictions.start_date or e.restrictions.end_date for e in calendar.tariff.elements
    )
    week = f" (in the days from {calendar.first_day.isoformat()})" if dated else ""
    return windows_text(pieces, calendar.days) + week


def _first_spot(subject: LintSubject, fee: Fee) -> Spot:
    return next((spot for spot, _, _, _, named in subject.components() if named is fee), ())


def overlaps(subject: LintSubject) -> Iterator[Said]:
    """Find windows that overlap in part, so that the order of elements decides the price."""
    elements = subject.tariff.elements
    for later in range(len(elements)):
        for earlier in range(later):
            fees = _priced_apart(elements[earlier], elements[later])
            example = _partial_overlap(subject, earlier, later) if fees else None
            if example is not None:
                message = (
                    f"{subject.label(later)} overlaps {subject.label(earlier)} in part, "
                    f"for example {example}; there {', '.join(fees)} of the earlier one counts"
                )
                yield ("elements", later, "restrictions"), message


def _priced_apart(earlier: TariffElement, later: TariffElement) -> list[str]:
    """Return the fees that both elements name with different prices."""
    if earlier.restrictions.reservation is not later.restrictions.reservation:
        return []
    reserved = later.restrictions.reservation is not None
    prices = {c.dimension: c for c in reversed(earlier.price_components)}
    apart = []
    for component in later.price_components:
        other = prices.get(component.dimension)
        fee = fee_of(component.dimension, reserved=reserved)
        if other is not None and other != component and fee is not None:
            apart.append(fee.value)
    return apart


def _partial_overlap(subject: LintSubject, earlier: int, later: int) -> str | None:
    """Return an example of a moment in both windows, if neither lies inside the other."""
    reach, first, second = subject.reach, 1 << earlier, 1 << later
    pair = first | second
    met = {mask & pair for mask in reach.clock_masks}
    if not {first, second, pair} <= met or all(mask & pair != pair for mask in reach.masks):
        return None
    both = next(local for mask, local in reach.clock_masks.items() if mask & pair == pair)
    return f"{DAY_NAMES[both.weekday()]} at {clock_text(both.time())}"


def wraps_into_another_day(subject: LintSubject) -> Iterator[Said]:
    """Find windows over midnight that name weekdays: after midnight another day must be named."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        if _wraps(r) and r.day_of_week and len(set(r.day_of_week)) < _WEEK_DAYS:
            days = days_text(weekday_numbers(r.day_of_week))
            start, end = clock_text(r.start_time or time(0)), end_text(r.end_time or time(0))
            message = (
                f"{days} {start}-{end} means {days} 00:00-{end} and {days} {start}-24:00: after "
                "midnight it is the next day"
            )
            yield ("elements", index, "restrictions", "day_of_week"), message


def _wraps(r: Restrictions) -> bool:
    return (
        r.start_time is not None and r.end_time is not None and time(0) != r.end_time < r.start_time
    )


def has_equal_ends(subject: LintSubject) -> Iterator[Said]:
    """Find windows that end where they start."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        if r.start_time is not None and r.start_time == r.end_time and r.start_time != time(0):
            message = (
                f"{clock_text(r.start_time)}-{clock_text(r.start_time)} is the whole day here, "
                "and nothing at all for some partners"
            )
            yield ("elements", index, "restrictions", "end_time"), message


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
