"""Statements of account: the balance is the ledger's, to the cent, on any day."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import pikepdf
import psycopg
import pytest
from msgspec.structs import replace
from pypdf import PdfReader

from ledger.books.prepayments import Prepayment, record_prepayment
from projections.audit.shown_documents import show_invoice
from projections.documents.paid import Paid, paid_from_balance
from projections.documents.statements.pdf import statement_html, statement_pdf
from projections.documents.statements.sheet import statement_content
from projections.documents.statements.statement import (
    MovementKind,
    ShownStatement,
    StatementPeriodError,
    UnknownAccountError,
    Wanted,
    statement_of,
    statement_sessions,
)
from tests.charging_day import MORNING, choose, event201, start16, stop16, tick
from tests.ledger.worker.judged.test_corrections import said
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on

HELD = "CS-OLD-2/22/20260302T082000Z"
DAY = date(2026, 3, 2)
LEDGERS: Any = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM posting
WHERE party = %s AND account IN ('receivable:invoiced', 'prepayments')
"""


@pytest.fixture
def books(database: str) -> str:
    """Return the charging day, and 10 euros that came before its documents were booked."""
    dsn = books_of_a_day(database, choose(HELD, "release", 300))
    pay(dsn, "bank-1", 1000)
    go_on(
        dsn,
        [
            start16("CS-OLD-1", 500, 77, "fleet1", 9000),
            stop16("CS-OLD-1", 560, 77, 29000),
        ],
    )
    return dsn


def pay(dsn: str, reference: str, minor: int) -> None:
    with ask(dsn) as connection:
        made = Prepayment(
            "watt", reference, "fleet", "EUR", minor, MORNING + timedelta(hours=8), "test"
        )
        record_prepayment(connection, made)


def of(first: date, last: date, customer: str = "fleet") -> Wanted:
    return Wanted(customer, "watt", "EUR", first, last)


def ledgers_balance(connection: psycopg.Connection[Any], customer: str = "fleet") -> int:
    [(minor,)] = connection.execute(LEDGERS, (customer,)).fetchall()
    return int(minor)


@pytest.mark.parametrize("customer", ["fleet", "home"])
def test_the_closing_balance_is_what_the_ledger_has(books: str, customer: str) -> None:
    with ask(books) as connection:
        statement = statement_of(connection, of(DAY, date(2026, 12, 31), customer))

        assert statement.closing_minor == ledgers_balance(connection, customer)
    assert statement.opening_minor == 0
    assert statement.closing_minor == sum(each.amount_minor for each in statement.movements)


def test_one_days_closing_balance_is_the_next_days_opening_balance(books: str) -> None:
    day = timedelta(days=1)
    with ask(books) as connection:
        first = statement_of(connection, of(DAY - day, DAY - day))
        second = statement_of(connection, of(DAY, DAY))
        third = statement_of(connection, of(DAY + day, DAY + day))

    assert first.closing_minor == second.opening_minor == 0
    assert second.closing_minor == third.opening_minor == third.closing_minor
    assert second.movements != ()
    assert first.movements == third.movements == ()


def test_each_document_and_payment_is_a_row_with_the_balance_after_it(books: str) -> None:
    pay(books, "bank-2", -40)
    with ask(books) as connection:
        statement = statement_of(connection, of(DAY, DAY))

    kinds = [each.kind for each in statement.movements]
    assert kinds.count(MovementKind.PAYMENT) == 2
    assert kinds.count(MovementKind.INVOICE) >= 3
    balance = 0
    for each in statement.movements:
        balance += each.amount_minor
        assert each.balance_minor == balance
    assert {-1000, 40} <= {each.amount_minor for each in statement.movements}


