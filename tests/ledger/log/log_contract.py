"""What every event log does. A store's test class derives from this and opens its logs.

The tests know the ports alone: `EventLog` for records, `LineWriter` for single lines. `open_log`
and `open_writer` open another one on the same store, as another process would.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from ledger.log.event_log import (
    EventLog,
    LineWriter,
    NewRecord,
    Position,
    Record,
    Stamp,
    UnfitLineError,
)

PARTITIONS = 4
OpenLog = Callable[[], EventLog]


class OpenWriter(Protocol):
    """Opens the end of the log that takes lines."""

    def __call__(self, *, partitions: int = PARTITIONS) -> Awaitable[LineWriter]: ...


def lines_of(log: EventLog, partition: int) -> list[bytes]:
    """Return all lines of a partition, in order."""
    records = log.read(partition, 0, records=100_000)
    return [line for record in records for line in record.payload.split(b"\n")]


class LogContract:
    """The tests."""

    @pytest.fixture
    def open_log(self) -> OpenLog:
        raise NotImplementedError

    @pytest.fixture
    def open_writer(self) -> OpenWriter:
        raise NotImplementedError

    @pytest.fixture
    def log(self, open_log: OpenLog) -> EventLog:
        return open_log()

    @pytest.fixture
    async def writer(self, open_writer: OpenWriter) -> LineWriter:
        return await open_writer()

    def test_a_new_log_is_empty(self, log: EventLog) -> None:
        assert log.partitions == PARTITIONS
        assert list(log.ends()) == [0] * PARTITIONS
        assert log.read(0, 0, records=10) == []
        assert log.read_at(0, [0, 1]) == {}

    def test_a_record_is_where_append_says_for_another_process(
        self, log: EventLog, open_log: OpenLog
    ) -> None:
        other = open_log()

        [position] = log.append([NewRecord(2, [b'{"n":1}', b'{"n":2}'])])

        assert position == Position(partition=2, position=0, line=0)
        assert other.read(2, 0, records=10) == [Record(2, 0, b'{"n":1}\n{"n":2}')]
        assert list(other.ends()) == [0, 0, 1, 0]

    def test_records_that_are_appended_together_keep_their_order_in_each_partition(
        self, log: EventLog
    ) -> None:
        log.append([NewRecord(0, [b"0"])])

        positions = log.append([NewRecord(n % 2, [b"%d" % n]) for n in range(1, 9)])

        assert positions == [Position(n % 2, (n + 1) // 2 - n % 2, 0) for n in range(1, 9)]
        assert lines_of(log, 0) == [b"0", b"2", b"4", b"6", b"8"]
        assert lines_of(log, 1) == [b"1", b"3", b"5", b"7"]

    def test_a_stamp_comes_back_and_a_repeat_is_stored_as_it_is(self, log: EventLog) -> None:
        twice = NewRecord(1, [b"{}"], Stamp("outbox", 7))

        log.append([twice])
        log.append([NewRecord(1, [b"{}"]), twice])

        stamps = [record.stamp for record in log.read(1, 0, records=10)]
        assert stamps == [Stamp("outbox", 7), None, Stamp("outbox", 7)]
        assert log.read_at(1, [2])[2].stamp == Stamp("outbox", 7)

    async def test_what_a_writer_was_told_is_where_another_process_finds_the_line(
        self, writer: LineWriter, log: EventLog
    ) -> None:
        position = await writer.append(2, b'{"n":1}')

        assert writer.partitions == PARTITIONS
        assert position == Position(partition=2, position=0, line=0)
        assert list(log.ends()) == [0, 0, 1, 0]
        assert lines_of(log, 2) == [b'{"n":1}']

    async def test_lines_that_wait_together_share_a_record(
        self, writer: LineWriter, log: EventLog
    ) -> None:
        lines = [b'{"n":%d}' % n for n in range(50)]

        positions = await asyncio.gather(*(writer.append(1, line) for line in lines))

        assert len({position.position for position in positions}) < len(lines)
        assert lines_of(log, 1) == lines

    async def test_a_position_names_its_line(self, writer: LineWriter, log: EventLog) -> None:
        lines = [b'{"n":%d}' % n for n in range(300)]
        partitions = [n % PARTITIONS for n in range(300)]

        positions = await asyncio.gather(*map(writer.append, partitions, lines))

        for line, partition, position in zip(lines, partitions, positions, strict=True):
            [record] = log.read(partition, position.position, records=1)
            assert record.payload.split(b"\n")[position.line] == line
            assert position.partition == partition

    async def test_a_partition_keeps_the_order_in_which_append_was_called(
        self, writer: LineWriter, log: EventLog
    ) -> None:
        appending = []
        for n in range(500):
            appending.append(asyncio.create_task(writer.append(n % 2, b"%d" % n)))
            if n % 70 == 0:
                await asyncio.sleep(0.002)
        await asyncio.gather(*appending)

        assert lines_of(log, 0) == [b"%d" % n for n in range(0, 500, 2)]
        assert lines_of(log, 1) == [b"%d" % n for n in range(1, 500, 2)]

    async def test_processes_that_append_at_once_leave_no_gap_and_lose_nothing(
        self, open_writer: OpenWriter, log: EventLog
    ) -> None:
        writers = [await open_writer() for _ in range(3)]

        async def station(number: int) -> list[Position]:
            writer = writers[number % 3]
            return [await writer.append(n % 2, b"%d/%d" % (number, n)) for n in range(40)]

        positions = await asyncio.gather(*(station(number) for number in range(12)))

        for partition in (0, 1):
            records = log.read(partition, 0, records=100_000)
            assert [record.position for record in records] == list(range(len(records)))
            assert log.ends()[partition] == len(records)
            lines = lines_of(log, partition)
            for number in range(12):
                own = [line for line in lines if line.startswith(b"%d/" % number)]
                assert own == [b"%d/%d" % (number, n) for n in range(partition, 40, 2)]
        assert len({position for some in positions for position in some}) == 12 * 40

    async def test_a_reader_that_follows_the_end_misses_nothing_while_processes_append(
        self, open_log: OpenLog, open_writer: OpenWriter
    ) -> None:
        writers = [await open_writer() for _ in range(3)]
        adder, reader = open_log(), open_log()
        seen: list[bytes] = []
        start = 0

        async def write(number: int) -> None:
            for n in range(60):
                await writers[number % 3].append(0, b"%d/%d" % (number, n))

        def add() -> None:
            for n in range(60):
                adder.append([NewRecord(0, [b"6/%d" % n])])

        writing = asyncio.gather(*(write(number) for number in range(6)), asyncio.to_thread(add))
        while not writing.done() or start < reader.ends()[0]:
            for record in reader.read(0, start, records=7):
                assert record.position == start
                start += 1
                seen += record.payload.split(b"\n")
            await asyncio.sleep(0)
        await writing

        assert sorted(seen) == sorted(b"%d/%d" % (m, n) for m in range(7) for n in range(60))

    async def test_a_cancelled_append_hurts_nobody_else(
        self, writer: LineWriter, log: EventLog
    ) -> None:
        before = asyncio.create_task(writer.append(0, b"before"))
        cancelled = asyncio.create_task(writer.append(0, b"cancelled"))
        after = asyncio.create_task(writer.append(0, b"after"))
        await asyncio.sleep(0)
        cancelled.cancel()

        await asyncio.gather(before, after)

        lines = lines_of(log, 0)
        assert [line for line in lines if line != b"cancelled"] == [b"before", b"after"]
        for position, line in ((before.result(), b"before"), (after.result(), b"after")):
            [record] = log.read(0, position.position, records=1)
            assert record.payload.split(b"\n")[position.line] == line

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"{}", id="the smallest object"),
            pytest.param("\u2028 \u00e9 \U0001f50c \\n".encode(), id="text that some split at"),
            pytest.param(b"\xff\xfe\x00\r\x1c\x85", id="bytes that are no text"),
            pytest.param(b'"' + b"x" * (1 << 20) + b'"', id="a mebibyte"),
            pytest.param(bytes(range(11, 256)) * 1000, id="every byte but the line feed's block"),
        ],
    )
    async def test_a_line_comes_back_byte_for_byte(
        self, writer: LineWriter, log: EventLog, line: bytes
    ) -> None:
        position = await writer.append(3, line)
        log.append([NewRecord(3, [line, line])])

        assert lines_of(log, 3) == [line, line, line]
        assert log.read(3, position.position, records=1)[0].payload == line
        assert log.read_at(3, [1]) == {1: Record(3, 1, line + b"\n" + line)}

    @pytest.mark.parametrize("line", [b"", b"a\nb", b"a\n"])
    async def test_what_is_not_one_line_is_refused(
        self, writer: LineWriter, log: EventLog, line: bytes
    ) -> None:
        with pytest.raises(UnfitLineError, match="line"):
            await writer.append(0, line)
        with pytest.raises(UnfitLineError, match="line"):
            log.append([NewRecord(0, [b"{}", line])])
        with pytest.raises(UnfitLineError, match="line"):
            log.append([NewRecord(0, [b"{}"]), NewRecord(0, [])])

        assert log.ends()[0] == 0

    @pytest.mark.parametrize("partition", [-1, PARTITIONS])
    async def test_a_partition_that_does_not_exist_is_refused(
        self, writer: LineWriter, log: EventLog, partition: int
    ) -> None:
        with pytest.raises(UnfitLineError, match="no partition"):
            await writer.append(partition, b"{}")
        with pytest.raises(UnfitLineError, match="no partition"):
            log.append([NewRecord(0, [b"{}"]), NewRecord(partition, [b"{}"])])

        assert log.ends()[0] == 0

    def test_read_starts_and_stops_where_it_is_told(self, log: EventLog) -> None:
        log.append([NewRecord(0, [b"%d" % n]) for n in range(6)])

        assert [r.payload for r in log.read(0, 2, records=3)] == [b"2", b"3", b"4"]
        assert [r.position for r in log.read(0, 4, records=10)] == [4, 5]
        assert log.read(0, 6, records=10) == []
        assert [*log.read_at(0, {5, 1, 9})] == [1, 5]

    @pytest.mark.parametrize(
        ("lines", "found"),
        [(1, [0]), (3, [0]), (4, [0, 1]), (5, [0, 1]), (6, [0, 1, 2]), (7, [0, 1, 2])],
    )
    def test_read_ends_with_the_record_that_reaches_the_lines(
        self, log: EventLog, *, lines: int, found: list[int]
    ) -> None:
        log.append([NewRecord(1, [b"{}"] * size) for size in (3, 2, 1)])

        assert [r.position for r in log.read(1, 0, records=9, lines=lines)] == found
        assert [r.position for r in log.read(1, 0, records=1, lines=lines)] == [0]

    async def test_more_than_fits_into_memory_at_once_is_stored_all_the_same(
        self, writer: LineWriter, log: EventLog
    ) -> None:
        line = bytes(range(14, 254)) * 4_000
        positions = await asyncio.gather(*(writer.append(n % 2, line) for n in range(80)))

        assert len(set(positions)) == 80
        assert lines_of(log, 0) == [line] * 40

    async def test_the_number_of_partitions_stays(
        self, writer: LineWriter, open_writer: OpenWriter
    ) -> None:
        await writer.append(0, b"{}")

        with pytest.raises(Exception, match=f"{PARTITIONS} partitions"):
            await open_writer(partitions=PARTITIONS + 1)

    async def test_closing_stores_what_waits(self, open_writer: OpenWriter, log: EventLog) -> None:
        writer = await open_writer()
        appending = asyncio.create_task(writer.append(0, b"last"))
        await asyncio.sleep(0)

        await writer.close()

        assert appending.done()
        assert lines_of(log, 0) == [b"last"]

    def test_whoever_waits_is_woken_once_the_record_can_be_read(
        self, log: EventLog, open_log: OpenLog
    ) -> None:
        reader = open_log()
        reader.wait(0)  # from here on it hears of everything
        adding = threading.Timer(0.2, lambda: log.append([NewRecord(1, [b"{}"])]))
        adding.start()

        began = time.monotonic()
        while not reader.read(1, 0, records=1):
            reader.wait(90)

        assert time.monotonic() - began < 60
        adding.join()

    def test_what_came_before_somebody_waits_wakes_him_too(
        self, log: EventLog, open_log: OpenLog
    ) -> None:
        reader = open_log()
        reader.wait(0)
        log.append([NewRecord(1, [b"{}"]), NewRecord(2, [b"{}"])])
        assert reader.read(2, 0, records=1)

        began = time.monotonic()
        reader.wait(90)

        assert time.monotonic() - began < 60

    def test_waiting_for_what_does_not_come_ends(self, log: EventLog) -> None:
        log.wait(0)
        began = time.monotonic()
        log.wait(0.2)

        assert 0.1 < time.monotonic() - began < 60

    def test_a_log_that_was_closed_can_be_closed_again(self, log: EventLog) -> None:
        log.ends()
        log.close()
        log.close()
