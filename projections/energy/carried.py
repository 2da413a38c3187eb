"""What the count of a station's energy goes on from: a moment at which nothing was going on there.

All that was told by then is settled: it was counted, and is not looked at again, for as long as
nothing comes that is dated before, or names a transaction of before.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from ledger.facts.station_clock import SKEW_MAX
from ledger.facts.station_facts import StationFact
from ledger.sessions.loose_frames import Window
from ledger.sessions.overlap import REACH
from projections.balances.covered import RegisterStretch
from projections.balances.station_rises import CarriedSession, Place

REST: Final = 3 * SKEW_MAX
"""So long a station has been at rest where its count is settled: what it says then of its states
and boots bears on no session before."""
WINDOWS_MAX: Final = REACH + 1
"""So many sessions of a place may have a part of a register with the next one there."""
AROUND: Final = timedelta(days=1)
"""What no transaction is named in is read again from so long before."""


class FactRow(NamedTuple):
    """A row of the table `fact`: some facts of one transaction."""

    transaction_ref: str
    position: int
    facts: list[StationFact]


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A settled count: all that was received up to `at` and stands before `position`.

    Args:
        at: Nothing told since is dated before.
        position: In the station's partition of the log.
        places: The last session of each place: the register goes on from its stop.
        windows: The last sessions of each place, as the fold needs them.
        boots: When the station booted since the first of `places` ended, not all of many.
        loose_since: When the first reading was received that no session told, and that is to be
            held against the next session at its place; None: there is none.
        shared: By place, what the last sessions that share a part of its register have of it.
    """

    at: datetime
    position: int
    places: tuple[CarriedSession, ...] = ()
    windows: tuple[Window, ...] = ()
    boots: tuple[datetime, ...] = ()
    loose_since: datetime | None = None
    shared: tuple[tuple[Place, tuple[RegisterStretch, ...]], ...] = ()

    @property
    def read_since(self) -> datetime:
        """Since when what names no transaction is needed again."""
        since = self.at - AROUND
        return since if self.loose_since is None else min(since, self.loose_since)
