"""What we ask Stripe, and what the fake answers, judged by Stripe's OpenAPI.

`make outside` runs it; it wants Go, which builds Stripe's mock once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

import msgspec
import pytest
import stripe

from deploy.demo.provider.server import FakeStripe
from ledger.payments.provider import (
    PaymentObjectKind,
    PaymentProvider,
    PaymentWay,
    RefusedRequestError,
    WantedIntent,
)
from ledger.payments.stripe.calls import StripeCalls
from ledger.payments.stripe.connections import KeptConnections
from ledger.payments.stripe.provider import StripeProvider
from tests.deploy.demo.provider.provider_cases import LooseApi, client_of, hold, take
from tests.outside.payments.stripe_mock import faults_of, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SINCE = datetime.now(UTC) - timedelta(days=1)
DAYS = timedelta(days=8)


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    if shutil.which("go") is None:
        pytest.skip("requests are judged by a tool that Go builds: apt-get install golang")
    with serving() as url:
        yield url


def wanted(**more: LooseApi) -> WantedIntent:
    """Return a payment to be asked for."""
    return WantedIntent(
        key="collect:INV-1:1", amount_minor=1234, currency="EUR", description="INV-1"
    )._replace(**more)


def looked_up(our: StripeProvider, kind: PaymentObjectKind) -> object:
    return our.look_up(kind, "xx_1")


def found(our: StripeProvider, kind: PaymentObjectKind) -> object:
    return our.find(kind, "key", SINCE)


ASKED: dict[str, Callable[[StripeProvider], object]] = {
    "a customer": lambda our: our.add_customer("customer:1", "subject-1"),
    "leave by a card": lambda our: our.set_up("s:1", "cus_1", PaymentWay.CARD, None),
    "leave at once": lambda our: our.set_up("s:2", "cus_1", PaymentWay.CARD, "pm_1"),
    "leave to debit": lambda our: our.set_up("s:3", "cus_1", PaymentWay.SEPA_DEBIT, "pm_1"),
    "a payment": lambda our: our.take(wanted()),
    "a payment by a card on file": lambda our: our.take(
        wanted(customer_id="cus_1", method_id="pm_1", way=PaymentWay.CARD)
    ),
    "a debit": lambda our: our.take(
        wanted(customer_id="cus_1", method_id="pm_1", way=PaymentWay.SEPA_DEBIT)
    ),
    "a hold": lambda our: our.take(wanted(holds=True)),
    "a higher hold": lambda our: our.raise_hold("raise:1", "pi_1", 2000),
    "a capture": lambda our: our.capture("capture:1", "pi_1", 700),
    "an end": lambda our: our.cancel("release:1", "pi_1"),
    "a refund": lambda our: our.refund("refund:1", "pi_1", 500),
    **{f"to look at: {kind}": partial(looked_up, kind=kind) for kind in PaymentObjectKind},
    **{f"to find: {kind}": partial(found, kind=kind) for kind in PaymentObjectKind},
    "whose charge": lambda our: our.intent_of_charge("ch_1"),
    "payouts": lambda our: list(our.payouts(SINCE)),
    "lines of a payout": lambda our: list(our.balance_lines("po_1")),
    "lines of the balance": lambda our: list(our.balance_lines_since(SINCE)),
    "events": lambda our: list(our.events(SINCE)),
}


@pytest.mark.parametrize("asked", ASKED)
def test_stripe_would_take_what_we_ask(mock: str, asked: str) -> None:
    with closing(StripeProvider("sk_test_123", url=mock)) as our:
        ASKED[asked](our)


class Asked:
    """A gate that only notes what of it is asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., list[object]]:
        self.names.add(name)
        return lambda *_, **__: []


def test_everything_is_asked_that_the_port_has() -> None:
    asked = Asked()
    for ask in ASKED.values():
        ask(cast("StripeProvider", asked))

    port = {name for name in vars(PaymentProvider) if not name.startswith("_")}
    assert asked.names == port - {"name"}


def test_the_mock_refuses_what_stripe_would(mock: str) -> None:
    with closing(KeptConnections(mock)) as connections:
        calls = StripeCalls("sk_test_123", connections, mock)
        for wrong in ({"amount": 1234, "colour": "red"}, {"amount": "much"}, {}):
            with pytest.raises(RefusedRequestError):
                calls.post("/v1/payment_intents", "key", currency="eur", **wrong)


def played(fake: FakeStripe) -> None:
    """Have everything happen that the fake knows of."""
    client = client_of(fake.url)
    made = take(client, amount=10_000)
    client.v1.refunds.create({"payment_intent": made.id, "amount": 100})
    client.v1.payment_intents.capture(hold(client).id, {"amount_to_capture": 700})
    client.v1.payment_intents.cancel(hold(client).id)
    hold(client)
    for token in ("chargeCustomerFail", "authenticationRequired", "createDispute", "refundFail"):
        with suppress(stripe.CardError, stripe.InvalidRequestError):
            paid = take(client, f"pm_card_{token}", amount=10_000)
            client.v1.refunds.create({"payment_intent": paid.id})
    agreed = {"customer_acceptance": {"type": "offline"}}
    for token in ("success", "failed", "disputed"):
        client.v1.payment_intents.create(
            {"amount": 500, "currency": "eur", "payment_method": f"pm_{token}_de"}
            | {"confirm": True, "payment_method_types": ["sepa_debit"], "mandate_data": agreed}
        )
    customer = client.v1.customers.create({"description": "subject-1"})
    for token in ("pm_card_visa", "pm_card_authenticationRequired", "pm_card_chargeDeclined"):
        asked = {"customer": customer.id, "payment_method": token, "confirm": True}
        with suppress(stripe.CardError):
            client.v1.setup_intents.create(asked)
    fake.settle_dispute(fake.open_dispute(made.id, amount=500)["id"], won=True)
    fake.open_dispute(made.id, amount=500, is_inquiry=True)
    fake.pay_out()
    fake.pass_time(DAYS)
    fake.fail_payout(fake.pay_out()[0]["id"])


KINDS = (
    *("customer", "payment_method", "setup_intent", "mandate", "payment_intent", "charge"),
    *("refund", "dispute", "payout", "balance_transaction", "event"),
)


def test_the_fake_answers_in_the_shapes_of_stripes_openapi() -> None:
    with FakeStripe() as fake:
        played(fake)
        found = {kind: msgspec.json.decode(msgspec.json.encode(fake.of(kind))) for kind in KINDS}

    assert [kind for kind in KINDS if not found[kind]] == []
    faults = {fault for kind in KINDS for each in found[kind] for fault in faults_of(kind, each)}
    assert sorted(faults) == []
