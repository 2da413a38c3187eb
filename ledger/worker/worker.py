"""The worker: takes records from the event log and writes what follows from them, exactly once.

A worker is killed between any two statements, is started again, or is started twice by mistake.
What it had half done must not stay, what it did must not be done again: a session rated twice is
billed twice. The bookkeeping of whatever feeds it (an offset, an acknowledgement) cannot tell the
two apart, for it is written before or after the effect, never with it.

So everything that follows from a group of records goes down in one transaction together with the
partition's position: facts, sessions, decisions, postings. The position is locked first and must
still be what this worker left it at. Two records hold a start and its stop, the position is 3:

    killed after the decision, before the commit
        -> nothing is written, the position is still 3; the next worker comes to the same decision
    killed after the commit
        -> the position is 5; the next worker begins there
    a second worker read 3 too, and comes to its turn later
        -> it waits for the row's lock, finds 5 and ends with FencedError, having written nothing

A transaction a record would be simpler, and each would pay for a commit, the reading of facts and
the writing of rows. A group shares them, but is only a matter of effort: what is decided hangs on
the border of the record, never on that of the group. One record holds what stations said in the
same few milliseconds; a group is whatever was there when the worker looked:

    a stop at 5,000 Wh in one record, another stop at 6,000 Wh in the next, one group or two
        -> rated with the first, flagged late_fact with the second
    both in one record
        -> conflicting_stop: it waits, and is held if nothing settles it

A group ends after a second of work, so that slow work is committed in small parts and a kill costs
no more than that. A replay runs this same worker into a scratch schema.

With the position goes the number of the partition's next decision: who holds the one lock gives the
numbers, so that they follow the log and have no gap (`ledger.books.feed`).

What must stay true, by the tests in tests/ledger/worker/test_worker.py: neither grouping nor
restarts nor the number of workers change a byte; a rival is fenced; a transaction that fails
leaves nothing. Under load with real kills: tests/faults/test_kill_nine.py. (Which partition's
session uses a shared grant first is not in the log; it is recorded: `ledger.rating.allowances`.)
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any, Final, NamedTuple, Self

import psycopg
from psycopg import Connection, IsolationLevel, sql

from ledger.asides.aside import Aside, LinesRaiseError
from ledger.asides.stored import recorded_asides
from ledger.asides.trial import RecordTrial
from ledger.database import is_of_content
from ledger.errors import LedgerError
from ledger.log.event_log import FollowedLog, LogError, Record
from ledger.rating.allowances import lock_all
from ledger.worker.entries import EntryReader, Translate
from ledger.worker.partition import PartitionWorker
from ledger.worker.position import load_position, lock_position, store_position

logger = logging.getLogger(__name__)

GROUP_LINES: Final = 16_000
"""Lines that one transaction takes at most, but for the last record's rest."""
GROUP_RECORDS: Final = 4_000
GROUP_SECONDS: Final = 1.0
COLLECT_SECONDS: Final = 120.0
"""How often the collector of cycles walks everything: some broken frame may make one."""
WAIT_SECONDS: Final = 1.0
"""How long `run` waits for the log to have more before it looks by itself."""
LOST: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable)
"""How a group ends that needs what another worker holds; the second where `lock_timeout` is set."""


PAUSE_SECONDS: Final = 1.0
"""How long a partition rests after an error that no line of it makes; each further time twice."""
PAUSE_SECONDS_MAX: Final = 60.0


class Pause(NamedTuple):
    """Until when a partition rests (by the monotonic clock), and how long that is in all."""

    until: float = 0.0
    seconds: float = 0.0


class FencedError(LedgerError):
    """Another worker moved the partition's position, or is of a newer version: this one stops."""

    def __init__(self, partition: int, position: int, why: str = "") -> None:
        moved = f"partition {partition} is no longer at {position}: another worker has it"
        super().__init__(why or moved)
        self.partition, self.position = partition, position


