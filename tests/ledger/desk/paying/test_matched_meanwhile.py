"""A line of a bank that waits, which evidence and a person, or two imports, match at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.desk.paying.match_plans import MatchWish
from ledger.desk.paying.matching import match_line
from ledger.payments.bank.importing import Importing
from ledger.payments.bank.lines import waiting_lines
from ledger.payments.bank.matched import match_waiting
from ledger.payments.recording import movements
from projections.balances.trial import trial_balance
from tariffs.quantities import money_of_minor
from tests.ledger.held_up import BOOKS, held_up
from tests.ledger.payments.bank.bank_books import (
    CASH,
    NOW,
    balances,
    banked_declarations,
    invoiced,
    put_in,
    waiting,
    wl,
)
from tests.ledger.payments.bank.bank_files import Booked, camt

Books = psycopg.Connection[Any]


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """A line of 9.00 for two invoices of anna's, of which just so much is open by now."""
    with invoiced(database, ["anna-1", "anna-1"]) as connection:
        put_in(connection, camt([Booked(900, f"{wl(1)} {wl(2)}", "R-1", account="")]))
        put_in(connection, camt([Booked(52, wl(1), "R-2")], name="2", opening=900))
        assert waiting(connection) == {"too_little": 900}
        yield connection


def look(dsn: str) -> int:
    """Match what is sure by now, as each import does."""
    with connect(dsn) as connection:
        declared = banked_declarations()
        return match_waiting(Importing(connection=connection, declared=declared, by="x", now=NOW))


def test_two_imports_match_a_line_that_waited_once(books: Books, database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        with held_up(database, BOOKS) as (_, held):
            looks = [pool.submit(look, database) for _ in range(2)]
            held(2)
        matched = sorted(each.result() for each in looks)

    assert matched == [0, 1]
    assert balances(books) == {CASH: 952}
    assert len(movements(books)) == 3
    assert trial_balance(books).is_balanced


@pytest.mark.parametrize(
    ("account", "minor"),
    [pytest.param("fees:bank", 900, id="all"), pytest.param(None, 100, id="a part")],
)
def test_what_a_person_says_of_a_line_meanwhile_stands_alone(
    books: Books, database: str, account: str | None, minor: int
) -> None:
    [line] = waiting_lines(books, 10)
    documents = () if account else ((wl(1), money_of_minor(minor, "EUR").amount),)
    wish = MatchWish(line.line, documents, account=account)
    with ThreadPoolExecutor(1) as pool:
        with held_up(database, BOOKS) as (person, held):
            looking = pool.submit(look, database)
            held(1)
            match_line(person, wish, by="ada", at=NOW)
        assert looking.result() == 0

    assert waiting(books) == ({"part_left": 900 - minor} if minor < 900 else {})
    assert [each.recorded_by for each in movements(books)[2:]] == ["ada"]
    assert trial_balance(books).is_balanced
