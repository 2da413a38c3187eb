"""What a webhook was told is found by its state among however much it was told: counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from projections.webhooks.deliveries import deliveries
from projections.webhooks.subscriptions import add_webhook

AT = datetime(2026, 3, 3, tzinfo=UTC)
TOLD, LIMIT = 20_000, 10
FEW = {"failed": (77, 13_000), "waiting": (9_000,)}
DELIVERIES: Any = """
INSERT INTO webhook_delivery (webhook, event, kind, body, state, next_at, made_at, ended_at)
SELECT %(webhook)s, 'feed/0/' || n, 'session.rated', '{}',
    CASE WHEN n = ANY (%(failed)s) THEN 'failed' WHEN n = ANY (%(waiting)s) THEN 'waiting'
    ELSE 'delivered' END, %(at)s, %(at)s, %(at)s
FROM generate_series(1, %(told)s::integer) AS n
"""
READ = """
SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
FROM pg_stat_xact_user_tables WHERE relname = 'webhook_delivery'
"""


def told(connection: Connection[Any]) -> str:
    """Let a webhook be told much of late; return it."""
    webhook, _ = add_webhook(connection, "https://example.org/", [], by="ann", at=AT)
    few = {state: list(numbers) for state, numbers in FEW.items()}
    asked = {"webhook": webhook.id, "at": AT, "told": TOLD, **few}
    connection.execute(DELIVERIES, asked)
    connection.execute("ANALYZE webhook_delivery")
    return webhook.id


@pytest.mark.parametrize("state", [None, "waiting", "delivered", "failed"])
def test_a_page_of_a_state_reads_what_it_shows(database: str, state: str | None) -> None:
    with connect(database) as connection:
        webhook = told(connection)
        with connection.transaction():
            first = deliveries(connection, webhook, limit=LIMIT, state=state)
            last = first[-1].number
            second = deliveries(connection, webhook, limit=LIMIT, state=state, before=last)
            [(read,)] = connection.execute(READ).fetchall()

    found = [*first, *second]
    assert read <= 2 * LIMIT + 2
    assert len(found) == min(2 * LIMIT, len(FEW.get(state or "", range(TOLD))))
    assert {each.state for each in found} == {state or "delivered"}
    numbers = [each.number for each in found]
    assert numbers == sorted(numbers, reverse=True)
