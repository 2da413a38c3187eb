"""What else of a station bears on one session: states, boots, neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.facts.station_facts import ConnectorStatusChanged, StationBooted
from ledger.facts.station_traits import StationTraits
from ledger.sessions.loose_frames import Window
from ledger.sessions.segments import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else of the station bears on one session.

    `statuses` are its connector's, `window` where it lies and when the next session starts there;
    `attached` are the frames that came without a valid id and were given to this session,
    `foreign_ids` those of them that name a transaction which is none of ours.
    """

    station_id: str
    traits: StationTraits
    statuses: Sequence[ConnectorStatusChanged] = ()
    boots: Sequence[StationBooted] = ()
    queue_empty_at: tuple[datetime, ...] = ()
    window: Window | None = None
    attached: frozenset[Source] = frozenset()
    foreign_ids: frozenset[Source] = frozenset()
    has_foreign_connector: bool = False

    @property
    def next_start_at(self) -> datetime | None:
        """When the next session starts at its place."""
        return self.window.next_start_at if self.window else None

    @property
    def own_window(self) -> Window | None:
        """Where it lies by its own frames alone."""
        return self.window and self.window._replace(next_start_at=None, is_overlapping=False)
