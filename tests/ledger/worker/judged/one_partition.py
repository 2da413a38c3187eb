"""One partition of a worker without a log: a test hands it its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection

from ingest.facts.translate import translate
from ledger.asides.aside import Aside
from ledger.database import connect
from ledger.log.envelope import encode_line
from ledger.log.event_log import Record, Stamp
from ledger.log.repeats import LastSequences
from ledger.worker.entries import EntryReader
from ledger.worker.live_fold import LiveFold
from ledger.worker.partition import PartitionWorker
from ledger.worker.position import Reached
from ledger.worker.station_memory import StationMemory
from tests.charging_day import Timed


class OnePartition:
    """Partition 0 at the declarations of *version*; each record goes down in a group of its own."""

    def __init__(self, connection: Connection[Any], version: int = 0) -> None:
        self.connection, self.version = connection, version
        self.records: list[Record] = []
        self.asides: Mapping[int, Sequence[Aside]] = {}
        self.worker = self.opened(Reached(0, 0, version, 1, None, LastSequences()))

    def opened(self, reached: Reached, *, is_trial: bool = False) -> PartitionWorker:
        """Return a new worker that begins there, with all that the tables say."""
        reader = EntryReader(
            self.connection,
            0,
            translate,
            asides=self.asides,
            record_at=lambda position: self.records[position],
        )
        return PartitionWorker(self.connection, reached, reader=reader, is_trial=is_trial)

    def reopen(self) -> None:
        """Go on with a worker that has nothing in mind."""
        self.worker = self.opened(self.worker.reached)

    def record(self, *lines: Timed | bytes, stamp: Stamp | None = None) -> Record:
        """Return the next record, of *lines*."""
        texts = [each if isinstance(each, bytes) else encode_line(each[2]) for each in lines]
        payload = b"\n".join(text.rstrip(b"\n") for text in texts) + b"\n"
        self.records.append(Record(0, len(self.records), payload, stamp))
        return self.records[-1]

    def take(self, *lines: Timed | bytes, has_time: Callable[[], bool] = lambda: True) -> None:
        """Take a record of *lines*, without writing what follows."""
        self.worker.take([self.record(*lines)], has_time)

    def say(self, *lines: Timed | bytes) -> None:
        """Take a record of *lines* and write what follows."""
        self.take(*lines)
        self.worker.store()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode()).fetchall()

    def states(self) -> dict[str, str]:
        return dict(self.rows("SELECT transaction_ref, state FROM session"))

    def decided(self) -> list[str]:
        return [k for (k,) in self.rows("SELECT kind FROM session_decision ORDER BY position")]

    @property
    def memories(self) -> Mapping[str, StationMemory]:
        """What it has in mind of each station."""
        return self.worker._memories  # noqa: SLF001 - how much that is must be bounded

    @property
    def last_at(self) -> datetime | None:
        return self.worker.reached.last_at

    @property
    def inherited(self) -> Mapping[str, list[str]]:
        """Whose codes wait for the session that goes on what theirs began."""
        return self.worker._judge._inherited  # noqa: SLF001 - it must not grow

    def fold(self, station: str) -> LiveFold | None:
        """Return the station's open fold."""
        return self.worker._judge._folds.get(station)  # noqa: SLF001 - what it holds is bounded


@contextmanager
def one_partition(dsn: str, version: int = 0) -> Iterator[OnePartition]:
    with connect(dsn) as connection:
        yield OnePartition(connection, version)


class Calls:
    """Counts the calls of what it stands before."""

    def __init__(self, called: Callable[..., Any]) -> None:
        self.called, self.count = called, 0

    def __call__(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - handed on
        self.count += 1
        return self.called(*given, **named)
