"""A usage as whole numbers in order, checked: what the kernel cuts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from typing import Final

import msgspec

from tariffs.errors import TariffError
from tariffs.kernel.compiled import State
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, microseconds, moment_of
from tariffs.quantities import EXACT
from tariffs.taxes.taxes import ENERGY_UNITS_PER_WH

_UNITS_PER_WH: Final = Decimal(ENERGY_UNITS_PER_WH)
# 1 TWh and 10 years: beyond, a number is a mistake, and a huge exponent an attack.
_ENERGY_UNITS_MAX: Final = Decimal(10**21)
_DURATION_US_MAX: Final = 3660 * 86_400_000_000
_AT: Final = attrgetter("at")
_CHARGING, _RESERVATION = State.CHARGING, State.RESERVATION
_STATE: Final = {
    Activity.CHARGING: State.CHARGING,
    Activity.PARKING: State.PARKING,
    Activity.RESERVATION: State.RESERVATION,
}


class Timeline(msgspec.Struct, gc=False):
    """Instants in microseconds since 1970, registers in 1e-9 Wh since the start.

    `changes` are the instants at which the state changes, the start left out; `charging_us` is
    where durations are counted from: the end of the reservation. Readings stay as they came and
    are turned into whole numbers where a cut asks for them: most sessions have many readings and
    few cuts. `pinned` are cuts whose register is known: a threshold was reached there.
    """

    usage: SessionUsage
    start_us: int
    end_us: int
    total: int
    state: State
    changes: Sequence[tuple[int, State]]
    charging_us: int
    pinned: dict[int, int] | None = None

    @property
    def points(self) -> list[tuple[int, int]]:
        """Return every reading as (instant, register)."""
        return [(microseconds(point.at), _units(point)) for point in self.usage.points]

    def register_at(self, instant_us: int) -> int:
        """Return the register at an instant: linear between readings, rounded down."""
        if self.pinned is not None and instant_us in self.pinned:
            return self.pinned[instant_us]
        points = self.usage.points
        index = bisect_right(points, moment_of(instant_us), key=_AT)
        if index == 0:
            return 0
        before = points[index - 1]
        at, register = microseconds(before.at), _units(before)
        if at == instant_us or index == len(points):
            return register
        after = points[index]
        gained = _units(after) - register
        return register + gained * (instant_us - at) // (microseconds(after.at) - at)

    def reaches(self, threshold: int) -> int | None:
        """Return the first microsecond at which the register has *threshold*; None if it never has.

        The register at that instant is the threshold from then on, whatever rounding says.
        """
        if threshold > self.total:
            return None
        points = self.usage.points
        index = bisect_left(points, threshold, key=_units)
        before, after = points[index - 1], points[index]
        at, register, gained = microseconds(before.at), _units(before), _units(after)
        ahead = (threshold - register) * (microseconds(after.at) - at)
        reached = at - (-ahead // (gained - register))
        if self.pinned is None:
            self.pinned = {}
        self.pinned[reached] = threshold
        return reached


def timeline_of(usage: SessionUsage, grace_us: int) -> Timeline:
    """Check *usage* and return its timeline; the first *grace_us* of parking become GRACE.

    Raises:
        UnusableUsageError: If times or registers run backwards, do not meet the session's ends,
            or are no numbers.
    """
    if usage.starts_at.tzinfo is not UTC:
        usage = _in_utc(usage)
    start, end = microseconds(usage.starts_at), microseconds(usage.ends_at)
    if not start <= end <= start + _DURATION_US_MAX:
        raise UnusableUsageError(usage, "its end lies before its start or years after it")
    total = _total(usage)
    if not usage.spans:
        return Timeline(usage, start, end, total, _CHARGING, (), start)
    state, changes = _states(usage)
    charging = start
    if state is _RESERVATION:
        charging = next((at for at, to in changes if to is not State.RESERVATION), end)
        if usage.reservation_expired:
            state = State.RESERVATION_EXPIRED
    if grace_us:
        state, changes = _with_grace(start, end, state, changes, grace_us)
    return Timeline(usage, start, end, total, state, changes, charging)


def _in_utc(usage: SessionUsage) -> SessionUsage:
    """Return *usage* with every moment in UTC: moments of one zone compare by their wall clock."""
    return msgspec.structs.replace(
        usage,
        starts_at=usage.starts_at.astimezone(UTC),
        ends_at=usage.ends_at.astimezone(UTC),
        points=tuple(
            msgspec.structs.replace(point, at=point.at.astimezone(UTC)) for point in usage.points
        ),
        spans=tuple(
            msgspec.structs.replace(span, starts_at=span.starts_at.astimezone(UTC))
            for span in usage.spans
        ),
    )


def _total(usage: SessionUsage) -> int:
    """Check the readings, as they came, and return the last register."""
    points = usage.points
    if not points:
        return 0
    at, register = usage.starts_at, points[0].energy_wh
    try:
        for point in points:
            if point.at < at or not point.energy_wh >= register:
                raise UnusableUsageError(usage, f"its readings run backwards at {point.at}")
            at, register = point.at, point.energy_wh
        scaled = EXACT.multiply(register, _UNITS_PER_WH)
    except ArithmeticError:
        raise UnusableUsageError(usage, "a reading of it is no energy") from None
    if not scaled < _ENERGY_UNITS_MAX:
        raise UnusableUsageError(usage, f"it has an energy of {register} Wh")
    first = points[0]
    if first.energy_wh or first.at != usage.starts_at or at != usage.ends_at:
        raise UnusableUsageError(usage, "its readings do not begin with 0 and end with the session")
    return int(scaled)


def _units(point: UsagePoint) -> int:
    return int(EXACT.multiply(point.energy_wh, _UNITS_PER_WH))


def _states(usage: SessionUsage) -> tuple[State, list[tuple[int, State]]]:
    """Return the state at the start and the changes after it, without those that change nothing."""
    start, end = usage.starts_at, usage.ends_at
    state, last, at = _CHARGING, _CHARGING, start
    changes: list[tuple[int, State]] = []
    for span in usage.spans:
        now = span.starts_at
        to = _STATE[span.activity]
        if changes and now < at:
            raise UnusableUsageError(usage, f"its spans run backwards at {now}")
        if now <= start:
            state = last = to
        elif now < end and to is not last:
            _check_reservation(usage, to, last)
            instant = microseconds(now)
            if changes and changes[-1][0] == instant:
                changes.pop()
            # What lasts no time is no stretch: parking goes on, and so does its grace.
            if to is not (changes[-1][1] if changes else state):
                changes.append((instant, to))
            last = to
        at = now
    return state, changes


def _check_reservation(usage: SessionUsage, to: State, last: State) -> None:
    """Refuse a reservation that begins after charging did."""
    if to is _RESERVATION and last is not _RESERVATION:
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