class Worker:
    """Follows some partitions of the log and keeps their books. After an error, make a new one."""

    def __init__(
        self,
        dsn: str,
        *,
        log: FollowedLog,
        partitions: Collection[int],
        translate: Translate,
        schema: str = "books",
        group_records: int = GROUP_RECORDS,
        recorded_in: str | None = None,
        group_seconds: float = GROUP_SECONDS,
    ) -> None:
        """Connect and find out where each of *partitions* stands.

        Args:
            dsn: The database with the schema `inputs`.
            log: What to read; it stays the caller's to close.
            partitions: Which partitions to follow; no other worker may follow them.
            translate: What a frame says, as facts: `ingest.facts.translate.translate`.
            schema: Where the tables are that the worker writes: `books`, or a replay's scratch.
            group_records: How many records a transaction takes at most.
            recorded_in: The schema whose decisions say what sessions found used of grants that
                they share: a replay takes that order from there. None: this worker settles it.
            group_seconds: After how long a transaction takes no further record, so that slow
                work is committed in small parts. Grouping changes no decision.
        """
        self._log, self._group_records = log, group_records
        self._lines = GROUP_LINES
        self._group_seconds = group_seconds
        self.beat: Callable[[], None] = lambda: None
        """Called before each partition's turn: it says that the worker goes on."""
        self.fence: Callable[[Connection[Any]], str] = lambda _: ""
        """Asked in each transaction: why nothing more may be written, empty if it may."""
        self.records_done = 0
        self._recorded_in = recorded_in
        self._translate = translate
        self._connection = psycopg.connect(dsn, autocommit=True)
        # A lock that was waited for must show what its last holder wrote.
        self._connection.isolation_level = IsolationLevel.READ_COMMITTED
        use_schema(self._connection, schema)
        followed = sorted(set(partitions))
        self._asides = {each: self._recorded_asides(each) for each in followed}
        self._partitions = [self._open(partition) for partition in followed]
        self._at_most = [group_records] * len(followed)
        self._pauses = [Pause()] * len(followed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; what was committed stays."""
        self._connection.close()

    def run_once(self) -> int:
        """Take one group of records of every partition; return how many lines were done.

        Raises:
            FencedError: If another worker took over a partition.
        """
        return sum(self._take_turn(index) for index in range(len(self._partitions)))

    def run(self, stop: threading.Event) -> None:
        """Follow the log until *stop* is set. A partition in trouble rests; the others go on.

        Raises:
            FencedError: If another worker took over a partition.
            psycopg.OperationalError: If the connection is lost.
        """
        while not stop.is_set():
            done = self.take_turns()
            # Also while there is much to do, or what the log tells meanwhile would pile up.
            self._log.wait(0 if done else WAIT_SECONDS)

    def take_turns(self) -> int:
        """Take one group of records of every partition that does not rest; return how many lines.

        Raises:
            FencedError: If another worker took over a partition.
            psycopg.OperationalError: If the connection is lost.
        """
        return sum(self._patient_turn(index) for index in range(len(self._partitions)))

    def resting(self) -> list[int]:
        """Return which partitions rest after an error that no line of them makes."""
        pauses = zip(self._partitions, self._pauses, strict=True)
        return [each.partition for each, pause in pauses if pause.seconds]

    def positions(self) -> dict[int, int]:
        """Return, by partition, the position of the next record to take."""
        return {each.partition: each.next_position for each in self._partitions}

    def _patient_turn(self, index: int) -> int:
        """Advance one partition unless it rests, which an error of its own makes it do."""
        self.beat()
        pause = self._pauses[index]
        if monotonic() < pause.until:
            return 0
        partition = self._partitions[index].partition
        try:
            if pause.seconds:
                self._partitions[index] = self._open(partition)
            done = self._take_turn(index)
        except FencedError:
            raise
        except Exception:
            if self._connection.closed:
                raise
            seconds = min(max(2 * pause.seconds, PAUSE_SECONDS), PAUSE_SECONDS_MAX)
            self._pauses[index] = Pause(monotonic() + seconds, seconds)
            logger.exception("partition %s rests for %s s", partition, seconds)
            return 0
        self._pauses[index] = Pause()
        return done

    def _recorded_asides(self, partition: int) -> dict[int, list[Aside]]:
        if self._recorded_in is None:
            return {}
        return recorded_asides(self._connection, partition, schema=self._recorded_in)

    def _open(
        self,
        partition: int,
        asides: Mapping[int, Sequence[Aside]] | None = None,
        *,
        is_trial: bool = False,
    ) -> PartitionWorker:
        reached = load_position(self._connection, partition)
        if reached is None:
            raise FencedError(partition, 0)

        def record_at(position: int) -> Record | None:
            return next(iter(self._log.read(partition, position, records=1)), None)

        reader = EntryReader(
            self._connection,
            partition,
            self._translate,
            asides=self._asides[partition] if asides is None else asides,
            record_at=record_at,
        )
        return PartitionWorker(
            self._connection,
            reached,
            reader=reader,
            recorded_in=self._recorded_in,
            is_trial=is_trial,
        )

    def _take_turn(self, index: int) -> int:
        """Advance one partition; a group that raises is taken once more.

        Where it lost a lock to another worker, alone; where a line raises, without that.
        """
        partition, is_alone = self._partitions[index], False
        while True:
            position = partition.next_position
            try:
                done = self._advance(index, partition, is_alone=is_alone)
            except LOST as error:
                name = type(error).__name__
                logger.warning("%s at %s/%s: once more, alone", name, partition.partition, position)
                is_alone, cause = True, f"{name}: {error}"
            except (FencedError, LogError):
                raise
            except Exception as error:
                if not is_of_content(error):
                    raise
                self._find_culprits(index, position, error)
                cause = str(error)
            else:
                self._at_most[index] = min(2 * self._at_most[index], self._group_records)
                if self._recorded_in is None:
                    self._asides[partition.partition].clear()  # they are in the table now
                return done
            # What it had in mind is rolled back: it begins anew from the tables.
            partition = self._partitions[index] = self._open(partition.partition)
            if partition.next_position != position:
                logger.warning("after %s: another worker has gone on", cause)
                raise FencedError(partition.partition, position)

    def _find_culprits(self, index: int, position: int, error: Exception) -> None:
        """Find which lines a group from *position* on raises with; first, in which record.

        Raises:
            Exception: The *error*, if no line makes it.
        """
        partition = self._partitions[index].partition
        if isinstance(error, LinesRaiseError):
            self._leave_out(partition, error.at, error.asides, error)
            # What is done up to there is kept: the next one that raises costs no more.
            self._at_most[index] = error.at - position + 1
            return
        records = self._log.read(
            partition, position, records=self._at_most[index], lines=self._lines
        )
        if len(records) > 1:
            self._at_most[index] = len(records) // 2
            return
        trial = RecordTrial(
            self._connection, records[0], partial(self._open, partition), self._asides[partition]
        )
        asides = trial.culprits()
        self._leave_out(partition, position, asides, error)

    def _leave_out(
        self, partition: int, at: int, asides: Sequence[Aside], error: Exception
    ) -> None:
        known = self._asides[partition].setdefault(at, [])
        if {each[:5] for each in asides} <= {each[:5] for each in known}:
            raise error  # what raises is none of them
        for each in asides:
            logger.error(
                "line %s/%s/%s of %s is set aside (%s): %s",
                *(partition, each.position, each.line, each.station_id, each.step, each.why),
            )
        known += asides

    def _advance(self, index: int, partition: PartitionWorker, *, is_alone: bool) -> int:
        """Take one group of records, if there is one, in one transaction.

        *is_alone*: while no other worker holds a shared grant. What a group needs is known only as
        it is rated, so its locks come in any order; alone it cannot lose twice.
        """
        with _COLLECTOR.resting():
            records = self._log.read(
                partition.partition,
                partition.next_position,
                records=self._at_most[index],
                lines=self._lines,
            )
            if not records:
                return 0
            before = partition.lines_done
            until = monotonic() + self._group_seconds
            with self._connection.transaction():
                self._lock(partition)
                if is_alone:
                    lock_all(self._connection)
                # What it takes to have stations in mind is not counted: once it took longer, each
                # record alone would be a group that brings them to mind.
                partition.take(records, lambda: monotonic() < until + partition.prepared_in)
                partition.store()
                store_position(self._connection, partition.reached)
        done = partition.lines_done - before
        self.records_done += partition.next_position - records[0].position
        # What was read and not reached waits in memory: read no more than could be done.
        is_whole = partition.next_position > records[-1].position
        self._lines = min(GROUP_LINES, 5 * max(self._lines, done) // 4 + 1 if is_whole else done)
        return done

    def _lock(self, partition: PartitionWorker) -> None:
        """Lock the position: a second worker waits here and then is fenced."""
        expected = (partition.partition, partition.next_position)
        if not lock_position(self._connection, *expected):
            raise FencedError(*expected)
        if why := self.fence(self._connection):
            raise FencedError(*expected, why)


class Collector:
    """Keeps the collector of cycles from walking thousands of facts, which form none.

    What a group leaves is set apart from what it walks, all of it but for once in a while.
    """

    def __init__(self) -> None:
        self._walked_at = monotonic()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let it rest for a group."""
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_enabled:
                if monotonic() - self._walked_at >= COLLECT_SECONDS:
                    gc.unfreeze()
                    gc.collect()
                    self._walked_at = monotonic()
                gc.freeze()
                gc.enable()


_COLLECTOR: Final = Collector()


def use_schema(connection: Connection[Any], schema: str) -> None:
    """Let *connection* find our tables in *schema* and the recorded inputs in `inputs`."""
    connection.execute(sql.SQL("SET search_path = {}, inputs").format(sql.Identifier(schema)))
