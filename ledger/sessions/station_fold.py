"""From everything that one station said to its sessions: whose is each frame?

A frame names its transaction, and the name is often wrong. In OCPP 1.6 the server gives the ids; a
station that was offline at the start has none and sends -1 at the stop (errata 3.18), others send
0, the id before, or one that they made up (quirks 4 and 18). A stop of 1.6 names no connector. The
stop may come before the start, twice, or days late (2, 23, 25). A frame given to the wrong session
bills the wrong driver, and a frame thrown away loses energy.

So there are two kinds of frames. One whose id the station may use is owned by its transaction: a
numbered event of 2.0.1, or a frame with an id that we gave at a start of this very station, unless
its place contradicts that start. All others are loose. Each session with a start has a window at
its place, from its start to its stop or else to the next start there; a loose frame belongs to the
one session into whose window it fits by place, time, register and token (`loose_frames`).

Connector 1 starts id 1 at 08:00 with its register at 1,000 Wh, connector 2 id 2 at 50,000 Wh:

    08:30 reading 3,000 Wh of connector 1 with id 0
        -> the second reading of session 1, flag resolved_by_context
    09:00 stop at 6,000 Wh with id 999
        -> only the register of session 1 can stand there: it ends with 5,000 Wh, and is held
           (foreign_stop_attached), for an id of nobody's may close nothing without a person

Had connector 2 begun at 1,100 Wh, either could have been meant. Then both stay open, and the stop
is a session of its own without energy, held as unmatched_stop.

    09:00 stop with id 1, while its start is still on the way
        -> session CS-1/1/no-start; once the start is known that session is gone, and there is
           one from 08:00 to 09:00 with 5,000 Wh

Nothing is settled when a frame arrives: its owner would depend on the order of arrival, and a
station that empties its queue after an outage would be billed otherwise. Facts are kept, sessions
are folded from them when asked for. Folding a station anew for each frame would cost the square of
its sessions, so windows and owners are kept up to date and `add` names what may have changed.

What must stay true, and where it is held (tests/ledger/sessions/test_station_fold.py and
tests/quirks/test_quirks_identity.py):

* The same facts give the same sessions in any order and repetition, and `remove` undoes `add`.
* What `add` and `remove` return names every transaction whose sessions changed; the worker looks
  at no other.
* An id that we did not give closes none of several sessions.
"""

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
        # Starts of one reference may contradict each other: the lowest, whichever came first.
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
            # One more reading at its own place moves no border: the way of nearly every frame.
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
        # Windows first: the loose frames are fitted to them.
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
            # A new start may contradict a place, and one that went leaves frames without an owner.
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
        # A reading of nobody is unattributed energy; only a stop claims that somebody charged.
        if not ends:
            return []
        if not is_without_id(transaction):
            return split_segments(transaction, loose, self.traits)
        # Without an id only their content tells two stops from one that came twice (quirk 5).
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
