"""Everything one station said, kept as facts; sessions are folded from them on demand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ledger.facts.station_facts import (
    FrameSetAside,
    QueueReported,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.facts.station_traits import StationTraits
from ledger.sessions.bystanders import (
    Bystanders,
    by_place,
    changed_by_boots,
    changed_by_reports,
    changed_by_statuses,
)
from ledger.sessions.loose_frames import SessionFrame, windows_of
from ledger.sessions.matching import Matching
from ledger.sessions.segments import (
    Segment,
    Source,
    is_without_id,
    place_of,
    source_of,
    split_segments,
)
from ledger.sessions.session import ChargingSession
from ledger.sessions.session_fold import Surroundings, fold_session

__all__ = ["StationFold", "StationTraits"]

Kind = tuple[Source, type]
"""A frame may tell several facts, each of another type."""
_NOTHING: Final[frozenset[Kind]] = frozenset()


class _Transaction:
    """The facts that carry one transaction reference (and own it)."""

    __slots__ = ("facts", "is_placed", "place", "starts")

    def __init__(self) -> None:
        self.facts: list[SessionFact | QueueReported] = []
        self.starts: list[SessionStarted] = []
        self.place: int | None = None
        self.is_placed = False

    def settle(self) -> None:
        """Work out the place anew: the starts'."""
        self.starts = [fact for fact in self.facts if isinstance(fact, SessionStarted)]
        places = [place_of(start) for start in self.starts]
        self.place = min((place for place in places if place is not None), default=None)
        self.is_placed = bool(places) and None not in places


