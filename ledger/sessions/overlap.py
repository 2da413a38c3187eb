"""Which sessions at one place have the same part of its register: a plug has one car at a time.

And which are one start, told again under another id.

A second start may come before the first session's stop, and both stops later. Each then looks
whole by itself, and the Wh between are sold twice. Which of the two is right no register can say,
so both are held; one that is decided by then stays. Registers in Wh:

    1,000 at 08:00 to 4,000 at 08:40 and 2,000 at 08:30 to 6,000 at 09:00 -> 2,000 to 4,000 twice
    1,000 at 08:00 to 2,000 at 08:40 and 2,000 at 08:30 to 6,000 at 09:00 -> a late stop, no more
    5,000 at 08:00 to 9,000 at 20:00 and 1,000 at 18:00 to 5,000 at 19:00 -> a start that is dated
        hours back, or both times of the other one: it goes on from where that one ended
    1,000 at 08:00 to 6,000 at 09:00, then 4,000 at 09:05 to 7,000        -> 4,000 to 6,000 twice
    1,000 at 08:00 to 6,000 at 09:00, then the same a day later           -> told twice, by a clock
        that was set in between: no register comes back to where it was
    0 at 08:00 to 5,000 at 09:00, then 0 at 09:05 to 7,000                -> began anew, no more
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from ledger.sessions.loose_frames import Window
from ledger.sessions.session_end import SAME_STOP

REACH: Final = 8
"""With so many before it in its row each is compared. Where all of them still run, it is held."""
_NOISE_WH: Final = Decimal(10)
_BETWEEN_WH: Final = Decimal(1000)
"""So much may flow at a plug between two sessions: one step of a register in whole kWh."""
_ANEW_WH: Final = Decimal(100)
"""A register that counts from the start of each session may show so much when it is first read."""


def overlapping(row: Sequence[Window]) -> set[int]:
    """Return which windows of *row* (of one place, by start) have what another one has."""
    found: set[int] = set()
    latest: datetime | None = None  # when the last one before it ends
    last = -1  # the last one before it that has a part
    for index, window in enumerate(row):
        first = max(index - REACH, 0)
        running: list[int] = []
        if latest is not None and latest > window.starts_at:
            running = [each for each in range(first, index) if _is_running(row[each], window)]
            if len(running) == REACH:
                found.add(index)
            for other in running:
                if _share_at_once(row[other], window) or _comes_before(row[other], window):
                    found |= {other, index}
        if window.ends_at is None:
            continue  # it has nothing yet
        is_near = last >= first and last not in running
        if is_near and _falls_back(row[last], window):
            found |= {last, index}
        if has_part(window):
            last = index
        latest = window.ends_at if latest is None else max(latest, window.ends_at)
    return found


def _is_running(earlier: Window, later: Window) -> bool:
    """Return True when *later* begins before the stop of *earlier*."""
    return earlier.ends_at is not None and later.starts_at < earlier.ends_at


def _share_at_once(earlier: Window, later: Window) -> bool:
    if earlier.ends_at is None or later.ends_at is None:
        return False  # it has nothing yet; a start that was refused never will
    low, high = _part(earlier)
    begin, end = _part(later)
    if low is None or high is None or begin is None:
        # Nobody can say that they do not.
        return earlier.ends_at - later.starts_at > SAME_STOP
    top = high if end is None else min(high, end)
    return top - max(low, begin) > _NOISE_WH


def _comes_before(earlier: Window, later: Window) -> bool:
    """Return True when *earlier*, that *later* lies within, goes on from where that one ended.

    Two meters under one number, of which the second began lower, lie farther apart.
    """
    low, (begin, end) = earlier.begin_wh, _part(later)
    if low is None or begin is None or end is None or not has_part(earlier):
        return False
    is_next = -_NOISE_WH <= low - end <= _BETWEEN_WH
    return is_next and has_part(later) and _ANEW_WH < begin < low - _NOISE_WH


def _falls_back(earlier: Window, later: Window) -> bool:
    """Return True when *later*, though after *earlier*, has some of its part."""
    low, high = _part(earlier)
    begin, end = _part(later)
    if low is None or high is None or begin is None or begin >= high - _NOISE_WH:
        return False
    is_anew = begin <= _ANEW_WH or end is None or end <= low + _NOISE_WH
    return begin > low + _NOISE_WH or not is_anew


def has_part(window: Window) -> bool:
    """Return True when energy is known to be its own."""
    low, high = _part(window)
    return low is not None and high is not None and high - low > _NOISE_WH


def _part(window: Window) -> tuple[Decimal | None, Decimal | None]:
    """Return from where to where of the register it has; a stop below the start says nothing."""
    low, high = window.begin_wh, window.meter_stop_wh
    return low, None if low is None or high is None or high < low else high


def is_told_again(row: Sequence[Window], index: int) -> bool:
    """Whether a window without a stop is of a start that a neighbour in *row* tells again.

    A station that restarts sends its queue anew, perhaps dated by a clock that was set since, and
    is given another id by then; what follows names one of both. The same token at the same register
    may as well have been shown twice: that is for a person to say.
    """
    window = row[index]
    if window.ends_at is not None or window.begin_wh is None or window.token_uid is None:
        return False
    claim = window.token_uid, window.begin_wh
    for other in row[max(index - 1, 0) : index]:
        is_ended_within = other.ends_at is not None and other.ends_at > window.starts_at
        if is_ended_within and (other.token_uid, other.begin_wh) == claim:
            return True
    return any((other.token_uid, other.begin_wh) == claim for other in row[index + 1 : index + 2])
