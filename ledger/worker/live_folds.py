"""The folds of stations that the worker keeps open.

An open fold always says what one made anew from the same facts would say, so it matters to no
decision which folds are open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ledger.asides.aside import Aside, AsideStep, LinesRaiseError, why_of
from ledger.asides.culprits import culprits
from ledger.facts.station_facts import StationFact, transaction_of
from ledger.facts.station_traits import StationTraits
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import (
    settled,
    told,
)
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.extent import Extent
from ledger.worker.live_fold import LiveFold
from ledger.worker.loose_facts import NO_TRANSACTION, Horizon

FACTS_OPEN_MAX: Final = 20_000
"""Facts in open folds at the end of a transaction, about; folds not used lately are closed."""


def _raising(
    live: LiveFold, shelf: FactShelf, extent: Mapping[str, Extent]
) -> list[tuple[StationFact, Exception]]:
    """Return the facts of *extent* that the station's fold cannot be made with, in log order."""
    station_id, parts = live.station_id, {key: each.part for key, each in extent.items()}
    facts = live.loose(shelf)
    for transaction, each in extent.items():
        if transaction == NO_TRANSACTION:
            continue
        begins = each.told_from if each.facts_from is None else each.facts_from
        facts += shelf.facts((station_id, transaction), each.received_since(begins))
    facts.sort(key=lambda fact: (fact.position, fact.line))

    def raised(some: Sequence[StationFact]) -> Exception | None:
        try:
            fold = fold_station(station_id, settled(told(some), parts), live.traits)
            for reference in sorted({transaction_of(fact) for fact in some}):
                fold.sessions(reference)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is asked for
            return error
        return None

    return culprits(facts, raised)


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

    def open(self, station_id: str, traits: StationTraits, horizon: Horizon) -> LiveFold:
        """Return the station's fold, a new one where the open one cannot be continued."""
        live = self._open.pop(station_id, None)
        # What is loose and from before its horizon was let go: it cannot take that up again.
        if live is None or not horizon.is_within(live.horizon) or live.traits != traits:
            live = LiveFold(station_id, traits, horizon)
        self._open[station_id] = live
        self._used.add(station_id)
        return live

    def settle(self, station_id: str, decided: Mapping[str, Extent]) -> None:
        """Let go, in the fold just used, of the facts of what is *decided* for good."""
        if (live := self._open.get(station_id)) is not None:
            live.settle(decided)

    def close(self, station_id: str) -> None:
        """Forget the station's fold."""
        self._open.pop(station_id, None)
        self._used.add(station_id)

    def unfolded(
        self, station_id: str, extent: Mapping[str, Extent], position: int
    ) -> LinesRaiseError | None:
        """Return with which lines a fold failed at *position*, None if it does not fail anew."""
        live = self._open.get(station_id)
        found = _raising(live, self._shelf, extent) if live else []
        asides = [
            Aside(fact.position, fact.line, station_id, position, AsideStep.FOLD, why_of(error))
            for fact, error in found
        ]
        return LinesRaiseError(position, asides) if asides else None

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
                self._sizes[station_id] = live.size
                self._facts += live.size
        self._used.clear()
        while self._facts > FACTS_OPEN_MAX:
            station_id = next(iter(self._open))
            del self._open[station_id]
            self._facts -= self._sizes.pop(station_id)
