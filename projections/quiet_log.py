"""What strangers can have said in the log, as often as they like: it is said now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

QUIET_SECONDS: Final = 10.0


class QuietLog:
    """Says in the log what was refused, and no more often than strangers may fill it."""

    def __init__(self, log: logging.Logger, *, clock: Callable[[], float] = monotonic) -> None:
        self._log, self._clock = log, clock
        self._said_at, self._unsaid = -QUIET_SECONDS, 0

    def say(self, why: str) -> None:
        """Say *why*, or count it until something is said again."""
        now = self._clock()
        if now - self._said_at < QUIET_SECONDS:
            self._unsaid += 1
            return
        more = f"; {self._unsaid} more since the last time" if self._unsaid else ""
        self._log.warning("%s%s", why, more)
        self._said_at, self._unsaid = now, 0
