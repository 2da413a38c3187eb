"""What is read of the books: right after a day with everything in it, and cheap with a million."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from deploy.observing.books import QUESTIONS, BooksReader, asking, books_state
from deploy.observing.metrics import LAG_RECORDS, LAG_SECONDS, SESSIONS
from deploy.observing.watch import Condition
from deploy.observing.worker_condition import WorkerCondition
from ledger.log.postgres import PostgresEventLog
from projections.sessions import session_counts
from tests.charging_day import charging_day, choose, declare_fleet, write_log
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on, work

# What asks lives as long as its process, and so do its connections.
pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")

COUNTED = "SELECT partition, state, sessions FROM session_count WHERE sessions <> 0"
TRULY = "SELECT partition, state, count(*) FROM session GROUP BY partition, state"
MANY = """
INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags, blockers,
    reasons, first_fact_at, last_fact_at, heard_at)
SELECT 's' || n, n % 8, 'CS-' || n % 1000, n,
    (ARRAY['rated', 'rated', 'rated', 'held', 'open'])[n % 5 + 1], '{}', '{}', '{}', now(), now(),
    now()
FROM generate_series(1, 20000) AS n
"""
MORE = (
    """
    INSERT INTO line_set_aside (partition, position, line, station_id, set_aside_at, reason, why,
        taken_at)
    SELECT 0, n, 0, '', n, 'not_folded', '', CASE WHEN n > 20 THEN n END
    FROM generate_series(1, 20000) AS n
    """,
    """
    INSERT INTO outbox (partition, line, position)
    SELECT 0, '', CASE WHEN n > 10 THEN n END FROM generate_series(1, 20000) AS n
    """,
)


def counts(dsn: str) -> tuple[set[object], set[object]]:
    """Return what is counted and what there is."""
    with ask(dsn) as connection:
        return set(connection.execute(COUNTED)), set(connection.execute(TRULY))


def test_sessions_are_counted_as_they_move(database: str) -> None:
    books_of_a_day(database)
    after_a_day = counts(database)
    go_on(database, [choose("CS-NEW-2/B/20260302T071000Z", "write_off", 300)])
    after_a_choice = counts(database)

    assert after_a_day[0] == after_a_day[1]
    assert after_a_choice[0] == after_a_choice[1]
    assert after_a_day != after_a_choice
    with ask(database) as connection:
        listed = session_counts(connection)
        state = books_state(connection)
        connection.execute("DELETE FROM session WHERE state = 'held'")
        left = books_state(connection).sessions
    assert {name: n for name, n in state.sessions.items() if n and name != "replaced"} == listed
    assert state.decisions.keys() == {0, 1}
    assert sum(state.decisions.values()) >= sum(listed.values()) - listed.get("open", 0)
    assert (state.set_aside, state.outbox) == ({}, 0)
    assert left["held"] == 0


def scans(plan: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield every table that a plan reads from end to end."""
    if plan["Node Type"] == "Seq Scan":
        yield str(plan["Relation Name"])
    for below in plan.get("Plans", []):
        yield from scans(below)


def test_no_question_reads_a_large_table_from_end_to_end(database: str) -> None:
    with ask(database) as connection:
        for statement in (MANY, *MORE, "ANALYZE"):
            connection.execute(statement)
        read = set()
        for question in QUESTIONS:
            plan: Any
            [(plan,)] = connection.execute(f"EXPLAIN (FORMAT JSON) {question}").fetchall()
            read |= set(scans(plan[0]["Plan"]))
        [(rows,)] = connection.execute("SELECT count(*) FROM session_count").fetchall()
        state = books_state(connection)

    # Those two have a row for each partition (and state), whatever else there is.
    assert read <= {"worker_position", "session_count"}
    assert rows == 8 * 3
    assert state.sessions == {"held": 4_000, "open": 4_000, "rated": 12_000}
    assert (state.set_aside, state.outbox) == ({"not_folded": 20}, 10)


def value(condition: Condition, metric: object) -> dict[tuple[str, ...], float]:
    [found] = [told.values for told in condition.metrics if told.metric == metric]
    assert isinstance(found, dict)
    return found


def worker_condition(dsn: str, *, resting: tuple[int, ...] = ()) -> WorkerCondition:
    def now() -> datetime:
        return datetime(2026, 3, 2, 7, 5, 0, tzinfo=UTC)

    log = PostgresEventLog(asking(dsn))
    return WorkerCondition(dsn, log, resting=lambda: resting, now=now)


def test_a_worker_that_has_taken_nothing_is_behind_by_all(database: str) -> None:
    write_log(database, charging_day(declare_fleet(database)))
    with PostgresEventLog(database) as log:
        records = {(str(each),): n for each, n in enumerate(log.ends())}

    behind = worker_condition(database)()
    work(database)
    done = worker_condition(database)()

    assert value(behind, LAG_RECORDS) == records
    assert max(value(behind, LAG_SECONDS).values()) > 0
    assert set(value(done, LAG_RECORDS).values()) == {0}
    assert set(value(done, LAG_SECONDS).values()) == {0.0}
    assert done.unready == []


def test_a_partition_that_rests_is_a_reason(database: str) -> None:
    [found] = worker_condition(database, resting=(1, 3))().unready

    assert found.code == "resting"
    assert found.why.endswith("1, 3")


def unready(condition: Condition) -> list[str]:
    return [each.code for each in condition.unready]


def told_names(condition: Condition) -> set[str]:
    return {each.metric.name for each in condition.metrics}


def test_a_database_that_is_away_is_a_reason_and_its_figures_are_left_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    condition = worker_condition(f"host=127.0.0.1 port={port} user=nobody")()

    assert unready(condition) == ["database_away", "log_away"]
    assert "refused" in condition.unready[0].why
    assert SESSIONS.name not in told_names(condition)


@pytest.mark.timeout(60)
def test_a_database_that_never_answers_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        condition = worker_condition(f"host=127.0.0.1 port={port} user=nobody")()
        seconds = time.monotonic() - began

    assert unready(condition) == ["database_away", "log_away"]
    assert condition.unready[0].why == "no answer for 2 s"
    assert seconds < 30


def test_the_limits_of_a_question_keep_what_the_database_was_given() -> None:
    found = conninfo_to_dict(asking("host=h dbname=d options='-c search_path=elsewhere'"))

    assert (found["host"], found["dbname"]) == ("h", "d")
    assert found["options"] == "-c search_path=elsewhere -c statement_timeout=2s"
    assert (found["connect_timeout"], found["tcp_user_timeout"]) == ("5", "5000")


def test_a_statement_that_takes_too_long_is_given_up_and_the_next_one_works(database: str) -> None:
    reader = BooksReader(database)

    with pytest.raises(psycopg.errors.QueryCanceled):
        reader.ask(lambda connection: connection.execute("SELECT pg_sleep(30)").fetchall())

    assert reader.ask(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
