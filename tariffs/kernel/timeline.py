"""A usage as whole numbers in order, checked: what the kernel cuts.

Prices change at 22:00 sharp, at the fifth kWh, after an hour. Stations send registers when they
like: each minute, each quarter of an hour, or only at both ends. So two questions have to be
answered between readings: what was the register at this instant, and at which instant did the
register reach this threshold. Whatever rounding does to the answers, the parts must add up to the
energy that the meter showed.

Instants are whole microseconds since 1970, registers whole 1e-9 Wh since the start. Between two
readings the register rises linearly and is rounded down. A threshold is reached at the first
microsecond at which the register has it, and for the volumes the register there *is* the threshold.
Of two readings at one moment the register jumps from one to the other, and every threshold between
them is reached there. Volumes are differences of registers, so they always add up.

Example 1. 3 Wh within a second, one price until 1 Wh and another from there on:

    register after 333,333 us     0.999999 Wh
    register after 333,334 us     1.000002 Wh     so 1 Wh is reached here
    volumes                       1 Wh and 2 Wh, not 1.000002 and 1.999998

In the large: 8 kWh from 10:00 to 11:00 at 0.30 below 5 kWh and 0.60 above are cut at 10:37:30 and
cost 5 x 0.30 + 3 x 0.60 = 3.30, though no reading lies there.

Example 2. The first 10 minutes of every stretch of parking are a grace. Charging from 10:00,
parking from 10:20, the end at 11:00, and in between charging once more:

    charging 10:35 to 10:40     grace until 10:30, parking, charging, grace 10:40 to 10:50, parking
    charging 10:30 to 10:30     grace until 10:30, then parking to the end

What lasts no time is no stretch. Else a station that says "charging" and "parking" in one moment
would give its driver another grace.

Why not power x time for each stretch: stations round power, and the products would not add up to
the register, which is what the meter is calibrated for. Why not round to the nearest: rounded
down, no stretch has more than was metered by its end. Why whole numbers: a float of the seconds
since 1970 holds today's microseconds only nearly, and decimals are slower.

What contradicts itself is refused here and never repaired: registers or times that fall, readings
that do not begin with 0 at the start and end with the session, a reservation after charging. The
fold of the ledger has repaired what can be repaired, with a flag; a second repair would be silent.
Readings stay as they came until a cut asks for them, because most sessions have many of them and
few cuts. tests/tariffs/kernel/test_timeline.py holds these rules, test_pricing.py the sums.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from typing import Final

import msgspec

from tariffs.errors import TariffError
from tariffs.kernel.compiled import State
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, microseconds, moment_of
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import EXACT
from tariffs.taxes.taxes import ENERGY_UNITS_PER_WH

_UNITS_PER_WH: Final = Decimal(ENERGY_UNITS_PER_WH)
# 1 TWh and 10 years: beyond, a number is a mistake, and a huge exponent an attack.
_ENERGY_UNITS_MAX: Final = Decimal(10**21)
_DURATION_US_MAX: Final = 3660 * 86_400_000_000
# What no zone's clock can be asked about lies at the ends of the calendar.
_FIRST_US, _LAST_US = (microseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in (1000, 9000))
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
    few cuts.
    """

    usage: SessionUsage
    start_us: int
    end_us: int
    total: int
    state: State
    changes: Sequence[tuple[int, State]]
    charging_us: int

    @property
    def points(self) -> list[tuple[int, int]]:
        """Return every reading as (instant, register)."""
        return [(microseconds(point.at), _units(point)) for point in self.usage.points]

    def register_at(self, instant_us: int) -> int:
        """Return the register at an instant: linear between readings, rounded down."""
        points = self.usage.points
        # Of two readings at one moment the last stands: the search passes both.
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

        Rounding apart, the register at that instant is the threshold.
        """
        if threshold > self.total:
            return None
        points = self.usage.points
        index = bisect_left(points, threshold, key=_units)
        before, after = points[index - 1], points[index]
        at, register, gained = microseconds(before.at), _units(before), _units(after)
        ahead = (threshold - register) * (microseconds(after.at) - at)
        # Rounded up: a microsecond earlier the register is still below the threshold.
        return at - (-ahead // (gained - register))


def timeline_of(usage: SessionUsage, grace_us: int) -> Timeline:
    """Check *usage* and return its timeline; the first *grace_us* of parking become GRACE.

    Raises:
        UnusableUsageError: If times or registers run backwards, do not meet the session's ends,
            or are no numbers.
    """
    if usage.starts_at.tzinfo is not UTC:
        usage = _in_utc(usage)
    start, end = microseconds(usage.starts_at), microseconds(usage.ends_at)
    if not _FIRST_US <= start <= _LAST_US:
        raise UnusableUsageError(usage, phrase("beyond_calendar"))
    if not start <= end <= start + _DURATION_US_MAX:
        raise UnusableUsageError(usage, phrase("end_before_start"))
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
    try:
        return _converted(usage)
    except OverflowError:
        raise UnusableUsageError(usage, phrase("beyond_calendar")) from None


def _converted(usage: SessionUsage) -> SessionUsage:
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
            # `not >=` and not `<`: a NaN compares false, and is refused here if no trap refuses
            # it.
            if point.at < at or not point.energy_wh >= register:
                raise UnusableUsageError(usage, phrase("readings_backwards", at=str(point.at)))
            at, register = point.at, point.energy_wh
        scaled = EXACT.multiply(register, _UNITS_PER_WH)
    except ArithmeticError:
        raise UnusableUsageError(usage, phrase("reading_no_energy")) from None
    if not scaled < _ENERGY_UNITS_MAX:
        raise UnusableUsageError(usage, phrase("energy_absurd", wh=str(register)))
    first = points[0]
    if first.energy_wh or first.at != usage.starts_at or at != usage.ends_at:
        raise UnusableUsageError(usage, phrase("readings_incomplete"))
    return int(scaled)


def _units(point: UsagePoint) -> int:
    return int(EXACT.multiply(point.energy_wh, _UNITS_PER_WH))


def _states(usage: SessionUsage) -> tuple[State, list[tuple[int, State]]]:
    """Return the state at the start and the changes after it, without those that change nothing."""
    start, end = usage.starts_at, usage.ends_at
    state, last, at = _CHARGING, _CHARGING, usage.spans[0].starts_at
    changes: list[tuple[int, State]] = []
    for span in usage.spans:
        now = span.starts_at
        to = _STATE[span.activity]
        if now < at:
            raise UnusableUsageError(usage, phrase("spans_backwards", at=str(now)))
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
        raise UnusableUsageError(usage, phrase("reservation_after_charging"))


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

    def __init__(self, usage: SessionUsage, why: Phrase) -> None:
        super().__init__(usage, why)
        self.usage, self.why = usage, why
        self.said = phrase("unusable_usage", starts_at=str(usage.starts_at), why=why)
