"""Collecting on a real PostgreSQL: each invoice once, what the bank says heeded, too much back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.books.accounts import RECEIVABLE
from ledger.database import connect
from ledger.master_data.policies import Policy
from ledger.payments.collecting import collecting
from ledger.payments.collecting.collecting import NothingToCollectError, collect_now
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.methods import PayingCustomer, ready_methods
from ledger.payments.movement import STRIPE, Allotment, MoneyKind
from ledger.payments.provider import (
    IntentStatus,
    PaymentWay,
    RefusedRequestError,
    UnansweredError,
)
from ledger.payments.recording import record_movement
from ledger.payments.requests import RequestState
from projections.balances.trial import trial_balance
from tests.ledger.payments.collecting.payers import Payers
from tests.ledger.payments.paper_provider import PaperProvider
from tests.ledger.payments.provider_table import fail_with


@pytest.fixture
def paper() -> PaperProvider:
    return PaperProvider()


@pytest.fixture
def payers(database: str, paper: PaperProvider) -> Iterator[Payers]:
    made = Payers(database, paper)
    yield made
    assert trial_balance(made.connection).is_balanced
    made.close()


def test_an_invoice_is_collected_once_its_customer_gave_leave(
    payers: Payers, paper: PaperProvider
) -> None:
    first, other = payers.bill("anna"), payers.bill("bea")
    payers.run()
    assert payers.collection(first) == ("no_method", "")
    payers.method("anna")
    payers.run()

    assert (payers.open_minor(first), payers.open_minor(other)) == (0, 476)
    [received] = payers.moved(first)
    assert received.allotments == (Allotment(RECEIVABLE, 476, "anna", first),)
    assert received.about == f"collect:{first}:1"
    assert received.reference.startswith("ch_")
    assert payers.collection(first) is None
    again = payers.bill("anna")
    payers.run()
    assert payers.open_minor(again) == 0
    assert paper.net_minor() == 952
    assert paper.customers.keys() == {"anna"}


def test_an_invoice_waits_for_the_day_on_which_it_is_due(
    database: str, paper: PaperProvider
) -> None:
    payers = Payers(database, paper, payment_days=14)
    payers.method()
    number = payers.bill()
    payers.run()
    payers.run(days=13)
    assert payers.open_minor(number) == 476
    # The 24th begins in Hamburg an hour before it does in UTC.
    payers.run(hours=9, minutes=1)

    assert payers.open_minor(number) == 0
    payers.close()


def test_a_no_is_asked_again_by_the_policy_and_then_given_up(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method()
    payers.run()
    paper.declines["pm_1"] = "insufficient_funds"
    number = payers.bill()
    payers.run()
    assert payers.collection(number) == ("waiting", "insufficient_funds")
    tries = []
    for day in range(1, 30):
        before = len(payers.requests(number))
        payers.run(days=1)
        tries += [day] * (len(payers.requests(number)) - before)

    assert tries == [3, 8, 15]
    assert payers.collection(number) == ("given_up", "insufficient_funds")
    assert {each.state for each in payers.requests(number)} == {RequestState.FAILED}
    paper.declines.clear()
    payers.method(method="pm_2")
    payers.run()
    assert payers.open_minor(number) == 0


@pytest.mark.parametrize(
    ("reason", "next_goes"),
    [("stolen_card", False), ("authentication_required", True)],
)
def test_what_only_the_customer_can_help_is_asked_of_it(
    payers: Payers, paper: PaperProvider, reason: str, *, next_goes: bool
) -> None:
    payers.method()
    payers.run()
    paper.declines["pm_1"] = reason
    number = payers.bill()
    payers.run()
    payers.run(days=30)
    assert payers.collection(number) == ("asks_customer", reason)
    assert len(payers.requests(number)) == 1
    paper.declines.clear()
    other = payers.bill()
    payers.run()

    assert (payers.open_minor(other) == 0) is next_goes
    payers.method(method="pm_2")
    payers.run()
    assert (payers.open_minor(number), payers.open_minor(other)) == (0, 0)


def test_a_method_that_the_provider_does_not_know_is_not_used_again(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method()
    payers.run()
    paper.before = fail_with(RefusedRequestError("resource_missing", "no such method"), "take")
    number, other = payers.bill(), payers.bill()
    payers.run()

    assert payers.collection(number) == ("asks_customer", "resource_missing")
    payers.run(days=1)
    assert payers.collection(other) is None
    third = payers.bill()
    payers.run()
    assert payers.collection(third) == ("no_method", "")


def test_what_the_provider_refuses_waits_for_a_transfer(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method()
    payers.run()
    paper.before = fail_with(RefusedRequestError("amount_too_small", "0.50"), "take")
    number = payers.bill(wh="100")
    payers.run()
    payers.run(days=30)

    assert payers.collection(number) == ("given_up", "amount_too_small")
    standing = collect_now(payers.connection, STRIPE, number, by="eve", now=payers.now)
    assert standing.state == "under_way"
    payers.run()
    assert payers.open_minor(number) == 0
    assert payers.requests(number)[-1].decided_by == "eve"
    with pytest.raises(NothingToCollectError, match="wattledger payments open"):
        collect_now(payers.connection, STRIPE, number, by="eve", now=payers.now)


def test_a_direct_debit_is_under_way_for_days_and_may_fail_then(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method(way=PaymentWay.SEPA_DEBIT)
    payers.run()
    good, bad = payers.bill(), payers.bill()
    payers.run()
    payers.run(days=3)
    assert payers.collection(good) == ("under_way", "")
    assert payers.open_minor(good) == 476
    for number, status in ((good, IntentStatus.TAKEN), (bad, IntentStatus.NEEDS_METHOD)):
        [request] = payers.requests(number)
        assert request.object_id is not None
        taken = 476 if status is IntentStatus.TAKEN else 0
        paper.objects[request.object_id] = paper.intent(request.object_id)._replace(
            status=status, taken_minor=taken, reason="" if taken else "insufficient_funds"
        )
    payers.run(days=1)

    assert payers.open_minor(good) == 0
    assert payers.moved(good)[0].happened_at == payers.now
    assert payers.collection(bad) == ("waiting", "insufficient_funds")


def test_a_payment_that_was_lost_to_a_dispute_is_not_collected_again_by_itself(
    payers: Payers,
) -> None:
    payers.method()
    payers.run()
    number = payers.bill()
    payers.run()
    [received] = payers.moved(number)
    lost = received._replace(
        kind=MoneyKind.DISPUTE_LOST,
        amount_minor=0,
        allotments=(
            Allotment("disputes:stripe", 476),
            Allotment(RECEIVABLE, -476, "anna", number),
        ),
    )
    record_movement(payers.connection, lost)
    payers.run(days=30)

    assert payers.open_minor(number) == 476
    assert payers.collection(number) is None
    collect_now(payers.connection, STRIPE, number, by="eve", now=payers.now)
    payers.run()
    assert payers.open_minor(number) == 0


def test_a_follower_that_begins_anew_collects_nothing_twice(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method()
    number = payers.bill()
    payers.run()
    payers.credit(payers.bill())
    payers.run(hours=3)
    net_minor = paper.net_minor()
    with connect(payers.dsn) as connection:
        connection.execute("DELETE FROM follower_position")
    payers.run(days=1)

    assert paper.net_minor() == net_minor == 476
    assert payers.open_minor(number) == 0


def test_leave_that_is_asked_for_twice_makes_one_customer(
    payers: Payers, paper: PaperProvider
) -> None:
    paper.after = fail_with(UnansweredError("cut", "cut"), "add_customer", "set_up")
    first = payers.method()
    assert payers.method() == first
    payers.run()
    payers.run(seconds=10)
    payers.run(seconds=10)
    second = payers.method(method="pm_2")
    payers.run()

    assert second != first
    assert [each.state for each in payers.requests("anna")] == [RequestState.DONE] * 2
    assert len(paper.customers) == 1
    rows = payers.connection.execute(
        "SELECT method_id, is_ready FROM payment_method ORDER BY number"
    ).fetchall()
    assert rows == [("pm_1", True), ("pm_2", True)]


def test_days_of_asking_again_are_the_policy_s(payers: Payers, paper: PaperProvider) -> None:
    payers.set_policy(Policy(collect_again_days=()))
    payers.method()
    payers.run()
    paper.declines["pm_1"] = "insufficient_funds"
    number = payers.bill()
    payers.run()

    assert payers.collection(number) == ("given_up", "insufficient_funds")


def test_a_direct_debit_is_charged_in_euros_alone(payers: Payers) -> None:
    payers.method(method="pm_card")
    payers.run()
    payers.method(method="pm_debit", way=PaymentWay.SEPA_DEBIT)
    payers.run()
    who = PayingCustomer(STRIPE, "depot", "anna")

    chosen = {
        currency: ready_methods(payers.connection, [who], currency)[who].method_id
        for currency in ("EUR", "CHF")
    }
    assert chosen == {"EUR": "pm_debit", "CHF": "pm_card"}


def test_what_is_paid_in_part_is_not_asked_for_again_by_itself(
    payers: Payers, paper: PaperProvider
) -> None:
    payers.method(way=PaymentWay.SEPA_DEBIT)
    payers.run()
    number = payers.bill()
    payers.run()
    [request] = payers.requests(number)
    assert request.object_id is not None
    paper.objects[request.object_id] = paper.intent(request.object_id)._replace(
        status=IntentStatus.TAKEN, taken_minor=400
    )
    payers.run(days=2)

    assert payers.open_minor(number) == 76
    assert payers.collection(number) == ("given_up", "open_again")


def test_no_more_is_decided_than_is_asked_soon(
    payers: Payers, paper: PaperProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "AHEAD_MAX", 2)
    monkeypatch.setattr(collecting, "AT_ONCE", 1)
    payers.method()
    payers.run()
    numbers = [payers.bill() for _ in range(4)]
    collector = InvoiceCollector(payers.connection, STRIPE)
    assert collector.run_once(payers.now) > 0
    while collector.run_once(payers.now):
        pass
    assert [len(payers.requests(number)) for number in numbers] == [1, 1, 0, 0]
    payers.run()

    assert {payers.open_minor(number) for number in numbers} == {0}
    assert paper.net_minor() == 4 * 476
