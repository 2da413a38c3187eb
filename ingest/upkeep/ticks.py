"""Time in the log: a tick a minute in each partition where something waits, from one process.

Any number of servers may run, and each asks at its own minute whether it is the one: who holds the
lease. Its ticks go through the outbox, in the transaction that holds the lease, so a server that
stood still and was taken over adds none. A server that ends gives the lease up; one that is killed
takes its own again when it is back, and any other one once the lease has run out: no longer than
two and a half times the ticks' interval after its last tick.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection

from ingest.clock import Clock
from ledger.database import connect
from ledger.errors import LedgerError
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.log.envelope import Tick, encode_line
from ledger.log.event_log import EventLog
from ledger.log.outbox import carry, put

TICK_SECONDS: Final = 60.0
LEASE: Final = "ticks"
LASTS: Final = 1.5
"""How many intervals the lease lasts: the holder's next tick comes well before its end."""
_LOGGER = logging.getLogger(__name__)

# A month ends without any frame: partition 0 gets the ticks that let its invoices become due.
_WAITING: LiteralString = """
SELECT DISTINCT partition FROM unfinished_session
UNION SELECT 0 WHERE EXISTS (SELECT FROM uninvoiced_session) OR EXISTS (
    SELECT FROM correction_to_document WHERE NOT is_settled_with_partner
)
"""


class Ticker:
    """Ticks for one process, while it holds the lease. Its calls block, one at a time."""

    def __init__(
        self, dsn: str, log: EventLog, *, holder: str, seconds: float = TICK_SECONDS
    ) -> None:
        """Begin without the lease.

        Args:
            dsn: The database.
            log: Where the ticks go; it stays the caller's to close.
            holder: What this server is called: the same after a restart, no other's at once.
            seconds: How far the ticks are apart.
        """
        self._dsn, self._log, self._holder = dsn, log, holder
        self._lasts = LASTS * seconds
        self._connection: Connection[Any] | None = None
        self._lease: Lease | None = None

    def tick(self, at: datetime) -> bool:
        """Append a tick to every partition that waits, if this process is the one that ticks.

        What others left in the outbox is carried with them. Says whether it is the one.

        Raises:
            LogError: If the log does not take them; they wait in the outbox.
            psycopg.Error: If the database is away.
        """
        connection = self._connected()
        if self._lease is None:
            self._lease = take_lease(connection, LEASE, holder=self._holder, seconds=self._lasts)
        if self._lease is None:
            return False
        # First: where the log takes nothing, ticks must not pile up.
        carry(connection, self._log)
        try:
            with connection.transaction():
                hold_lease(connection, self._lease, seconds=self._lasts)
                waiting = sorted(partition for (partition,) in connection.execute(_WAITING))
                line = encode_line(Tick(received_at=at))
                put(connection, dict.fromkeys(waiting, line), partitions=self._log.partitions)
        except LeaseLostError as error:
            _LOGGER.warning("no tick: %s", error)
            self._lease = None
            return False
        carry(connection, self._log)
        return True

    def close(self) -> None:
        """Give the lease up, so that another process need not wait for its end."""
        leave(self._connection, self._lease)
        # The lease stays known: whoever holds it on must say its epoch.
        self._connection = None

    def _connected(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn)
        return self._connection


async def keep_ticking(ticker: Ticker, clock: Clock, *, seconds: float = TICK_SECONDS) -> None:
    """Let *ticker* tick every *seconds* of *clock*, until cancelled.

    A tick that cannot be stored now is missed, not an end: the next one says as much.
    """
    while True:
        await clock.sleep(seconds)
        try:
            await asyncio.to_thread(ticker.tick, clock.now())
        except (LedgerError, psycopg.Error) as error:
            _LOGGER.warning("no tick: %s", error)
