"""What a station said that names no transaction: states, boots, frames without an id.

States and boots say what was, to whoever asks: a session of last week, corrected today, was parking
by the states of last week. Frames without an id may be anybody's; old ones were given away by then.
"""

from __future__ import annotations

from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final, NamedTuple

from ledger.facts.station_facts import ConnectorStatusChanged, StationBooted, StationFact
from ledger.worker.fact_shelf import FactShelf

NO_TRANSACTION: Final = ""
_STATES: Final = frozenset({ConnectorStatusChanged, StationBooted})


class Horizon(NamedTuple):
    """From which moments of receipt on loose facts count: `states` with the boots, and `frames`."""

    frames: datetime
    states: datetime

    def since(self, fact: StationFact) -> datetime:
        """Return the one that is for *fact*."""
        return self.states if type(fact) in _STATES else self.frames

    def is_before(self, other: Horizon) -> bool:
        """Whether anything counts that does not by *other*."""
        return self.frames < other.frames or self.states < other.states


class LooseFacts:
    """The loose facts of one station that its fold holds."""

    __slots__ = ("_held", "_is_loaded", "_key", "_numbers", "_taken", "horizon")

    def __init__(self, station_id: str, horizon: Horizon) -> None:
        self._key = (station_id, NO_TRANSACTION)
        self._held: dict[bool, list[tuple[datetime, int, StationFact]]] = {True: [], False: []}
        self._numbers, self._taken, self._is_loaded = count(), 0, False
        self.horizon = horizon

    def move(self, horizon: Horizon) -> list[StationFact]:
        """Go on with a later *horizon*; return what goes."""
        self.horizon = horizon
        gone: list[StationFact] = []
        for is_state, held in self._held.items():
            since = horizon.states if is_state else horizon.frames
            while held and held[0][0] < since:
                gone.append(heappop(held)[2])
        return gone

    def news(self, shelf: FactShelf) -> list[StationFact]:
        """Return what is not yet held, and hold it."""
        brought = shelf.new.get(self._key, [])
        first = min(self.horizon)
        news = brought[self._taken :] if self._is_loaded else shelf.facts(self._key, first)
        self._taken, self._is_loaded = len(brought), True
        facts = [fact for fact in news if fact.received_at >= self.horizon.since(fact)]
        for fact in facts:
            held = self._held[type(fact) in _STATES]
            heappush(held, (fact.received_at, next(self._numbers), fact))
        return facts

    def caught_up(self, shelf: FactShelf) -> list[StationFact]:
        """Return the news, before the shelf hands over what it has to the table."""
        news, self._taken = self.news(shelf), 0
        return news
