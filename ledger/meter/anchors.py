"""Which reading holds at the start and which at the stop, where several are told or one is refuted.

The start message and a reading with the context Begin may both say what the register showed, and
so may the stop and readings with the context End. Where they say the same they are one reading.
Where they do not, the readings in between decide if they refute one of them; else it is a
question that holds the session. 22 kW, 08:00 to 09:00:

    start 0 | 10,100 at 08:01, 11,050 at 08:30 | 12,000
        -> refuted: 10 kWh do not flow in a minute, and two readings agree on where the register is
    start 1,000, Begin 1,900 | 3,000 at 08:30 | 6,000   -> start_readings_differ
    start 1,000, Begin 0     | 40,000 at 08:01, 40,100 | 41,000 -> both are refuted
    stop 0, End 6,000 after a start at 1,000            -> 6,000, meter_stop_below_start
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.meter.series import PowerLimit, RegisterReading


class Anchor(NamedTuple):
    """The reading that holds, as it came (None: none does), and what the others say about it."""

    reading: RegisterReading | None
    flags: frozenset[Flag] = frozenset()


def choose_start(
    told: Sequence[RegisterReading],
    later: Sequence[RegisterReading],
    started_at: datetime,
    limit: PowerLimit,
) -> Anchor:
    """Return the first reading of *told* that those *later* (by time) do not refute."""
    values = [reading.value_wh for reading in later]
    lowest, highest = min(values, default=None), max(values, default=None)

    def rank(start: RegisterReading) -> int:
        """Return 2 for a reading that holds, 1 for one above all later ones, 0 for one refuted."""
        if lowest is not None and _is_refuted(start, later, lowest, limit):
            return 0
        # A later fall is no objection by itself: resets and other frames have their own rules.
        return 2 if highest is None or highest >= start.value_wh - limit.tolerance_wh else 1

    ranks = {each: rank(replace(each, at=started_at)) for each in told}
    chosen = max(told, key=ranks.__getitem__, default=None)
    if chosen is None or not ranks[chosen]:
        return Anchor(None, frozenset({Flag.METER_START_IMPLAUSIBLE} if told else ()))
    flags = set()
    for other in told:
        if other is not chosen and not limit.agree(other, chosen):
            is_refuted = ranks[other] < ranks[chosen]
            flags.add(Flag.OTHER_READING_REFUTED if is_refuted else Flag.START_READINGS_DIFFER)
    return Anchor(chosen, frozenset(flags))


def _is_refuted(
    start: RegisterReading, later: Sequence[RegisterReading], lowest: Decimal, limit: PowerLimit
) -> bool:
    """Return True when the next reading lies out of reach and the others stand by it.

    One lone reading refutes nothing: it may be the wrong one. *lowest* is the least of *later*.
    """
    if len(later) < 2:  # noqa: PLR2004 - two readings that agree
        return False
    first, second = later[:2]
    if first.value_wh - start.value_wh <= limit.energy_max_wh(start.at, first.at):
        return False
    return lowest >= first.value_wh - limit.tolerance_wh and limit.allows(first, second)


def choose_stop(
    told: Sequence[RegisterReading],
    start: RegisterReading,
    last: RegisterReading | None,
    ended_at: datetime,
    limit: PowerLimit,
) -> Anchor:
    """Return the first reading of *told* that neither the start nor the *last* sample refutes.

    Where each of them is refuted the first that is not below the start holds, else the first.
    """

    def rank(stop: RegisterReading) -> int:
        """Return 2 for a reading that holds, 1 for one refuted by the sample, 0 by the start."""
        if stop.value_wh < start.value_wh:
            return 0
        return 2 if last is None or _follows(last, stop, ended_at, limit) else 1

    ranks = {each: rank(each) for each in told}
    chosen = max(told, key=ranks.__getitem__, default=None)
    flags = set()
    for other in told:
        if chosen is None or other is chosen or limit.agree(other, chosen):
            continue
        if ranks[other] == ranks[chosen]:
            flags.add(Flag.STOP_READINGS_DIFFER)
        else:
            is_below = ranks[other] == 0
            flags.add(Flag.METER_STOP_BELOW_START if is_below else Flag.OTHER_READING_REFUTED)
    return Anchor(chosen, frozenset(flags))


def _follows(
    last: RegisterReading, stop: RegisterReading, ended_at: datetime, limit: PowerLimit
) -> bool:
    rise = stop.value_wh - last.value_wh
    return -limit.tolerance_wh <= rise <= limit.energy_max_wh(last.at, ended_at)
