"""When something is tried again that did not go through: later each time, and not all at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

FIRST_SECONDS: Final = 2
LONGEST_SECONDS: Final = 3600
_DOUBLINGS_MAX: Final = 11
_PARTS: Final = 1000


def try_again_at(now: datetime, key: str, attempts: int) -> datetime:
    """Return when the try after *attempts* (1 or more) is due.

    It doubles from FIRST_SECONDS to LONGEST_SECONDS, less up to a quarter that hangs on *key*: what
    failed at one moment does not come back at one moment.
    """
    doubled = FIRST_SECONDS * 2 ** min(max(attempts, 1) - 1, _DOUBLINGS_MAX)
    seconds = min(doubled, LONGEST_SECONDS)
    share = crc32(f"{key}/{attempts}".encode()) % _PARTS
    return now + timedelta(seconds=seconds) * (4 * _PARTS - share) / (4 * _PARTS)
