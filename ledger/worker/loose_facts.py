"""What a station said that names no transaction: states, boots, frames without an id.

States and boots say what was, to whoever asks: a session of last week, corrected today, was parking
by the states of last week. Frames without an id may be anybody's; old ones were given away by then.
So of an old session's time only states and boots count, and of the time since then nothing:

    a session of Monday, a reading of it on Friday -> what came on Monday around it, and on Friday
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final, NamedTuple

from ledger.facts.station_facts import ConnectorStatusChanged, StationBooted, StationFact
from ledger.worker.fact_shelf import FactShelf

NO_TRANSACTION: Final = ""
_STATES: Final = frozenset({ConnectorStatusChanged, StationBooted})


class Around(NamedTuple):
    """A time around a session, by receipt; both moments count."""

    since: datetime
    until: datetime


class Horizon(NamedTuple):
    """Which loose facts count, by receipt: all since `frames`, before it states of `times` alone.

    The times begin before `frames`, are in their order, and none touches the next.
    """

    frames: datetime
    times: tuple[Around, ...] = ()

    @property
    def whole_since(self) -> datetime:
        """Since when there is no time between of which nothing counts."""
        last = self.times[-1] if self.times else None
        return last.since if last and last.until >= self.frames else self.frames

    def counts(self, fact: StationFact) -> bool:
        """Whether *fact* counts."""
        at = fact.received_at
        if at >= self.frames:
            return True
        return type(fact) in _STATES and any(each.since <= at <= each.until for each in self.times)

    def is_within(self, other: Horizon) -> bool:
        """Whether all that counts does so by *other* too."""
        if self.frames < other.frames:
            return False
        # What other's last time and all since have together is one time.
        known = [*other.times, Around(other.frames, self.frames)]
        if other.times and other.times[-1].until >= other.frames:
            known[-2:] = [Around(other.times[-1].since, self.frames)]
        return all(
            any(of.since <= each.since and min(each.until, self.frames) <= of.until for of in known)
            for each in self.times
        )


def horizon_of(frames: datetime, times: Iterable[Around]) -> Horizon:
    """Return the horizon of what came since *frames*, and of what came before it in *times*."""
    merged: list[Around] = []
    for each in sorted(each for each in times if each.since < frames):
        if merged and each.since <= merged[-1].until:
            merged[-1] = Around(merged[-1].since, max(merged[-1].until, each.until))
        else:
            merged.append(each)
    return Horizon(frames, tuple(merged))


class LooseFacts:
    """The loose facts of one station that its fold holds."""

    __slots__ = ("_frames", "_is_loaded", "_key", "_numbers", "_states", "_taken", "horizon")

    def __init__(self, station_id: str, horizon: Horizon) -> None:
        self._key = (station_id, NO_TRANSACTION)
        self._frames: list[tuple[datetime, int, StationFact]] = []
        self._states: list[tuple[datetime, int, StationFact]] = []
        self._numbers, self._taken, self._is_loaded = count(), 0, False
        self.horizon = horizon

    def move(self, horizon: Horizon) -> list[StationFact]:
        """Go on with a later *horizon*; return what goes."""
        self.horizon = horizon
        first = horizon.times[0].since if horizon.times else horizon.frames
        gone = [heappop(self._frames)[2] for _ in _before(self._frames, horizon.frames)]
        # A state of the time between two sessions bears on neither, and may stay.
        return gone + [heappop(self._states)[2] for _ in _before(self._states, first)]

    def news(self, shelf: FactShelf) -> list[StationFact]:
        """Return what is not yet held, and hold it."""
        brought = shelf.new.get(self._key, [])
        news = brought[self._taken :] if self._is_loaded else self.known(shelf)
        self._taken, self._is_loaded = len(brought), True
        facts = [fact for fact in news if self.horizon.counts(fact)]
        for fact in facts:
            held = self._states if type(fact) in _STATES else self._frames
            heappush(held, (fact.received_at, next(self._numbers), fact))
        return facts

    def known(self, shelf: FactShelf) -> list[StationFact]:
        """Return all that counts, stored or new, as it stands in the log."""
        key, (frames, times) = self._key, self.horizon
        old = [fact for each in times for fact in shelf.between(key, each.since, each.until)]
        return [
            *(fact for fact in old if fact.received_at < frames and self.horizon.counts(fact)),
            *shelf.facts(key, frames),
        ]

    def caught_up(self, shelf: FactShelf) -> list[StationFact]:
        """Return the news, before the shelf hands over what it has to the table."""
        news, self._taken = self.news(shelf), 0
        return news


def _before(held: Sequence[tuple[datetime, int, StationFact]], moment: datetime) -> Iterable[None]:
    """Go on while the first of *held* was received before *moment*."""
    while held and held[0][0] < moment:
        yield
