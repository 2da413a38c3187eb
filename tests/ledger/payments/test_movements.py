"""Movements on a real PostgreSQL: recorded once, balanced, in an open month; open items by them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ledger.books.accounts import RECEIVABLE
from ledger.database import connect
from ledger.declared.store import declare
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.payments.movement import (
    CLEARING,
    STRIPE,
    Allotment,
    MoneyKind,
    MoneyMovement,
    UnfitMovementError,
    disputes_account,
    fees_account,
)
from ledger.payments.open_items import open_item
from ledger.payments.recording import (
    OtherMovementError,
    movements,
    movements_of_document,
    record_movement,
)
from projections.balances.trial import trial_balance
from tests.depot import NOON, changes, declared, keep_decisions, rated, session

DECLARED = declared()
NUMBER = "WL-2026-000001"


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A database in which an invoice of 4.76 to anna is booked."""
    with connect(database) as opened, InvoiceIssuer(database) as issuer:
        with opened.transaction():
            declare(opened, changes(), by="a test", at=NOON)
        keep_decisions(opened, [rated(session(token_uid="anna-1"), DECLARED)])
        assert issue_due(opened, issuer, DECLARED, up_to=NOON) == (NUMBER,)
        yield opened


def moved(
    kind: MoneyKind, minor: int, *allotments: Allotment, reference: str = "pi_1"
) -> MoneyMovement:
    return MoneyMovement(
        kind=kind,
        source=STRIPE,
        reference=reference,
        legal_entity="depot",
        currency="EUR",
        amount_minor=minor,
        allotments=allotments,
        happened_at=NOON,
        recorded_by="a test",
    )


def of_invoice(minor: int) -> Allotment:
    return Allotment(RECEIVABLE, minor, "anna", NUMBER)


def open_minor(connection: psycopg.Connection[Any]) -> int:
    item = open_item(connection, NUMBER)
    assert item is not None
    return item.open_minor


def test_an_invoice_is_open_until_it_is_paid_and_again_when_that_is_lost(
    connection: psycopg.Connection[Any],
) -> None:
    item = open_item(connection, NUMBER)
    assert item is not None
    assert (item.account, item.party, item.open_minor) == (RECEIVABLE, "anna", 476)
    fee = Allotment(fees_account(STRIPE), -1500)
    taken = Allotment(disputes_account(STRIPE), -476)
    steps = [
        (moved(MoneyKind.RECEIVED, 476, of_invoice(476)), 0),
        (moved(MoneyKind.REFUNDED, -76, of_invoice(-76)), 76),
        (moved(MoneyKind.REFUND_FAILED, 76, of_invoice(76)), 0),
        (moved(MoneyKind.DISPUTED, -1976, taken, fee), 0),
        (
            moved(
                MoneyKind.DISPUTE_LOST,
                0,
                Allotment(disputes_account(STRIPE), 476),
                of_invoice(-476),
            ),
            476,
        ),
        (
            moved(
                MoneyKind.PAID_OUT,
                -100,
                Allotment(CLEARING, -98),
                Allotment(fees_account(STRIPE), -2),
            ),
            476,
        ),
    ]
    for movement, left in steps:
        recorded, is_new = record_movement(connection, movement)
        assert is_new
        assert record_movement(connection, movement) == (recorded, False)
        assert open_minor(connection) == left

    kept = movements(connection)
    assert [each.kind for each in kept] == [movement.kind for movement, _ in steps]
    first = steps[0][0]._replace(original_period=f"{NOON:%Y-%m}", period=f"{NOON:%Y-%m}")
    assert kept[0] == first._replace(number=kept[0].number)
    about = [each.kind.value for each in movements_of_document(connection, NUMBER)]
    assert about == ["received", "refunded", "refund_failed", "dispute_lost"]
    assert trial_balance(connection).is_balanced
    kinds = connection.execute("SELECT kind, count(*) FROM feed_entry GROUP BY kind").fetchall()
    assert dict(kinds) == {"issued": 1, "moved": len(steps)}


def test_a_reference_names_one_movement_whose_parts_fit(
    connection: psycopg.Connection[Any],
) -> None:
    record_movement(connection, moved(MoneyKind.RECEIVED, 476, of_invoice(476)))

    with pytest.raises(OtherMovementError, match="wattledger payments show"):
        record_movement(connection, moved(MoneyKind.RECEIVED, 475, of_invoice(475)))
    unfit = [
        moved(MoneyKind.RECEIVED, 475, of_invoice(476), reference="pi_2"),
        moved(MoneyKind.RECEIVED, 0, reference="pi_2"),
        moved(MoneyKind.RECEIVED, 0, of_invoice(0), reference="pi_2"),
        moved(MoneyKind.RECEIVED, 1, Allotment(RECEIVABLE, 1, "anna"), reference="pi_2"),
        moved(MoneyKind.RECEIVED, 1, of_invoice(1), reference=""),
        moved(MoneyKind.RECEIVED, 1, of_invoice(1), reference="x" * 101),
    ]
    for each in unfit:
        with pytest.raises(UnfitMovementError):
            record_movement(connection, each)
    assert len(movements(connection)) == 1


def test_what_failed_in_the_middle_left_nothing(connection: psycopg.Connection[Any]) -> None:
    def record_and_fail() -> None:
        with connection.transaction():
            record_movement(connection, moved(MoneyKind.RECEIVED, 476, of_invoice(476)))
            connection.execute("DELETE FROM movement")

    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        record_and_fail()

    assert movements(connection) == []
    assert open_minor(connection) == 476


def test_movements_of_an_earlier_month_keep_their_moment(
    connection: psycopg.Connection[Any],
) -> None:
    earlier = moved(MoneyKind.RECEIVED, 476, of_invoice(476))
    moment = NOON - timedelta(days=40)
    recorded, _ = record_movement(connection, earlier._replace(happened_at=moment))

    assert recorded.happened_at == moment
    assert recorded.original_period == f"{moment:%Y-%m}"
