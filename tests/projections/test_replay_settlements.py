from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.database import connect
from ledger.desk.settling.desk import settlement_desk
from tests.ledger.settlements.partner_cdrs import (
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_partner,
    received_cdr,
    sent_cdr,
)
from tests.projections.books_of_a_day import books_of_a_day, replayed, tamper


@pytest.fixture
def settled_books(database: str) -> str:
    """Books of the charging day, with March settled with a partner."""
    books_of_a_day(database)
    declared = declare_partner(database)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000)
        received_cdr(connection, "B", "3.00")
        received_cdr(connection, "C", "3.00", verdict="disputed")
        [scope] = desk.scopes(PARTNER, MARCH)
        desk.agree(scope, by="anna", at=IN_APRIL)
    return database


def test_an_agreed_settlement_comes_out_again(settled_books: str) -> None:
    report = replayed(settled_books)

    assert report.is_identical, report.shown
    assert report.compared_by_kind["settlement with a partner"] == 1
    assert report.compared_by_kind["settlement posting"] == 3


def test_a_settlement_by_country_comes_out_again(database: str) -> None:
    books_of_a_day(database)
    vat = {"vat_percent": None, "vat_by_country": {"DE": Decimal(19), "FR": Decimal(20)}}
    declared = declare_partner(database, **vat)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000, country="DEU")
        received_cdr(connection, "B", "3.00", country="FRA")
        [scope] = desk.scopes(PARTNER, MARCH)
        desk.agree(scope, by="anna", at=IN_APRIL)

    report = replayed(database)

    assert report.is_identical, report.shown


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        pytest.param(
            "settlement posting",
            "UPDATE books.journal_entry SET accounts[1] = 'cash'"
            " WHERE entry_id LIKE 'settlement:%'",
            id="a posting to another account",
        ),
        pytest.param(
            "settlement posting",
            "UPDATE books.journal_entry SET entry_id = 'settlement:other'"
            " WHERE entry_id LIKE 'settlement:%'",
            id="an entry that no settlement led to",
        ),
        pytest.param(
            "settlement with a partner",
            "UPDATE inputs.settled_cdr SET net = net + 1 WHERE cdr_id = 'A'",
            id="a CDR of another amount",
        ),
        pytest.param(
            "settlement hash",
            "UPDATE inputs.partner_settlement SET body = replace(convert_from(body, 'UTF8'),"
            " '\"due_minor\":833', '\"due_minor\":834')::bytea",
            id="another amount due",
        ),
    ],
)
def test_a_change_of_a_settlement_is_found(settled_books: str, what: str, statement: str) -> None:
    tamper(settled_books, statement)

    report = replayed(settled_books)

    assert what in {each.what for each in report.shown}
