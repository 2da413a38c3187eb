"""One partition of the worker: from records to facts, sessions and decisions, still unwritten."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Final

import msgspec
from psycopg import Connection

from ledger.asides.aside import Aside, AsideStep
from ledger.asides.stored import Taken, stalled_stations, store_asides, store_counts
from ledger.facts.station_facts import (
    OF_NO_FOLD,
    ConnectorStatusChanged,
    FrameSetAside,
    PaymentReported,
    PriceTold,
    QueueReported,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationFact,
    transaction_of,
)
from ledger.log.envelope import Validation
from ledger.log.event_log import Record
from ledger.rating.decisions import Moment
from ledger.sessions.segments import Source, dated
from ledger.sessions.states import SessionState
from ledger.worker.closing.accruals import Accruals
from ledger.worker.closing.period_marks import PeriodMarks
from ledger.worker.entries import Entry, EntryReader
from ledger.worker.fact_shelf import FactShelf, TransactionKey
from ledger.worker.judging.charging import Charger
from ledger.worker.judging.findings import Findings
from ledger.worker.judging.judge import Judge
from ledger.worker.loose_facts import NO_TRANSACTION
from ledger.worker.position import Reached
from ledger.worker.rater import Rater
from ledger.worker.recollection import Named
from ledger.worker.session_rows import BEGINNING, NEVER, RECENT, SessionRow
from ledger.worker.station_memory import StationMemory
from ledger.worker.stored.session_store import (
    load_stations,
    load_watched,
    store_rows,
    store_validations,
    validated,
)
from ledger.worker.stored.station_states import StationStates

# These move borders or close gaps. A reading in an open session decides nothing.
ALWAYS_JUDGED: Final = frozenset({SessionStarted, SessionEnded, QueueReported})
ROWS_IN_MIND_MAX: Final = 40_000
"""Rows of sessions in mind at the end of a transaction, and one more a station, 3 kB each."""


class PartitionWorker:
    """Follows one partition; `take` works in memory, `store` writes it all down."""

    def __init__(
        self,
        connection: Connection[Any],
        begin: Reached,
        *,
        reader: EntryReader,
        recorded_in: str | None = None,
        is_trial: bool = False,
    ) -> None:
        partition, version = begin.partition, begin.version
        self.partition, self.next_position, self.version, self._next_number = begin[:4]
        self._last_at, self._sequences = begin.last_at, begin.sequences
        self.lines_done = 0
        self._connection, self._reader = connection, reader
        self._shelf = FactShelf(connection, partition)
        self._findings = Findings()
        self._marks = PeriodMarks(connection, partition)
        self._rater = Rater(connection, version, self._marks.closed, recorded_in=recorded_in)
        self._judge = Judge(connection, self._shelf, self._rater, self._findings)
        self._charger = Charger(connection, self._rater, reader.record_at)
        self._accruals = Accruals(connection, self._judge, self._rater, recorded_in)
        self._states = StationStates(partition)
        self._set_aside: Counter[tuple[str, str]] = Counter()
        self._validated: list[tuple[object, ...]] = []
        self._asides: list[Aside] = []
        self._taken: list[Taken] = []
        self.stalled = self._judge.stalled
        self.stalled |= stalled_stations(connection, partition)
        self._deadline, self._waits = BEGINNING, (0, 0)
        self._memories: dict[str, StationMemory] = {}
        self._heard: set[str] = set()
        self._ahead: dict[int, Entry] = {}
        self._is_crowded, self.prepared_in = False, 0.0
        """Seconds that the last `take` needed to have its stations in mind."""
        # Their time-outs come with a tick, without a frame that would bring them to mind.
        self._watched = {} if is_trial else load_watched(connection, partition)

    @property
    def stations(self) -> Collection[str]:
        """The stations that it has in mind or watches: at first those with unfinished sessions."""
        return self._memories.keys() | self._watched.keys()

    @property
    def reached(self) -> Reached:
        """Where this partition stands now; to be stored with what `store` writes."""
        begin = self.partition, self.next_position, self.version, self._next_number
        return Reached(*begin, self._last_at, self._sequences)

    def take(self, records: Sequence[Record], has_time: Callable[[], bool]) -> None:
        """Work through *records*, which continue where the last ones ended.

        At least one is taken; the others while *has_time* says so, and no station is crowded.
        """
        entries: list[Entry] = []
        for record in records:
            entry = self._ahead.get(record.position) or self._reader.read(record)
            # It looks up what is set aside, which must be in the table by then.
            if entry.is_alone and entries:
                break
            entries.append(entry)
            # What there is no time for waits for a later group, and is not read again; no more of
            # it than the largest group that was read.
            self._ahead[entry.position] = entry
            if entry.is_alone:
                break
        began = monotonic()
        self._prepare(entries)
        self.prepared_in = monotonic() - began
        for entry in entries:
            del self._ahead[entry.position]
            self.lines_done += entry.lines
            if self._sequences.takes(entry.stamp):
                if entry.asides or entry.taken:
                    self._set_lines_aside(entry)
                self._walk(entry)
            else:
                self._set_aside["", "repeated"] += entry.lines
            self.next_position = entry.position + 1
            if self._is_crowded or not has_time():
                break

    def store(self) -> None:
        """Write what was found since the last time; the caller's transaction holds it together."""
        for station_id in self._heard:
            memory = self._memories[station_id]
            # Kept with the rows, or a restart would find silence where there was none.
            for row in memory.unfinished:
                row.heard_at = memory.heard_at
                self._findings.change(row)
        self._judge.before_storing()
        self._shelf.store()
        self._states.store(self._connection)
        store_rows(self._connection, self._findings.changed.values(), self._findings.gone)
        self._marks.store()
        self._accruals.store()
        decisions = [*self._findings.decisions, *self._charger.decisions]
        self._next_number = self._rater.store(decisions, self._next_number)
        store_counts(self._connection, self.partition, self._set_aside)
        store_asides(self._connection, self.partition, self._asides, self._taken)
        store_validations(self._connection, self._validated)
        self._findings.clear()
        self._charger.stored()
        self._judge.stored()
        for each in (self._set_aside, self._validated, self._asides, self._taken):
            each.clear()
        for station_id in self._heard:
            memory = self._memories[station_id] = self._memories.pop(station_id)  # heard of last
            # A record that looks back further (its clock went back) brings what it needs to mind.
            # A clock that was ahead for once must not make every record after it look back.
            memory.let_go(min(memory.heard_at, self._last_at or memory.heard_at) - RECENT)
        self._heard.clear()
        self._is_crowded = False
        self._lighten()

    def _prepare(self, entries: Iterable[Entry]) -> None:
        """Read everything that the records will need from the database in a few statements."""
        facts: defaultdict[str, dict[str, list[StationFact]]] = defaultdict(dict)
        judged: set[str] = set()
        since = NEVER
        for entry in entries:
            if entry.facts or entry.choices or entry.validations or entry.resumed:
                since = min(since, entry.at)
            for fact in entry.facts:
                facts[fact.station_id].setdefault(transaction_of(fact), []).append(fact)
                if type(fact) in ALWAYS_JUDGED:
                    judged.add(fact.station_id)
            others = [choice.station for _, choice in entry.choices]
            others += (validation.station for _, validation in entry.validations)
            for station_id in (*others, *entry.resumed):
                facts[station_id].setdefault(NO_TRANSACTION, [])
        self._remember(facts.keys(), since)
        self._recall(facts, since)
        judged.update(station for station in facts if self._memories[station].is_waiting)
        self._judge.recollection.prefetch(
            self._memories, {station_id: facts[station_id] for station_id in judged}, since
        )

    def _recall(self, facts: Named, since: datetime) -> None:
        """Have the sessions in mind that *facts* may belong to, however old."""
        wanted: dict[TransactionKey, datetime] = {}
        for station_id, transactions in facts.items():
            memory = self._memories[station_id]
            for transaction, some in transactions.items():
                # All of its sessions are in mind, as nearly always: then no date is asked for.
                if not memory.lacks(transaction, BEGINNING):
                    continue
                traits = self._rater.traits(station_id, since)
                at = min(dated(fact, traits) for fact in some)
                if memory.lacks(transaction, at):
                    wanted[station_id, transaction] = at
        self._judge.recollection.recall(self._memories, wanted)

    def _remember(self, stations: Iterable[str], at: datetime) -> None:
        """Have in mind what was heard of shortly before *at*, and what is unfinished."""
        since = at if at is NEVER else at - RECENT
        unknown: dict[str, list[SessionRow]] = {}
        for station_id in stations:
            memory = self._memories.get(station_id)
            if memory is None:
                memory = self._memories[station_id] = StationMemory()
                self._watched.pop(station_id, None)
            if since < memory.since or at is NEVER:
                unknown[station_id] = []
        if not unknown:
            return
        for row in load_stations(self._connection, unknown, since=since):
            unknown[row.station_id].append(row)
        for station_id, rows in unknown.items():
            self._memories[station_id].absorb(rows, since)

    def _walk(self, entry: Entry) -> None:
        """Take one record into account and judge the stations that it may have changed."""
        moment = Moment(partition=self.partition, position=entry.position, at=entry.at)
        self._set_aside.update(entry.set_aside)
        if entry.at > BEGINNING:
            self._last_at = entry.at
        if entry.version is not None:
            # Another policy may wait less: the next tick looks at everything again.
            self.version, self._deadline = entry.version, BEGINNING
            self._judge.use(entry.version)
        self._accruals.accrue(self._marks.take(entry.marks, entry.position), moment)
        for line, validation in entry.validations:
            self._validate(validation, moment, line)
        named = {**{station_id: {} for station_id in entry.resumed}, **self._add(entry)}
        for station_id in sorted(named):
            self._judge.judge(station_id, self._memories[station_id], named[station_id], moment)
            # Never too late, so that most ticks need to look at nothing.
            self._deadline = self._earliest(station_id, entry.at, self._deadline)
        self._follow(entry, moment)
        if entry.tick is not None:
            if self._waits != self._rater.waits(entry.tick):
                self._deadline = BEGINNING  # another policy holds by now, and may wait less
            if entry.tick >= self._deadline:
                self._time_out(msgspec.structs.replace(moment, at=entry.tick))

    def _follow(self, entry: Entry, moment: Moment) -> None:
        """After the facts: what they settled is no longer held, and needs no person."""
        for source, choice in entry.choices:
            if not self._judge.choose(self._memories[choice.station], choice, moment, source):
                self._set_aside[choice.station, "choice_without_held_session"] += 1
        for charge in entry.charges:
            if not self._charger.take(charge, moment):
                self._set_aside["", "charged_on_before"] += 1

    def _validate(self, validation: Validation, moment: Moment, line: int) -> None:
        """Note a code before the record's facts are judged: it may come with the stop."""
        row = self._judge.validate(self._memories[validation.station], validation)
        if row is None:
            self._set_aside[validation.station, "validation_without_session"] += 1
            return
        self._validated.append(validated(moment, line, row, validation))

    def _add(self, entry: Entry) -> dict[str, dict[str, list[StationFact]]]:
        """Shelve the facts of *entry*; return those that are judged, by station and transaction.

        A frame with an id that no start of its station carries is shelved without a transaction:
        whose it is, the fold of the station says.
        """
        named: dict[str, dict[str, list[StationFact]]] = {}
        new, memories, heard = self._shelf.new, self._memories, self._heard
        wait = self._rater.wait(entry.at)
        for fact in entry.facts:
            station_id = fact.station_id
            memory = memories[station_id]
            if type(fact) is PriceTold:
                self._note_price(fact, memory)
                continue
            heard.add(station_id)
            memory.heard_at = max(memory.heard_at, fact.received_at)
            # The way of nearly every frame: no fold, no decision.
            if type(fact) is SessionUpdated and not memory.is_overdue(entry.at, wait):
                row = memory.row_read_on(fact, entry.at, self._rater.traits)
                if row is not None:
                    new[station_id, row.transaction_ref].append(fact)
                    row.read_on(fact)
                    if row.state is not SessionState.OPEN:
                        self._findings.change(row)
                    continue
            concerned = {transaction_of(fact)} if self._shelve(fact, memory) else set()
            if type(fact) is ConnectorStatusChanged:
                late = self._judge.recollection.over_at(memory, fact, entry.at)
                for transaction in late:
                    # Beside what came with it, where it is found however long ago that was.
                    new[station_id, transaction].append(fact)
                concerned |= late
            for transaction in concerned:
                named.setdefault(station_id, {}).setdefault(transaction, []).append(fact)
        return named

    def _note_price(self, fact: PriceTold, memory: StationMemory) -> None:
        """Note what a station was told that a session costs, once that is over."""
        if not (rows := memory.of_transaction.get(fact.transaction_ref or NO_TRANSACTION)):
            self._set_aside[fact.station_id, "price_of_no_session"] += 1
        elif rows[-1].ended_at is not None:  # while it charges it is a price so far
            self._findings.tell(self._connection, rows[-1], fact.gross)

    def _shelve(self, fact: StationFact, memory: StationMemory) -> bool:
        """Shelve a fact that is more than one more reading; say whether it has to be judged."""
        station_id, transaction, kind = fact.station_id, transaction_of(fact), type(fact)
        self._states.note(fact)
        # At once, for the stop may stand in the same record.
        if kind is SessionStarted:
            memory.owned.add(transaction)
            memory.begun += 1
            self._is_crowded |= memory.is_crowded
        # A numbered event carries the station's own id, which needs no start of ours.
        is_owned = transaction in memory.owned or getattr(fact, "seq_no", None) is not None
        if isinstance(fact, PaymentReported):
            self._shelf.new[station_id, transaction].append(fact)
            return False  # it decides nothing
        if isinstance(fact, FrameSetAside):
            self._set_aside[station_id, fact.reason] += 1
        elif kind not in OF_NO_FOLD:  # no fold has a use for it
            self._shelf.new[station_id, transaction if is_owned else ""].append(fact)
        return memory.is_waiting or kind in ALWAYS_JUDGED or (kind is SessionUpdated and is_owned)

    def _time_out(self, moment: Moment) -> None:
        """Judge the sessions that waited long enough; find when the next one will have."""
        due = []
        self._deadline, self._waits = NEVER, self._rater.waits(moment.at)
        deadlines = {
            station_id: self._rater.deadline(since, moment.at)
            for station_id, since in self._watched.items()
            if station_id not in self.stalled
        }
        woken = [station_id for station_id, deadline in deadlines.items() if deadline <= moment.at]
        self._deadline = min((at for at in deadlines.values() if at > moment.at), default=NEVER)
        self._remember(woken, NEVER)
        for station_id in self._memories:
            deadline = self._earliest(station_id, moment.at, NEVER)
            if deadline <= moment.at:
                due.append(station_id)
            self._deadline = min(self._deadline, deadline)
        for station_id in sorted(due):
            self._judge.judge(station_id, self._memories[station_id], {}, moment)

    def _earliest(self, station_id: str, at: datetime, deadline: datetime) -> datetime:
        """Return *deadline*, or when the first session of a station will have waited long enough.

        As of *at*: a session may be older than the record that makes it wait.
        """
        if station_id in self.stalled:
            return deadline
        return min(deadline, self._rater.deadline(self._memories[station_id].waits_since, at))

    def _set_lines_aside(self, entry: Entry) -> None:
        """Note which lines a record sets aside or takes again; take away what they told before."""
        self._asides += entry.asides
        self._taken += entry.taken
        self._shelf.again |= entry.again
        self.stalled -= entry.resumed
        gone: defaultdict[str, set[Source]] = defaultdict(set)
        for each in entry.asides:
            if each.step is AsideStep.TIME_OUT:
                self.stalled.add(each.station_id)
            elif each.position != entry.position and each.step is AsideStep.FOLD:
                gone[each.station_id].add((each.position, each.line))
        for station_id, sources in gone.items():
            self._shelf.remove(station_id, sources)
            self._judge.forget(station_id)

    def _lighten(self) -> None:
        """Only watch the stations that were heard of longest ago, once there is much in mind.

        Of one with unfinished sessions is then known when time will decide the first of them.
        """
        rows = sum(len(memory.rows) + 1 for memory in self._memories.values())
        if rows <= ROWS_IN_MIND_MAX:
            return
        for station_id, memory in list(self._memories.items()):
            if memory.unfinished:
                self._watched[station_id] = memory.waits_since
            del self._memories[station_id]
            rows -= len(memory.rows) + 1
            if rows <= ROWS_IN_MIND_MAX // 2:
                return