class StationFold:
    """The facts of one station. Adding never raises; the order of adding does not matter.

    What is taken out again leaves no trace.
    """

    def __init__(self, station_id: str, traits: StationTraits) -> None:
        self.station_id, self.traits = station_id, traits
        self.set_aside: dict[str, int] = {}
        self._transactions: dict[str, _Transaction] = {}
        self._around = Bystanders()
        self._matching = Matching(traits)
        self._folded: dict[str, tuple[ChargingSession, ...]] = {}

    def add(self, facts: Iterable[StationFact]) -> set[str]:
        """Add *facts* and return the transactions whose sessions may have changed."""
        touched: set[str] = set()
        slow: list[StationFact] = []
        transactions = self._transactions
        for fact in facts:
            if type(fact) is SessionUpdated:
                transaction = transactions.get(fact.transaction_ref or "")
                if (
                    transaction is not None
                    and transaction.is_placed
                    and fact.evse_id == transaction.place
                ):
                    transaction.facts.append(fact)
                    touched.add(fact.transaction_ref or "")
                    continue
            slow.append(fact)
        if slow:
            self._add_slowly(slow, touched)
        self._forget_folds(touched)
        return touched

    def remove(self, facts: Iterable[StationFact]) -> set[str]:
        """Take *facts* out again and return the transactions whose sessions may have changed."""
        touched: set[str] = set()
        gone: dict[str, set[Kind]] = {}
        around: list[StationFact] = []
        for fact in facts:
            if isinstance(
                fact, SessionStarted | SessionUpdated | SessionEnded | QueueReported
            ) and (fact.transaction_ref or not isinstance(fact, QueueReported)):
                gone.setdefault(fact.transaction_ref or "", set()).add(
                    (source_of(fact), type(fact))
                )
            else:
                around.append(fact)
        for reference, kinds in gone.items():
            for source, kind in kinds:
                if kind in (SessionUpdated, SessionEnded):
                    touched |= self._matching.release(source)
            if reference in self._transactions:
                self._settle(reference, touched, without=kinds)
        self._around.remove(around)
        self._note_around(around, touched)
        self._forget_folds(touched)
        return touched

    def sessions(self, transaction: str) -> tuple[ChargingSession, ...]:
        """Return the sessions of *transaction*, folded from the facts known, oldest first."""
        folded = self._folded.get(transaction)
        if folded is None:
            folded = self._folded[transaction] = tuple(
                fold_session(segment, self._surroundings(segment, index, transaction))
                for index, segment in enumerate(self._segments(transaction))
                if segment.starts or segment.updates or segment.ends
            )
        return folded

    def transactions(self) -> tuple[str, ...]:
        """Return every transaction with sessions or unmatched frames, sorted."""
        return tuple(
            sorted({*self._transactions, *(f.transaction_ref or "" for f in self.unmatched())})
        )

    def unmatched(self) -> tuple[SessionFrame, ...]:
        """Return the unmatched frames: no session, or several, could have meant them."""
        return tuple(self._matching.unmatched())

    def facts(self) -> list[StationFact]:
        """Return every fact kept, in log order."""
        own = [fact for transaction in self._transactions.values() for fact in transaction.facts]
        kept: list[StationFact] = [*own, *self._matching.loose(), *self._around.facts()]
        return sorted(kept, key=lambda fact: (fact.position, fact.line))

    def _forget_folds(self, touched: set[str]) -> None:
        for transaction in touched:
            self._folded.pop(transaction, None)

    def _add_slowly(self, facts: Sequence[StationFact], touched: set[str]) -> None:
        """Add facts that may move the borders of sessions: starts first, they say whose is what."""
        starts = [fact for fact in facts if isinstance(fact, SessionStarted)]
        for start in starts:
            self._own(start.transaction_ref, start, touched)
        for reference in {start.transaction_ref for start in starts}:
            self._settle(reference, touched)
        others = [fact for fact in facts if isinstance(fact, SessionUpdated | SessionEnded)]
        self._add_others(others, touched)
        around: list[StationFact] = []
        for fact in facts:
            match fact:
                case SessionStarted() | SessionUpdated() | SessionEnded():
                    pass
                case QueueReported(transaction_ref=str(reference)) if reference:
                    self._own(reference, fact, touched)
                case FrameSetAside():
                    self.set_aside[fact.reason] = self.set_aside.get(fact.reason, 0) + 1
                case _:
                    around.append(fact)
        self._around.add(around)
        self._note_around(around, touched)

    def _add_others(self, facts: Iterable[SessionFrame], touched: set[str]) -> None:
        moved: set[str] = set()
        loose: list[SessionFrame] = []
        for fact in facts:
            if not self._is_owned(fact):
                loose.append(fact)
                continue
            reference = fact.transaction_ref or ""
            self._own(reference, fact, touched)
            if self._moves_borders(fact):
                moved.add(reference)
        for reference in moved:
            self._lay(reference, touched)
        for frame in loose:
            touched |= self._matching.take(frame)

    def _is_owned(self, fact: SessionFrame) -> bool:
        """Return True when the reference of *fact* is one that the station may use for it.

        A numbered event carries the station's own reference. Otherwise the reference must be one
        that we gave at a start, and the place must not contradict that start.
        """
        if not fact.transaction_ref:
            return False
        if fact.seq_no is not None:
            return True
        transaction = self._transactions.get(fact.transaction_ref)
        if transaction is None or not transaction.starts:
            return False
        place = place_of(fact)
        return place is None or transaction.place in (None, place)

    def _moves_borders(self, fact: SessionFrame) -> bool:
        """Return True when a window changes with *fact*: a stop, or the first to name a place."""
        if isinstance(fact, SessionEnded):
            return True
        transaction = self._transactions[fact.transaction_ref or ""]
        return not transaction.is_placed and place_of(fact) is not None

    def _own(self, reference: str, fact: SessionFact | QueueReported, touched: set[str]) -> None:
        self._transactions.setdefault(reference, _Transaction()).facts.append(fact)
        touched.add(reference)

    def _settle(
        self, reference: str, touched: set[str], *, without: set[Kind] | frozenset[Kind] = _NOTHING
    ) -> None:
        """Sort the facts of *reference* anew after a start came, or after facts went."""
        transaction = self._transactions[reference]
        if without:
            transaction.facts = [
                f for f in transaction.facts if (source_of(f), type(f)) not in without
            ]
        transaction.settle()
        kept: list[SessionFact | QueueReported] = []
        for fact in transaction.facts:
            is_loose = isinstance(fact, SessionUpdated | SessionEnded) and not self._is_owned(fact)
            if is_loose and isinstance(fact, SessionUpdated | SessionEnded):
                touched |= self._matching.take(fact)
            else:
                kept.append(fact)
        transaction.facts = kept
        for fact in self._matching.loose_of(reference):
            if self._is_owned(fact):
                touched |= self._matching.release(source_of(fact))
                transaction.facts.append(fact)
        touched.add(reference)
        self._lay(reference, touched)
        if not transaction.facts:
            del self._transactions[reference]

    def _lay(self, reference: str, touched: set[str]) -> None:
        segments = split_segments(reference, self._transactions[reference].facts, self.traits)
        touched |= self._matching.lay(reference, windows_of(segments, self.traits))

    def _note_around(self, facts: Sequence[StationFact], touched: set[str]) -> None:
        """Name the transactions that *facts* may change which by themselves belong to none."""
        matching, folded = self._matching, self._folded
        for place, statuses in by_place(facts).items():
            touched |= changed_by_statuses(matching.transactions_at(place), statuses, folded)
        boots = [fact for fact in facts if isinstance(fact, StationBooted)]
        if boots:
            touched |= changed_by_boots(matching.transactions(), boots, folded)
        if any(isinstance(fact, QueueReported) for fact in facts):
            touched |= changed_by_reports(self._transactions, folded)

    def _segments(self, transaction: str) -> list[Segment]:
        """Return the sessions of *transaction* with what was attached to them."""
        found = self._transactions.get(transaction)
        if found is not None and any(not isinstance(f, QueueReported) for f in found.facts):
            attached = self._matching.attached(transaction)
            return split_segments(transaction, [*found.facts, *attached], self.traits)
        return self._unmatched_segments(transaction)

    def _unmatched_segments(self, transaction: str) -> list[Segment]:
        """Return stops that nobody owns, each as a session of its own that a person must judge."""
        loose = self._matching.unmatched_of(transaction)
        ends = [fact for fact in loose if isinstance(fact, SessionEnded)]
        if not ends:
            return []
        if not is_without_id(transaction):
            return split_segments(transaction, loose, self.traits)
        by_content: dict[object, Segment] = {}
        for end in ends:
            content = (end.occurred_at, end.meter_stop_wh, place_of(end))
            segment = by_content.setdefault(content, Segment(transaction_ref=transaction))
            segment.ends.append(end)
        return list(by_content.values())

    def _surroundings(self, segment: Segment, index: int, transaction: str) -> Surroundings:
        window = self._matching.window(transaction, index) if segment.starts else None
        attached = self._matching.attached(transaction)
        return Surroundings(
            station_id=self.station_id,
            traits=self.traits,
            statuses=self._around.statuses(window.place) if window else (),
            boots=list(self._around.boots.values()),
            queue_empty_at=tuple(
                report.received_at
                for report in self._around.reports.values()
                if not report.messages_in_queue
            ),
            next_start_at=window.next_start_at if window else None,
            attached=frozenset(source_of(fact) for fact in attached),
            foreign_ids=frozenset(
                source_of(fact) for fact in attached if not is_without_id(fact.transaction_ref)
            ),
            has_foreign_connector=transaction in self._transactions
            and self._matching.has_foreign_place(transaction),
        )
