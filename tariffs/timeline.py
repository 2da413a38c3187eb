"""A usage as whole numbers in order, checked: what the kernel cuts."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from tariffs.compiled import State
from tariffs.errors import TariffError
from tariffs.quantities import EXACT
from tariffs.taxes import ENERGY_UNITS_PER_WH
from tariffs.usage import EPOCH, Activity, SessionUsage, UsageSpan, microseconds

_UNITS_PER_WH: Final = Decimal(ENERGY_UNITS_PER_WH)
# 1 TWh and 10 years: beyond, a number is a mistake, and a huge exponent an attack.
_ENERGY_UNITS_MAX: Final = Decimal(10**21)
_DURATION_US_MAX: Final = 3660 * 86_400_000_000
_DAY_US: Final = 86_400_000_000
_STATE: Final = {
    Activity.CHARGING: State.CHARGING,
    Activity.PARKING: State.PARKING,
    Activity.RESERVATION: State.RESERVATION,
}


class Timeline(msgspec.Struct, gc=False):
    """Instants in microseconds since 1970, registers in 1e-9 Wh since the start.

    `changes` are the instants at which the state changes, the start left out; `charging_us` is
    where durations are counted from: the end of the reservation.
    """

    start_us: int
    end_us: int
    points: list[tuple[int, int]]
    state: State
    changes: list[tuple[int, State]]
    charging_us: int


def timeline_of(usage: SessionUsage, grace_us: int) -> Timeline:
    """Check *usage* and return its timeline; the first *grace_us* of parking become GRACE.

    Raises:
        UnusableUsageError: If times or registers run backwards, do not meet the session's ends,
            or are no numbers.
    """
    start, end = microseconds(usage.starts_at), microseconds(usage.ends_at)
    if not start <= end <= start + _DURATION_US_MAX:
        raise UnusableUsageError(usage, "its end lies before its start or years after it")
    points = _points(usage, start, end)
    if not usage.spans:
        return Timeline(start, end, points, State.CHARGING, [], start)
    state, changes = _states(usage, start, end)
    charging = start
    if state is State.RESERVATION:
        charging = next((at for at, to in changes if to is not State.RESERVATION), end)
        if usage.reservation_expired:
            state = State.RESERVATION_EXPIRED
    if grace_us:
        state, changes = _with_grace(start, end, state, changes, grace_us)
    return Timeline(start, end, points, state, changes, charging)


def _points(usage: SessionUsage, start: int, end: int) -> list[tuple[int, int]]:
    points: list[tuple[int, int]] = []
    at, register = start, 0
    multiply, maximum, per_wh = EXACT.multiply, _ENERGY_UNITS_MAX, _UNITS_PER_WH
    for point in usage.points:
        since = point.at - EPOCH
        now = since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds
        try:
            scaled = multiply(point.energy_wh, per_wh)
            if not scaled < maximum:
                raise UnusableUsageError(usage, f"it has an energy of {point.energy_wh} Wh")
            total = int(scaled)
        except (ArithmeticError, ValueError):
            raise UnusableUsageError(usage, f"{point.energy_wh} is no energy") from None
        if now < at or total < register:
            raise UnusableUsageError(usage, f"its readings run backwards at {point.at}")
        at, register = now, total
        points.append((now, total))
    if points and (points[0] != (start, 0) or at != end):
        raise UnusableUsageError(usage, "its readings do not begin with 0 and end with the session")
    return points


def _states(usage: SessionUsage, start: int, end: int) -> tuple[State, list[tuple[int, State]]]:
    """Return the state at the start and the changes after it, without those that change nothing."""
    state, last, at = State.CHARGING, State.CHARGING, start
    changes: list[tuple[int, State]] = []
    for span in usage.spans:
        now = microseconds(span.starts_at)
        if now < at and changes:
            raise UnusableUsageError(usage, f"its spans run backwards at {span.starts_at}")
        to = _STATE[span.activity]
        if now <= start:
            state = last = to
        elif now < end and to is not last:
            _check_reservation(usage, span, last)
            if changes and changes[-1][0] == now:
                changes.pop()
            changes.append((now, to))
            last = to
        at = now
    return state, changes


def _check_reservation(usage: SessionUsage, span: UsageSpan, last: State) -> None:
    """Refuse a reservation that begins after charging did."""
    if span.activity is Activity.RESERVATION and last is not State.RESERVATION:
        raise UnusableUsageError(usage, "a reservation cannot follow charging")


def _with_grace(
    start: int, end: int, state: State, changes: list[tuple[int, State]], grace_us: int
) -> tuple[State, list[tuple[int, State]]]:
    """Let every stretch of parking begin with GRACE."""
    stretches = [(start, state), *changes, (end, state)]
    cut: list[tuple[int, State]] = []
    for (at, now), (until, _) in pairwise(stretches):
        if now is State.PARKING:
            cut.append((at, State.GRACE))
            if at + grace_us < until:
                cut.append((at + grace_us, State.PARKING))
        else:
            cut.append((at, now))
    return cut[0][1], cut[1:]


class UnusableUsageError(TariffError):
    """A usage that cannot be priced because it contradicts itself."""

    def __init__(self, usage: SessionUsage, why: str) -> None:
        super().__init__(f"the session from {usage.starts_at} cannot be priced: {why}")
        self.usage, self.why = usage, why
