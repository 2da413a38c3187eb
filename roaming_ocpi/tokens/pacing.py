"""How much a partner is asked at once, and when it is left alone for a while.

One gate a partner: so many questions at a time and so many a second, and none for some seconds
after a run of silence but a single one that tries. Of these a station has a share, so one that is
shown cards without end takes from no other its answers. Who is not let in is answered at once, as
if the partner were silent; nobody waits in a queue behind a partner that does not answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

AT_ONCE: Final = 16
A_SECOND: Final = 20.0
BURST: Final = 60.0
STATION_AT_ONCE: Final = 4
STATION_A_SECOND: Final = 1.0
STATION_BURST: Final = 20.0
"""More than the drivers at one station show cards, also at one with dozens of EVSEs."""
STATIONS_MAX: Final = 10_000
"""Whose shares are remembered: the one that asked longest ago makes room."""
SILENCES: Final = 5
"""After so many silences in a row it is left alone."""
ALONE_SECONDS: Final = 10.0


@dataclass(slots=True)
class _Share:
    """Questions of one station: how many are under way, how many are left as of `refilled`."""

    asking: int
    left: float
    refilled: float


class PartnerGate:
    """Who may ask one partner now; *seconds* tells a time that never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._asking = 0
        self._left, self._refilled = BURST, seconds()
        self._silences = 0
        self._alone_until = 0.0
        self._shares: OrderedDict[str, _Share] = OrderedDict()

    def enter(self, station_id: str) -> bool:
        """Say whether one more of a station may ask; who may calls `leave` afterwards."""
        now = self._seconds()
        self._left = min(BURST, self._left + (now - self._refilled) * A_SECOND)
        self._refilled = now
        is_tried = self._silences >= SILENCES
        if is_tried and (now < self._alone_until or self._asking):
            return False
        if self._asking >= AT_ONCE or self._left < 1:
            return False
        share = self._share(station_id, now)
        if share.asking >= STATION_AT_ONCE or share.left < 1:
            return False
        self._asking += 1
        self._left -= 1
        share.asking += 1
        share.left -= 1
        return True

    def leave(self, station_id: str, *, answered: bool) -> None:
        """Say how asking ended."""
        self._asking -= 1
        if (share := self._shares.get(station_id)) is not None:
            share.asking = max(0, share.asking - 1)
        self._silences = 0 if answered else self._silences + 1
        if self._silences >= SILENCES:
            self._alone_until = self._seconds() + ALONE_SECONDS

    def _share(self, station_id: str, now: float) -> _Share:
        share = self._shares.pop(station_id, None) or _Share(0, STATION_BURST, now)
        more = (now - share.refilled) * STATION_A_SECOND
        share.left, share.refilled = min(STATION_BURST, share.left + more), now
        self._shares[station_id] = share
        if len(self._shares) > STATIONS_MAX:
            self._shares.popitem(last=False)
        return share
