"""A copied log is the log: every record where it was, in either direction, or it is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing

import psycopg
import pytest

from ledger.log.copying import PAGE_BYTES, PAGE_RECORDS_MAX, CopiedLog, CopyRefusedError, copy_log
from ledger.log.event_log import (
    EventLog,
    LogUnavailableError,
    NewRecord,
    Position,
    Record,
    Stamp,
)
from ledger.log.kafka.cluster import KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.topics import PROFILES, make_topic
from ledger.log.postgres import PostgresEventLog, make_log

PARTITIONS = 3


@pytest.fixture
def old(database: str) -> Iterator[EventLog]:
    """A log in PostgreSQL: many records, stamps, a repeat, an empty partition, a large record."""
    with psycopg.connect(database, autocommit=True) as connection:
        make_log(connection, PARTITIONS)
    with closing(PostgresEventLog(database)) as log:
        twice = NewRecord(0, [b'{"marker":1}'], Stamp("outbox", 4))
        log.append([NewRecord(0, [b'{"n":%d}' % n, b"x" * n]) for n in range(1, 150)])
        log.append([twice, NewRecord(2, ['{"é":"\u2028\\u0000"}'.encode()], Stamp("é", 1)), twice])
        log.append([NewRecord(2, [b"y" * (1 << 20), b"z"])])
        yield log


@pytest.fixture
def new(kafka: KafkaCluster) -> Iterator[EventLog]:
    """An empty log in Kafka."""
    make_topic(kafka, partitions=PARTITIONS, profile=PROFILES["development"])
    with closing(KafkaEventLog(kafka)) as log:
        yield log


def all_of(log: EventLog) -> list[Record]:
    return [r for n in range(log.partitions) for r in log.read(n, 0, records=10_000)]


class BehindLog:
    """The log, and something that happens beside it at the first append."""

    def __init__(
        self, log: EventLog, *, beside: Sequence[NewRecord] = (), ends_after: int | None = None
    ) -> None:
        self._log, self._beside, self._ends_after = log, beside, ends_after

    @property
    def partitions(self) -> int:
        return self._log.partitions

    def ends(self) -> Sequence[int]:
        return self._log.ends()

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        return self._log.read(partition, start, records=records, lines=lines)

    def read_at(self, partition: int, positions: Collection[int]) -> Mapping[int, Record]:
        return self._log.read_at(partition, positions)

    def append(self, records: Sequence[NewRecord]) -> Sequence[Position]:
        if self._ends_after is not None and self._log.ends()[0] >= self._ends_after:
            self._log.append(records[: len(records) // 2])
            message = "killed in the middle"
            raise LogUnavailableError(message)
        beside, self._beside = self._beside, ()
        self._log.append(beside)
        return self._log.append(records)

    def wait(self, seconds: float) -> None:
        self._log.wait(seconds)

    def close(self) -> None:
        self._log.close()


def test_every_record_is_where_it_was_with_its_stamp_and_its_bytes(
    old: EventLog, new: EventLog
) -> None:
    told: list[tuple[int, int]] = []

    copied = copy_log(old, new, progress=lambda done, total: told.append((done, total)))

    assert copied == CopiedLog(partitions=PARTITIONS, records=153, lines=303, found=0)
    assert list(new.ends()) == [151, 0, 2]
    assert all_of(new) == all_of(old)
    assert all_of(new)[149].stamp == all_of(new)[150].stamp == Stamp("outbox", 4)
    # Each is copied, then compared.
    assert told[-1] == (306, 306)
    assert told == sorted(told)


def test_the_way_back_goes_on_behind_what_the_old_log_still_has(
    old: EventLog, new: EventLog, database: str
) -> None:
    copy_log(old, new)
    new.append([NewRecord(1, [b'{"since":"kafka"}']), NewRecord(0, [b"2"], Stamp("outbox", 5))])

    copied = copy_log(new, old)

    assert copied == CopiedLog(partitions=PARTITIONS, records=155, lines=305, found=153)
    with closing(PostgresEventLog(database)) as again:
        assert all_of(again) == all_of(new)


@pytest.mark.parametrize("ends_after", [0, 1, 100])
def test_a_copy_that_was_interrupted_goes_on(
    old: EventLog, new: EventLog, *, ends_after: int
) -> None:
    with pytest.raises(LogUnavailableError, match="killed"):
        copy_log(old, BehindLog(new, ends_after=ends_after))
    found = sum(new.ends())

    copied = copy_log(old, new)

    assert copied.found == found < 153
    assert (copied.records, copied.lines) == (153, 303)
    assert all_of(new) == all_of(old)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(NewRecord(0, [b'{"n":2}', b"x"]), id="another byte"),
        pytest.param(NewRecord(0, [b'{"n":1}\r', b"x"]), id="one byte more"),
        pytest.param(NewRecord(0, [b'{"n":1}', b"x"], Stamp("a", 1)), id="a stamp"),
        pytest.param(NewRecord(1, [b"{}"]), id="a record too many in a partition"),
    ],
)
def test_what_does_not_begin_with_the_same_records_is_refused_and_left_as_it_is(
    old: EventLog, new: EventLog, first: NewRecord
) -> None:
    new.append([first])

    with pytest.raises(CopyRefusedError, match="empty"):
        copy_log(old, new)

    assert sum(new.ends()) == 1


def test_a_record_that_another_writer_put_in_between_is_refused(
    old: EventLog, new: EventLog
) -> None:
    with pytest.raises(CopyRefusedError, match=r"0/0 was stored at 0/1/0"):
        copy_log(old, BehindLog(new, beside=[NewRecord(0, [b"{}"])]))


def test_one_that_came_where_nothing_is_to_be_copied_is_refused(
    old: EventLog, new: EventLog
) -> None:
    with pytest.raises(CopyRefusedError, match="something wrote"):
        copy_log(old, BehindLog(new, beside=[NewRecord(1, [b"{}"])]))


def test_a_log_that_grows_while_it_is_copied_is_copied_again(old: EventLog, new: EventLog) -> None:
    class GrowingLog(BehindLog):
        def append(self, records: Sequence[NewRecord]) -> Sequence[Position]:
            old.append([NewRecord(1, [b"{}"])])
            return super().append(records)

    with pytest.raises(CopyRefusedError, match="something wrote"):
        copy_log(old, GrowingLog(new))

    assert copy_log(old, new).found == 153
    assert all_of(new) == all_of(old)


def test_another_number_of_partitions_is_refused(old: EventLog, kafka: KafkaCluster) -> None:
    make_topic(kafka, partitions=PARTITIONS + 1, profile=PROFILES["development"])

    with (
        closing(KafkaEventLog(kafka)) as new,
        pytest.raises(CopyRefusedError, match="has 3 partitions, the one to copy to has 4"),
    ):
        copy_log(old, new)


def test_large_records_are_read_few_at_a_time(old: EventLog, new: EventLog) -> None:
    large = NewRecord(1, [bytes([65 + n % 7]) * 100_000 for n in range(20)])
    old.append([large] * 30)
    asked: list[int] = []

    class AskedLog(BehindLog):
        def read(
            self, partition: int, start: int, *, records: int, lines: int | None = None
        ) -> Sequence[Record]:
            asked.append(records)
            found = super().read(partition, start, records=records, lines=lines)
            assert sum(len(each.payload) for each in found) <= PAGE_BYTES
            return found

    copy_log(AskedLog(old), new)

    assert max(asked) == PAGE_RECORDS_MAX
    assert all_of(new) == all_of(old)
