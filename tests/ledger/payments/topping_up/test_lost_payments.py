"""What a bank took back for good is not given back once more, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.payments.collecting.collecting import collect_now
from ledger.payments.collecting.methods import ready_methods
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    DisputeState,
    DisputeStatus,
    PaymentObjectKind,
    PaymentWay,
)
from ledger.payments.requests import RequestKind
from ledger.payments.topping_up.top_up import WantedTopUp, decide_top_up
from tests.ledger.payments.paper_provider import PaperProvider
from tests.ledger.payments.topping_up.raising import ANNA, Raising


@pytest.fixture
def paper() -> PaperProvider:
    return PaperProvider()


@pytest.fixture
def losing(database: str, paper: PaperProvider) -> Iterator[Raising]:
    made = Raising(database, paper)
    made.method()
    made.run()
    yield made
    made.close()


def lose(losing: Raising, paper: PaperProvider, intent: str | None, minor: int) -> None:
    """Have a payment disputed, and that lost."""
    assert intent is not None
    lost = DisputeState(
        "dp_1", intent, DisputeStatus.LOST, minor, "EUR", losing.now, minor, fee_minor=1_500
    )
    paper.objects[lost.id] = lost
    tell_of_object(losing.connection, STRIPE, PaymentObjectKind.DISPUTE, lost.id, losing.now)
    losing.run(hours=1)


def test_a_credit_note_gives_back_the_payment_that_is_not_lost(
    losing: Raising, paper: PaperProvider
) -> None:
    number = losing.bill()
    losing.run()
    [first] = losing.requests(number)
    lose(losing, paper, first.object_id, 476)
    collect_now(losing.connection, STRIPE, number, by="eve", now=losing.now)
    losing.run()
    losing.credit(number)
    losing.run(hours=3)

    [_, second] = losing.requests(number, RequestKind.COLLECT)
    [refund] = losing.requests(number, RequestKind.REFUND)
    assert refund.body["intent"] == second.object_id
    assert losing.open_minor(number) == 0


def test_a_balance_goes_back_to_the_payment_that_is_not_lost(
    losing: Raising, paper: PaperProvider
) -> None:
    losing.top_up(1_000, "a")
    losing.run()
    losing.top_up(1_000, "b")
    losing.run()
    first, second = losing.requests("anna", RequestKind.TOP_UP)
    lose(losing, paper, second.object_id, 1_000)

    [asked] = losing.pay_back(1_000, "c")
    assert (asked.body["intent"], losing.balance()) == (first.object_id, 0)


def test_a_debit_is_no_way_to_top_up_in_other_money(losing: Raising) -> None:
    losing.method(method="pm_debit", way=PaymentWay.SEPA_DEBIT)
    losing.run()
    assert ready_methods(losing.connection, [ANNA])[ANNA].method_id == "pm_debit"

    with losing.connection.transaction():
        wanted = WantedTopUp(ANNA, "SEK", 10_000, "a")
        asked = decide_top_up(losing.connection, wanted, by="a test", at=losing.now)
    assert asked.body["method"] == "pm_1"
