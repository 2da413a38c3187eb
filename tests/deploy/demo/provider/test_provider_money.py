"""The fake's money adds up: what came, what was kept, what went back, and what the bank gets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
import stripe

from deploy.demo.provider.account.store import ProviderTerms
from deploy.demo.provider.faults import Faults, ProviderFault
from deploy.demo.provider.server import FakeStripe
from tests.deploy.demo.provider.provider_cases import LooseApi, client_of, hold, kept_method, take

DAY = timedelta(days=1)


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as served:
        yield served


@pytest.fixture
def client(fake: FakeStripe) -> LooseApi:
    return client_of(fake.url)


def lines(client: LooseApi, payout: str) -> list[tuple[str, int]]:
    """What a payout consists of, the payout itself among it."""
    found = client.v1.balance_transactions.list({"payout": payout, "limit": 1})
    return [(each.type, each.net) for each in found.auto_paging_iter()]


def types(fake: FakeStripe, of: str = "") -> list[str]:
    """The events so far, oldest first."""
    return [each["type"] for each in fake.of("event") if each["type"].startswith(of)]


def test_a_payout_is_charge_less_fee_less_refund_less_dispute(
    fake: FakeStripe, client: LooseApi
) -> None:
    first, second = take(client, amount=10_000), take(client, amount=5_000)
    client.v1.refunds.create({"payment_intent": first.id, "amount": 2_500})
    fake.open_dispute(second.id)

    [payout] = fake.pay_out()

    assert payout["amount"] == 10_000 - 175 + 5_000 - 100 - 2_500 - 5_000 - 1_500
    assert lines(client, payout["id"]) == [
        ("payout", -5_725),
        ("adjustment", -6_500),
        ("refund", -2_500),
        ("charge", 4_900),
        ("charge", 9_825),
    ]
    assert fake.total_minor() == 0
    assert fake.pay_out() == []


def test_what_is_not_settled_yet_is_paid_out_later() -> None:
    with FakeStripe(terms=ProviderTerms(settles_after=7 * DAY)) as slow:
        take(client_of(slow.url), amount=10_000)
        assert slow.pay_out() == []
        slow.pass_time(7 * DAY)

        [payout] = slow.pay_out()
        assert payout["amount"] == 9_825


def test_a_payout_below_0_is_taken_from_the_bank(fake: FakeStripe, client: LooseApi) -> None:
    made = take(client, amount=1_000)
    fake.pay_out()
    client.v1.refunds.create({"payment_intent": made.id})

    [payout] = fake.pay_out()
    assert payout["amount"] == -1_000


def test_a_payout_that_comes_back_goes_into_the_next(fake: FakeStripe, client: LooseApi) -> None:
    take(client, amount=10_000)
    [first] = fake.pay_out()
    fake.faults.plan(ProviderFault.PAYOUT_FAILS)
    fake.pass_time(2 * DAY)

    assert client.v1.payouts.retrieve(first["id"]).status == "failed"
    [second] = fake.pay_out()
    assert lines(client, second["id"]) == [("payout", -9_825), ("payout_failure", 9_825)]
    fake.pass_time(2 * DAY)
    assert types(fake, "payout.") == [
        "payout.created",
        "payout.reconciliation_completed",
        "payout.failed",
        "payout.created",
        "payout.reconciliation_completed",
        "payout.paid",
    ]


def test_a_dispute_that_is_won_gives_the_money_back(fake: FakeStripe, client: LooseApi) -> None:
    made = take(client, "pm_card_createDispute", amount=10_000)
    [dispute] = client.v1.disputes.list({"payment_intent": made.id}).data
    assert (dispute.status, dispute.balance_transactions[0].net) == ("needs_response", -11_500)

    client.v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True}
    )

    assert client.v1.disputes.retrieve(dispute.id).status == "won"
    assert fake.total_minor() == 9_825 - 1_500
    assert types(fake, "charge.dispute") == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]


def test_an_inquiry_moves_no_money_until_it_is_escalated(
    fake: FakeStripe, client: LooseApi
) -> None:
    made = take(client, "pm_card_createDisputeInquiry", amount=10_000)
    [inquiry] = client.v1.disputes.list({"payment_intent": made.id}).data
    assert (inquiry.status, fake.total_minor()) == ("warning_needs_response", 9_825)

    fake.escalate(inquiry.id)
    client.v1.disputes.close(inquiry.id)

    assert client.v1.disputes.retrieve(inquiry.id).status == "lost"
    assert fake.total_minor() == 9_825 - 11_500


def test_what_is_charged_back_is_not_refunded_too(fake: FakeStripe, client: LooseApi) -> None:
    made = take(client)
    fake.open_dispute(made.id, amount=100)

    with pytest.raises(stripe.InvalidRequestError) as said:
        client.v1.refunds.create({"payment_intent": made.id})
    assert said.value.code == "charge_disputed"


@pytest.mark.parametrize(
    ("token", "status", "settled", "total"),
    [
        pytest.param("pm_success_de", "processing", "succeeded", 9_825, id="it comes"),
        pytest.param("pm_failed_de", "processing", "requires_payment_method", 0, id="it fails"),
        pytest.param("pm_disputed_de", "processing", "succeeded", -1_675, id="it is taken back"),
    ],
)
def test_a_debit_ends_after_days(
    fake: FakeStripe, client: LooseApi, token: str, status: str, settled: str, total: int
) -> None:
    agreed = {"customer_acceptance": {"type": "offline"}}
    made = client.v1.payment_intents.create(
        {"amount": 10_000, "currency": "eur", "payment_method": token, "confirm": True}
        | {"payment_method_types": ["sepa_debit"], "mandate_data": agreed}
    )
    assert (made.status, fake.total_minor()) == (status, 0)

    fake.pass_time(5 * DAY)

    assert client.v1.payment_intents.retrieve(made.id).status == settled
    assert fake.total_minor() == total


def test_a_hold_moves_no_money_and_expires(fake: FakeStripe, client: LooseApi) -> None:
    held = hold(client)
    fake.pass_time(7 * DAY)

    found = client.v1.payment_intents.retrieve(held.id)
    assert (found.status, found.cancellation_reason) == ("canceled", "automatic")
    assert fake.total_minor() == 0
    assert types(fake, "payment_intent.")[-1] == "payment_intent.canceled"


def test_what_a_capture_lets_go_of_is_a_refund_that_moves_nothing(
    fake: FakeStripe, client: LooseApi
) -> None:
    held = hold(client, amount=10_000)
    client.v1.payment_intents.capture(held.id, {"amount_to_capture": 4_000})

    [released] = client.v1.refunds.list({"payment_intent": held.id}).data
    assert (released.amount, released.balance_transaction) == (6_000, None)
    assert fake.total_minor() == 4_000 - 85
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": held.id, "amount": 4_001})


@pytest.mark.parametrize(
    ("token", "before", "after", "total"),
    [
        pytest.param("pm_card_pendingRefund", "pending", "succeeded", -175, id="late"),
        pytest.param("pm_card_refundFail", "succeeded", "failed", 9_825, id="it comes back"),
    ],
)
def test_a_refund_becomes_something_later(
    fake: FakeStripe, client: LooseApi, token: str, before: str, after: str, total: int
) -> None:
    made = take(client, token, amount=10_000)
    refund = client.v1.refunds.create({"payment_intent": made.id})
    assert (refund.status, fake.total_minor()) == (before, -175)

    fake.pass_time(5 * DAY)

    assert client.v1.refunds.retrieve(refund.id).status == after
    assert fake.total_minor() == total


def test_the_payers_device_goes_on_with_its_secret(fake: FakeStripe, client: LooseApi) -> None:
    made = client.v1.payment_intents.create({"amount": 500, "currency": "eur"})
    device = client_of(fake.url, "pk_test_fake")
    with pytest.raises(stripe.AuthenticationError):
        device.v1.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.AuthenticationError):
        device.v1.payment_intents.list({})

    told = fake.confirm(made.id, "pm_card_threeDSecure2Required")

    assert told["status"] == "succeeded"
    other = client.v1.payment_intents.create({"amount": 500, "currency": "eur"})
    assert fake.confirm(other.id, "pm_card_threeDSecure2Required", agrees=False)["status"] == (
        "requires_payment_method"
    )


def test_a_card_that_was_set_up_is_not_asked_for_again(fake: FakeStripe, client: LooseApi) -> None:
    customer = client.v1.customers.create({})
    leave = client.v1.setup_intents.create({"customer": customer.id})
    with pytest.raises(stripe.CardError):
        take(client, "pm_card_authenticationRequiredOnSetup")

    asked = {"payment_method": "pm_card_authenticationRequiredOnSetup"}
    assert client.v1.setup_intents.confirm(leave.id, asked).status == "requires_action"
    given = fake.confirm(leave.id)

    assert given["status"] == "succeeded"
    paid = client.v1.payment_intents.create(
        {"amount": 1234, "currency": "eur", "customer": customer.id, "confirm": True}
        | {"payment_method": given["payment_method"], "off_session": True}
    )
    assert paid.status == "succeeded"


def test_a_leave_that_is_refused_holds_for_nothing(fake: FakeStripe, client: LooseApi) -> None:
    customer = client.v1.customers.create({})
    leave = client.v1.setup_intents.create({"customer": customer.id})

    told = fake.confirm(leave.id, "pm_card_authenticationRequired", agrees=False)

    assert (told["status"], told["payment_method"]) == ("requires_payment_method", None)
    assert client.v1.payment_methods.list({"customer": customer.id}).data == []


def test_what_is_detached_is_not_charged(client: LooseApi) -> None:
    customer, method = kept_method(client)
    client.v1.payment_methods.detach(method)

    with pytest.raises(stripe.StripeError):
        client.v1.payment_intents.create(
            {"amount": 1234, "currency": "eur", "customer": customer, "confirm": True}
            | {"payment_method": method, "off_session": True}
        )


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_money_adds_up(seed: int) -> None:
    chance = random.Random(seed)
    chances = {ProviderFault.REFUND_FAILS: 0.3, ProviderFault.PAYOUT_FAILS: 0.3}
    with FakeStripe(faults=Faults(seed, chances)) as fake:
        client = client_of(fake.url)
        acts: dict[str, LooseApi] = {
            "take": lambda: take(client, amount=chance.randint(50, 9_999)),
            "refund": lambda: client.v1.refunds.create(
                {"charge": chance.choice(fake.of("charge"))["id"], "amount": chance.randint(1, 999)}
            ),
            "dispute": lambda: fake.open_dispute(chance.choice(fake.of("charge"))["id"]),
            "settle": lambda: client.v1.disputes.update(
                chance.choice(fake.of("dispute"))["id"],
                {
                    "evidence": {
                        "uncategorized_text": chance.choice(["winning_evidence", "losing_evidence"])
                    }
                },
            ),
            "pay out": fake.pay_out,
            "wait": lambda: fake.pass_time(chance.randint(0, 4) * DAY),
        }
        for _ in range(60):
            try:
                acts[chance.choice([*acts])]()
            except (stripe.InvalidRequestError, IndexError):
                continue

        charges, refunds = fake.of("charge"), fake.of("refund")
        paid = [each for each in fake.of("payout") if each["status"] != "failed"]
        moved = [each for dispute in fake.of("dispute") for each in dispute["balance_transactions"]]
        fees = sum(fake.account.terms.fee(each["amount"]) for each in charges)
        gone = sum(each["amount"] for each in refunds if each["status"] != "failed")
        got = sum(each["amount"] for each in charges) - fees - gone
        rest = got + sum(each["net"] for each in moved) - sum(each["amount"] for each in paid)
        assert fake.total_minor() == rest
        for payout in fake.of("payout"):
            assert sum(net for _, net in lines(client, payout["id"])) == 0
