"""What is open, now and at the end of any day: it always comes to the balance of the books."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest

from ledger.books.accounts import PARTNER_RECEIVABLE, RECEIVABLE
from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.declared.store import declare
from ledger.desk.settling.desk import settlement_desk
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.payments.movement import Allotment, MoneyKind
from ledger.payments.open_items import open_items
from ledger.payments.recording import record_movement
from ledger.settlements.entries import PARTNER_PAYABLE
from projections.balances.booked_sums import kept_trial_balance
from projections.journal.days import BookDays
from projections.payments.open_list import OpenWish, open_documents, open_sums
from tariffs.zones import zone
from tests.depot import NOON, changes, declared, keep_decisions, rated, session
from tests.ledger.payments.moved_money import moved
from tests.ledger.settlements.partner_cdrs import (
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_partner,
    received_cdr,
    sent_cdr,
)
from tests.projections.books_of_a_day import books_of_a_day

DECLARED = declared()
BERLIN = zone("Europe/Berlin")
DAYS = 5


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened, opened.transaction():
        declare(opened, changes(), by="a test", at=NOON)
    with connect(database) as opened:
        yield opened


def end_of(day: int) -> datetime:
    return (NOON + timedelta(days=day)).astimezone(BERLIN).replace(hour=0) + timedelta(days=1)


def issue(connection: psycopg.Connection[Any], dsn: str, number: int, at: datetime) -> list[str]:
    uid = "anna-1" if number % 3 else "nobody-1"
    one = session(number, token_uid=uid, started_at=at - timedelta(hours=3))
    keep_decisions(connection, [rated(one, DECLARED)])
    with InvoiceIssuer(dsn) as issuer:
        return [*issue_due(connection, issuer, DECLARED, up_to=at)]


def booked(connection: psycopg.Connection[Any], days: BookDays | None = None) -> Counter[str]:
    balance = kept_trial_balance(connection, days) if days else kept_trial_balance(connection)
    asked = {RECEIVABLE, PARTNER_RECEIVABLE, PARTNER_PAYABLE}
    return Counter(
        {each.account: each.balance_minor for each in balance.accounts if each.account in asked}
    )


def summed(connection: psycopg.Connection[Any], wish: OpenWish) -> Counter[str]:
    return Counter({each.account: each.open_minor for each in open_sums(connection, wish)})


def open_by_number(connection: psycopg.Connection[Any], wish: OpenWish) -> dict[str, int]:
    return {each.number: each.open_minor for each in open_documents(connection, wish, limit=99)}


@pytest.mark.parametrize("seed", range(2))
def test_at_the_end_of_each_day_it_is_what_it_was_then(
    connection: psycopg.Connection[Any], database: str, seed: int
) -> None:
    chance, moves = random.Random(seed), count()
    numbers: list[str] = []
    then: list[dict[str, int]] = []
    for day in range(DAYS):
        at = NOON + timedelta(days=day)
        paid = chance.randint(1, 500)
        of_day = Prepayment("depot", f"b/{day}", "anna", "EUR", paid, at, "a test")
        record_prepayment(connection, of_day)
        for each in range(2):
            numbers += issue(connection, database, 2 * day + each, at + timedelta(hours=each))
        for item in open_items(connection, chance.sample(numbers, 2)):
            wanted = chance.choice([item.open_minor, -item.paid_minor, 1, 700]) or 2
            kind = MoneyKind.RECEIVED if wanted > 0 else MoneyKind.REFUNDED
            owed = Allotment(RECEIVABLE, wanted, item.party or "", item.number)
            hour = at + timedelta(hours=2)
            record_movement(
                connection, moved(kind, wanted, owed, reference=f"pi_{next(moves)}", at=hour)
            )
        then.append(open_by_number(connection, OpenWish()))
        assert summed(connection, OpenWish()) == booked(connection)

    for day, was in enumerate(then):
        assert open_by_number(connection, OpenWish(until=end_of(day))) == was
        last = (NOON + timedelta(days=day)).date()
        days = BookDays(None, last + timedelta(days=1), "depot", {"depot": BERLIN})
        assert summed(connection, OpenWish(None, "depot", end_of(day))) == booked(connection, days)
    anna = open_by_number(connection, OpenWish("anna"))
    assert anna.keys() <= then[-1].keys()
    assert 0 < len(anna) < len(then[-1])
    assert open_by_number(connection, OpenWish(legal_entity="other")) == {}


def test_documents_come_by_the_page(connection: psycopg.Connection[Any], database: str) -> None:
    numbers = [each for place in range(3) for each in issue(connection, database, place, NOON)]

    pages, after = [], None
    while page := open_documents(connection, OpenWish(), limit=2, after=after):
        pages.append([each.number for each in page])
        after = page[-1].number

    assert [len(page) for page in pages] == [2, 1]
    assert sorted(numbers) == [each for page in pages for each in page]


def test_a_settlement_is_open_until_the_partner_paid_it(database: str) -> None:
    books_of_a_day(database)
    declared_then = declare_partner(database)
    with connect(database) as connection, settlement_desk(connection, declared_then) as desk:
        sent_cdr(connection, "A", 1000)
        received_cdr(connection, "B", "3.00")
        [scope] = desk.scopes(PARTNER, MARCH)
        agreed = desk.agree(scope, by="anna", at=IN_APRIL)
        number = agreed.record.number

        found = {each.number: each for each in open_documents(connection, OpenWish(), limit=99)}
        assert found[number].open_minor == 833
        assert (found[number].party, found[number].account) == (PARTNER, PARTNER_RECEIVABLE)
        assert summed(connection, OpenWish()) == booked(connection)

        paid = Allotment(PARTNER_RECEIVABLE, 833, PARTNER, number)
        at = IN_APRIL + timedelta(days=2)
        record_movement(connection, moved(MoneyKind.BANKED, 833, paid, source="bank:DE", at=at))
        assert number not in open_by_number(connection, OpenWish())
        assert summed(connection, OpenWish()) == +booked(connection)
        before = open_by_number(connection, OpenWish(until=IN_APRIL + timedelta(days=1)))
        assert before[number] == 833
