"""What would take too long says so, and what to do, rather than that the database is away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
from psycopg import Connection

from deploy.api.conventions.reading_pool import STATEMENT_SECONDS_MAX, pool_of
from deploy.interface.access import Scope
from ledger.database import connect
from ledger.users.access_tokens import make_token
from ledger.users.roles import Role
from tests.projections.console.served_console import served_console

AT = datetime(2026, 3, 3, tzinfo=UTC)


def given_up(client: httpx.Client, path: str, dsn: str) -> httpx.Response:
    """Ask for what waits, and have the database give it up as it does once it took too long."""
    with connect(dsn) as connection, ThreadPoolExecutor(1) as asking, connection.transaction():
        connection.execute("LOCK TABLE issued_invoice IN ACCESS EXCLUSIVE MODE")
        answer = asking.submit(client.get, path)
        give_up_who_waits(connection)
        return answer.result(60)


def give_up_who_waits(connection: Connection[object]) -> None:
    ending = time.monotonic() + 60
    while not connection.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchall():
        assert time.monotonic() < ending, "nothing waits"
        time.sleep(0.05)


def test_what_takes_too_long_says_so(database: str) -> None:
    with connect(database) as connection:
        token = make_token(connection, "machine", list(Scope), by="ann")
    with (
        served_console(database, AT) as served,
        served.client("fin", Role.FINANCE) as client,
        httpx.Client(
            base_url=served.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False
        ) as machine,
    ):
        page = given_up(client, "/console/invoices", database)
        answer = given_up(machine, "/invoices", database)

    assert page.status_code == 503
    assert "takes longer than a page may" in page.text
    assert (answer.status_code, answer.json()["code"]) == (503, "takes_too_long")


def test_no_question_keeps_a_connection_for_ever(database: str) -> None:
    with pool_of(database) as pool, pool.connection() as connection:
        [(limit,)] = connection.execute("SHOW statement_timeout").fetchall()

    assert limit == f"{STATEMENT_SECONDS_MAX // 60}min"
