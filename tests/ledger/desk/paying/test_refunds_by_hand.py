"""What people decide about money by card, on a real PostgreSQL: never more, never alone above."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from ledger.desk.customers.prepaying import UnknownCustomerError
from ledger.desk.paying.giving_back import (
    NothingToGiveBackError,
    SameProposerError,
    TooMuchToGiveBackError,
    give_back,
    withdraw_refund,
)
from ledger.desk.paying.leave import LeaveWish, ask_leave
from ledger.desk.withdrawing.withdrawn import (
    About,
    NoReasonError,
    NotProposedError,
    Withdrawal,
    withdrawn_of,
)
from ledger.master_data.policies import Policy
from ledger.payments.movement import STRIPE
from ledger.payments.provider import PaymentWay, RefusedRequestError
from ledger.payments.requests import RequestKind, RequestState
from ledger.persons.holders import customer_holder
from ledger.persons.store import find_or_make
from tests.ledger.payments.collecting.payers import Payers
from tests.ledger.payments.paper_provider import PaperProvider
from tests.ledger.payments.provider_table import fail_with


@pytest.fixture
def paper() -> PaperProvider:
    return PaperProvider()


@pytest.fixture
def payers(database: str, paper: PaperProvider) -> Iterator[Payers]:
    made = Payers(database, paper)
    made.method()
    made.run()
    yield made
    made.close()


@pytest.fixture
def unreturned(payers: Payers, paper: PaperProvider) -> str:
    """The number of an invoice of 4.76 that was paid and credited, and whose refund failed."""
    number = payers.bill()
    payers.run()
    paper.before = fail_with(RefusedRequestError("insufficient_balance", "no money"), "refund")
    payers.credit(number)
    payers.run(hours=3)
    [refund] = payers.requests(number, RequestKind.REFUND)
    assert (refund.state, refund.reason) == (RequestState.FAILED, "insufficient_balance")
    assert payers.open_minor(number) == -476
    return number


def give(payers: Payers, number: str, amount: str | None = None, by: str = "eve") -> list[str]:
    wanted = None if amount is None else Decimal(amount)
    given = give_back(payers.connection, STRIPE, number, wanted, by=by, at=payers.now)
    assert given.waits is not bool(given.keys)
    payers.run(minutes=1)
    return list(given.keys)


def test_what_did_not_reach_the_payer_is_sent_again_by_a_person(
    payers: Payers, paper: PaperProvider, unreturned: str
) -> None:
    assert give(payers, unreturned, "1.76") == [f"refund:hand:{unreturned}:2"]
    assert payers.open_minor(unreturned) == -300
    with pytest.raises(TooMuchToGiveBackError, match=r"at most 3\.00 EUR .* `wattledger credit`"):
        give(payers, unreturned, "3.01")
    assert give(payers, unreturned) == [f"refund:hand:{unreturned}:3"]

    assert payers.open_minor(unreturned) == 0
    assert paper.net_minor() == 0
    assert payers.requests(unreturned, RequestKind.REFUND)[-1].decided_by == "eve"
    with pytest.raises(NothingToGiveBackError, match="wattledger credit"):
        give(payers, unreturned)


def test_what_is_paid_and_owed_is_not_given_back(payers: Payers) -> None:
    number = payers.bill()
    payers.run()

    for invoice in (number, "WL-2026-999999"):
        with pytest.raises(NothingToGiveBackError):
            give(payers, invoice, "1.00")
    assert payers.open_minor(number) == 0


def test_above_the_limit_a_second_person_says_the_same(
    payers: Payers, paper: PaperProvider, unreturned: str
) -> None:
    payers.set_policy(Policy(payment_approval_above=Decimal("4.75")))

    assert give(payers, unreturned) == []
    with pytest.raises(SameProposerError, match="eve proposed"):
        give(payers, unreturned, by="EVE")
    assert paper.net_minor() == 476
    assert give(payers, unreturned, by="mallory") != []
    assert paper.net_minor() == 0


def test_a_proposed_refund_is_withdrawn_or_replaced_and_stays_on_record(
    payers: Payers, paper: PaperProvider, unreturned: str
) -> None:
    payers.set_policy(Policy(payment_approval_above=Decimal("4.75")))
    connection, how = payers.connection, Withdrawal("bob", "sent by hand", payers.now)

    assert give(payers, unreturned) == []
    assert give(payers, unreturned, "3.00", by="bob") == []
    withdraw_refund(connection, unreturned, how)
    with pytest.raises(NotProposedError):
        withdraw_refund(connection, unreturned, how)
    with pytest.raises(NoReasonError):
        withdraw_refund(connection, unreturned, how._replace(because=""))

    assert [
        (each.proposed_by, each.moved_minor, each.currency, each.withdrawn_by, each.choice)
        for each in withdrawn_of(connection, About.REFUND, unreturned)
    ] == [("bob", -300, "EUR", "bob", "refund"), ("eve", -476, "EUR", "bob", "refund")]
    assert give(payers, unreturned, by="mallory") == []
    assert paper.net_minor() == 476
    assert give(payers, unreturned) != []
    assert paper.net_minor() == 0


@pytest.mark.parametrize(
    ("limit", "takes_two"),
    [({"EUR": "4.76"}, False), ({"EUR": "4.75"}, True), ({"SEK": "1000"}, True)],
)
def test_the_limit_is_that_of_its_currency_and_nothing_where_none_is_named(
    payers: Payers, unreturned: str, limit: dict[str, str], *, takes_two: bool
) -> None:
    by_currency = {currency: Decimal(amount) for currency, amount in limit.items()}
    payers.set_policy(Policy(payment_approval_above=by_currency))

    assert (give(payers, unreturned) == []) is takes_two


def test_part_by_part_one_person_gives_no_more(payers: Payers, unreturned: str) -> None:
    payers.set_policy(Policy(payment_approval_above=Decimal("4.75")))

    assert give(payers, unreturned, "0.01") == []
    assert give(payers, unreturned, "4.75") == []
    assert give(payers, unreturned, "4.75", by="mallory") != []
    assert give(payers, unreturned, "0.01") != []


def test_another_amount_is_another_proposal(payers: Payers, unreturned: str) -> None:
    payers.set_policy(Policy(payment_approval_above=Decimal(1)))

    assert give(payers, unreturned, "4.00") == []
    assert give(payers, unreturned, "4.01", by="mallory") == []
    assert give(payers, unreturned, "4.01") != []
    assert payers.open_minor(unreturned) == -75
    assert give(payers, unreturned, "0.75") != []


def test_what_failed_and_was_sent_again_stands_in_no_later_refund_s_way(
    payers: Payers, paper: PaperProvider
) -> None:
    number = payers.bill()
    payers.run()
    paper.before = fail_with(RefusedRequestError("insufficient_balance", "no money"), "refund")
    note, again = payers.credit(number, "5000")
    payers.run(hours=3)
    assert note != again
    give(payers, number)
    payers.credit(again)
    payers.run(hours=3)

    assert (payers.open_minor(number), payers.open_minor(again)) == (0, 0)
    assert paper.net_minor() == 0


def test_leave_is_asked_of_customers_that_there_are(payers: Payers) -> None:
    holder = customer_holder("fleet-ag")
    with payers.connection.transaction():
        find_or_make(payers.connection, [holder])
    wish = LeaveWish("fleet-ag", "depot", PaymentWay.CARD)
    with pytest.raises(UnknownCustomerError):
        ask_leave(payers.connection, STRIPE, wish, by="eve", at=payers.now)
    with pytest.raises(UnknownCustomerError):
        ask_leave(payers.connection, STRIPE, wish._replace(customer="x"), by="eve", at=payers.now)
