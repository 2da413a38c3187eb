"""What we read of Stripe's objects, held against the library's own shapes of the pinned version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args, get_origin

import pytest
import stripe

from ledger.payments.stripe import reading

_READ: Final[Mapping[str, tuple[type[Any], Callable[[dict[str, Any]], Any]]]] = {
    "PaymentIntent": (stripe.PaymentIntent, reading.read_intent),
    "SetupIntent": (stripe.SetupIntent, reading.read_setup),
    "Refund": (stripe.Refund, reading.read_refund),
    "Dispute": (stripe.Dispute, reading.read_dispute),
    "Payout": (stripe.Payout, reading.read_payout),
    "BalanceTransaction": (stripe.BalanceTransaction, reading.read_balance_line),
}
_SAID: Final = {"currency": "eur", "status": "succeeded", "created": 1774951200}
_SHAPES: Final = {"PaymentIntent": "_Intent", "SetupIntent": "_Setup"}
_STATUS: Final = {"Dispute": "lost", "Payout": "paid"}


def _least(name: str) -> dict[str, Any]:
    """Return an object of that name in which all is null that may be."""
    found: dict[str, Any] = {}
    for field, annotation in _READ[name][0].__annotations__.items():
        if type(None) in get_args(annotation):
            found[field] = None
        elif field in _SAID:
            found[field] = _SAID[field]
        elif annotation in {int, str}:
            found[field] = annotation(1)
        elif str(annotation).startswith("typing.List"):
            found[field] = []
    return found | {"id": "x_1", "type": "charge", "status": _STATUS.get(name, "succeeded")}


@pytest.mark.parametrize("name", _READ)
def test_what_may_be_null_is_read_when_it_is(name: str) -> None:
    assert _READ[name][1](_least(name)).id == "x_1"


@pytest.mark.parametrize("name", _READ)
def test_nothing_is_read_that_the_version_does_not_have(name: str) -> None:
    shape = getattr(reading, _SHAPES.get(name, f"_{name}"))
    assert set(shape.__struct_fields__) <= _READ[name][0].__annotations__.keys()


@pytest.mark.parametrize(
    ("name", "known"),
    [("PaymentIntent", reading.INTENT_STATUSES), ("Dispute", reading.DISPUTE_STATUSES)],
)
def test_each_status_of_the_version_has_a_meaning(name: str, known: Mapping[str, Any]) -> None:
    [said] = [
        get_args(each)
        for each in get_args(_READ[name][0].__annotations__["status"])
        if get_origin(each) is Literal
    ]
    assert set(said) == known.keys()


def test_a_refund_of_old_that_says_no_status_is_under_way() -> None:
    assert reading.read_refund(_least("Refund") | {"status": None}).status == "pending"
