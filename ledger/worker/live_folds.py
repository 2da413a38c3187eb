"""The folds of stations that the worker keeps open: what a record brings is added, nothing twice.

An open fold always says what one made anew from the same facts would say, so it matters to no
decision which folds are open.
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
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import NOTHING, settled, told, unsettled, without
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.session_rows import BEGINNING

NO_TRANSACTION: Final = ""
FACTS_OPEN_MAX: Final = 20_000
"""Facts in open folds at the end of a transaction, about; folds not used lately are closed."""


class LiveFold:
    """One station's fold, and which facts it holds: whole transactions, and of "" the recent ones.

    `changed` are the transactions whose sessions may have changed since they were last looked at.
    """

    __slots__ = (
        "_brought",
        "_fold",
        "_is_loaded",
        "_loose",
        "_numbers",
        "_settled",
        "_taken",
        "_told",
        "_transactions",
        "changed",
        "horizon",
    )

    def __init__(self, station_id: str, traits: StationTraits, horizon: datetime) -> None:
        self._fold = fold_station(station_id, NOTHING, traits)
        self._told = NOTHING
        self._transactions: dict[str, list[StationFact]] = {}
        self._loose: list[tuple[datetime, int, StationFact]] = []
        self._settled: set[str] = set()
        self._taken: dict[str, int] = {}
        self._brought: list[StationFact] = []
        self._is_loaded = False
        self._numbers = count()
        self.changed: set[str] = set()
        self.horizon = horizon

    @property
    def traits(self) -> StationTraits:
        """What it folds with."""
        return self._fold.traits

    @property
    def size(self) -> int:
        """How many facts it holds, and one for the fold itself."""
        return 1 + len(self._loose) + sum(map(len, self._transactions.values()))

    def holds(self, transaction: str) -> bool:
        """Whether the facts of *transaction* need not be read."""
        return transaction == NO_TRANSACTION or transaction in self._transactions

    def is_settled(self, transaction: str) -> bool:
        """Whether windows stand for the facts of *transaction*."""
        return transaction in self._settled

    def settle(self, transactions: Collection[str]) -> None:
        """Keep the windows of *transactions* alone: their sessions are decided for good."""
        self._fold_anew()
        windows, facts = {}, []
        for transaction in self._transactions.keys() & transactions:
            if not self._fold.may_settle(transaction):
                continue
            windows[transaction] = self._fold.windows_of(transaction)
            facts += self._transactions.pop(transaction)
            self._taken.pop(transaction, None)
        if windows:
            self._settled |= windows.keys()
            self._told = settled(self._told, windows, facts)

    def has_facts(self, transaction: str) -> bool:
        """Whether any fact of *transaction* is known."""
        return bool(
            self._loose if transaction == NO_TRANSACTION else self._transactions.get(transaction)
        )

    def sessions(self, transaction: str) -> tuple[ChargingSession, ...]:
        """Return the sessions of *transaction*."""
        self._fold_anew()
        return self._fold.sessions(transaction)

    def follow(
        self,
        shelf: FactShelf,
        transactions: Collection[str],
        named: Collection[str],
        horizon: datetime,
        position: int,
    ) -> None:
        """Hold *transactions* and what came since *horizon*, as known before *position*.

        What the record there brings waits for `turn`. What is settled stays so unless it is
        among the *named*.
        """
        gone = {each for each in self._settled if each in named or each not in transactions}
        self._settled -= gone
        transactions = set(transactions) - self._settled
        stale: list[StationFact] = []
        for transaction in self._transactions.keys() - transactions:
            stale += self._transactions.pop(transaction)
            self._taken.pop(transaction, None)
        self.horizon = horizon
        while self._loose and self._loose[0][0] < horizon:
            stale.append(heappop(self._loose)[2])
        earlier: list[StationFact] = []
        for transaction in (*sorted(transactions), NO_TRANSACTION):
            for fact in self._news(shelf, transaction):
                (earlier if fact.position != position else self._brought).append(fact)
        self._told = told(earlier, without(unsettled(self._told, gone), stale))

    def turn(self) -> frozenset[str]:
        """Add what the record brought; return the transactions whose sessions that may change."""
        self._told, self._brought = told(self._brought, self._told), []
        return self._fold_anew()

    def catch_up(self, shelf: FactShelf, transaction: str) -> None:
        """Take the facts of *transaction* that the shelf is about to hand over to the table."""
        if self.holds(transaction):
            self._told = told(self._news(shelf, transaction), self._told)

    def stored(self) -> None:
        """Count from the start again: the shelf is empty now."""
        self._taken.clear()

    def _fold_anew(self) -> frozenset[str]:
        """Fold what was told since the last time; return what that may have changed."""
        if self._told is self._fold.told:
            return frozenset()
        last = self._fold
        self._fold = fold_station(last.station_id, self._told, last.traits, last)
        self.changed |= self._fold.changed
        return self._fold.changed

    def _news(self, shelf: FactShelf, transaction: str) -> list[StationFact]:
        """Return the facts of *transaction* that are not yet held, and hold them."""
        key = (self._fold.station_id, transaction)
        brought = shelf.new.get(key, [])
        taken = self._taken.get(transaction, 0)
        self._taken[transaction] = len(brought)
        if transaction == NO_TRANSACTION:
            news = brought[taken:] if self._is_loaded else shelf.facts(key, self.horizon)
            self._is_loaded = True
            facts = [fact for fact in news if fact.received_at >= self.horizon]
            for fact in facts:
                heappush(self._loose, (fact.received_at, next(self._numbers), fact))
        elif transaction in self._transactions:
            facts = brought[taken:]
            self._transactions[transaction] += facts
        else:
            self.changed.add(transaction)
            facts = self._transactions[transaction] = shelf.facts(key, BEGINNING)
        return facts


class LiveFolds:
    """The open folds of one partition's stations, the one used last at the end."""

    def __init__(self, shelf: FactShelf) -> None:
        self._shelf = shelf
        self._open: dict[str, LiveFold] = {}
        self._used: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._facts = 0

    def get(self, station_id: str) -> LiveFold | None:
        """Return the station's fold where it is open."""
        return self._open.get(station_id)

    def open(self, station_id: str, traits: StationTraits, horizon: datetime) -> LiveFold:
        """Return the station's fold, a new one where the open one cannot be continued."""
        live = self._open.pop(station_id, None)
        # Loose frames from before its horizon were let go: it cannot take them up again.
        if live is None or live.traits != traits or horizon < live.horizon:
            live = LiveFold(station_id, traits, horizon)
        self._open[station_id] = live
        self._used.add(station_id)
        return live

    def settle(self, station_id: str, transactions: Collection[str]) -> None:
        """Keep of *transactions* the windows alone."""
        live = self._open.get(station_id)
        if live is not None and transactions:
            live.settle(transactions)
            self._used.add(station_id)

    def close(self, station_id: str) -> None:
        """Forget the station's fold."""
        self._open.pop(station_id, None)
        self._used.add(station_id)

    def close_all(self) -> None:
        """Forget every fold."""
        self._used |= self._open.keys()
        self._open.clear()

    def before_storing(self) -> None:
        """Take what the shelf still has for the open folds."""
        for station_id, transaction in self._shelf.new:
            live = self._open.get(station_id)
            if live is not None:
                live.catch_up(self._shelf, transaction)
                self._used.add(station_id)

    def stored(self) -> None:
        """Go on with an empty shelf; close the folds that were used longest ago."""
        for station_id in self._used:
            self._facts -= self._sizes.pop(station_id, 0)
            live = self._open.get(station_id)
            if live is not None:
                live.stored()
                self._sizes[station_id] = live.size
                self._facts += live.size
        self._used.clear()
        while self._facts > FACTS_OPEN_MAX:
            station_id = next(iter(self._open))
            del self._open[station_id]
            self._facts -= self._sizes.pop(station_id)
