"""Who is a customer no more gets its last documents as before, its statement and its money."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.desk.customers.prepaying import PrepaymentWish, UnknownCustomerError, prepay
from ledger.master_data.customers import Delivery
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.statements.statement import Wanted, statement_of
from tests.depot import NOON
from tests.projections.documents.delivery.test_reminders import kept, remind
from tests.projections.documents.issued_documents import issue, operator, render_plainly, rows

_WAYS = "SELECT number, way, reminder FROM document_delivery ORDER BY number, reminder"
BEFORE = NOON - timedelta(minutes=1)


def withdraw(dsn: str, at_noon: timedelta = timedelta(minutes=-1)) -> Declarations:
    """Withdraw ada and her token; return all that is declared."""
    gone = [(Kind.CUSTOMER, "ada"), (Kind.TOKEN, "ada-1")]
    changes = [
        Change(kind=kind, key=key, entity=None, valid_from=NOON + at_noon) for kind, key in gone
    ]
    with connect(dsn) as connection, connection.transaction():
        declare(connection, changes, by="a test", at=NOON)
    with connect(dsn) as connection:
        return load_declarations(connection)


def test_the_last_invoice_reaches_its_reader(database: str) -> None:
    known = operator(database, {"ada": Delivery.EMAIL, "bea": Delivery.NONE})
    numbers = issue(database, known, ["ada-1", "bea-1"])
    withdraw(database, timedelta(0))

    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        keeper.run_once()

    assert rows(database, _WAYS) == [(numbers[0], "email", 0)]


def test_who_has_not_paid_is_reminded(database: str) -> None:
    [number] = kept(database, Delivery.EMAIL, ["ada-1"])
    withdraw(database)

    assert remind(database, 8) == 1
    assert rows(database, _WAYS) == [(number, "email", 0), (number, "email", 1)]


def test_there_is_a_statement_of_account(database: str) -> None:
    kept(database, Delivery.NONE, ["ada-1"])
    withdraw(database)
    day = NOON.date()

    with connect(database) as connection:
        after = day + timedelta(days=3)
        shown = statement_of(connection, Wanted("ada", "depot", "EUR", day, after))

    assert (shown.closing_minor, shown.language, len(shown.movements)) == (476, "de", 1)


def test_who_came_on_its_last_day_has_a_statement_of_it(database: str) -> None:
    day = NOON.date()
    kept(database, Delivery.NONE, ["ada-1"])
    with connect(database) as connection:
        early = load_declarations(connection).customer("ada", NOON)
        assert early is not None
        with connection.transaction():
            late = Change(kind=Kind.CUSTOMER, key="eve", entity=early, valid_from=NOON)
            declare(connection, [late], by="a test", at=NOON)

        shown = statement_of(connection, Wanted("eve", "depot", "EUR", day, day))

    assert shown.closing_minor == 0


def test_its_balance_is_paid_back_and_not_raised(database: str) -> None:
    operator(database, {"ada": Delivery.NONE})
    with connect(database) as connection:
        record_prepayment(connection, Prepayment("depot", "x", "ada", "EUR", 500, NOON, "a test"))
    withdraw(database)
    later = NOON + timedelta(hours=1)
    back = PrepaymentWish("ada", Decimal(5), "EUR", "y", "depot", is_back=True)

    with connect(database) as connection:
        with pytest.raises(UnknownCustomerError):
            prepay(connection, back._replace(is_back=False), by="eve", at=later)
        assert prepay(connection, back, by="eve", at=later).balance_minor == 0
