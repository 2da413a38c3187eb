"""What was settled with a top-up that a bank took back is owed again, and goes to no balance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import DisputeState, DisputeStatus, PaymentObjectKind
from ledger.payments.requests import RequestKind
from projections.balances.trial import trial_balance
from projections.replay.comparison import Comparison
from projections.replay.invoices import InvoiceComparison
from tests.ledger.payments.paper_provider import PaperProvider
from tests.ledger.payments.topping_up.raising import Raising


@pytest.fixture
def paper() -> PaperProvider:
    return PaperProvider()


@pytest.fixture
def owing(database: str, paper: PaperProvider) -> Iterator[Raising]:
    made = Raising(database, paper)
    made.method()
    made.run()
    yield made
    assert trial_balance(made.connection).is_balanced
    assert otherwise(made) == [], "a replay settles the same"
    made.close()


def otherwise(owing: Raising) -> list[Comparison]:
    with InvoiceComparison(owing.dsn, "books") as comparison:
        return [each for each in comparison.compare() if each.kept != each.again]


def top_up(owing: Raising, minor: int, reference: str) -> str:
    """Raise the balance; return the payment."""
    owing.top_up(minor, reference)
    owing.run()
    intent = owing.requests("anna", RequestKind.TOP_UP)[-1].object_id
    assert intent is not None
    return intent


def lose(
    owing: Raising, paper: PaperProvider, intent: str, minor: int, *, comes_back: bool = False
) -> None:
    """Have a payment disputed, and that lost; *comes_back*: the money comes back after all."""
    dispute_id = f"dp_{intent}"
    lost = DisputeState(dispute_id, intent, DisputeStatus.LOST, minor, "EUR", owing.now, minor)
    paper.objects[dispute_id] = lost._replace(given_back_minor=minor if comes_back else 0)
    tell_of_object(owing.connection, STRIPE, PaymentObjectKind.DISPUTE, dispute_id, owing.now)
    owing.run(hours=1)


@pytest.mark.parametrize("wh", ["0", "5000"], ids=["nothing is owed any more", "half of it is"])
def test_a_credit_note_takes_it_off_what_is_owed_and_raises_no_balance(
    owing: Raising, paper: PaperProvider, wh: str
) -> None:
    intent = top_up(owing, 1_000, "a")
    invoice = owing.bill()
    owing.run()
    lose(owing, paper, intent, 1_000)
    assert (owing.balance(), owing.open_minor(invoice)) == (0, 476)

    _, *again = owing.credit(invoice, wh)

    assert (owing.balance(), owing.open_minor(invoice)) == (0, 0)
    assert [owing.open_minor(each) for each in again] == ([238] if wh == "5000" else [])


def test_what_was_lost_after_the_credit_note_was_given_back_by_it(
    owing: Raising, paper: PaperProvider
) -> None:
    intent = top_up(owing, 1_000, "a")
    invoice = owing.bill()
    owing.credit(invoice)
    assert owing.balance() == 1_000

    lose(owing, paper, intent, 1_000)

    assert (owing.balance(), owing.open_minor(invoice)) == (0, 0)


def test_what_came_back_after_all_is_given_back_to_the_balance(
    owing: Raising, paper: PaperProvider
) -> None:
    intent = top_up(owing, 400, "a")
    invoice = owing.bill()
    owing.run()
    lose(owing, paper, intent, 400)
    assert owing.open_minor(invoice) == 400
    lose(owing, paper, intent, 400, comes_back=True)
    assert owing.open_minor(invoice) == 0

    owing.credit(invoice)

    assert (owing.balance(), owing.open_minor(invoice)) == (400, -76)


def test_a_card_that_paid_the_rest_gets_that_back_and_the_balance_nothing(
    owing: Raising, paper: PaperProvider
) -> None:
    intent = top_up(owing, 200, "a")
    invoice = owing.bill()
    owing.run()
    assert owing.open_minor(invoice) == 0, "2.76 were taken from the card"
    lose(owing, paper, intent, 200)
    assert owing.open_minor(invoice) == 200

    owing.credit(invoice)
    owing.run(hours=3)

    assert (owing.balance(), owing.open_minor(invoice)) == (0, 0)
    [refund] = owing.requests(invoice, RequestKind.REFUND)
    assert refund.amount_minor == 276


def test_no_invoice_is_owed_again_by_more_than_was_settled_of_it(
    owing: Raising, paper: PaperProvider
) -> None:
    first = top_up(owing, 200, "a")
    older = owing.bill()
    owing.run()
    second = top_up(owing, 300, "b")
    newer = owing.bill()
    owing.run()
    assert (owing.open_minor(older), owing.open_minor(newer)) == (0, 0)

    lose(owing, paper, second, 300)
    lose(owing, paper, first, 200)

    assert (owing.open_minor(older), owing.open_minor(newer)) == (200, 300)
