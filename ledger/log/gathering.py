"""Single lines gathered into records: what waits at the same moment shares a record and a commit.

A station may be answered only when its frame cannot be lost any more. A store does some 1,600
durable writes a second, 10,000 stations that send ten frames a minute each would want 1,667. So the
first line opens a linger of 5 ms; 100 lines of one partition end it early; what comes while the
store writes goes with the next records. Three lines wait together, two of partition 0 and one of
partition 1; a fourth later:

    lines a, b (0), c (1)  -> stored together: a at 0/0/0, b at 0/0/1, c at 1/0/0
    line d (0)             -> the next time: d at 0/1/0

Whoever waits for a write that fails is told that his line may or may not be stored. Nothing is sent
again from here: the station gets no answer and sends its frame again, and the fold takes a frame
that is there twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ledger.log.event_log import LogUnavailableError, NewRecord, Position

LINGER_SECONDS: Final = 0.005
LINES_ENOUGH: Final = 100  # a partition with that many waiting lines ends the linger
# A record is read and judged whole, whatever its size.
RECORD_LINES_MAX: Final = 1_000
RECORD_BYTES_MAX: Final = 1 << 20
# Beyond that stations wait for their answers instead of our memory growing.
WAITING_BYTES_MAX: Final = 32 << 20

Store = Callable[[Sequence[NewRecord]], Awaitable[Sequence[Position]]]
"""Stores records, those of one partition in the order given; returns where, once durable."""


class _Batch:
    """Lines of one partition that become one record, and who waits for each."""

    __slots__ = ("lines", "partition", "size", "waiters")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.lines: list[bytes] = []
        self.waiters: list[asyncio.Future[Position]] = []
        self.size = 0

    @property
    def is_full(self) -> bool:
        return self.size >= RECORD_BYTES_MAX or len(self.lines) >= RECORD_LINES_MAX


class LineGathering:
    """Gathers lines for one *store*, which is called again only once it has returned."""

    def __init__(
        self, store: Store, *, linger_seconds: float, bytes_max: int = WAITING_BYTES_MAX
    ) -> None:
        self._store, self._linger, self._bytes_max = store, linger_seconds, bytes_max
        self._waiting: dict[int, list[_Batch]] = {}
        self._waiting_bytes = 0
        self._since = 0.0
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None

    async def append(self, partition: int, line: bytes) -> Position:
        """Store *line*, which is fit; return its position once it is durable.

        Raises:
            LogUnavailableError: If it may not have been stored.
        """
        while self._waiting_bytes >= self._bytes_max:
            self._room.clear()
            await self._room.wait()
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._since = loop.time()
        batches = self._waiting.setdefault(partition, [])
        if not batches or batches[-1].is_full:
            batches.append(_Batch(partition))
        batch = batches[-1]
        waiter: asyncio.Future[Position] = loop.create_future()
        batch.lines.append(line)
        batch.waiters.append(waiter)
        batch.size += len(line)
        self._waiting_bytes += len(line)
        if len(batch.lines) >= LINES_ENOUGH or batch.is_full:
            self._enough.set()
        if self._flusher is None or self._flusher.done():
            self._flusher = loop.create_task(self._flush_while_waiting())
        return await waiter  # cancelling it leaves the line in its batch

    async def close(self) -> None:
        """Store what waits."""
        if self._flusher is not None:
            self._enough.set()
            await self._flusher

    async def _flush_while_waiting(self) -> None:
        while self._waiting:
            rest = self._since + self._linger - asyncio.get_running_loop().time()
            if rest > 0 and not self._enough.is_set():
                try:
                    async with asyncio.timeout(rest):
                        await self._enough.wait()
                except TimeoutError:
                    pass
            batches, self._waiting = self._waiting, {}
            self._enough.clear()
            self._waiting_bytes = 0
            self._room.set()
            await self._flush([batch for some in batches.values() for batch in some])

    async def _flush(self, batches: Sequence[_Batch]) -> None:
        """Store *batches* and tell everyone who waits for them."""
        try:
            positions = await self._store(
                [NewRecord(batch.partition, batch.lines) for batch in batches]
            )
        except BaseException as error:
            count = sum(len(batch.lines) for batch in batches)
            message = f"{count} lines may not be in the event log: {error}"
            for waiter in (waiter for batch in batches for waiter in batch.waiters):
                if not waiter.done():
                    waiter.set_exception(LogUnavailableError(message))
            if isinstance(error, Exception):
                return
            raise
        for batch, first in zip(batches, positions, strict=True):
            for index, waiter in enumerate(batch.waiters):
                if not waiter.done():
                    waiter.set_result(Position(first.partition, first.position, index))
