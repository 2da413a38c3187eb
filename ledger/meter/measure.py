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
samples count, make the series monotone, and hold the result against physics: the connector's
greatest power times the time, and the power that was measured.

Registers in Wh, 22 kW, 08:00 to 09:00; the session's energy and points behind the arrow:

    1,000 | 2,000, 0, 4,000 | 6,000            -> 5,000: 0, 1,000, 3,000, 5,000
        reading_dip_dropped: one low value between two that agree is a dropout
    9,998,000 | 9,999,500, 500 | 3,000         -> 5,000: 0, 1,500, 2,500, 5,000
        meter_rollover at 10^7; not held, as the rise is small enough for the time
    500,000 | 502,000, 0, 1,000 | 2,000        -> 4,000, held: meter_reset
        what flowed between 502,000 and 0 is unknown and is not guessed
    4,076,000 | 1,000, 2,500, 4,000 | 4,081,000 -> 5,000: 0, 1,000, 2,500, 4,000, 5,000
        register_session_relative: with the start added, all readings lie between start and stop
    1,000 | 3,000 | 900                        -> 2,000, held: meter_stop_estimated
        with one more reading of 5,000 at 09:00 itself -> 4,000 and not held

A doubt about how the energy lies in time is a flag; a doubt about how much there was holds the
session. To sum all rises would be simpler, but then each spike is billed; and to count a fall as
zero without a word hides a meter that was changed.