def test_pages_screen_and_lines_say_the_same(books: str) -> None:
    with ask(books) as connection:
        statement = statement_of(connection, of(DAY, DAY))
        sessions = list(statement_sessions(connection, statement))

    starts = [each.decision.started_at for each in sessions]
    assert starts == sorted(starts)

    made = statement_pdf(statement, sessions)
    screen = statement_html(statement, sessions)

    text = "".join(each.extract_text() for each in PdfReader(BytesIO(made)).pages)
    for movement in statement.movements:
        if movement.kind is MovementKind.INVOICE:
            assert movement.reference in text
            assert movement.reference in screen
    with pikepdf.open(BytesIO(made)) as document:
        [attached] = document.attachments.values()
        assert attached.relationship == "/Data"
        lines = attached.get_file().read_bytes().decode()
    rows = list(csv.DictReader(StringIO(lines)))
    assert len(rows) == sum(len(each.decision.lines) for each in sessions) > 3
    assert gross_minor(rows) == charged_minor(statement)
    assert statement_pdf(statement, sessions) == made


def gross_minor(rows: list[dict[str, str]]) -> int:
    return int(sum(Decimal(row["gross"]).scaleb(2) for row in rows))


def charged_minor(statement: ShownStatement) -> int:
    documents = [each for each in statement.movements if each.kind is not MovementKind.PAYMENT]
    return sum(each.amount_minor for each in documents)


def test_what_a_credit_note_takes_back_is_taken_back_in_the_sessions_too(books: str) -> None:
    go_on(
        books,
        [
            event201("CS-NEW-1", 600, "Started", "C", 0, 5000, token="FLEET1"),
            said(630, "Charging", 8000),
            event201("CS-NEW-1", 660, "Ended", "C", 0, 9000),
        ],
    )
    # The vehicle was full for twenty minutes, and the station says so a day later.
    go_on(books, [said(640, "SuspendedEV", 9000, received=2_200)])
    go_on(books, [*tick(2_400)])

    with ask(books) as connection:
        statement = statement_of(connection, of(DAY, DAY + timedelta(days=3)))
        sessions = list(statement_sessions(connection, statement))
    rows = list(csv.DictReader(StringIO(statement_content(statement, sessions).lines_csv)))

    [note] = [each for each in statement.movements if each.kind is MovementKind.CREDIT_NOTE]
    assert sum(each.gross_minor for each in sessions if each.is_credited) == note.amount_minor < 0
    assert gross_minor(rows) == charged_minor(statement)
    assert note.reference in statement_html(statement, sessions)


def test_what_a_document_rounds_as_a_whole_is_a_row_of_its_own(books: str) -> None:
    with ask(books) as connection:
        statement = statement_of(connection, of(DAY, DAY))
        sessions = list(statement_sessions(connection, statement))
    [first, *others] = statement.movements
    rounded = replace(first, amount_minor=first.amount_minor + 1)
    statement = replace(statement, movements=(rounded, *others))

    content = statement_content(statement, sessions)
    rows = list(csv.DictReader(StringIO(content.lines_csv)))

    [rounding] = [row for row in rows if row["component"] == "rounding"]
    assert (rounding["document"], rounding["gross"]) == (first.reference, "0.01")
    assert gross_minor(rows) == charged_minor(statement)
    assert [row[2] for row in content.sheet.tables[1].rows if not row[1]] == [first.reference]


def test_nothing_moved_is_a_statement_too(books: str) -> None:
    with ask(books) as connection:
        statement = statement_of(connection, of(date(2026, 1, 1), date(2026, 1, 31)))

    text = PdfReader(BytesIO(statement_pdf(statement, []))).pages[0].extract_text()

    assert "Nothing is due." in text
    assert statement.movements == ()


def test_who_is_not_declared_has_no_statement(books: str) -> None:
    with ask(books) as connection:
        with pytest.raises(UnknownAccountError):
            statement_of(connection, of(DAY, DAY, "nobody"))
        with pytest.raises(UnknownAccountError):
            statement_of(connection, of(DAY, DAY)._replace(legal_entity="nobody"))
        with pytest.raises(StatementPeriodError):
            statement_of(connection, of(DAY, DAY - timedelta(days=1)))


def test_what_a_document_was_settled_with_is_found(books: str) -> None:
    with ask(books) as connection:
        [(number,)] = connection.execute(
            "SELECT number FROM invoiced_session WHERE session_id LIKE '%/77/%'"
        ).fetchall()
        shown = show_invoice(connection, str(number))

        assert paid_from_balance(connection, str(number)) == Paid(minor=shown.due_minor)
        assert paid_from_balance(connection, "W-1999-000001") is None
