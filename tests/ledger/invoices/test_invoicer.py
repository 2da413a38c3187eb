"""How far the invoicer may look: by the log's time, whatever stands in the log."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.database import connect
from ledger.invoices.invoicer import waiting_since
from ledger.log.envelope import Tick, encode_line
from ledger.log.postgres import append_lines

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_line_that_nobody_can_read_does_not_stop_the_invoicer(database: str) -> None:
    lines = [b'{"kind":"not of this version"}', b"no JSON", encode_line(Tick(received_at=NOON))]
    with connect(database) as connection:
        connection.execute("INSERT INTO log_head (partition) VALUES (0)")
        connection.execute(
            "INSERT INTO worker_position (partition, next_position, declared_version)"
            " VALUES (0, 0, 0)"
        )
        with connection.transaction():
            append_lines(connection, {0: lines})

        assert waiting_since(connection) == NOON
