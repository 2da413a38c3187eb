"""Nobody is reminded of what it has with us anyway, nor of what it contests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.facts.flags import Flag
from ledger.master_data.customers import Delivery
from ledger.payments.reminding.deciding import decide_reminders
from tests.charging_day import choose
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.projections.books_of_a_day import books_of_a_day, go_on
from tests.projections.documents.delivery.test_reminders import ISSUED, kept, pay, remind
from tests.projections.documents.issued_documents import rows

_REMINDED = "SELECT invoice FROM reminder ORDER BY invoice"
HELD = "CS-OLD-2/22/20260302T082000Z"
SEEN = """
INSERT INTO bank_statement (form, account, currency, legal_entity, statement_id, page, digest,
    lines, new_lines, imported_at, imported_by)
VALUES ('camt.053', 'X', 'EUR', 'watt', 'x', 1, %s, 0, 0, %s, 'a test')
"""


def reminded(dsn: str) -> list[str]:
    """Remind a week after invoices were due; return which are reminded of by then."""
    remind(dsn, 8)
    return [invoice for (invoice,) in rows(dsn, _REMINDED)]


@pytest.mark.parametrize(
    ("too_much", "is_reminded"),
    [(475, True), (476, False)],
    ids=["a cent is missing", "all of it is with us"],
)
def test_who_paid_as_much_too_much_for_another_invoice(
    database: str, too_much: int, *, is_reminded: bool
) -> None:
    paid, other = kept(database, Delivery.NONE, ["ada-1", "ada-1"])
    pay(database, paid, 476 + too_much)

    assert reminded(database) == ([other] if is_reminded else [])


@pytest.mark.parametrize(
    ("customer", "legal_entity", "currency", "is_reminded"),
    [
        ("ada", "depot", "EUR", False),
        ("ada", "other", "EUR", True),
        ("ada", "depot", "SEK", True),
        ("bea", "depot", "EUR", True),
    ],
)
def test_who_has_it_on_a_prepaid_balance_there(
    database: str, customer: str, legal_entity: str, currency: str, *, is_reminded: bool
) -> None:
    [number] = kept(database, Delivery.NONE, ["ada-1"])
    with connect(database) as connection:
        paid = Prepayment(legal_entity, "x", customer, currency, 476, ISSUED, "a test")
        record_prepayment(connection, paid)

    assert reminded(database) == ([number] if is_reminded else [])


def test_what_is_with_us_counts_for_what_was_due_first(database: str) -> None:
    paid, first, second = kept(database, Delivery.NONE, ["ada-1"] * 3)
    pay(database, paid, 476 + 900)

    assert reminded(database) == [second]

    pay(database, paid, -900)
    assert remind(database, 9) == 0
    assert rows(database, _REMINDED) == [(first,), (second,)]


def test_who_contests_it_until_that_is_settled(database: str) -> None:
    dsn = books_of_a_day(database, choose(HELD, "release", 300))
    [(number, session_id)] = rows(
        dsn,
        "SELECT number, min(session_id) FROM invoiced_session JOIN open_invoice USING (number)"
        " WHERE open_minor > 0 AND customer IS NOT NULL GROUP BY number ORDER BY number LIMIT 1",
    )
    now = datetime(2027, 1, 1, tzinfo=UTC)

    def decided(days: int) -> set[str]:
        at = now + timedelta(days=days)
        with connect(dsn) as connection:
            connection.execute(SEEN, (f"{days}", at))
            return {
                each.invoice
                for each in decide_reminders(connection, load_declarations(connection), at)
            }

    go_on(dsn, [chosen_about("dispute", 400, session_id=session_id)])
    flags = rows(dsn, f"SELECT flags FROM session WHERE session_id = '{session_id}'")
    assert Flag.DISPUTED in flags[0][0]
    assert number not in decided(0)

    go_on(dsn, [chosen_about("reject", 500, session_id=session_id)])
    assert decided(1) == {number}
