"""Register readings to the energy of one session: exact, monotone, never negative.

A meter counts upwards for years, so the energy of a session should be its register at the stop
less that at the start. Seen in the field: a register that falls to 0 for one reading or for good,
or passes its last digit (quirk 9); a stop below its start or without a value (10); kWh labelled Wh
(11); readings that count from the session's start between a start and a stop that count from the
meter's (7); two registers in one sample (8); a rise after the stop (17). The last reading minus
the first then gives -4,076 kWh (seen), or all that the meter ever counted.

Readings are not equal in rank. What start and stop carry as their own comes before readings with
the context Begin or End, and those before samples in between, which only split the energy in time.
The way is always the same: find the start, then the stop, then see in which frame of reference the
samples count, make the series monotone, and hold the result against physics: between any two
readings the connector's greatest power times their time, and the power that was measured.

Registers in Wh, 22 kW, 08:00 to 09:00; the session's energy and points behind the arrow:

    1,000 | 2,000, 0, 4,000 | 6,000            -> 5,000: 0, 1,000, 3,000, 5,000
        reading_dip_dropped: one low value between two that agree is a dropout
    9,998,000 | 9,999,500, 500 | 3,000         -> 5,000: 0, 1,500, 2,500, 5,000
        meter_rollover at 10^7; not held, as the rise is small enough for the time
    500,000 | 502,000, 0, 1,000 | 2,000        -> 4,000, held: meter_reset
        what flowed between 502,000 and 0 is unknown and is not guessed
    4,076,000 | 1,000, 2,500, 4,000 | 4,081,000 -> 5,000: 0, 1,000, 2,500, 4,000, 5,000
        register_session_relative: with the start added, all readings lie between start and stop
    1,000 | 3,000, boot, 500 | 4,000           -> 6,000, held: meter_reset
        it began again at 0 with the boot and is continued from there
    1,000 | 3,000, 5,000 | 1,000               -> 4,000, held: readings_above_stop
    1,000 | 1,003,000, 1,009,000 | 1,015       -> 15, held: energy_against_readings
        register_other_frame: another register, or start and stop in kWh; it rose by 6,000
    1,000 | 3,000 | 900                        -> 2,000, held: meter_stop_estimated
        with one more reading of 5,000 at 09:00 itself -> 4,000 and not held

A doubt about how the energy lies in time is a flag; a doubt about how much there was holds the
session. To sum all rises would be simpler, but then each spike is billed; and to count a fall as
zero without a word hides a meter that was changed.

What must stay true: never raises, never negative, no reading used twice. All that is set aside is
in `dropped` (samples) or refused (of start and stop), so that metered = dropped + sessions +
unattributed to the Wh on each day (tests/projections/balances/test_station_energy.py; the cases:
tests/ledger/meter/test_measure.py).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.meter.anchors import choose_start, choose_stop
from ledger.meter.checks import (
    intervals_between,
    is_against_readings,
    physics_flags,
    sum_intervals,
)
from ledger.meter.evidence import MeterEvidence
from ledger.meter.series import (
    Counted,
    Metered,
    PowerLimit,
    RegisterReading,
    accumulate,
    has_restarted,
    rise_between,
    rollover_rise,
)

BEFORE_START: Final = timedelta(seconds=60)
"""A reading this short before the start may stand in for the missing one: nothing flows yet."""
AT_ONCE: Final = timedelta(seconds=5)
"""A reading this near to start or stop is as good as one at that moment."""
_AT: Final = attrgetter("at")
_NOISE_WH: Final = Decimal(10)
_PHASES: Final = 3
_THOUSAND: Final = Decimal(1000)


def measure(
    evidence: MeterEvidence,
    *,
    started_at: datetime,
    ended_at: datetime | None,
    limit: PowerLimit,
    until: datetime | None = None,
    restarts: Sequence[datetime] = (),
) -> Metered:
    """Return the energy between *started_at* and *ended_at* (None: still open).

    While it is open, readings after *until* are not its own. *limit* is what its connector can
    deliver, *restarts* are the boots of its station, sorted.

    Never raises and never returns a negative energy; doubts are flags.
    """
    # What is told of the start itself is its own, also where the next one began before it.
    bound = None if until is None else max(until, started_at)
    if not evidence.has_register:
        return sum_intervals(evidence, started_at, ended_at, limit, until=bound)
    return _Measurement(evidence, started_at, ended_at, limit, bound, restarts).result()


class _Measurement:
    """One pass over the evidence: start, frame, stop, series, checks."""

    def __init__(
        self,
        evidence: MeterEvidence,
        started_at: datetime,
        ended_at: datetime | None,
        limit: PowerLimit,
        until: datetime | None,
        restarts: Sequence[datetime],
    ) -> None:
        self._evidence, self._limit, self._restarts = evidence, limit, restarts
        self._started_at, self._ended_at = started_at, ended_at
        self._flags: set[str] = set(evidence.flags)
        self._dropped: set[RegisterReading] = set()
        self._refused_stops: set[RegisterReading] = set()
        self._refused_starts: set[RegisterReading] = set()
        self._others: Sequence[RegisterReading] = ()
        self._base = Decimal(0)
        self._is_start_told = True
        bound, told = ended_at or until, evidence.samples
        over = len(told) if bound is None else bisect_right(told, bound, key=_AT)
        self._samples = list(told[bisect_left(told, started_at, key=_AT) : over])
        self._late = () if ended_at is None else told[over:]
        early = told[: bisect_right(told, started_at, key=_AT)][-1:]
        self._early = [each for each in early if each.at >= started_at - BEFORE_START]

    def result(self) -> Metered:
        """Return the measured session."""
        if not self._limit.is_one_moment(self._evidence.spread_wh):
            self._flags.add(Flag.READINGS_OF_ONE_MOMENT)
        # Each of three phases may be told in another step than their total.
        if self._evidence.phase_gap_wh > _PHASES * self._limit.tolerance_wh:
            self._flags.add(Flag.PHASES_AGAINST_TOTAL)
        start = self._start()
        if start is None:
            self._flags.add(Flag.START_READING_MISSING)
            # Of several stops one stands for the register; between two of them nothing flowed.
            stops = self._stops_told()
            refused = frozenset(stops) - {*stops[:1]}
            return Metered(flags=frozenset(self._flags), refused_stops=refused)
        stop = self._stop(start)
        samples = self._framed(start, stop)
        counted = self._series(start, samples, stop)
        last = counted[-1]
        energy = last.energy_wh
        unattributed = Decimal(0)
        if self._late:
            self._flags.add(Flag.POST_STOP_READINGS)
            # The last one, not the highest: a spike is no energy.
            beyond = max(self._late, key=lambda r: (r.at, r.value_wh))
            if self._limit.allows(last.reading, beyond):
                unattributed = beyond.value_wh - last.reading.value_wh
        is_one_phase = Flag.SINGLE_PHASE_REGISTER in self._flags
        self._flags |= physics_flags(
            counted, self._evidence.powers, self._limit, is_one_phase=is_one_phase
        )
        told = (self._evidence.intervals, self._evidence.told_again)
        series = [intervals_between(each, self._started_at, last.reading.at) for each in told]
        if any(is_against_readings(energy, each, self._others) for each in series):
            self._flags.add(Flag.ENERGY_AGAINST_READINGS)
        return Metered(
            energy_wh=energy,
            start_wh=start.value_wh,
            stop_wh=None if self._ended_at is None else last.reading.value_wh,
            counted=counted,
            unattributed_wh=unattributed,
            dropped=frozenset(self._dropped),
            refused_starts=frozenset(self._refused_starts),
            refused_stops=frozenset(self._refused_stops),
            flags=frozenset(self._flags),
        )

    def _start(self) -> RegisterReading | None:
        """Return the register at the start; a start that later readings refute is passed over."""
        told = [*self._evidence.declared_start, *self._evidence.begins]
        ends = [*self._evidence.declared_stop, *self._evidence.ends]
        later = [*self._samples]  # by time, as the evidence is
        for each in ends:
            insort(later, each)
        chosen = choose_start(told, later, self._started_at, self._limit)
        self._flags |= chosen.flags
        if chosen.reading is not None:
            self._refused_starts |= set(told) - {chosen.reading}
            return replace(chosen.reading, at=self._started_at)
        nearest = next(iter((*self._early, *self._samples)), None)
        if nearest is None:
            return replace(told[0], at=self._started_at) if told else None
        self._refused_starts |= set(told)
        self._is_start_told = False
        if nearest.at - self._started_at > AT_ONCE:
            self._flags.add(Flag.START_READING_MISSING)
        return replace(nearest, at=self._started_at)

    def _stop(self, start: RegisterReading) -> RegisterReading | None:
        """Return the register at the stop where one was given (the first not below the start)."""
        if self._ended_at is None:
            return None
        told = self._stops_told()
        last = self._samples[-1] if self._samples else None
        chosen = choose_stop(told, start, last, self._ended_at, self._limit)
        self._flags |= chosen.flags
        if chosen.reading is None:
            return None
        self._refused_stops |= set(told) - {chosen.reading}
        return replace(chosen.reading, at=self._ended_at)

    def _stops_told(self) -> list[RegisterReading]:
        """Return what is told of the stop, best first: of those with context End the last."""
        ends = sorted(self._evidence.ends, key=lambda r: r.at, reverse=True)
        return [*self._evidence.declared_stop, *ends]

    def _framed(
        self, start: RegisterReading, stop: RegisterReading | None
    ) -> list[RegisterReading]:
        """Return the samples in the frame of *start*; none where they count in another one."""
        samples = self._samples
        # From 0 the life of the meter and the session count alike, and so does what is one of them.
        if not samples or start.value_wh == 0 or not self._is_start_told:
            return samples
        last = self._ended_at or samples[-1].at
        top = start.value_wh + self._limit.energy_max_wh(self._started_at, last)
        if stop is not None and stop.value_wh >= start.value_wh:
            top = min(top, stop.value_wh)

        values = [reading.value_wh for reading in samples]
        if start.value_wh <= min(values) and max(values) <= top + _NOISE_WH:
            return samples

        def fits(told: Iterable[Decimal]) -> int:
            return sum(start.value_wh <= value <= top + _NOISE_WH for value in told)

        lifetime = fits(values)
        # Readings behind a rollover count in the frame of the start too.
        lifetime += sum(rollover_rise(start, r, self._limit) is not None for r in samples)
        relative = fits(value + start.value_wh for value in values)
        kilo = fits(value * _THOUSAND for value in values)
        is_rising = all(earlier <= later for earlier, later in pairwise(values))
        # Two frames do not mix: none fits the register, or all of them fit as relative.
        is_whole = lifetime == 0 or relative == len(samples)
        is_relative = relative > max(lifetime, kilo) and is_whole
        if is_relative and is_rising and not self._is_their_stop(start, stop):
            self._flags.add(Flag.REGISTER_SESSION_RELATIVE)
            self._base = start.value_wh
        # Not converted: the labels of start and stop may be the wrong ones (quirk 11).
        elif kilo > lifetime:
            self._flags.add(Flag.UNIT_SUSPECT)
            self._dropped |= set(samples)
            return []
        elif lifetime == 0 and stop is not None and stop.value_wh >= start.value_wh:
            # What power can reach speaks of this register, and so against the stop.
            near = [r for r in samples if self._limit.allows(start, r)]
            if not near:
                self._flags.add(Flag.REGISTER_OTHER_FRAME)
                self._others = samples
            self._dropped |= set(samples) - set(near)
            return near
        return [replace(r, value_wh=r.value_wh + self._base) for r in samples]

    def _is_their_stop(self, start: RegisterReading, stop: RegisterReading | None) -> bool:
        """Return True when the stop, below the start, goes on from the samples as they came."""
        if stop is None or stop.value_wh >= start.value_wh:
            return False
        return self._limit.allows(self._samples[-1], stop)

    def _drop(self, framed: Iterable[RegisterReading]) -> None:
        """Note readings that are not used, as they came."""
        self._dropped |= {replace(r, value_wh=r.value_wh - self._base) for r in framed}

    def _series(
        self, start: RegisterReading, samples: list[RegisterReading], stop: RegisterReading | None
    ) -> tuple[Counted, ...]:
        """Return the monotone series from *start* to the stop, whichever stands for it."""
        if stop is not None and self._is_repeated_start(start, samples, stop):
            self._flags.add(Flag.READINGS_ABOVE_STOP)
            self._refuse_stop()
            stop = None
        if stop is not None and stop.value_wh >= start.value_wh:
            return self._bounded(start, samples, stop)
        open_ended = self._accumulate([start, *samples])
        if self._ended_at is None:
            return open_ended
        last = open_ended[-1]
        if stop is not None:
            rise = rise_between(last.reading, stop, self._limit, self._restarts)
            # Above the last one after a rollover or reset in between, or itself behind one.
            if rise.flag is not Flag.METER_RESET or has_restarted(
                last.reading, stop, self._restarts
            ):
                self._flags |= {rise.flag} if rise.flag else set()
                return (*open_ended, Counted(stop, last.energy_wh + rise.energy_wh))
            self._flags.add(Flag.METER_STOP_BELOW_START)
            self._refuse_stop()
        return self._ended_without_stop(open_ended, self._ended_at)

    def _is_repeated_start(
        self, start: RegisterReading, samples: Sequence[RegisterReading], stop: RegisterReading
    ) -> bool:
        """Return True when the stop says the start again while readings rose above it."""
        if not 0 <= stop.value_wh - start.value_wh <= _NOISE_WH:
            return False
        highest = max((r.value_wh for r in samples), default=stop.value_wh)
        return highest - stop.value_wh > _NOISE_WH

    def _refuse_stop(self) -> None:
        self._refused_stops |= {*self._evidence.declared_stop, *self._evidence.ends}

    def _accumulate(
        self, readings: Sequence[RegisterReading], *, bounded: bool = False
    ) -> tuple[Counted, ...]:
        series = accumulate(readings, self._limit, restarts=self._restarts, bounded=bounded)
        self._flags |= series.flags
        self._drop(series.dropped)
        return series.counted

    def _bounded(
        self, start: RegisterReading, samples: list[RegisterReading], stop: RegisterReading
    ) -> tuple[Counted, ...]:
        """Return the series between two trusted readings: the energy is their difference."""
        most = stop.value_wh
        above = [reading for reading in samples if reading.value_wh > most]
        if not above:  # nearly always
            return self._accumulate([start, *samples, stop], bounded=True)
        series = [start]
        for reading in samples:
            if reading.value_wh <= most:
                series.append(reading)
                continue
            if reading.value_wh - stop.value_wh > _NOISE_WH:
                is_spike = not self._limit.allows(series[-1], reading)
                self._flags.add(
                    Flag.READING_SPIKE_DROPPED if is_spike else Flag.READINGS_ABOVE_STOP
                )
        self._drop(above)
        return self._accumulate([*series, stop], bounded=True)

    def _ended_without_stop(
        self, counted: tuple[Counted, ...], ended_at: datetime
    ) -> tuple[Counted, ...]:
        """Let the last good reading stand for the stop; only one at the stop itself is trusted."""
        last = counted[-1]
        if len(counted) == 1:
            self._flags.add(Flag.STOP_READING_MISSING)
        elif ended_at - last.reading.at > AT_ONCE:
            self._flags.add(Flag.METER_STOP_ESTIMATED)
        return (*counted, Counted(replace(last.reading, at=ended_at), last.energy_wh))
