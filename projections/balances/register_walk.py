"""What a place's register rose by, from all that was told of it: the metered side of the balance.

The fold of sessions takes no part in it. Values are put in a row by time, whosever they are, and
the register is walked once. Start and stop values are its anchors: between two that do not fall
it rose by their difference, and samples only say on which day. Where it falls, each step up
counts. A value alone that its neighbours contradict is passed over. Registers in Wh:

    start 1,000, another start 2,000, stop 4,000, stop 6,000     -> 5,000, whosever they are
    start 4,076,000 | 1,000, 2,500 | stop 4,081,000              -> 5,000
    start 1,000 | 3,000, 5,000 | stop 1,000                      -> 4,000
    stop 6,000, stop 0, start 6,010                              -> 10
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec.structs import replace

from ledger.meter.series import PowerLimit, RegisterReading, has_restarted, rise_between

_ZERO: Final = Decimal(0)
_NOISE_WH: Final = Decimal(10)


class Rank(IntEnum):
    """What goes first of values of one moment: sessions end there before others begin."""

    BEFORE = 0
    START = 1
    AFTER = 2


class RegisterTold(NamedTuple):
    """One register value of a place, told by anybody; samples are no anchors."""

    at: datetime
    rank: Rank
    value_wh: Decimal
    reading: RegisterReading
    is_anchor: bool = False

    @property
    def is_start(self) -> bool:
        """True for the value at a start."""
        return self.rank is Rank.START


def told_at(
    at: datetime, rank: Rank, reading: RegisterReading, *, is_anchor: bool = False
) -> RegisterTold:
    """Return *reading* as told of the moment *at*."""
    return RegisterTold(at, rank, reading.value_wh, replace(reading, at=at), is_anchor)


def register_rises(
    told: Iterable[RegisterTold], limit: PowerLimit, restarts: Sequence[datetime]
) -> Iterator[tuple[datetime, Decimal]]:
    """Yield when the register of one place rose, and by how many Wh."""
    row = believed(sorted(told), limit)
    if not row:
        return
    anchors = [index for index, each in enumerate(row) if each.is_anchor]
    for first, last in pairwise(sorted({0, *anchors, len(row) - 1})):
        part = row[first : last + 1]
        ends = part[0], part[-1]
        if all(each.is_anchor for each in ends) and not _falls(part, restarts):
            yield from _between(*ends, part[1:-1])
        else:
            yield from _steps(part, limit, restarts)


def _falls(part: Sequence[RegisterTold], restarts: Sequence[datetime]) -> bool:
    """Return True when the register is lower at the end, or fell where the station booted."""
    return part[-1].value_wh < part[0].value_wh or any(
        later.value_wh < earlier.value_wh
        and has_restarted(earlier.reading, later.reading, restarts)
        for earlier, later in pairwise(part)
    )


def _between(
    start: RegisterTold, stop: RegisterTold, samples: Sequence[RegisterTold]
) -> Iterator[tuple[datetime, Decimal]]:
    level = start.value_wh
    for each in (*samples, stop):
        if level <= each.value_wh <= stop.value_wh:
            yield each.at, each.value_wh - level
            level = each.value_wh


def _steps(
    part: Sequence[RegisterTold], limit: PowerLimit, restarts: Sequence[datetime]
) -> Iterator[tuple[datetime, Decimal]]:
    previous = part[0]
    for index, each in enumerate(part[1:], 1):
        following = part[index + 1] if index + 1 < len(part) else None
        if following is not None and not each.is_anchor:
            is_dip = each.value_wh < previous.value_wh <= following.value_wh and not (
                has_restarted(previous.reading, each.reading, restarts)
                and limit.allows(each.reading, following.reading)
            )
            is_spike = previous.value_wh <= following.value_wh < each.value_wh
            if is_dip or (is_spike and not limit.allows(previous.reading, each.reading)):
                continue
        # A register that fell before a session says nothing of what flowed since.
        boots = () if each.is_start else restarts
        yield each.at, rise_between(previous.reading, each.reading, limit, boots).energy_wh
        previous = each


def believed(row: Sequence[RegisterTold], limit: PowerLimit) -> list[RegisterTold]:
    """Return *row* without anchors that their neighbours contradict."""
    next_anchor: list[RegisterTold | None] = [None] * len(row)
    for index in range(len(row) - 2, -1, -1):
        later = row[index + 1]
        next_anchor[index] = later if later.is_anchor else next_anchor[index + 1]
    kept: list[RegisterTold] = []
    level, start, highest = None, None, _ZERO
    for index, each in enumerate(row):
        if not each.is_anchor:
            if level is None or limit.allows(level.reading, each.reading):
                highest = max(highest, each.value_wh)
        elif each.is_start:
            if _is_false_start(each, start, level, row[index + 1 : index + 3], limit):
                continue
            level, start, highest = each, each, each.value_wh
        else:
            if level is not None and _is_false_stop(
                each, level, next_anchor[index], highest, limit
            ):
                continue
            level, highest = each, each.value_wh
        kept.append(each)
    return kept


def _is_false_stop(
    stop: RegisterTold,
    level: RegisterTold,
    anchor: RegisterTold | None,
    highest_wh: Decimal,
    limit: PowerLimit,
) -> bool:
    """Return True when the anchors around *stop* agree without it, or it says the start again."""
    value, before = stop.value_wh, level.value_wh
    is_possible = limit.allows(level.reading, stop.reading)
    if 0 <= value - before <= _NOISE_WH < highest_wh - value and level.is_start:
        return True
    if stop.at == level.at and value > before and not is_possible:
        return True
    if anchor is None or anchor.value_wh < before:
        return False
    return value < before or (value > anchor.value_wh and not is_possible)


def _is_false_start(
    start: RegisterTold,
    last_start: RegisterTold | None,
    level: RegisterTold | None,
    following: Sequence[RegisterTold],
    limit: PowerLimit,
) -> bool:
    """Return True when *start* lies within the session before it, or what follows refutes it."""
    value = start.value_wh
    is_certain = level is not None and value < level.value_wh
    if last_start is not None and is_certain and value - last_start.value_wh > _NOISE_WH:
        return True
    if not following:
        return False
    first = following[0]
    is_back = level is None or first.value_wh >= level.value_wh
    is_jump = value < first.value_wh and not limit.allows(start.reading, first.reading)
    agree = len(following) > 1 and limit.allows(first.reading, following[1].reading)
    return is_back and is_jump and (is_certain or agree)
