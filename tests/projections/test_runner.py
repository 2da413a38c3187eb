"""The runner: invoices that nobody booked get booked, once, whatever is restarted."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from projections.invoices import InvoiceProjection
from projections.runner import Runner
from tests.projections.books_of_a_day import ask, books_of_a_day


@pytest.fixture
def forgotten(database: str) -> str:
    """Books whose invoices are issued, but were never booked: the issuer was killed in between."""
    books_of_a_day(database)
    with psycopg.connect(database) as connection:
        connection.execute("SET session_replication_role = replica; SET search_path = books")
        connection.execute("DELETE FROM posting WHERE starts_with(entry_id, 'invoice:')")
        connection.execute("DELETE FROM journal_entry WHERE starts_with(entry_id, 'invoice:')")
        connection.execute("DELETE FROM invoiced_session")
        connection.execute("DELETE FROM issued_invoice")
    return database


def booked(dsn: str) -> list[tuple[Any, ...]]:
    with ask(dsn) as connection:
        return connection.execute(
            "SELECT number, (SELECT sum(amount_minor) FROM posting"
            " WHERE entry_id = 'invoice:' || number AND amount_minor > 0)"
            " FROM issued_invoice ORDER BY number"
        ).fetchall()


def test_what_was_issued_and_not_booked_is_booked(forgotten: str) -> None:
    with Runner(forgotten, [InvoiceProjection()]) as runner:
        taken = runner.run_once()
        again = runner.run_once()

    assert (taken, again) == (4, 0)
    assert [amount for _, amount in booked(forgotten)] == [190, 286, 500, 95]


def test_what_is_booked_already_is_not_booked_again(database: str) -> None:
    books_of_a_day(database)
    before = booked(database)

    with Runner(database, [InvoiceProjection()]) as runner:
        assert runner.run_once() == 4

    assert booked(database) == before


def test_a_restart_goes_on_where_the_last_transaction_ended(forgotten: str) -> None:
    with Runner(forgotten, [InvoiceProjection()]) as runner:
        runner.run_once()
    with Runner(forgotten, [InvoiceProjection()]) as runner:
        assert runner.run_once() == 0


def test_a_page_that_fails_leaves_the_position_and_takes_effect_later(forgotten: str) -> None:
    class Failing(InvoiceProjection):
        def project(self, *given: Any) -> None:  # noqa: ANN401 - handed on
            super().project(*given)
            raise RuntimeError

    with Runner(forgotten, [Failing()]) as runner, pytest.raises(RuntimeError):
        runner.run_once()
    assert booked(forgotten) == []

    with Runner(forgotten, [InvoiceProjection()]) as runner:
        assert runner.run_once() == 4
    assert len(booked(forgotten)) == 4


def test_two_runners_at_once_book_everything_once(forgotten: str) -> None:
    stop = threading.Event()

    def follow() -> None:
        with Runner(forgotten, [InvoiceProjection()]) as runner:
            runner.run(stop)

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        if len(booked(forgotten)) == 4:
            break
        stop.wait(0.05)
    stop.set()
    for thread in threads:
        thread.join()

    assert [amount for _, amount in booked(forgotten)] == [190, 286, 500, 95]
