"""Judge one station at one record: fold its facts, find its sessions, decide what is complete.

A late start, a queue of yesterday or a free connector can change sessions that were looked at long
ago, but to fold a station's whole past at each record is too much. So only a part is looked at
(`ledger.worker.judging.extent`).

That part must hang on the record alone, never on what the worker still has in mind in a larger
group or after a restart; a replay would decide otherwise. The record's own facts wait for `turn`:
what a session was before them, and is with them, tells news from repetition.

    held for a lost stop, the stop comes a day later -> decided again at that record: rated
    rated, then another stop comes                   -> corrected (ledger.worker.judging.reviewing)

Tests: tests/ledger/worker/test_late_facts.py, test_worker_chance.py (any grouping, any restarts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import psycopg
from psycopg import Connection

from ledger.facts.flags import Flag
from ledger.facts.station_facts import StationFact
from ledger.log.envelope import Choice, Validation
from ledger.rating.decisions import Moment
from ledger.sessions.loose_frames import flags_of_stop
from ledger.sessions.segments import Source
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import DECIDED, PRICED, UNDECIDED, SessionAct, SessionState, moved
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.at_rest import Extents, first_start
from ledger.worker.judging.choosing import Chooser
from ledger.worker.judging.extent import Extent, beside_decided, horizon_of_rows, is_around
from ledger.worker.judging.findings import Findings, Folded, Seen, billed_otherwise
from ledger.worker.judging.reviewing import Reviewer
from ledger.worker.judging.room_left import leaves_room
from ledger.worker.live_fold import LiveFold
from ledger.worker.live_folds import LiveFolds
from ledger.worker.loose_facts import NO_TRANSACTION
from ledger.worker.rater import Rater, Verdict
from ledger.worker.recollection import Recollection
from ledger.worker.session_rows import RECENT, SessionRow, new_row, row_of_start
from ledger.worker.station_memory import StationMemory
from ledger.worker.stored.session_store import load_around, load_sessions


class Judge:
    """Folds and decides for the stations of one partition."""

    def __init__(
        self, connection: Connection[Any], shelf: FactShelf, rater: Rater, findings: Findings
    ) -> None:
        self._connection, self._shelf = connection, shelf
        self._rater, self._findings = rater, findings
        self._reviewer = Reviewer(connection, rater, findings)
        self._chooser = Chooser(connection, shelf, rater, findings, self._reviewer)
        self._folds = LiveFolds(shelf)
        self.recollection = Recollection(connection, shelf, findings, self._folds, rater.traits)
        self._inherited: dict[str, list[str]] = {}
        self.stalled: set[str] = set()
        """Of these stations time decides no session: that failed, and waits for a person."""

    def judge(
        self,
        station_id: str,
        memory: StationMemory,
        named: Mapping[str, Sequence[StationFact]],
        moment: Moment,
    ) -> None:
        """Fold *station_id* and decide; *named* are the record's facts by transaction.

        Only what may have come out differently since the last time is looked at.

        Raises:
            LinesRaiseError: If the fold fails with some lines.
        """
        extent = self.recollection.extent(station_id, memory, named, moment)
        try:
            if self._begins(station_id, memory, extent, named, moment):
                return
            seen = self._look(station_id, memory, extent, named, moment)
        except psycopg.Error:
            raise  # the transaction is lost, whatever it was about
        except Exception as error:
            raise self._folds.unfolded(station_id, extent, moment.position) or error from error
        folded = seen.folded
        unknown = [
            key
            for key, found in folded.items()
            if key not in memory.rows and found.transaction_ref not in memory.covered
        ]
        self.recollection.sessions(memory, unknown)
        aliases = self._settle_vanished(memory, seen, moment)
        for session_id, found in folded.items():
            if session_id in aliases:
                row = aliases[session_id]
                as_known = msgspec.structs.replace(found.session, session_id=row.session_id)
                self._reviewer.review(row, as_known, moment, memory.heard_at)
            else:
                transaction = found.transaction_ref
                session = self._follow(found, memory, extent.get(transaction), seen, moment)
                row = memory.rows[session_id]
                is_told_again = transaction in named and row.note_told_again(session)
                if row.lie(session) or is_told_again:
                    self._findings.change(row)
        self._note_stops(seen, memory, moment)
        memory.settle(seen.transactions | {row.transaction_ref for row, _ in seen.stopped})
        self._settle(station_id, memory, seen.transactions, extent)

    def _follow(
        self,
        found: Folded,
        memory: StationMemory,
        extent: Extent | None,
        seen: Seen,
        moment: Moment,
    ) -> ChargingSession:
        """Let its row follow a session, and decide; return it as it was decided about."""
        session_id = found.session.session_id
        row = memory.rows.get(session_id)
        if row is None:
            row = new_row(found.session, found.transaction_ref, moment.partition, memory.heard_at)
            memory.hold(row)
            row.validations = self._inherited.pop(session_id, [])
        session = beside_decided(found.session, row, extent)
        session = self.recollection.beside(session, memory, moment)
        if row.is_unfinished:
            row.follow(session)
            row.describe(session, memory.heard_at)
            verdict = self._decided(session, row, memory, moment)
            if verdict is not None:
                self._findings.conclude(row, verdict)
            self._findings.change(row)
        elif session_id in seen.changed or Flag.DISSOLVED in row.flags:
            self._reviewer.review(row, session, moment, memory.heard_at)
        return session

    def _begins(
        self,
        station_id: str,
        memory: StationMemory,
        extent: Extents,
        named: Mapping[str, Sequence[StationFact]],
        moment: Moment,
    ) -> bool:
        """Whether a record only begins a session at a station at rest: nearly every start.

        Then the start alone says what the fold would, and nothing else can come out otherwise.
        """
        start = first_start(extent, named)
        if start is None or memory.unfinished:
            return False
        traits = self._rater.traits(station_id, moment.at)
        row = row_of_start(start, traits, moment.partition, memory.heard_at)
        if row is None or row.session_id in memory.rows or self._is_due(row, memory, moment):
            return False
        live = self._opened(station_id, extent, (), named, moment)
        if not live.is_first(start):
            return False
        live.note()
        row.validations = self._inherited.pop(row.session_id, [])
        memory.hold(row)
        memory.settle({row.transaction_ref})
        return True

    def _opened(
        self,
        station_id: str,
        extent: Mapping[str, Extent],
        rows: Sequence[SessionRow],
        named: Mapping[str, Iterable[StationFact]],
        moment: Moment,
    ) -> LiveFold:
        """Return the station's fold of *rows*, with all that was told before this record."""
        horizon = horizon_of_rows(moment.at - RECENT, rows, chain.from_iterable(named.values()))
        traits = self._rater.traits(station_id, moment.at)
        live = self._folds.open(station_id, traits, horizon)
        live.follow(self._shelf, extent, horizon, moment.position)
        return live

    def _settle(
        self,
        station_id: str,
        memory: StationMemory,
        transactions: Iterable[str],
        extent: Mapping[str, Extent],
    ) -> None:
        """Let the fold keep windows alone of what is decided for good."""
        decided = {
            transaction: extent[transaction].decided(rows)
            for transaction in transactions
            if transaction in extent and (rows := memory.of_transaction.get(transaction))
        }
        self._folds.settle(station_id, decided)

    def _look(
        self,
        station_id: str,
        memory: StationMemory,
        extent: Extents,
        named: Mapping[str, Sequence[StationFact]],
        moment: Moment,
    ) -> Seen:
        """Fold what may have changed, and what may have waited long enough."""
        rows = [row for each in extent.others.values() for row in each.folded]
        unfinished = [row for row in rows if row.is_unfinished]
        live = self._opened(station_id, extent, rows, named, moment)
        # What carries no id of the station's may be the stop that a held session lacks.
        is_loose = not named.keys() <= memory.owned
        decided = [
            row
            for row in rows
            if (not row.is_unfinished and row.transaction_ref in named)
            or (row.state is SessionState.HELD and is_loose)
        ]
        before = {row.transaction_ref: live.sessions(row.transaction_ref) for row in decided}
        touched = live.turn()
        due = {row.transaction_ref for row in unfinished if self._is_due(row, memory, moment)}
        # What is decided for good is looked at only where this record names it.
        looked_at = sorted(
            due | named.keys() | {key for key in live.changed if not _is_decided(extent.get(key))}
        )
        folded = {
            session.session_id: Folded(transaction, session)
            for transaction in looked_at
            for session in live.sessions(transaction)
        }
        # Of what was read anew, and is decided, a window will do from now on.
        self._settle(station_id, memory, live.changed - {*looked_at}, extent)
        live.changed.clear()
        was = [s for transaction in before.keys() & touched for s in before[transaction]]
        changed = billed_otherwise(was, folded) & {row.session_id for row in decided}
        vanished = [
            row
            for transaction in looked_at
            if transaction in extent
            for row in extent[transaction].folded
            if row.session_id not in folded
        ]
        known = {transaction for transaction in looked_at if live.has_facts(transaction)}
        stopped = memory.decided_of(live.windows_taking(named))
        return Seen(set(looked_at), known, folded, changed, vanished, stopped)

    def _decided(
        self, session: ChargingSession, row: SessionRow, memory: StationMemory, moment: Moment
    ) -> Verdict | None:
        """Return what is decided about an unfinished session, None while it waits."""
        if not session.is_ended and not self._is_due(row, memory, moment):
            return None  # an open end: until its time is over nothing can be decided
        return self._rater.decide(session, row, moment, memory.heard_at)

    def _is_due(self, row: SessionRow, memory: StationMemory, moment: Moment) -> bool:
        """Whether the time alone may decide an unfinished session."""
        is_stalled = row.station_id in self.stalled
        return not is_stalled and moment.at >= self._rater.deadline(
            row.waits_since(memory.heard_at), moment.at
        )

    def choose(self, memory: StationMemory, choice: Choice, moment: Moment, source: Source) -> bool:
        """Follow a person's *choice*, the line at *source*; say whether that was possible."""
        row = self._row(memory, choice.session_id)
        if row is None or not self._chooser.may(row, choice):
            return False
        # A record holds one decision about a session: its position is in the key.
        if self._findings.has_decided(row.session_id, moment):
            return False
        memory.hold(row)
        if not leaves_room(row, choice.attested, self.recollection.after(row, memory)):
            return False
        fold = partial(self.fold_around, row, memory, moment)
        is_done = self._chooser.follow(row, choice, moment, source, memory.heard_at, fold)
        memory.settle()
        return is_done

    def validate(self, memory: StationMemory, validation: Validation) -> SessionRow | None:
        """Note a code that was shown for a session; return that, None where it is too late."""
        if validation.session_id is None:
            row = memory.unfinished_of(validation.token)
        else:
            row = self._row(memory, validation.session_id)
        if row is None or row.station_id != validation.station or row.state not in UNDECIDED:
            return None
        memory.hold(row)
        row.validations = sorted({*row.validations, validation.code})
        self._findings.change(row)
        memory.settle({row.transaction_ref})
        return row

    def _row(self, memory: StationMemory, session_id: str) -> SessionRow | None:
        known = memory.rows.get(session_id)
        return known or next(iter(load_sessions(self._connection, [session_id])), None)

    def forget(self, station_id: str) -> None:
        """Fold a station from its stored facts the next time: some of them are gone."""
        self._folds.close(station_id)

    def use(self, version: int) -> None:
        """Decide with what was declared up to *version*: whatever waits is asked anew."""
        self._rater.use(version)
        self._folds.close_all()

    def before_storing(self) -> None:
        """Let the open books take what the shelf is about to hand over."""
        self._folds.before_storing()

    def stored(self) -> None:
        """Forget what was looked up for the transaction that is now committed."""
        self._folds.stored()

    def fold_around(
        self, row: SessionRow, memory: StationMemory, moment: Moment
    ) -> ChargingSession | None:
        """Return the session of *row*, folded among those around it, with all that is known."""
        memory.hold(row)
        for other in load_around(self._connection, row):
            is_gone = other.session_id in self._findings.gone
            if not is_gone and other.session_id not in memory.rows:
                memory.hold(other)
        around = [other for other in memory.rows.values() if is_around(other, row)]
        horizon = horizon_of_rows(row.first_fact_at, around)
        traits = self._rater.traits(row.station_id, moment.at)
        live = LiveFold(row.station_id, traits, horizon)
        extent: dict[str, Extent] = {}
        for transaction in {other.transaction_ref for other in around} - {NO_TRANSACTION}:
            rows = [other for other in around if other.transaction_ref == transaction]
            begins = min(other.begins for other in rows)
            extent[transaction] = Extent(rows, begins, begins)
        live.follow(self._shelf, extent, horizon, moment.position)
        live.turn()
        sessions = live.sessions(row.transaction_ref)
        for session in sessions:
            if session.session_id == row.session_id:
                return session
        # A late fact may have moved its start, and with it the fold's id of it.
        moved_ = (each for each in sessions if each.window and row.is_of(each.window))
        for session in moved_:
            return msgspec.structs.replace(session, session_id=row.session_id)
        return None

    def _settle_vanished(
        self, memory: StationMemory, seen: Seen, moment: Moment
    ) -> dict[str, SessionRow]:
        """Deal with rows that the fold no longer knows; return under which ids others go on.

        A session's id holds its start, and a late fact may move that. What was decided keeps the id
        under which it was: it may be corrected, and the session under its new id is not decided.
        """
        aliases: dict[str, SessionRow] = {}
        folded = seen.folded
        for row in seen.vanished:
            fresh = [
                session_id
                for session_id, found in folded.items()
                if found.transaction_ref == row.transaction_ref
                and session_id not in memory.rows
                and session_id not in aliases
            ]
            heir = row.heir(folded[session_id].session for session_id in fresh)
            if heir and row.state not in DECIDED:
                self._inherited[heir] = row.validations
            if row.is_unfinished:
                memory.drop(row)
                self._findings.drop(row)
            elif row.transaction_ref not in seen.with_facts:
                continue  # its facts are unmatched ones, by now too old to be looked at
            elif row.state in DECIDED and heir:
                aliases[heir] = row
                row.lie(folded[heir].session)
                row.first_fact_at = min(row.first_fact_at, folded[heir].session.first_received_at)
                self._findings.mark_late(row, moment_at=row.last_fact_at)
            elif row.state is SessionState.HELD and heir:
                row.state = moved(row.state, SessionAct.REPLACE)
                self._findings.change(row)
            elif row.state in PRICED and Flag.DISSOLVED not in row.flags:
                self._reviewer.dissolve(row, moment)
        return aliases

    def _note_stops(self, seen: Seen, memory: StationMemory, moment: Moment) -> None:
        for row, window in seen.stopped:
            session = None
            if window.ends_at is None:
                self._findings.mark_late(row, moment_at=moment.at)
                session = self.fold_around(row, memory, moment) if row.state in PRICED else None
            if session is not None:
                self._reviewer.review(row, session, moment, memory.heard_at)
            row.flags = sorted({*row.flags, *flags_of_stop(window)})
            self._findings.change(row)


def _is_decided(extent: Extent | None) -> bool:
    return extent is not None and extent.is_decided
