"""How much a partner is asked at once, and when it is left alone for a while.

One gate a partner: so many questions at a time and so many a second, and none for some seconds
after a run of silence but a single one that tries. Who is not let in is answered at once, as if the
partner were silent; nobody waits in a queue behind a partner that does not answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 16
A_SECOND: Final = 20.0
BURST: Final = 60.0
SILENCES: Final = 5
"""After so many silences in a row it is left alone."""
ALONE_SECONDS: Final = 10.0


class PartnerGate:
    """Who may ask one partner now; *seconds* tells a time that never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._asking = 0
        self._left, self._refilled = BURST, seconds()
        self._silences = 0
        self._alone_until = 0.0

    def enter(self) -> bool:
        """Say whether one more may ask; who may calls `leave` afterwards."""
        now = self._seconds()
        self._left = min(BURST, self._left + (now - self._refilled) * A_SECOND)
        self._refilled = now
        is_tried = self._silences >= SILENCES
        if is_tried and (now < self._alone_until or self._asking):
            return False
        if self._asking >= AT_ONCE or self._left < 1:
            return False
        self._asking += 1
        self._left -= 1
        return True

    def leave(self, *, answered: bool) -> None:
        """Say how asking ended."""
        self._asking -= 1
        self._silences = 0 if answered else self._silences + 1
        if self._silences >= SILENCES:
            self._alone_until = self._seconds() + ALONE_SECONDS
