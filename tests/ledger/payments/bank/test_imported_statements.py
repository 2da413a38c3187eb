"""Statements overlap, come twice, in pages, in another order, or not at all."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.books.accounts import PREPAYMENTS, RECEIVABLE
from ledger.database import connect
from ledger.desk.forgetting.erasure import Person, UnknownPersonError, erase_person, find_person
from ledger.payments.bank.accounts import UndeclaredAccountError
from ledger.payments.bank.files.statement import BankStatement, UnreadableStatementError
from ledger.payments.bank.importing import ImportedMeanwhileError
from ledger.payments.bank.overlap import RepeatedEntryError
from ledger.payments.movement import UNMATCHED
from ledger.payments.recording import movements
from ledger.persons.holders import payer_holder
from ledger.persons.store import erase, find, keys_of
from tests.ledger.payments.bank.bank_books import (
    CASH,
    NOW,
    balances,
    invoiced,
    open_minor,
    put_in,
    wl,
)
from tests.ledger.payments.bank.bank_files import IBAN, PAYER, Booked, camt, camt_text, read

Books = psycopg.Connection[Any]


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """Two invoices to anna."""
    with invoiced(database, ["anna-1", "anna-1"]) as connection:
        yield connection


def test_a_statement_is_imported_once_and_its_lines_once(books: Books) -> None:
    lines = [Booked(476, wl(1), "R-1"), Booked(1000, "x", "R-2"), Booked(1000, "x", "R-3")]
    first, again = put_in(books, camt(lines), camt(lines))
    other, *_ = put_in(books, camt([*lines[1:], Booked(5, "y", "R-4")], name="next", opening=476))

    assert (first.is_new, first.lines, first.waiting) == (True, 3, 2)
    assert (again.is_new, again.lines) == (False, 0)
    assert (other.is_new, other.lines, other.known) == (True, 1, 2)
    assert balances(books)[CASH] == 2481


def test_a_reversal_with_the_name_of_what_it_takes_back_is_another_line(books: Books) -> None:
    put_in(books, camt([Booked(476, wl(1), "R-1"), Booked(-476, wl(1), "R-1", is_reversal=True)]))

    assert open_minor(books, wl(1)) == 476
    assert len(movements(books)) == 2


def test_what_was_told_during_the_day_is_not_booked_again_in_parts(books: Books) -> None:
    text = camt_text([Booked(476, "sum", "B-1")])
    text = text.replace("BkToCstmrStmt", "BkToCstmrAcctRpt").replace("Stmt>", "Rpt>")
    batch = Booked(476, reference="B-1", parts=((276, wl(1)), (200, wl(2))))

    report, statement = put_in(books, *read(text), camt([batch]))

    assert (report.lines, statement.lines, statement.known) == (1, 0, 1)
    assert balances(books) == {CASH: 476, RECEIVABLE: 952, UNMATCHED: -476}


def test_lines_without_names_are_told_apart_by_balances_that_meet(books: Books) -> None:
    """Twice the same payment on one day, in two statements that follow one another."""
    same = Booked(100, "parking")
    put_in(books, camt([same, same], name="1"), camt([same], name="2", opening=200))
    put_in(books, camt([same], name="2", opening=200))

    assert balances(books)[CASH] == 300
    with pytest.raises(RepeatedEntryError, match="follow one another"):
        put_in(books, camt([same, Booked(1, "z")], name="all"))
    assert balances(books)[CASH] == 300


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(camt([Booked(5)], iban="DE89370400440532013000"), id="another's account"),
        pytest.param(camt([Booked(5, day=f"{NOW + timedelta(days=40):%Y-%m-%d}")]), id="a far day"),
        pytest.param(camt([Booked(5, day="1970-01-01")]), id="long ago"),
        pytest.param(camt([Booked(5, day="0001-01-01")]), id="at the beginning"),
    ],
)
def test_nothing_of_a_refused_statement_is_booked(books: Books, statement: BankStatement) -> None:
    with pytest.raises((UndeclaredAccountError, UnreadableStatementError)):
        put_in(books, statement)

    assert movements(books) == []
    assert books.execute("SELECT count(*) FROM bank_statement").fetchall() == [(0,)]


def test_nothing_of_a_statement_stays_when_its_last_line_fails(books: Books) -> None:
    books.execute("ALTER TABLE unmatched_line ADD CHECK (left_minor <> 5)")
    statement = camt([Booked(476, wl(1), "R-1"), Booked(5, "x", "R-2")])

    with pytest.raises(psycopg.errors.CheckViolation):
        put_in(books, statement)

    assert movements(books) == []
    assert books.execute("SELECT count(*) FROM bank_line").fetchall() == [(0,)]
    assert open_minor(books, wl(1)) == 476


CARDS = ("4242 4242 4242 4242", "5555-5555-5555-4444", "378282246310005")


def test_nobody_stands_in_clear_and_no_card_at_all(books: Books) -> None:
    text = " and ".join(CARDS)
    put_in(books, camt([Booked(476, text, "R-1", payer="Carla Clara " + CARDS[0])]))

    tables = books.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_schema IN ('inputs', 'books') AND table_type = 'BASE TABLE'"
    ).fetchall()
    kept = " ".join(
        str(row[0])
        for schema, table in tables
        for row in books.execute(f'SELECT "{table}"::text FROM {schema}."{table}"')
    )
    assert IBAN in kept
    for secret in ("Carla", PAYER, *CARDS, *(card.replace(" ", "") for card in CARDS)):
        assert secret not in kept


def test_a_payer_can_be_erased_and_the_line_is_still_known(books: Books) -> None:
    line = [Booked(476, "x"), Booked(477, wl(1), "R-1")]
    put_in(books, camt(line))
    holder = payer_holder(PAYER, "Carla Clara")
    erase(books, [find(books, [holder])[holder.kind, holder.name].id])

    again = put_in(books, camt(line))[0]

    assert not again.is_new
    assert balances(books)[CASH] == 953


LINES = st.lists(
    st.tuples(
        st.integers(-999, 999).filter(bool),
        st.sampled_from(["", wl(1), wl(2), f"{wl(1)} {wl(2)}", wl(7), "WL2026000001"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)


def cut(lines: list[Booked], opening: int, chance: random.Random) -> list[BankStatement]:
    """Return statements that overlap, in any order, some twice, with every line in one of them."""
    starts = sorted({0, *chance.choices(range(len(lines)), k=2)})
    ends = [*starts[1:], len(lines)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        begin = chance.randint(0, start)
        at = opening + sum(each.amount for each in lines[:begin])
        found.append(camt(lines[begin:end], name=f"{begin}-{end}", opening=at))
    found += chance.choices(found, k=2)
    chance.shuffle(found)
    return found


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(told=LINES, opening=st.integers(-500, 500), chance=st.randoms(use_true_random=False))
def test_however_lines_are_cut_every_cent_stands_once(
    books: Books, told: list[tuple[int, str, int]], opening: int, chance: random.Random
) -> None:
    lines = [
        Booked(amount, text, f"R-{turn}", day=f"2026-11-1{day}")
        for turn, (amount, text, day) in enumerate(told)
    ]
    total = sum(each.amount for each in lines)

    with books.transaction(force_rollback=True):
        put_in(books, *cut(lines, opening, chance))

        found = balances(books)
        assert found.get(CASH, 0) == total
        on_invoices = found.get(RECEIVABLE, 0) - 952
        assert on_invoices + found.get(PREPAYMENTS, 0) + found.get(UNMATCHED, 0) == -total
        assert on_invoices == sum(open_minor(books, wl(number)) - 476 for number in (1, 2))
        left = books.execute("SELECT coalesce(sum(left_minor), 0) FROM unmatched_line").fetchall()
        assert left == [(-found.get(UNMATCHED, 0),)]


def test_erasing_a_customer_erases_who_paid_for_nobody_else(books: Books) -> None:
    other = "DE89370400440532013000"
    both = "DE75512108001245126199"
    put_in(
        books,
        camt(
            [
                Booked(200, wl(1), "R-1"),
                Booked(200, wl(1), "R-2", account=both),
                Booked(5, "x", "R-3", account=both),
                Booked(7, "y", "R-4", account=other),
            ]
        ),
    )
    subjects = {account: find_person(books, account).subject for account in (PAYER, both, other)}
    anna = Person(
        kind="customer",
        name="anna",
        subject="anna",
        details=None,
        tokens={},
        drivers={},
        stations=(),
        sessions=0,
        invoices=0,
    )

    erase_person(books, anna)

    left = {account for account, subject in subjects.items() if keys_of(books, [subject])}
    assert left == {both, other}
    erase_person(books, find_person(books, other.lower(), "payer"))
    with pytest.raises(UnknownPersonError):
        find_person(books, other)


def test_people_import_what_overlaps_at_once(database: str) -> None:
    """Each is told, or finds it there; no line is booked twice, and none is lost."""
    lines = [Booked(100 + turn, wl(1), f"R-{turn}") for turn in range(20)]
    with invoiced(database, ["anna-1"]) as books:
        barrier = threading.Barrier(4)

        def bring(start: int) -> bool:
            with connect(database) as connection:
                opening = sum(each.amount for each in lines[:start])
                statement = camt(lines[start:], name=f"{start}", opening=opening)
                barrier.wait()
                for _ in range(8):
                    with suppress(ImportedMeanwhileError):
                        put_in(connection, statement)
                        return True
            return False

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(bring, (0, 0, 5, 10)))

        assert balances(books)[CASH] == sum(each.amount for each in lines)
        assert len(movements(books)) == len(lines)


def test_a_day_without_entries_is_a_statement_too(books: Books) -> None:
    [done] = put_in(books, camt([Booked(5, status="PDNG")]))

    assert (done.is_new, done.lines, done.left_out) == (True, 0, 1)
    assert balances(books) == {RECEIVABLE: 952}
