"""Replay: what came out of the log comes out of it again, and a changed byte is found."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from tests import charging_day
from tests.charging_day import choose, start16, stop16, write_log
from tests.ledger.worker.test_worker import new_worker
from tests.projections.books_of_a_day import (
    ask,
    books_of_a_day,
    replayed,
    tamper,
    tamper_with_decision,
)

HELD = "CS-OLD-2/22/20260302T082000Z"


@pytest.fixture
def books(database: str) -> str:
    """Books of the charging day, with a released session and their invoices."""
    return books_of_a_day(database, choose(HELD, "release", 300))


def test_untouched_books_replay_without_a_difference(books: str) -> None:
    told: list[tuple[int, int, int]] = []

    report = replayed(books, progress=lambda *done: told.append(done))

    assert report.is_identical, report.shown
    assert report.compared_by_kind["decision"] == 8
    assert report.compared_by_kind["invoice document"] == 5
    assert report.compared > 50
    assert told[-1][0] == told[-1][1] > 20
    assert report.lines == told[-1][2] > told[-1][1]


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_however_many_workers_kept_the_books_every_number_comes_out_again(
    database: str, monkeypatch: pytest.MonkeyPatch, *, workers: int
) -> None:
    monkeypatch.setattr(charging_day, "PARTITIONS", 8)
    write_log(database, charging_day.charging_day(charging_day.declare_fleet(database)))
    with ThreadPoolExecutor(workers) as pool:
        shares = [range(first, 8, workers) for first in range(workers)]
        assert sum(pool.map(partial(work_share, database), shares)) > 0

    report = replayed(database)

    assert report.is_identical, report.shown
    assert report.compared_by_kind["decision"] == 7
    with ask(database) as connection:
        numbered = connection.execute(
            "SELECT partition, array_agg(number ORDER BY position, session_id), next_number"
            " FROM session_decision JOIN worker_position USING (partition) GROUP BY 1, 3"
        ).fetchall()
    assert len(numbered) == 4
    for _, numbers, following in numbered:
        assert isinstance(following, int)
        assert numbers == list(range(1, following))


def work_share(dsn: str, partitions: Sequence[int]) -> int:
    """Work off some partitions, with a new worker for every two records; return the lines."""
    done = 0
    while True:
        with new_worker(dsn, partitions=partitions, group_records=2) as worker:
            lines = worker.run_once()
        if not lines:
            return done
        done += lines


def test_what_came_after_the_books_is_no_difference(books: str) -> None:
    write_log(books, [start16("CS-OLD-1", 400, 31, "FLEET1", 8000), stop16("CS-OLD-1", 450, 31, 9)])

    assert replayed(books).is_identical


def test_the_scratch_schema_is_gone_afterwards(books: str) -> None:
    replayed(books)

    with psycopg.connect(books) as connection:
        left = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^replay'")
        assert left.fetchall() == []


def test_one_blank_in_a_decision_is_found_and_both_bodies_are_shown(books: str) -> None:
    tamper_with_decision(books, "%/12/%", '"flags":[]', '"flags":[ ]')

    report = replayed(books)

    assert report.differences == 1
    [shown] = report.shown
    assert '"flags":[ ]' in (shown.kept or "")
    assert '"flags":[]' in (shown.again or "")


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        pytest.param(
            "decision",
            "UPDATE session_decision SET sha256 = 'ab' WHERE session_id LIKE '%/12/%'",
            id="another hash of a decision",
        ),
        pytest.param(
            "decision",
            "UPDATE session_decision SET number = 99 WHERE session_id LIKE '%/12/%'",
            id="another number in the feed",
        ),
        pytest.param(
            "decision",
            "UPDATE session_decision SET revision = 2 WHERE session_id LIKE '%/12/%'",
            id="another revision of a session",
        ),
        pytest.param(
            "journal entry",
            "UPDATE journal_entry SET revision = 2 WHERE entry_id LIKE 'rated:%/11/%'",
            id="an entry of another revision",
        ),
        pytest.param(
            "invoice row",
            "UPDATE feed_entry SET sha256 = 'ab' WHERE number = 1",
            id="another document in the feed",
        ),
        pytest.param(
            "feed",
            "UPDATE feed_entry SET number = 99 WHERE number = 5",
            id="an invoice at another number in the feed",
        ),
        pytest.param(
            "feed",
            "UPDATE feed_head SET next_number = next_number + 1",
            id="a number that was given to nothing",
        ),
        pytest.param(
            "decision",
            "DELETE FROM session_decision WHERE session_id LIKE '%/B/%'",
            id="a decision that is gone",
        ),
        pytest.param(
            "rated line",
            "UPDATE rated_line SET net_minor = net_minor - 1 WHERE session_id LIKE '%/11/%'",
            id="a cent in a rated line",
        ),
        pytest.param(
            "journal entry",
            """UPDATE journal_entry SET booked_at = booked_at + interval '1 microsecond'
               WHERE entry_id LIKE 'rated:%/11/%'""",
            id="a microsecond in an entry",
        ),
        pytest.param(
            "posting",
            """UPDATE journal_entry SET accounts[3] = 'revenue:time'
               WHERE entry_id LIKE 'rated:%/11/%' AND accounts[3] = 'revenue:energy'""",
            id="another account",
        ),
        pytest.param(
            "posting",
            """UPDATE journal_entry SET accounts = array_append(accounts, 'revenue:energy'),
               parties = array_append(parties, ''), currencies = array_append(currencies, 'EUR'),
               amounts = array_append(amounts, 5) WHERE entry_id LIKE 'rated:%/11/%'""",
            id="a posting that nothing caused",
        ),
        pytest.param(
            "invoice row, open invoice",
            "UPDATE issued_invoice SET customer = 'nobody' WHERE customer = 'fleet'"
            " AND number = (SELECT min(number) FROM issued_invoice WHERE customer = 'fleet')",
            id="another customer on an invoice",
        ),
        pytest.param(
            "invoice row",
            "UPDATE issued_invoice SET place = place + 1"
            " WHERE number = (SELECT max(number) FROM issued_invoice)",
            id="another place in its series",
        ),
        pytest.param(
            "invoice postings",
            """UPDATE journal_entry SET amounts[1] = amounts[1] + 1 WHERE ctid =
               (SELECT min(ctid) FROM journal_entry WHERE starts_with(entry_id, 'invoice:'))""",
            id="a cent in what an invoice posted",
        ),
    ],
)
def test_a_change_in_the_books_is_found(books: str, *, what: str, statement: str) -> None:
    tamper(books, statement)

    report = replayed(books)

    assert sorted(each.what for each in report.shown) == what.split(", ")
    assert report.differences == len(report.shown)


def test_a_number_that_is_not_written_as_declared_is_found(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute(
            "UPDATE decisions.invoices_events SET state = convert_to(replace(convert_from(state,"
            " 'UTF8'), '\"place\":1,', '\"place\":7,'), 'UTF8') WHERE topic LIKE '%Invoice.Issued'"
            " AND notification_id = (SELECT min(notification_id) FROM decisions.invoices_events"
            " WHERE topic LIKE '%Invoice.Issued')"
        )

    found = [each.what for each in replayed(books).shown]

    assert found == ["invoice document", "invoice hash", "invoice row"]


def test_a_changed_document_is_found(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute(
            "UPDATE decisions.invoices_events SET state ="
            " convert_to(replace(convert_from(state, 'UTF8'), 'Watt GmbH', 'Volt GmbH'), 'UTF8')"
        )

    report = replayed(books)

    assert {each.what for each in report.shown} == {"invoice document"}


def test_a_changed_frame_in_the_log_is_found(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute("SET session_replication_role = replica; SET search_path = inputs")
        connection.execute("DELETE FROM log_batch WHERE partition = 1 AND position = 1")

    assert not replayed(books).is_identical
