"""Giving back on a real PostgreSQL: what was credited, or paid twice, once and to whom it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.books.accounts import RECEIVABLE
from ledger.payments.collecting.collecting import collect_now
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE, Allotment, MoneyKind, MoneyMovement
from ledger.payments.provider import (
    IntentStatus,
    PaymentObjectKind,
    PaymentWay,
    RefundState,
    RefundStatus,
)
from ledger.payments.recording import record_movement
from ledger.payments.requests import RequestKind, RequestState
from projections.balances.trial import trial_balance
from tests.ledger.payments.collecting.payers import Payers
from tests.ledger.payments.paper_provider import PaperProvider


@pytest.fixture
def paper() -> PaperProvider:
    return PaperProvider()


@pytest.fixture
def payers(database: str, paper: PaperProvider) -> Iterator[Payers]:
    made = Payers(database, paper)
    yield made
    assert trial_balance(made.connection).is_balanced
    made.close()


def test_a_credit_note_over_what_was_paid_is_given_back_once(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method()
    payers.run()
    number = payers.bill()
    payers.run()
    note, again = payers.credit(number, "5000")
    payers.run(hours=3)
    payers.run(days=1)

    assert (payers.open_minor(number), payers.open_minor(again)) == (0, 0)
    received, refunded = payers.moved(number)
    assert (received.amount_minor, refunded.amount_minor) == (476, -476)
    assert refunded.about == f"refund:{note}"
    [request] = payers.requests(number, RequestKind.REFUND)
    assert request.body == {"intent": payers.requests(number)[0].object_id, "note": note}
    assert paper.net_minor() == 238


def test_what_was_credited_or_paid_on_the_way_is_given_back(
    payers: Payers, paper: PaperProvider
) -> None:
    """A debit is on its way for days: a note over the whole, or a transfer, comes before it."""
    payers.method(way=PaymentWay.SEPA_DEBIT)
    payers.run()
    credited, transferred = payers.bill(), payers.bill()
    payers.run()
    payers.credit(credited)
    record_movement(payers.connection, transfer(payers, transferred))
    payers.run(hours=3)
    for number in (credited, transferred):
        [request] = payers.requests(number)
        assert request.object_id is not None
        paper.objects[request.object_id] = paper.intent(request.object_id)._replace(
            status=IntentStatus.TAKEN, taken_minor=476
        )
    payers.run(days=2)

    assert (payers.open_minor(credited), payers.open_minor(transferred)) == (0, 0)
    assert paper.net_minor() == 0


def transfer(payers: Payers, number: str) -> MoneyMovement:
    """Return that the invoice was paid by a transfer."""
    return MoneyMovement(
        kind=MoneyKind.BANKED,
        source="bank:DE1",
        reference=number,
        legal_entity="depot",
        currency="EUR",
        amount_minor=476,
        allotments=(Allotment(RECEIVABLE, 476, "anna", number),),
        happened_at=payers.now,
        recorded_by="a test",
    )


def test_a_refund_that_comes_back_is_not_sent_again_by_itself(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method()
    payers.run()
    number = payers.bill()
    payers.run()
    payers.credit(number)
    payers.run(hours=3)
    [request] = payers.requests(number, RequestKind.REFUND)
    assert request.object_id is not None
    refund = paper.objects[request.object_id]
    assert isinstance(refund, RefundState)
    paper.objects[refund.id] = refund._replace(status=RefundStatus.FAILED, reason="lost_card")
    for _ in range(2):
        tell_of_object(payers.connection, STRIPE, PaymentObjectKind.REFUND, refund.id, payers.now)
        payers.run(days=1)

    assert payers.open_minor(number) == -476
    assert [each.kind.value for each in payers.moved(number)] == [
        "received",
        "refunded",
        "refund_failed",
    ]
    [request] = payers.requests(number, RequestKind.REFUND)
    assert (request.state, request.reason) == (RequestState.FAILED, "lost_card")
    assert paper.net_minor() == 476


def test_a_refund_by_hand_at_the_provider_is_booked_and_not_made_again(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method()
    payers.run()
    number = payers.bill()
    payers.run()
    intent_id = payers.requests(number)[0].object_id
    assert intent_id is not None
    paper.objects["re_hand"] = RefundState(
        "re_hand", intent_id, RefundStatus.DONE, 400, "EUR", payers.now
    )
    tell_of_object(payers.connection, STRIPE, PaymentObjectKind.REFUND, "re_hand", payers.now)
    payers.run()
    assert payers.open_minor(number) == 400
    payers.credit(number)
    payers.run(hours=3)
    payers.run(days=30)

    assert payers.open_minor(number) == 0
    assert [each.amount_minor for each in payers.moved(number)] == [476, -400, -76]
    assert paper.net_minor() == 0


def test_what_several_payments_paid_goes_back_to_each(payers: Payers, paper: PaperProvider) -> None:
    payers.method(way=PaymentWay.SEPA_DEBIT)
    payers.run()
    number = payers.bill()
    payers.run()
    [first] = payers.requests(number)
    assert first.object_id is not None
    paper.objects[first.object_id] = paper.intent(first.object_id)._replace(
        status=IntentStatus.TAKEN, taken_minor=400
    )
    payers.run(days=2)
    payers.method(method="pm_2")
    payers.run()
    collect_now(payers.connection, STRIPE, number, by="eve", now=payers.now)
    payers.run()
    assert payers.open_minor(number) == 0
    [note] = payers.credit(number)
    payers.run(hours=3)

    refunds = payers.requests(number, RequestKind.REFUND)
    assert sorted((each.key, each.amount_minor) for each in refunds) == [
        (f"refund:{note}", 400),
        (f"refund:{note}:2", 76),
    ]
    assert (payers.open_minor(number), paper.net_minor()) == (0, 0)
