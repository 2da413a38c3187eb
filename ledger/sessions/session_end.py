"""Which of several stops holds: told twice, or told differently; and what it contradicts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Final, NamedTuple

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SKEW_MAX, SessionClock
from ledger.facts.station_facts import (
    Measurand,
    SessionEnded,
    SessionStarted,
    StopAttested,
    happened_at,
)
from ledger.meter.evidence import MeterEvidence
from ledger.meter.series import Metered
from ledger.sessions.segments import Source, source_of

SAME_STOP: Final = timedelta(seconds=60)
"""Retries may carry a slightly different time."""
_AT: Final = attrgetter("at")
_NOISE_WH: Final = Decimal(10)


class ChosenEnd(NamedTuple):
    """The stop that holds and what the others say about it."""

    end: SessionEnded | None
    flags: frozenset[str]


def start_value_of(start: SessionStarted) -> Decimal | None:
    """Return the register at the start, None when the start names none."""
    if start.meter_start_wh is not None:
        return start.meter_start_wh
    return min(_registers(start), default=None)


def stop_value_of(end: SessionEnded) -> Decimal | None:
    """Return the register at the stop, None when the stop names none."""
    if end.meter_stop_wh is not None:
        return end.meter_stop_wh
    # The data of a stop may hold the readings of the whole session: the highest is the last.
    return max(_registers(end), default=None)


def _registers(fact: SessionStarted | SessionEnded) -> list[Decimal]:
    return [
        reading.value
        for reading in fact.readings
        if reading.measurand is Measurand.ENERGY_REGISTER_WH and reading.phase is None
    ]


def choose_end(
    ends: Sequence[SessionEnded], start: SessionStarted | None, clock: SessionClock
) -> ChosenEnd:
    """Return the first valid stop by its content, whatever order the stops came in.

    A stop with a register not below the start's comes before one without. What a person attests
    overrules what was told before it, and is overruled by another stop that is told after it.
    """
    if not ends:
        return ChosenEnd(None, frozenset())
    attested = [end for end in ends if type(end) is StopAttested]
    if not attested:
        return _first_valid(ends, start, clock)
    last = max(attested, key=source_of)
    since = _told_since(ends, last, clock)
    if not since:
        return ChosenEnd(last, frozenset({Flag.STOP_ATTESTED}))
    found = _first_valid(since, start, clock)
    return ChosenEnd(found.end, found.flags | {Flag.STOP_TOLD_SINCE})


def _told_since(
    ends: Sequence[SessionEnded], attested: StopAttested, clock: SessionClock
) -> list[SessionEnded]:
    """Return the stops that say something else than *attested*, and were not told before it."""
    at = source_of(attested)
    known = {(end.occurred_at, stop_value_of(end)) for end in ends if source_of(end) < at}
    return [
        end
        for end in ends
        if source_of(end) > at
        and (end.occurred_at, stop_value_of(end)) not in known
        and not _is_same(end, attested, clock)
    ]


def _first_valid(
    ends: Sequence[SessionEnded], start: SessionStarted | None, clock: SessionClock
) -> ChosenEnd:

    def rank(end: SessionEnded) -> tuple[bool, datetime, int, Decimal, datetime, Source]:
        value = stop_value_of(end)
        floor = start.meter_start_wh if start else None
        is_poor = value is None or (floor is not None and value < floor)
        at = happened_at(end, clock)
        number, register = end.seq_no or 0, value or Decimal(0)
        # By content first, of equals what was told first: arrival chooses nothing.
        return is_poor, at, number, register, end.received_at, source_of(end)

    chosen = min(ends, key=rank)
    flags: set[str] = set()
    for other in ends:
        if other is chosen:
            continue
        is_same = _is_same(other, chosen, clock)
        flags.add(Flag.DUPLICATE_STOP if is_same else Flag.CONFLICTING_STOP)
    return ChosenEnd(chosen, frozenset(flags))


def _is_same(other: SessionEnded, chosen: SessionEnded, clock: SessionClock) -> bool:
    gap, value = happened_at(other, clock) - happened_at(chosen, clock), stop_value_of(other)
    return abs(gap) <= SAME_STOP and (value is None or value == stop_value_of(chosen))


def is_dated_outside(
    bounds: tuple[datetime, datetime],
    updates: Iterable[datetime],
    metered: Metered,
    evidence: MeterEvidence,
) -> bool:
    """Whether frames of a session are dated before its start, or after a stop that came later.

    A register below that of the stop was read before it, whatever the clock showed.
    """
    started_at, ended_at = bounds
    if started_at - min(updates, default=started_at) > SKEW_MAX:
        return True
    start_wh, stop_wh = metered.start_wh, metered.stop_wh
    if start_wh is None or stop_wh is None or Flag.REGISTER_SESSION_RELATIVE in metered.flags:
        return False
    samples = evidence.samples
    late = samples[bisect_right(samples, ended_at + SKEW_MAX, key=_AT) :]
    return any(start_wh <= reading.value_wh < stop_wh - _NOISE_WH for reading in late)
