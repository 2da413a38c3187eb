"""Where people see money: statements, the screen, explanations; and once somebody was erased."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from deploy.commands.books.invoice_text import print_payments
from ledger.database import connect
from ledger.master_data.customers import Delivery
from ledger.payments.movement import MoneyKind
from ledger.payments.recording import record_movement
from projections.balances.trial import trial_balance
from projections.documents.keeping.other_forms import as_html, as_ubl
from projections.documents.paid import InvoicePayments, payments_of
from projections.documents.statements.sheet import statement_content
from projections.documents.statements.statement import (
    MovementKind,
    Wanted,
    statement_of,
    statement_sessions,
)
from projections.payments.movement_list import MovementFilter, list_movements
from projections.payments.open_list import OpenWish, open_documents, open_sums
from projections.replay.movements import compare_movements
from tests.depot import NOON
from tests.ledger.payments.moved_money import LATER, every_kind, moved
from tests.projections.documents.issued_documents import forget, issue, operator

DUE = 476
LEDGERS: Any = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM posting
WHERE party = 'ada' AND account IN ('receivable:invoiced', 'prepayments')
"""


@pytest.fixture
def number(database: str) -> str:
    """An invoice of 4.76 to ada, booked."""
    [number] = issue(database, operator(database, {"ada": Delivery.NONE}), ["ada-1"])
    return number


@pytest.fixture
def connection(database: str, number: str) -> Iterator[psycopg.Connection[Any]]:
    """Books in which money of every kind moved for the invoice."""
    with connect(database) as opened:
        for movement in every_kind(number, "ada", DUE):
            record_movement(opened, movement)
        yield opened


def wanted() -> Wanted:
    return Wanted("ada", "depot", "EUR", NOON.date(), (LATER + timedelta(days=1)).date())


def test_a_statement_has_money_as_rows_and_the_ledgers_balance(
    connection: psycopg.Connection[Any], number: str
) -> None:
    for minor in (100, 60):
        [last] = [each for each in every_kind(number, "ada", minor) if each.kind == "received"]
        record_movement(connection, last._replace(reference=f"pi_{minor}"))
        statement = statement_of(connection, wanted())
        [(balance,)] = connection.execute(LEDGERS).fetchall()
        assert statement.closing_minor == balance

    rows = [(each.kind, each.amount_minor) for each in statement.movements]
    assert rows[0] == (MovementKind.INVOICE, DUE)
    assert sorted(rows[1:]) == sorted(
        [
            (MovementKind.PAYMENT, -DUE),
            (MovementKind.REFUND, 1),
            (MovementKind.REFUND_FAILED, -1),
            (MovementKind.TAKEN_BACK, DUE),
            (MovementKind.PAYMENT, -DUE),
            (MovementKind.PAYMENT, -100),
            (MovementKind.PAYMENT, -60),
        ]
    )
    assert statement.closing_minor == -160
    sessions = list(statement_sessions(connection, statement))
    told = str(statement_content(statement, sessions).sheet.tables[0])
    assert f"Payment {number}" in told
    assert f"Payment taken back by the bank {number}" in told
    assert "Rounding" not in str(statement_content(statement, sessions).sheet)


def test_an_invoice_on_the_screen_asks_for_what_is_open(database: str, number: str) -> None:
    with connect(database) as connection:
        before, ubl = as_html(connection, number), as_ubl(connection, number)
        first, *rest = every_kind(number, "ada", DUE)
        part = first._replace(
            amount_minor=100, allotments=(first.allotments[0]._replace(minor=100),)
        )
        record_movement(connection, part)
        partly = as_html(connection, number)
        for movement in rest[:2]:
            record_movement(connection, movement)
        after = as_html(connection, number)

        assert as_ubl(connection, number) == ubl
    assert "Payments" not in before
    assert "4.76" in before
    assert "Payments" in partly
    assert "3.76" in partly
    assert "Refund that came back" in after


def test_an_invoice_names_its_payments(
    connection: psycopg.Connection[Any], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = payments_of(connection, number)

    assert isinstance(found, InvoicePayments)
    assert [(each.kind, each.minor) for each in found.received] == [
        ("received", DUE),
        ("refunded", -1),
        ("refund_failed", 1),
        ("dispute_lost", -DUE),
        ("matched", DUE),
    ]
    assert found.open_minor == 0
    print_payments(found, "EUR")
    assert "dispute_lost on 2026-12-20 (UTC): -4.76 EUR, stripe/dispute_lost_1" in (
        capsys.readouterr().out
    )
    assert payments_of(connection, "WL-1999-000001") is None


def test_an_erased_person_leaves_all_money_as_it_was(
    connection: psycopg.Connection[Any], database: str, number: str
) -> None:
    record_movement(connection, moved(MoneyKind.RECEIVED, 3, *_owed(number), reference="pi_9"))

    def seen() -> list[object]:
        statement = statement_of(connection, wanted())
        return [
            trial_balance(connection),
            open_sums(connection, OpenWish()),
            [each.open_minor for each in open_documents(connection, OpenWish("ada"), limit=9)],
            [each.number for each in list_movements(connection, MovementFilter("ada"), limit=99)],
            payments_of(connection, number),
            statement.movements,
        ]

    before = seen()
    forget(database, "ada")

    assert seen() == before
    assert [each for each in compare_movements(connection) if each.kept != each.again] == []


def _owed(number: str) -> tuple[Any, ...]:
    [received, *_] = every_kind(number, "ada", 3)
    return received.allotments
