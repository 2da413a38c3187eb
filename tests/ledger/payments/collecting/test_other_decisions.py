"""Books restored from a backup, on a real PostgreSQL: the provider knows what they do not.

What was decided since the backup is decided again, perhaps of somebody else under the same key.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from ledger.payments.asking.answers import OTHER_DECISION
from ledger.payments.collecting.collecting import collect_now
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    RefundState,
    RefundStatus,
)
from ledger.payments.requests import RequestKind, RequestState
from projections.balances.trial import trial_balance
from tests.ledger.payments.collecting.payers import BILLED_AT, Payers
from tests.ledger.payments.paper_provider import PaperProvider


@pytest.fixture
def paper() -> PaperProvider:
    return PaperProvider()


@pytest.fixture
def payers(database: str, paper: PaperProvider) -> Iterator[Payers]:
    made = Payers(database, paper)
    made.method()
    made.run()
    yield made
    assert trial_balance(made.connection).is_balanced
    made.close()


def taken_before(
    paper: PaperProvider, key: str, *, customer: str | None = None, currency: str = "EUR"
) -> IntentState:
    """Return what the provider knows under *key*: 4.76, of anna if not said otherwise."""
    made = IntentState(
        "pi_before",
        IntentStatus.TAKEN,
        476,
        currency,
        BILLED_AT,
        taken_minor=476,
        request_key=key,
        customer_id=customer or paper.customers["anna"],
        charge_id="ch_before",
    )
    paper.answers[key] = paper.objects[made.id] = made
    return made


@pytest.mark.parametrize(
    ("customer", "currency"),
    [
        pytest.param("cus_bea", "EUR", id="of another customer"),
        pytest.param(None, "USD", id="of other money"),
    ],
)
def test_what_somebody_else_paid_pays_no_invoice(
    payers: Payers, paper: PaperProvider, customer: str | None, currency: str
) -> None:
    number = payers.bill()
    key = f"collect:{number}:1"
    before = taken_before(paper, key, customer=customer, currency=currency)
    tell_of_object(payers.connection, STRIPE, PaymentObjectKind.INTENT, before.id, payers.now)
    payers.run()
    tell_of_object(payers.connection, STRIPE, PaymentObjectKind.INTENT, before.id, payers.now)
    payers.run(hours=1)

    assert (payers.moved(number), payers.open_minor(number)) == ([], 476)
    [request] = payers.requests(number)
    assert (request.state, request.reason) == (RequestState.FAILED, OTHER_DECISION)
    assert payers.collection(number) == ("given_up", OTHER_DECISION)

    collect_now(payers.connection, STRIPE, number, by="eve", now=payers.now)
    payers.run()
    assert payers.open_minor(number) == 0


def test_what_the_customer_paid_before_is_not_charged_again(
    payers: Payers, paper: PaperProvider
) -> None:
    number = payers.bill()
    taken_before(paper, f"collect:{number}:1")
    payers.run()

    [received] = payers.moved(number)
    assert (received.reference, payers.open_minor(number)) == ("ch_before", 0)


def test_a_refund_that_nobody_here_decided_is_booked_where_its_payment_was(
    payers: Payers, paper: PaperProvider
) -> None:
    number = payers.bill()
    payers.run()
    [request] = payers.requests(number)
    assert request.object_id is not None
    lost = RefundState(
        "re_lost",
        request.object_id,
        RefundStatus.DONE,
        100,
        "EUR",
        BILLED_AT,
        request_key="refund:WL-2026-000099",
    )
    paper.objects[lost.id] = lost
    tell_of_object(payers.connection, STRIPE, PaymentObjectKind.REFUND, lost.id, payers.now)
    payers.run()

    assert payers.open_minor(number) == 100
    assert [each.about for each in payers.moved(number)] == [request.key, request.object_id]


def test_a_refund_of_another_payment_under_our_key_is_not_taken_for_ours(
    payers: Payers, paper: PaperProvider
) -> None:
    number = payers.bill()
    payers.run()
    [note] = payers.credit(number)
    key = f"refund:{note}"
    before = RefundState(
        "re_before", "pi_other", RefundStatus.DONE, 476, "EUR", BILLED_AT, request_key=key
    )
    paper.answers[key] = paper.objects[before.id] = before
    payers.run(hours=3)

    [request] = payers.requests(number, RequestKind.REFUND)
    assert (request.state, request.reason) == (RequestState.FAILED, OTHER_DECISION)
    assert payers.open_minor(number) == -476


def test_nothing_is_booked_ahead_of_now(payers: Payers, paper: PaperProvider) -> None:
    """The provider's clock is a year ahead: what it took stands in this month's books."""
    number = payers.bill()
    before = taken_before(paper, f"collect:{number}:1")
    ahead = before._replace(created_at=payers.now + timedelta(days=365))
    paper.answers[before.request_key] = paper.objects[before.id] = ahead
    payers.run()

    [received] = payers.moved(number)
    assert (received.happened_at, received.period) == (payers.now, f"{payers.now:%Y-%m}")
