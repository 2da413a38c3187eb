"""What two do at once: one is held up at a lock while another one acts, whatever the machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Event
from time import monotonic
from typing import Any, Final, LiteralString, Protocol

from psycopg import Connection

from ledger.database import connect

BOOKS: Final = "SELECT notification_id FROM booked_position FOR UPDATE"
"""Under which whatever is booked is looked up and written."""
OUTBOX: Final = "SELECT pg_advisory_xact_lock(1869968493, 1)"
"""Under which whatever somebody says is put into the outbox."""
_WAITING: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
_SECONDS_MAX: Final = 60.0


class AwaitHeld(Protocol):
    """Returns once so many wait for a lock, or *done* is: what ought to wait need not."""

    def __call__(self, count: int, done: Future[Any] | None = None) -> None: ...


@contextmanager
def held_up(dsn: str, lock: LiteralString) -> Iterator[tuple[Connection[Any], AwaitHeld]]:
    """Hold *lock* until the end; yield the connection that does, and what waits for those held."""
    with connect(dsn) as holder, connect(dsn) as watcher, holder.transaction():
        holder.execute(lock)

        def held(count: int, done: Future[Any] | None = None) -> None:
            until = monotonic() + _SECONDS_MAX
            while watcher.execute(_WAITING).fetchone() != (count,):
                if done is not None and done.done():
                    return
                assert monotonic() < until, f"there are not {count} who wait"
                Event().wait(0.01)

        yield holder, held
