"""From an invoice down to the line of a bank's statement, and what an erasure leaves of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from deploy.commands.payments.looking.showing import lines_of
from ledger.payments.bank.lines import find_line
from ledger.persons.store import erase
from projections.audit.shown_documents import show_invoice
from projections.documents.paid import payments_of
from projections.payments.movement_detail import find_payments
from projections.payments.open_list import OpenWish, open_sums
from projections.replay.movements import compare_movements
from tests.ledger.payments.bank.bank_books import balances, invoiced, put_in, wl
from tests.ledger.payments.bank.bank_files import Booked, camt

Books = psycopg.Connection[Any]


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """Four invoices; one line pays the first, one too much for the second, one is a riddle."""
    with invoiced(database, ["anna-1", "anna-1", "anna-1", "nobody-1"]) as connection:
        lines = [Booked(476, wl(1), "R-1"), Booked(500, wl(2), "R-2"), Booked(99, "?", "R-3")]
        put_in(connection, camt(lines))
        yield connection


def test_what_the_bank_told_agrees_with_what_is_open(books: Books) -> None:
    [owed] = open_sums(books, OpenWish())

    assert (owed.open_minor, owed.documents) == (2 * 476, 2)
    assert balances(books)[owed.account] == owed.open_minor
    found = list(compare_movements(books))
    assert len(found) > 3
    assert [each for each in found if each.kept != each.again] == []


def test_an_invoice_leads_to_its_line_until_the_payer_is_erased(books: Books) -> None:
    document = show_invoice(books, wl(1))
    paid = payments_of(books, wl(1))
    assert paid is not None
    [payment] = paid.received
    [detail] = find_payments(books, payment.reference).movements

    line = detail.bank_line
    assert line is not None
    assert line.written is not None
    assert (line.amount_minor, line.unmatched_minor, line.written.payer) == (476, 0, "Carla Clara")
    assert line.written.texts == (wl(1),)
    kept = find_line(books, line.line)
    assert kept is not None
    assert "Carla Clara" in "\n".join(lines_of(find_payments(books, wl(1))))
    erase(books, [kept.subject])

    [after] = find_payments(books, payment.reference).movements
    assert after.bank_line is not None
    assert after.bank_line.written is None
    assert (after.movement, after.postings) == (detail.movement, detail.postings)
    assert "(erased)" in "\n".join(lines_of(find_payments(books, wl(1))))
    assert payments_of(books, wl(1)) == paid
    assert show_invoice(books, wl(1)) == document
    assert [each for each in compare_movements(books) if each.kept != each.again] == []


def test_what_nobody_matched_says_how_much_and_why(books: Books) -> None:
    [(reference,)] = books.execute("SELECT line FROM unmatched_line").fetchall()

    [detail] = find_payments(books, reference).movements

    assert detail.bank_line is not None
    assert (detail.bank_line.unmatched_minor, bool(detail.bank_line.reason)) == (99, True)
    assert "unmatched    0.99 EUR" in "\n".join(lines_of(find_payments(books, reference)))
