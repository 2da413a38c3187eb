"""Questions to the database that wait at the same time are asked as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import psycopg

from ledger.database import is_of_content

K = TypeVar("K")
V = TypeVar("V")

# A database that was killed is back within a few seconds; a station waits longer than that.
PATIENCE_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 0.1

Connect = Callable[[], Awaitable[psycopg.AsyncConnection]]
"""Opens a connection; its search_path finds our tables."""


class Gatherer(Generic[K, V]):
    """Collects keys while a question runs and asks for all of them next, in one transaction.

    `answer` gets a connection inside a transaction and the keys (repeats kept) and returns a value
    for each; it must bear being asked twice. While the server is away it is tried again for
    `patience_seconds`; what still fails then is raised to every asker. An error that a key's
    content makes is raised at once, to who asked for that key alone.
    """

    def __init__(
        self,
        connect: Connect,
        answer: Callable[[psycopg.AsyncConnection, Sequence[K]], Awaitable[Sequence[V]]],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._connect, self._answer, self._patience = connect, answer, patience_seconds
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._connection: psycopg.AsyncConnection | None = None
        self._runner: asyncio.Task[None] | None = None

    async def ask(self, key: K) -> V:
        """Return the value for *key* once it is durable."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Finish what waits and close the connection."""
        if self._runner is not None:
            await self._runner
        if self._connection is not None:
            await self._connection.close()

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._serve(batch)

    async def _serve(self, batch: list[tuple[K, asyncio.Future[V]]]) -> None:
        """Ask for all of *batch*, or where one key's content fails, for each half of it."""
        try:
            values = await self._ask_all([key for key, _ in batch])
        except Exception as error:  # noqa: BLE001 - every asker gets it
            if len(batch) > 1 and is_of_content(error):
                middle = len(batch) // 2
                await self._serve(batch[:middle])
                await self._serve(batch[middle:])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), value in zip(batch, values, strict=True):
                if not future.done():
                    future.set_result(value)

    async def _ask_all(self, keys: Sequence[K]) -> Sequence[V]:
        loop = asyncio.get_running_loop()
        limit = loop.time() + self._patience
        while True:
            try:
                return await self._ask_once(keys)
            except psycopg.OperationalError as error:
                if is_of_content(error) or loop.time() > limit:
                    raise
            await asyncio.sleep(RETRY_SECONDS)

    async def _ask_once(self, keys: Sequence[K]) -> Sequence[V]:
        if self._connection is None or self._connection.broken or self._connection.closed:
            self._connection = await self._connect()
        async with self._connection.transaction():
            return await self._answer(self._connection, keys)
