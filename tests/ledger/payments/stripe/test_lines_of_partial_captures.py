"""What Stripe says of a capture of less than was held: a line, and one that takes back."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.payments.provider import PARTIAL_CAPTURE_REVERSAL
from ledger.payments.stripe.reading import read_balance_line, read_refund

LINE: dict[str, Any] = {
    "id": "txn_1",
    "type": "refund",
    "amount": -3000,
    "fee": 0,
    "net": -3000,
    "currency": "eur",
    "created": 1_762_776_000,
    "source": {"id": "re_1", "object": "refund", "charge": "ch_1"},
    "reporting_category": PARTIAL_CAPTURE_REVERSAL,
}
REFUND: dict[str, Any] = {
    "id": "re_1",
    "status": "succeeded",
    "amount": 3000,
    "currency": "eur",
    "created": 1_762_776_000,
    "payment_intent": "pi_1",
}


def test_a_line_that_takes_back_what_was_not_captured_says_of_which_charge() -> None:
    line = read_balance_line(LINE)

    assert (line.kind, line.source_id, line.charge_id) == (PARTIAL_CAPTURE_REVERSAL, "re_1", "ch_1")


@pytest.mark.parametrize(
    ("source", "source_id", "charge_id"),
    [
        ("re_1", "re_1", None),
        ({"id": "ch_1", "object": "charge"}, "ch_1", None),
        ({"id": "re_1", "charge": None}, "re_1", None),
        ({"id": 1, "charge": {}}, None, None),
        (None, None, None),
    ],
)
def test_a_lines_source_is_an_id_or_the_object(
    source: object, source_id: str | None, charge_id: str | None
) -> None:
    line = read_balance_line({**LINE, "source": source, "reporting_category": "refund"})

    assert (line.kind, line.source_id, line.charge_id) == ("refund", source_id, charge_id)


@pytest.mark.parametrize(
    ("balance_transaction", "moves_money"),
    [
        (None, False),
        ("txn_1", True),
        ({"id": "txn_1", "reporting_category": "refund"}, True),
        ({"id": "txn_1", "reporting_category": PARTIAL_CAPTURE_REVERSAL}, False),
    ],
)
def test_what_was_not_captured_is_no_refund(
    balance_transaction: object, *, moves_money: bool
) -> None:
    found = read_refund({**REFUND, "balance_transaction": balance_transaction})

    assert found.moves_money is moves_money
