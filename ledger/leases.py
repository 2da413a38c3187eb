"""Leases: what only one process may do at a time, and who takes over when it is gone.

A lease has a holder, an end by the database's clock, and an epoch that rises each time it is
taken. A holder that stood still for a while does not know that another took over; its clock, or
what it checked a moment ago, cannot tell. So it *holds* the lease anew within each transaction that
acts for it: that checks the epoch, moves the end, and locks the row until the commit. Nobody takes
the lease before; a holder that lost it writes nothing.

    A takes epoch 1, stands still; its end passes; B takes epoch 2 and acts
    A goes on: hold fails with LeaseLostError, and its transaction is rolled back

A clock that was ahead, and is set back while nobody holds the lease on, keeps it from everybody for
some minutes and no longer.

A process that is started again under the holder's name takes its lease at once, whatever is left of
it: the one before is dead, or fenced by the epoch.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import Connection

from ledger.errors import LedgerError

AHEAD_MAX: Final = timedelta(minutes=10)
"""An end that is later than that, beside twice what one takes it for, is of a clock set back."""
# A row that another transaction holds is passed by: its holder lives, or the server ends it soon.
_TAKE: LiteralString = """
WITH free AS (
    SELECT name FROM lease
    WHERE name = %(name)s AND (
        until <= now() OR holder = %(holder)s
        OR until > now() + %(ahead)s + 2 * %(seconds)s * interval '1 s')
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE lease
    SET holder = %(holder)s, epoch = epoch + 1, until = now() + %(seconds)s * interval '1 s'
    FROM free WHERE lease.name = free.name RETURNING epoch
), made AS (
    INSERT INTO lease (name, holder, epoch, until)
    SELECT %(name)s, %(holder)s, 1, now() + %(seconds)s * interval '1 s'
    WHERE NOT EXISTS (SELECT FROM lease WHERE name = %(name)s)
    ON CONFLICT (name) DO NOTHING RETURNING epoch
)
SELECT epoch FROM taken UNION ALL SELECT epoch FROM made
"""
_HOLD: LiteralString = """
UPDATE lease SET until = now() + %(seconds)s * interval '1 s'
WHERE name = %(name)s AND epoch = %(epoch)s
"""
# One that stands still within its transaction would keep the row, and so the lease, for ever.
_LIMIT: LiteralString = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"
_GIVE_UP: LiteralString = "UPDATE lease SET until = now() WHERE name = %s AND epoch = %s"


_LOGGER: Final = logging.getLogger(__name__)


class LeaseLostError(LedgerError):
    """Another process took the lease: this one must not act for it any more."""

    def __init__(self, name: str, epoch: int) -> None:
        self.name, self.epoch = name, epoch
        super().__init__(f"the lease {name} of epoch {epoch} was taken by another process")


class Lease(NamedTuple):
    """A lease as it was taken."""

    name: str
    epoch: int


def take_lease(
    connection: Connection[Any], name: str, *, holder: str, seconds: float
) -> Lease | None:
    """Take the lease *name* for *seconds* if it is free, or *holder*'s own; None if it is not.

    Args:
        connection: Outside a transaction.
        name: What the lease is for.
        holder: Who asks; no two processes that run at once have the same name.
        seconds: How long nobody else may take it, unless it is held anew.
    """
    asked = {"name": name, "holder": holder, "seconds": seconds, "ahead": AHEAD_MAX}
    row = connection.execute(_TAKE, asked).fetchone()
    return None if row is None else Lease(name, row[0])


def hold_lease(connection: Connection[Any], lease: Lease, *, seconds: float) -> None:
    """Make sure, in the caller's transaction, that *lease* is still ours, and hold it on.

    Nobody can take it before the transaction is over. The server ends one that stands still for
    longer than *seconds*.

    Raises:
        LeaseLostError: If another process took it: the transaction must be rolled back.
    """
    connection.execute(_LIMIT, (f"{int(seconds * 1000) + 1}ms",))
    asked = {"name": lease.name, "epoch": lease.epoch, "seconds": seconds}
    if not connection.execute(_HOLD, asked).rowcount:
        raise LeaseLostError(*lease)


def give_up_lease(connection: Connection[Any], lease: Lease) -> None:
    """Let another process take *lease* at once, if it is still ours."""
    connection.execute(_GIVE_UP, lease)


def leave(connection: Connection[Any] | None, lease: Lease | None) -> None:
    """Close *connection*, and give *lease* up so that another process need not wait for its end.

    A database that is away lets it run on: that is no reason not to end.
    """
    if connection is None:
        return
    if lease is not None and not connection.closed:
        try:
            give_up_lease(connection, lease)
        except psycopg.Error as error:
            _LOGGER.warning("the lease %s runs on: %s", lease.name, error)
    connection.close()
