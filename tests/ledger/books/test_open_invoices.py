"""The kept rows of open invoices: by every change of how an invoice stands, and by nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any, LiteralString

import psycopg
import pytest

from deploy.postgres.migrate import MIGRATIONS
from ledger.books.accounts import RECEIVABLE
from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.declared.store import declare
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.payments.movement import STRIPE, Allotment, MoneyKind, MoneyMovement
from ledger.payments.open_items import open_items
from ledger.payments.recording import record_movement
from tests.depot import NOON, changes, declared, keep_decisions, rated, session

DECLARED = declared()
SESSIONS = 6
FILLED = MIGRATIONS / "books" / "0015_open_invoices_of_before.sql"
_KEPT: LiteralString = "SELECT number, open_minor FROM open_invoice ORDER BY number"
_RECEIVABLE: LiteralString = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM posting WHERE account = 'receivable:invoiced'
"""


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened, opened.transaction():
        declare(opened, changes(), by="a test", at=NOON)
    with connect(database) as opened:
        yield opened


def issue(connection: psycopg.Connection[Any], database: str, number: int) -> tuple[str, ...]:
    """Have a session of 4.76 rated and invoiced: by turns anna's and nobody's."""
    uid = "anna-1" if number % 3 else "nobody-1"
    started_at = NOON + timedelta(hours=2 * number)
    keep_decisions(
        connection, [rated(session(number, token_uid=uid, started_at=started_at), DECLARED)]
    )
    with InvoiceIssuer(database) as issuer:
        return issue_due(connection, issuer, DECLARED, up_to=NOON + timedelta(days=3))


def move(
    connection: psycopg.Connection[Any], place: int, number: str, party: str, minor: int
) -> None:
    kind = MoneyKind.RECEIVED if minor > 0 else MoneyKind.REFUNDED
    movement = MoneyMovement(
        kind=kind,
        source=STRIPE,
        reference=f"pi_{place}",
        legal_entity="depot",
        currency="EUR",
        amount_minor=minor,
        allotments=(Allotment(RECEIVABLE, minor, party, number),),
        happened_at=NOON,
        recorded_by="a test",
    )
    record_movement(connection, movement)


@pytest.mark.parametrize("seed", range(3))
def test_the_open_invoices_come_to_what_is_receivable_whatever_happens(
    connection: psycopg.Connection[Any], database: str, seed: int
) -> None:
    chance = random.Random(seed)
    moves = count()
    numbers: list[str] = []
    record_prepayment(
        connection,
        Prepayment("depot", "bank/1", "anna", "EUR", chance.randint(1, 1000), NOON, "a test"),
    )
    for place in range(SESSIONS):
        numbers += issue(connection, database, place)
        for item in open_items(connection, chance.sample(numbers, min(2, len(numbers)))):
            wanted = chance.choice([item.open_minor, -item.paid_minor, 1, 700])
            if wanted:
                move(connection, next(moves), item.number, item.party or "", wanted)
            move(connection, next(moves), item.number, item.party or "", 1)

        items = {each.number: each.open_minor for each in open_items(connection, numbers)}
        kept = dict(connection.execute(_KEPT).fetchall())
        assert kept == {number: minor for number, minor in items.items() if minor}
        [(receivable,)] = connection.execute(_RECEIVABLE).fetchall()
        assert sum(kept.values()) == receivable
    assert len(numbers) == SESSIONS


def test_what_does_not_commit_changes_no_row(
    connection: psycopg.Connection[Any], database: str
) -> None:
    [number] = issue(connection, database, 1)

    with connection.transaction(force_rollback=True):
        move(connection, 1, number, "anna", 476)
        assert connection.execute(_KEPT).fetchall() == []

    assert connection.execute(_KEPT).fetchall() == [(number, 476)]


def test_who_kept_none_before_finds_them_filled_in(
    connection: psycopg.Connection[Any], database: str
) -> None:
    numbers = [issue(connection, database, place)[0] for place in range(4)]
    for place, minor in enumerate((476, 76)):
        item = open_items(connection, [numbers[place]])[0]
        move(connection, place, item.number, item.party or "", minor)
    rows = connection.execute("SELECT * FROM open_invoice ORDER BY number").fetchall()
    assert len(rows) == 3

    for gone in ("", f" WHERE number = '{numbers[2]}'"):
        connection.execute(f"DELETE FROM open_invoice{gone}".encode())
        connection.execute(FILLED.read_bytes())
        assert connection.execute("SELECT * FROM open_invoice ORDER BY number").fetchall() == rows
