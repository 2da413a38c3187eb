"""Follow the feed of decisions: each page and its position go down in one transaction.

The position moves only from where this runner left it, so that a page takes effect once, whatever
is restarted; a rival finds the position moved and takes the next page.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, LiteralString, Protocol, Self

import psycopg
from psycopg import Connection

from ledger.books.feed import FIRST_NUMBER, FeedEntry, feed_partitions, read_feed

PAGE: Final = 500
LOOK_SECONDS: Final = 1.0

BEGIN: LiteralString = """
INSERT INTO follower_position (follower, partition, next_number) VALUES (%s, %s, %s)
ON CONFLICT (follower, partition) DO NOTHING
"""
LOAD: LiteralString = """
SELECT next_number FROM follower_position WHERE follower = %s AND partition = %s FOR UPDATE
"""
ADVANCE: LiteralString = """
UPDATE follower_position SET next_number = %s WHERE follower = %s AND partition = %s
"""


class Follower(Protocol):
    """Whoever is to hear of every decision: a read model, an outbox, a webhook."""

    @property
    def name(self) -> str:
        """Under which its positions are kept; a new name begins from the start."""

    def follow(self, connection: Connection[Any], page: Sequence[FeedEntry]) -> None:
        """Take *page*, of one partition, into account within the caller's transaction."""


class Runner:
    """Keeps some followers up to date."""

    def __init__(self, dsn: str, followers: Sequence[Follower], *, schema: str = "books") -> None:
        self._followers = tuple(followers)
        self._connection: Connection[Any] = psycopg.connect(dsn, autocommit=True)
        path = psycopg.sql.SQL("SET search_path = {}, inputs")
        self._connection.execute(path.format(psycopg.sql.Identifier(schema)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def run(self, stop: threading.Event) -> None:
        """Follow the decisions until *stop* is set."""
        while not stop.is_set():
            if not self.run_once():
                stop.wait(LOOK_SECONDS)

    def run_once(self) -> int:
        """Take one page of each partition for every follower; return how many decisions."""
        partitions = feed_partitions(self._connection)
        return sum(
            self._advance(follower, partition)
            for follower in self._followers
            for partition in partitions
        )

    def _advance(self, follower: Follower, partition: int) -> int:
        key = (follower.name, partition)
        with self._connection.transaction():
            self._connection.execute(BEGIN, (*key, FIRST_NUMBER))
            # FOR UPDATE: a rival waits here until the page and its position are written together.
            [(number,)] = self._connection.execute(LOAD, key).fetchall()
            page = read_feed(self._connection, partition, start=number, limit=PAGE)
            if not page:
                return 0
            follower.follow(self._connection, page)
            self._connection.execute(ADVANCE, (number + len(page), *key))
        return len(page)
