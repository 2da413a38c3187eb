"""What is left of a balance is asked from indexed rows, however many customers there are."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from ledger.books.prepayments import PrepaidAccount
from ledger.database import connect
from ledger.payments.topping_up.credit import LEFT, AskedCredit, left_minor

CUSTOMERS = 30_000
BLOCKS_MAX = 120
# Each paid 10.00, owes 2.50 without an invoice, and charges for 1.20 somewhere.
CROWD: tuple[LiteralString, ...] = (
    """
    INSERT INTO journal_entry (entry_id, legal_entity, booked_at, period, original_period, accounts,
        parties, currencies, amounts)
    SELECT 'prepaid:depot/' || n, 'depot', now(), '2026-11', '2026-11',
        '{prepayments,cash:clearing}', ARRAY['c' || n, ''], '{EUR,EUR}', '{-1000,1000}'
    FROM generate_series(1, %s) AS n
    """,
    """
    INSERT INTO uninvoiced_session SELECT 's' || n, 1, 'depot', 'c' || n, 'EUR', '2026-11',
        'per_month', 250, now() FROM generate_series(1, %s) AS n
    """,
    """
    INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags,
        blockers, reasons, first_fact_at, last_fact_at, heard_at)
    SELECT 'r' || n, 0, 'ST-' || n, '1', 'open', '{}', '{}', '{}', now(), now(), now()
    FROM generate_series(1, %s) AS n
    """,
    """
    INSERT INTO running_cost SELECT 'r' || n, 'c' || n, 'depot', 'EUR', 120, now()
    FROM generate_series(1, %s) AS n
    """,
)


def blocks(plan: Any) -> int:  # noqa: ANN401 - JSON
    """Return how many blocks a plan touched."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_a_start_reads_its_payer_s_rows_alone(database: str) -> None:
    with connect(database) as connection:
        fill(connection)
        asked = [
            AskedCredit(PrepaidAccount(f"c{number}", "depot", "EUR")) for number in (7, 21_000)
        ]
        own = AskedCredit(asked[0].account, "", "ST-7", "1")

        assert left_minor(connection, [*asked, own]) == [630, 630, 750]
        columns = [list(column) for column in zip(*(each.row() for each in asked), strict=True)]
        explain: LiteralString = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
        [(found,)] = connection.execute(explain + LEFT, columns).fetchall()
    assert blocks(found[0]["Plan"]) < BLOCKS_MAX


def fill(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        # No trigger sums up what stands here: it is made up.
        connection.execute("SET LOCAL session_replication_role = replica")
        for statement in CROWD:
            connection.execute(statement, (CUSTOMERS,))
    for table in ("journal_entry", "uninvoiced_session", "session", "running_cost"):
        connection.execute(f"ANALYZE {table}".encode())
