"""The books of stations that the worker keeps open: what a record brings is added, nothing twice.

An open book always says what one made anew from the same facts would say, so it matters to no
decision which books are open.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final

from ledger.facts.station_facts import StationFact
from ledger.facts.station_traits import StationTraits
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import StationBook
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.session_rows import BEGINNING

NO_STREAM: Final = ""
FACTS_OPEN_MAX: Final = 20_000
"""Facts in open books at the end of a transaction, about; books not used lately are closed."""


class OpenBook:
    """One station's book, and which facts it holds: whole streams, and of "" the recent ones.

    `changed` are the streams whose sessions may have changed since they were last looked at.
    """

    __slots__ = (
        "_book",
        "_brought",
        "_is_loaded",
        "_loose",
        "_numbers",
        "_streams",
        "_taken",
        "changed",
        "horizon",
    )

    def __init__(self, station_id: str, traits: StationTraits, horizon: datetime) -> None:
        self._book = StationBook(station_id, traits)
        self._streams: dict[str, list[StationFact]] = {}
        self._loose: list[tuple[datetime, int, StationFact]] = []
        self._taken: dict[str, int] = {}
        self._brought: list[StationFact] = []
        self._is_loaded = False
        self._numbers = count()
        self.changed: set[str] = set()
        self.horizon = horizon

    @property
    def traits(self) -> StationTraits:
        """What the book folds with."""
        return self._book.traits

    @property
    def size(self) -> int:
        """How many facts it holds, and one for the book itself."""
        return 1 + len(self._loose) + sum(map(len, self._streams.values()))

    def holds(self, stream: str) -> bool:
        """Whether the facts of *stream* need not be read."""
        return stream == NO_STREAM or stream in self._streams

    def has_facts(self, stream: str) -> bool:
        """Whether any fact of *stream* is known."""
        return bool(self._loose if stream == NO_STREAM else self._streams.get(stream))

    def sessions(self, stream: str) -> tuple[ChargingSession, ...]:
        """Return the sessions of *stream*."""
        return self._book.sessions(stream)

    def follow(
        self, shelf: FactShelf, streams: Collection[str], horizon: datetime, position: int
    ) -> None:
        """Hold *streams* and what came since *horizon*, as known before the record at *position*.

        What that record brings waits for `turn`.
        """
        stale: list[StationFact] = []
        for stream in self._streams.keys() - streams:
            self.changed.add(stream)
            stale += self._streams.pop(stream)
            self._taken.pop(stream, None)
        self.horizon = horizon
        while self._loose and self._loose[0][0] < horizon:
            stale.append(heappop(self._loose)[2])
        if stale:
            self.changed |= self._book.remove(stale)
        earlier: list[StationFact] = []
        for stream in (*sorted(streams), NO_STREAM):
            for fact in self._news(shelf, stream):
                (earlier if fact.position != position else self._brought).append(fact)
        self.changed |= self._book.add(earlier)

    def turn(self) -> set[str]:
        """Add what the record brought; return the streams whose sessions that may change."""
        touched = self._book.add(self._brought)
        self._brought = []
        self.changed |= touched
        return touched

    def catch_up(self, shelf: FactShelf, stream: str) -> None:
        """Take the facts of *stream* that the shelf is about to hand over to the table."""
        if self.holds(stream):
            self.changed |= self._book.add(self._news(shelf, stream))

    def stored(self) -> None:
        """Count from the start again: the shelf is empty now."""
        self._taken.clear()

    def _news(self, shelf: FactShelf, stream: str) -> list[StationFact]:
        """Return the facts of *stream* that are not yet held, and hold them."""
        key = (self._book.station_id, stream)
        brought = shelf.new.get(key, [])
        taken = self._taken.get(stream, 0)
        self._taken[stream] = len(brought)
        if stream == NO_STREAM:
            news = brought[taken:] if self._is_loaded else shelf.facts(key, self.horizon)
            self._is_loaded = True
            facts = [fact for fact in news if fact.received_at >= self.horizon]
            for fact in facts:
                heappush(self._loose, (fact.received_at, next(self._numbers), fact))
        elif stream in self._streams:
            facts = brought[taken:]
            self._streams[stream] += facts
        else:
            self.changed.add(stream)
            facts = self._streams[stream] = shelf.facts(key, BEGINNING)
        return facts


class OpenBooks:
    """The open books of one partition's stations, the one used last at the end."""

    def __init__(self, shelf: FactShelf) -> None:
        self._shelf = shelf
        self._open: dict[str, OpenBook] = {}
        self._used: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._facts = 0

    def get(self, station_id: str) -> OpenBook | None:
        """Return the station's book where it is open."""
        return self._open.get(station_id)

    def open(self, station_id: str, traits: StationTraits, horizon: datetime) -> OpenBook:
        """Return the station's book, a new one where the open one cannot be continued."""
        book = self._open.pop(station_id, None)
        if book is None or book.traits != traits or horizon < book.horizon:
            book = OpenBook(station_id, traits, horizon)
        self._open[station_id] = book
        self._used.add(station_id)
        return book

    def close(self, station_id: str) -> None:
        """Forget the station's book."""
        self._open.pop(station_id, None)
        self._used.add(station_id)

    def close_all(self) -> None:
        """Forget every book."""
        self._used |= self._open.keys()
        self._open.clear()

    def before_storing(self) -> None:
        """Take what the shelf still has for the open books."""
        for station_id, stream in self._shelf.new:
            book = self._open.get(station_id)
            if book is not None:
                book.catch_up(self._shelf, stream)
                self._used.add(station_id)

    def stored(self) -> None:
        """Go on with an empty shelf; close the books that were used longest ago."""
        for station_id in self._used:
            self._facts -= self._sizes.pop(station_id, 0)
            book = self._open.get(station_id)
            if book is not None:
                book.stored()
                self._sizes[station_id] = book.size
                self._facts += book.size
        self._used.clear()
        while self._facts > FACTS_OPEN_MAX:
            station_id = next(iter(self._open))
            del self._open[station_id]
            self._facts -= self._sizes.pop(station_id)
