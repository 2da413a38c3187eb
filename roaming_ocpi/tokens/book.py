"""The table of partners' tokens, for who may not wait for it: one thread with one connection.

`ledger.partners.tokens` is written for a connection that waits. Here every piece of work is done in
a thread of its own, one after the other, so that no partner's list makes the server's loop stand
still. What needs many rows takes them a page at a time, and others come in between.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from ledger.database import connect

T = TypeVar("T")


class TokenBook:
    """Does work with a connection to the database at *dsn*; it is opened again when it was lost.

    Whoever does not close it lets go of it: then its connection is closed, too.
    """

    def __init__(self, dsn: str) -> None:
        self._kept = _Kept(dsn)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokens")
        weakref.finalize(self, _let_go, self._thread, self._kept)

    async def do(self, work: Callable[[Connection[Any]], T]) -> T:
        """Return what *work* returns; it must bear being done twice, and raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._kept.do, work)

    async def close(self) -> None:
        """Close the connection once what waits is done."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._kept.close)
        self._thread.shutdown()


class _Kept:
    """The connection, for its thread."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection[Any] | None = None

    def do(self, work: Callable[[Connection[Any]], T]) -> T:
        was_open = self._connection is not None
        try:
            return work(self._opened())
        except psycopg.OperationalError:
            if not was_open:
                raise
            self.close()
            return work(self._opened())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn)
        return self._connection


def _let_go(thread: ThreadPoolExecutor, kept: _Kept) -> None:
    thread.shutdown()
    kept.close()
