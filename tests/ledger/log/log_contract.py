"""What every `EventLog` does. A store's test class derives from this and opens its logs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ledger.log.event_log import EventLog, Position, Record

PARTITIONS = 4
OpenLog = Callable[[], Awaitable[EventLog]]


async def lines_of(log: EventLog, partition: int) -> list[bytes]:
    """Return all lines of a partition, in order."""
    records = await log.read(partition, 0, limit=100_000)
    return [line for record in records for line in record.payload.split(b"\n")]


class LogContract:
    """The tests. `open_log` opens another log, as another process would, on the same store."""

    @pytest.fixture
    def open_log(self) -> OpenLog:
        raise NotImplementedError

    @pytest.fixture
    async def log(self, open_log: OpenLog) -> EventLog:
        return await open_log()

    async def test_a_new_log_is_empty(self, log: EventLog) -> None:
        assert log.partitions == PARTITIONS
        assert [await log.end(partition) for partition in range(PARTITIONS)] == [0] * PARTITIONS
        assert await log.read(0, 0, limit=10) == []

    async def test_what_append_returned_is_where_another_process_finds_the_line(
        self, log: EventLog, open_log: OpenLog
    ) -> None:
        other = await open_log()

        position = await log.append(2, b'{"n":1}')

        assert position == Position(partition=2, position=0, line=0)
        assert await other.read(2, 0, limit=10) == [Record(2, 0, b'{"n":1}')]
        assert await other.end(2) == 1

    async def test_lines_that_wait_together_share_a_record(self, log: EventLog) -> None:
        lines = [b'{"n":%d}' % n for n in range(50)]

        positions = await asyncio.gather(*(log.append(1, line) for line in lines))

        assert len({position.position for position in positions}) < len(lines)
        assert await lines_of(log, 1) == lines

    async def test_a_position_names_its_line(self, log: EventLog) -> None:
        lines = [b'{"n":%d}' % n for n in range(300)]
        partitions = [n % PARTITIONS for n in range(300)]

        positions = await asyncio.gather(*map(log.append, partitions, lines))

        for line, partition, position in zip(lines, partitions, positions, strict=True):
            (record,) = await log.read(partition, position.position, limit=1)
            assert record.payload.split(b"\n")[position.line] == line
            assert position.partition == partition

    async def test_a_partition_keeps_the_order_in_which_append_was_called(
        self, log: EventLog
    ) -> None:
        appending = []
        for n in range(500):
            appending.append(asyncio.create_task(log.append(n % 2, b"%d" % n)))
            if n % 70 == 0:
                await asyncio.sleep(0.002)
        await asyncio.gather(*appending)

        assert await lines_of(log, 0) == [b"%d" % n for n in range(0, 500, 2)]
        assert await lines_of(log, 1) == [b"%d" % n for n in range(1, 500, 2)]

    async def test_processes_that_append_at_once_leave_no_gap_and_lose_nothing(
        self, open_log: OpenLog
    ) -> None:
        logs = [await open_log() for _ in range(3)]

        async def station(number: int) -> list[Position]:
            log = logs[number % 3]
            return [await log.append(n % 2, b"%d/%d" % (number, n)) for n in range(40)]

        positions = await asyncio.gather(*(station(number) for number in range(12)))

        for partition in (0, 1):
            records = await logs[0].read(partition, 0, limit=100_000)
            assert [record.position for record in records] == list(range(len(records)))
            assert await logs[1].end(partition) == len(records)
            lines = await lines_of(logs[0], partition)
            for number in range(12):
                own = [line for line in lines if line.startswith(b"%d/" % number)]
                assert own == [b"%d/%d" % (number, n) for n in range(partition, 40, 2)]
        assert len({position for some in positions for position in some}) == 12 * 40

    async def test_a_reader_that_follows_the_end_misses_nothing_while_processes_append(
        self, open_log: OpenLog
    ) -> None:
        writers, reader = [await open_log() for _ in range(3)], await open_log()
        seen: list[bytes] = []
        start = 0

        async def write(number: int) -> None:
            for n in range(60):
                await writers[number % 3].append(0, b"%d/%d" % (number, n))

        writing = asyncio.gather(*(write(number) for number in range(6)))
        while not writing.done() or start < await reader.end(0):
            for record in await reader.read(0, start, limit=7):
                assert record.position == start
                start += 1
                seen += record.payload.split(b"\n")
        await writing

        assert sorted(seen) == sorted(b"%d/%d" % (m, n) for m in range(6) for n in range(60))

    async def test_a_cancelled_append_hurts_nobody_else(self, log: EventLog) -> None:
        before = asyncio.create_task(log.append(0, b"before"))
        cancelled = asyncio.create_task(log.append(0, b"cancelled"))
        after = asyncio.create_task(log.append(0, b"after"))
        await asyncio.sleep(0)
        cancelled.cancel()

        await asyncio.gather(before, after)

        lines = await lines_of(log, 0)
        assert [line for line in lines if line != b"cancelled"] == [b"before", b"after"]
        for position, line in ((before.result(), b"before"), (after.result(), b"after")):
            (record,) = await log.read(0, position.position, limit=1)
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
    async def test_a_line_comes_back_byte_for_byte(self, log: EventLog, line: bytes) -> None:
        position = await log.append(3, line)

        assert await log.read(3, position.position, limit=1) == [Record(3, 0, line)]

    @pytest.mark.parametrize("line", [b"", b"a\nb", b"a\n"])
    async def test_what_is_not_one_line_is_refused(self, log: EventLog, line: bytes) -> None:
        with pytest.raises(Exception, match="line"):
            await log.append(0, line)

        assert await log.end(0) == 0

    @pytest.mark.parametrize("partition", [-1, PARTITIONS])
    async def test_a_partition_that_does_not_exist_is_refused(
        self, log: EventLog, partition: int
    ) -> None:
        with pytest.raises(Exception, match="no partition"):
            await log.append(partition, b"{}")

    async def test_read_starts_and_stops_where_it_is_told(self, log: EventLog) -> None:
        for n in range(6):
            await log.append(0, b"%d" % n)

        assert [r.payload for r in await log.read(0, 2, limit=3)] == [b"2", b"3", b"4"]
        assert [r.position for r in await log.read(0, 4, limit=10)] == [4, 5]
        assert await log.read(0, 6, limit=10) == []
        assert await log.end(0) == 6

    async def test_more_than_fits_into_memory_at_once_is_stored_all_the_same(
        self, log: EventLog
    ) -> None:
        line = bytes(range(14, 254)) * 4_000
        positions = await asyncio.gather(*(log.append(n % 2, line) for n in range(80)))

        assert len(set(positions)) == 80
        assert await lines_of(log, 0) == [line] * 40

    async def test_the_number_of_partitions_stays(
        self, log: EventLog, open_log_with: Callable[[int], Awaitable[EventLog]]
    ) -> None:
        await log.append(0, b"{}")

        with pytest.raises(Exception, match=f"{PARTITIONS} partitions"):
            await open_log_with(PARTITIONS + 1)

    @pytest.fixture
    def open_log_with(self) -> Callable[[int], Awaitable[EventLog]]:
        raise NotImplementedError
