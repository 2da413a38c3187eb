"""The part that issues invoices: looks what was rated, issues what is due, books it."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.database import connect
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations, load_version
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.log.format import unpack_payload
from ledger.log.reading import numbered_lines

LOOK_SECONDS: Final = 0.5
_IS_ANYTHING_RATED: LiteralString = "SELECT EXISTS (SELECT FROM uninvoiced_session)"
_LAST_RECORDS: LiteralString = """
SELECT codec, payload FROM worker_position
JOIN log_batch USING (partition) WHERE position = next_position - 1
"""
_NEXT_RECORDS: LiteralString = """
SELECT codec, payload FROM worker_position
JOIN log_batch USING (partition) WHERE position = next_position
"""


class Invoicer:
    """Issues what is due, by the time of the last records that the worker decided about."""

    def __init__(self, dsn: str) -> None:
        self._connection, self._issuer = connect(dsn), InvoiceIssuer(dsn)
        self._declarations = Declarations()

    def close(self) -> None:
        """Let the connections go."""
        self._issuer.close()
        self._connection.close()

    def run(self, stop: threading.Event) -> None:
        """Issue what is due until *stop* is set."""
        # By looking, not by notice: what makes a month due is time, which nobody announces.
        while not stop.wait(LOOK_SECONDS):
            self.run_once()

    def run_once(self) -> tuple[str, ...]:
        """Issue what is due now; return the numbers."""
        if self._connection.execute(_IS_ANYTHING_RATED).fetchone() != (True,):
            return ()
        # What time it is, the log says: nothing below the edges reads a clock.
        up_to = decided_up_to(self._connection)
        if up_to is None:
            return ()
        if load_version(self._connection) != self._declarations.version:
            self._declarations = load_declarations(self._connection)
        return issue_due(
            self._connection,
            self._issuer,
            self._declarations,
            up_to=up_to,
            complete_up_to=waiting_since(self._connection),
        )


def decided_up_to(connection: Connection[Any]) -> datetime | None:
    """Return the latest time of receipt in the last record of each partition, None at first."""
    return max(_received(connection, _LAST_RECORDS), default=None)


def waiting_since(connection: Connection[Any]) -> datetime | None:
    """Return the earliest time of receipt of what the worker has not taken yet, None if nothing."""
    return min(_received(connection, _NEXT_RECORDS), default=None)


def _received(connection: Connection[Any], records: LiteralString) -> list[datetime]:
    # A line that cannot be read is set aside by the worker; it must not stop invoicing either.
    return [
        line.received_at
        for codec, payload in connection.execute(records, binary=True)
        for _, line in numbered_lines(unpack_payload(codec, payload))
        if line is not None
    ]
