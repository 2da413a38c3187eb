"""What is told of money that moved."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.books.accounts import RECEIVABLE
from ledger.database import connect
from ledger.payments.movement import (
    CLEARING,
    STRIPE,
    UNMATCHED,
    Allotment,
    MoneyKind,
    MoneyMovement,
    bank_source,
)
from ledger.payments.recording import hash_movement, record_movement
from projections.publishing.event_kinds import kind_of_event
from tests.projections.books_of_a_day import books_of_a_day
from tests.projections.publishing.events_read import as_json, assert_fit, events_told

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)


def test_money_that_moved_is_told_without_what_a_payer_wrote(database: str) -> None:
    before = events_told(books_of_a_day(database))
    moved = MoneyMovement(
        kind=MoneyKind.RECEIVED,
        source=STRIPE,
        reference="pi_1",
        legal_entity="watt",
        currency="EUR",
        amount_minor=1205,
        allotments=(Allotment(RECEIVABLE, 1200, "home", "WE-1"), Allotment(CLEARING, 5)),
        happened_at=NOW,
        recorded_by="ann",
    )
    unknown = moved._replace(
        kind=MoneyKind.BANKED,
        source=bank_source("DE02"),
        reference="a text by Ben",
        allotments=(Allotment(UNMATCHED, 1205),),
    )
    many = moved._replace(
        reference="pi_2", amount_minor=101, allotments=(Allotment(CLEARING, 1),) * 101
    )
    with connect(database) as connection:
        for each in (moved, moved, unknown, many):
            recorded, _ = record_movement(connection, each)

    more = events_told(database)

    assert before
    assert [kind_of_event(each) for each in more] == ["money.moved"] * 3
    assert_fit(more)
    first, second, third = map(as_json, more)
    assert (first["key"], second["key"], third["key"]) == ("WE-1", "watt", "watt")
    assert third["sha256"] == hash_movement(recorded)
    assert first["body"] == {
        "number": 1,
        "movement": "received",
        "provider": "stripe",
        "reference": "pi_1",
        "legal_entity": "watt",
        "currency": "EUR",
        "amount": "12.05",
        "allotments": [
            {"account": RECEIVABLE, "party": "home", "document": "WE-1", "amount": "12.00"},
            {"account": CLEARING, "party": None, "document": None, "amount": "0.05"},
        ],
    }
    assert (second["body"]["provider"], second["body"]["reference"]) == (None, None)
    assert "Ben" not in str(second)
    assert third["body"]["allotments"] is None