What must stay true: never raises, never negative, no reading used twice. All that is set aside is
in `dropped`, so that metered = sessions + unattributed to the Wh on each day
(tests/ledger/sessions/test_station_energy.py; the cases are in tests/quirks/test_quirks_meter.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from ledger.facts.flags import Flag
from ledger.meter.checks import is_coarse, physics_flags, sum_intervals
from ledger.meter.evidence import MeterEvidence
from ledger.meter.series import (
    Counted,
    Metered,
    PowerLimit,
    RegisterReading,
    accumulate,
    rollover_rise,
)

BEFORE_START: Final = timedelta(seconds=60)
"""A reading this short before the start may stand in for the missing one: nothing flows yet."""
AT_ONCE: Final = timedelta(seconds=5)
"""A reading this near to start or stop is as good as one at that moment."""
_NOISE_WH: Final = Decimal(10)
_THOUSAND: Final = Decimal(1000)


def measure(
    evidence: MeterEvidence,
    *,
    started_at: datetime,
    ended_at: datetime | None,
    max_power_w: Decimal,
    until: datetime | None = None,
) -> Metered:
    """Return the energy between *started_at* and *ended_at* (None: still open).

    While it is open, readings after *until* are not its own.

    Never raises and never returns a negative energy; doubts are flags.
    """
    limit = PowerLimit(max_power_w, is_coarse(evidence))
    if not evidence.has_register:
        return sum_intervals(evidence, started_at, ended_at, limit)
    return _Measurement(evidence, started_at, ended_at, limit, until).result()


class _Measurement:
    """One pass over the evidence: start, frame, stop, series, checks."""

    def __init__(
        self,
        evidence: MeterEvidence,
        started_at: datetime,
        ended_at: datetime | None,
        limit: PowerLimit,
        until: datetime | None,
    ) -> None:
        self._evidence, self._limit = evidence, limit
        self._started_at, self._ended_at = started_at, ended_at
        self._flags: set[str] = set(evidence.flags)
        self._dropped: set[RegisterReading] = set()
        self._base = Decimal(0)
        bound = ended_at or until
        self._samples = [
            reading
            for reading in evidence.samples
            if reading.at >= started_at and (bound is None or reading.at <= bound)
        ]
        early = [r for r in evidence.samples if started_at - BEFORE_START <= r.at < started_at]
        self._early = early[-1:]
        self._late = [] if ended_at is None else [r for r in evidence.samples if r.at > ended_at]

    def result(self) -> Metered:
        """Return the measured session."""
        start = self._start()
        if start is None:
            return Metered(flags=frozenset(self._flags | {Flag.START_READING_MISSING}))
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
        end = self._ended_at or last.reading.at
        self._flags |= physics_flags(
            energy, self._started_at, end, self._evidence.powers, self._limit
        )
        return Metered(
            energy_wh=energy,
            start_wh=start.value_wh,
            stop_wh=None if self._ended_at is None else last.reading.value_wh,
            counted=counted,
            unattributed_wh=unattributed,
            dropped=frozenset(self._dropped),
            flags=frozenset(self._flags),
        )

    def _start(self) -> RegisterReading | None:
        """Return the register at the start; a start that later readings refute is passed over."""
        candidates = [*self._evidence.declared_start, *self._evidence.begins]
        ends = [*self._evidence.declared_stop, *self._evidence.ends]
        later = [*self._samples, *ends]
        for candidate in candidates:
            anchored = candidate._replace(at=self._started_at)
            if self._begins_here(anchored, later):
                self._dropped |= {other for other in candidates if other is not candidate}
                return anchored
        if candidates and (self._early or self._samples):
            self._dropped |= set(candidates)
        if candidates:
            self._flags.add(Flag.METER_START_IMPLAUSIBLE)
        for reading in (*self._early, *self._samples[:1]):
            if reading.at - self._started_at > AT_ONCE:
                self._flags.add(Flag.START_READING_MISSING)
            return reading._replace(at=self._started_at)
        return candidates[0]._replace(at=self._started_at) if candidates else None

    def _begins_here(self, start: RegisterReading, later: Sequence[RegisterReading]) -> bool:
        """Return False when everything later lies out of reach above *start*.

        A later fall is no objection: resets, rollovers and other frames have their own rules.
        """
        if not later:
            return True
        reach = max(reading.at for reading in later)
        highest = start.value_wh + self._limit.energy_max_wh(self._started_at, reach)
        beyond = [r for r in later if r.value_wh > highest]
        if len(beyond) < len(later):
            return True
        first, last = later[0], later[-1]
        # readings that agree among themselves refute the start; one lone stop refutes nothing
        return not (len(later) > 1 and self._limit.allows(first, last))

    def _stop(self, start: RegisterReading) -> RegisterReading | None:
        """Return the register at the stop where one was given (the first not below the start)."""
        if self._ended_at is None:
            return None
        candidates = [*self._evidence.declared_stop, *self._evidence.ends]
        above = [candidate for candidate in candidates if candidate.value_wh >= start.value_wh]
        for chosen in (*above, *candidates)[:1]:
            if chosen is not candidates[0]:
                self._flags.add(Flag.METER_STOP_BELOW_START)
            self._dropped |= {other for other in candidates if other is not chosen}
            return chosen._replace(at=self._ended_at)
        return None

    def _framed(
        self, start: RegisterReading, stop: RegisterReading | None
    ) -> list[RegisterReading]:
        """Return the samples in the frame of *start*; none where they count in another one."""
        samples = self._samples
        # From 0 the life of the meter and the session count alike.
        if not samples or start.value_wh == 0:
            return samples
        last = max(samples[-1].at, self._ended_at or samples[-1].at)
        top = start.value_wh + self._limit.energy_max_wh(self._started_at, last)
        if stop is not None and stop.value_wh >= start.value_wh:
            top = min(top, stop.value_wh)

        def fits(values: Iterable[Decimal]) -> int:
            return sum(start.value_wh <= value <= top + _NOISE_WH for value in values)

        lifetime = fits(r.value_wh for r in samples)
        if lifetime == len(samples):
            return samples
        # Readings behind a rollover count in the frame of the start too.
        rolled = sum(rollover_rise(start, r, self._limit) is not None for r in samples)
        lifetime += rolled
        relative = fits(r.value_wh + start.value_wh for r in samples)
        kilo = fits(r.value_wh * _THOUSAND for r in samples)
        is_rising = all(a.value_wh <= b.value_wh for a, b in pairwise(samples))
        # Two frames do not mix: none fits the register, or all of them fit as relative.
        if relative > lifetime and is_rising and (lifetime == 0 or relative == len(samples)):
            self._flags.add(Flag.REGISTER_SESSION_RELATIVE)
            self._base = start.value_wh
        # Not converted: the labels of start and stop may be the wrong ones (quirk 11).
        elif kilo > lifetime:
            self._flags.add(Flag.UNIT_SUSPECT)
            self._dropped |= set(samples)
            return []
        elif lifetime == 0 and stop is not None:
            self._flags.add(Flag.REGISTER_OTHER_FRAME)
            self._dropped |= set(samples)
            return []
        return [r._replace(value_wh=r.value_wh + self._base) for r in samples]

    def _drop(self, framed: Iterable[RegisterReading]) -> None:
        """Note readings that are not used, as they came."""
        self._dropped |= {r._replace(value_wh=r.value_wh - self._base) for r in framed}

    def _series(
        self, start: RegisterReading, samples: list[RegisterReading], stop: RegisterReading | None
    ) -> tuple[Counted, ...]:
        """Return the monotone series from *start* to the stop, whichever stands for it."""
        if stop is not None and stop.value_wh >= start.value_wh:
            return self._bounded(start, samples, stop)
        open_ended = accumulate([start, *samples], self._limit)
        self._flags |= open_ended.flags
        self._drop(open_ended.dropped)
        if self._ended_at is None:
            return open_ended.counted
        last = open_ended.counted[-1]
        if stop is not None:
            if stop.value_wh >= last.reading.value_wh:  # after a rollover or reset in between
                rise = stop.value_wh - last.reading.value_wh
                return (*open_ended.counted, Counted(stop, last.energy_wh + rise))
            rolled = rollover_rise(last.reading, stop, self._limit)
            if rolled is not None:
                self._flags.add(Flag.METER_ROLLOVER)
                return (*open_ended.counted, Counted(stop, last.energy_wh + rolled))
            self._flags.add(Flag.METER_STOP_BELOW_START)
            self._dropped |= {*self._evidence.declared_stop, *self._evidence.ends}
        return self._ended_without_stop(open_ended.counted, self._ended_at)

    def _bounded(
        self, start: RegisterReading, samples: list[RegisterReading], stop: RegisterReading
    ) -> tuple[Counted, ...]:
        """Return the series between two trusted readings: the energy is their difference."""
        inside, outside = [], []
        for reading in samples:
            if start.value_wh <= reading.value_wh <= stop.value_wh:
                inside.append(reading)
                continue
            outside.append(reading)
            if reading.value_wh < start.value_wh:
                self._flags.add(Flag.READING_DIP_DROPPED)
            elif reading.value_wh - stop.value_wh > _NOISE_WH:
                self._flags.add(Flag.READINGS_ABOVE_STOP)
        self._drop(outside)
        series = accumulate([start, *inside, stop], self._limit, bounded=True)
        self._flags |= series.flags
        self._drop(series.dropped)
        return series.counted

    def _ended_without_stop(
        self, counted: tuple[Counted, ...], ended_at: datetime
    ) -> tuple[Counted, ...]:
        """Let the last good reading stand for the stop; only one at the stop itself is trusted."""
        last = counted[-1]
        if len(counted) == 1:
            self._flags.add(Flag.STOP_READING_MISSING)
        elif ended_at - last.reading.at > AT_ONCE:
            self._flags.add(Flag.METER_STOP_ESTIMATED)
        return (*counted, Counted(last.reading._replace(at=ended_at), last.energy_wh))
