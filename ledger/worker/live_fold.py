"""The fold of one station that the worker keeps open: what a record brings is added, nothing twice.

It always says what one made anew from the same facts would say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from ledger.facts.station_facts import SessionEnded, StationFact
from ledger.facts.station_traits import StationTraits
from ledger.sessions.loose_frames import Window
from ledger.sessions.overlap import REACH, has_part
from ledger.sessions.segments import dated, source_of
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import StationFold, fold_station
from ledger.sessions.told import (
    NOTHING,
    SILENT,
    Settled,
    TransactionTold,
    settled,
    told,
    without,
)
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.at_rest import AtRest, Extents
from ledger.worker.judging.extent import Extent
from ledger.worker.loose_facts import NO_TRANSACTION, Horizon, LooseFacts
from ledger.worker.session_rows import BEGINNING


class Held:
    """What a fold holds of one transaction: `facts` dated from `facts_from` on (None: none).

    And from `told_from` on those that may be another's. `taken` is how many of the facts that wait
    to be stored are among `facts`; -1: they are still to be read.
    """

    __slots__ = ("facts", "facts_from", "taken", "told_from")

    def __init__(self, told_from: datetime) -> None:
        self.told_from = told_from
        self.facts: list[StationFact] = []
        self.facts_from: datetime | None = told_from
        self.taken = -1


class LiveFold:
    """One station's fold, and which facts it holds: of transactions, and of "" the recent ones.

    `changed` are the transactions whose sessions may have changed since they were last looked at,
    `size` is how many facts it holds, and one for the fold itself.
    """

    __slots__ = ("_brought", "_extents", "_fold", "_followed", "_held", "_later", "_loose",
                 "_resettled", "_told", "changed", "size")  # fmt: skip

    def __init__(self, station_id: str, traits: StationTraits, horizon: Horizon) -> None:
        self._fold = fold_station(station_id, NOTHING, traits)
        self._told = NOTHING
        self._held: dict[str, Held] = {}
        self._loose = LooseFacts(station_id, horizon)
        self._brought: list[StationFact] = []
        self._later: list[StationFact] = []
        self._extents: dict[str, Extent] = {}
        self._followed: tuple[AtRest | None, int, Collection[str]] = None, 0, ()
        self._resettled: set[str] = set()
        self.changed: set[str] = set()
        self.size = 1

    @property
    def station_id(self) -> str:
        """Whose fold it is."""
        return self._fold.station_id

    @property
    def horizon(self) -> Horizon:
        """Since when loose facts are held."""
        return self._loose.horizon

    def loose(self, shelf: FactShelf) -> list[StationFact]:
        """Return all loose facts that count, as they stand in the log."""
        return self._loose.known(shelf)

    @property
    def traits(self) -> StationTraits:
        """What it folds with."""
        return self._fold.traits

    def lacks(self, transaction: str, extent: Extent) -> datetime | None:
        """Return from when on facts of *transaction* have to be read, None: of no time."""
        held = self._held.get(transaction)
        if held is None or extent.told_from < held.told_from:
            return extent.told_from
        needed = extent.facts_from
        if needed is None or (held.facts_from is not None and held.facts_from <= needed):
            return None
        return needed

    def has_facts(self, transaction: str) -> bool:
        """Whether any fact of *transaction* is known."""
        held = self._held.get(transaction)
        return bool(held and held.facts)

    def sessions(self, transaction: str) -> tuple[ChargingSession, ...]:
        """Return the sessions of *transaction* that are folded from facts."""
        self._fold_anew()
        return self._fold.sessions(transaction)

    def heard(self, transaction: str) -> TransactionTold:
        """Return the facts that name *transaction*, rightly or not."""
        return self._told.transactions.get(transaction, SILENT)

    def windows_taking(self, named: Mapping[str, Iterable[StationFact]]) -> list[Window]:
        """Return the windows that stops without a valid id among the *named* were given to."""
        facts = [fact for some in named.values() for fact in some]
        takers, windows = self._fold.matched.takers, self._fold.windows.by_key
        keys = [takers.get(source_of(fact)) for fact in facts if isinstance(fact, SessionEnded)]
        return [windows[key] for key in keys if key is not None]

    def has_before(self, window: Window) -> bool:
        """Whether *window* was laid beside one that came before it and has energy."""
        windows = self._fold.windows
        row = [] if window.place is None else windows.rows.get(window.place, [])
        index = bisect_left(row, (window.starts_at, (window.transaction_ref, window.starts_at)))
        before = row[max(index - REACH, 0) : index]
        return any(has_part(windows.by_key[key]) for _, key in before)

    def settle(self, decided: Mapping[str, Extent]) -> None:
        """After a `turn`: let go of facts that are not needed now that so much is *decided*."""
        gone: list[StationFact] = []
        parts: dict[str, Settled | None] = {}
        for transaction, extent in decided.items():
            held, until = self._held.get(transaction), extent.facts_from
            if held is None or held.facts_from is None:
                continue
            if until is not None and until <= held.facts_from:
                continue
            loose = {id(each.frame) for each in self._fold.loose(transaction)}
            held.facts_from = until
            gone += self._drop(held, until, loose)
            parts[transaction] = extent.part
        self._tell((), gone, parts)
        self.size -= len(gone)
        # Where some of its sessions go on, these are no news; where none does, nobody looks.
        if any(part is not None and part.until is not None for part in parts.values()):
            self._fold = self._folded()

    def follow(
        self,
        shelf: FactShelf,
        extents: Mapping[str, Extent],
        horizon: Horizon,
        position: int,
    ) -> None:
        """Hold what *extents* say and what came since *horizon*, as known before *position*.

        What the record there brings waits for `turn`. Of what names no transaction sessions tell
        nothing: it may be anybody's, and since the *horizon* alone.
        """
        if self._later:
            self._told, self._later = told(self._later, self._told), []
        stale: list[StationFact] = self._loose.move(horizon)
        news = self._loose.news(shelf)
        parts: dict[str, Settled | None] = {}
        for transaction in self._otherwise(extents):
            extent = extents.get(transaction)
            if extent is None:
                del self._extents[transaction]
                stale += self._held.pop(transaction).facts
                parts[transaction] = None
                continue
            self._extents[transaction] = extent
            if self._is_as_before(transaction, extent):
                continue
            stale += self._stretch(transaction, extent)
            news += self._news(shelf, transaction, extent)
            part = extent.part
            if part != self._told.settled.get(transaction):
                parts[transaction] = part
        brought = shelf.brought(news, position)
        self._brought += brought
        earlier = news
        if brought:
            ids = {id(fact) for fact in brought}
            earlier = [fact for fact in news if id(fact) not in ids]
        self._tell(earlier, stale, parts)
        self.size += len(news) - len(stale)

    def is_first(self, start: StationFact) -> bool:
        """Whether nothing was told that could say more of a session than its *start*, just brought.

        Neither facts of other sessions nor loose ones, no boot, no state that came at that moment.
        """
        known, at = self._told, start.received_at
        if known.transactions or known.boots or self._brought != [start]:
            return False
        return all(each.received_at != at for some in known.statuses.values() for each in some)

    def note(self) -> None:
        """Add what the record brought; it is folded when somebody asks."""
        self._told, self._brought = told(self._brought, self._told), []

    def turn(self) -> frozenset[str]:
        """Add what the record brought; return the transactions whose sessions that may change."""
        self.note()
        return self._fold_anew()

    def catch_up(self, shelf: FactShelf, transaction: str) -> None:
        """Take the facts of *transaction* that the shelf is about to hand over to the table."""
        news: list[StationFact] = []
        if transaction == NO_TRANSACTION:
            news = self._loose.caught_up(shelf)
        elif (held := self._held.get(transaction)) and held.facts_from is not None:
            news, held.taken = self._brought_of(shelf, transaction, held), 0
        self._later += news
        self.size += len(news)

    def _fold_anew(self) -> frozenset[str]:
        """Fold what was told since the last time; return what that may have changed."""
        if self._told is self._fold.told:
            return frozenset()
        self._fold = self._folded()
        self.changed |= self._fold.changed
        return self._fold.changed

    def _folded(self) -> StationFold:
        last, resettled = self._fold, self._resettled
        self._resettled = set()
        return fold_station(last.station_id, self._told, last.traits, last, resettled)

    def _tell(
        self,
        news: Sequence[StationFact],
        gone: Sequence[StationFact],
        parts: Mapping[str, Settled | None],
    ) -> None:
        """Have *news* told and not what is *gone*, and these *parts* of transactions settled."""
        self._told = told(news, settled(without(self._told, gone), parts))
        self._resettled.update(parts)

    def _otherwise(self, extents: Mapping[str, Extent]) -> list[str]:
        """Return of which transactions *extents* say otherwise than the last time, sorted.

        Of what is at rest only what moved since then.
        """
        last, (rest, read, others) = self._extents, self._followed
        keys: set[str]
        if not isinstance(extents, Extents):
            keys = {*last, *extents}
            self._followed = None, 0, ()
        else:
            moved = extents.rest.moved
            if extents.rest is rest:
                keys = {*others, *extents.others, *moved[read:]}
            else:
                keys = {*last, *extents}
            self._followed = extents.rest, len(moved), extents.others.keys()
        keys.discard(NO_TRANSACTION)
        return sorted(key for key in keys if extents.get(key) is not last.get(key))

    def _is_as_before(self, transaction: str, extent: Extent) -> bool:
        """Whether windows alone are needed of *transaction*, and the very same as before."""
        held = self._held.get(transaction)
        return (
            held is not None
            and extent.facts_from is None
            and held.facts_from is None
            and held.told_from == extent.told_from
        )

    def _stretch(self, transaction: str, extent: Extent) -> list[StationFact]:
        """Hold no more of *transaction* than *extent* says, or read anew; return what goes."""
        held = self._held.get(transaction)
        if held is None or extent.told_from < held.told_from:
            self._held[transaction] = Held(extent.told_from)
            return held.facts if held else []
        gone: list[StationFact] = []
        if extent.told_from > held.told_from:
            held.told_from = extent.told_from
            gone = self._drop(held, extent.told_from, ())
            if held.facts_from is not None:
                held.facts_from = max(held.facts_from, held.told_from)
        needed = extent.facts_from
        if needed is not None and (held.facts_from is None or needed < held.facts_from):
            gone += [fact for fact in held.facts if dated(fact, self.traits) >= needed]
            held.facts = [fact for fact in held.facts if dated(fact, self.traits) < needed]
            held.facts_from, held.taken = needed, -1
        return gone

    def _drop(self, held: Held, until: datetime | None, kept: Collection[int]) -> list[StationFact]:
        """Let go of facts dated before *until* (None: of all) but those *kept*; return them."""
        facts, held.facts = held.facts, []
        if until is None and not kept:  # nearly always
            return facts
        gone: list[StationFact] = []
        for fact in facts:
            is_late = until is not None and dated(fact, self.traits) >= until
            (held.facts if is_late or id(fact) in kept else gone).append(fact)
        return gone

    def _news(self, shelf: FactShelf, transaction: str, extent: Extent) -> list[StationFact]:
        """Return the facts of *transaction* that are not yet held, and hold them."""
        held = self._held[transaction]
        if held.facts_from is None:
            return []
        if held.taken >= 0:
            return self._brought_of(shelf, transaction, held)
        self.changed.add(transaction)
        key = (self._fold.station_id, transaction)
        facts = shelf.facts(key, extent.received_since(held.facts_from))
        held.taken = len(shelf.new.get(key, ()))
        return self._hold(held, facts)

    def _brought_of(self, shelf: FactShelf, transaction: str, held: Held) -> list[StationFact]:
        """Return what waits on the shelf and is not yet held, and hold it."""
        brought = shelf.new.get((self._fold.station_id, transaction), [])
        news, held.taken = brought[held.taken :], len(brought)
        return self._hold(held, news)

    def _hold(self, held: Held, facts: list[StationFact]) -> list[StationFact]:
        begins = held.facts_from or BEGINNING
        if begins != BEGINNING:
            facts = [fact for fact in facts if dated(fact, self.traits) >= begins]
        held.facts += facts
        return facts
