"""The fake answers Stripe's own library as Stripe does; so does `localstripe`, where it can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import stripe

from deploy.demo.provider.server import FakeStripe
from ledger.payments.provider import PaymentObjectKind, PaymentWay
from ledger.payments.stripe.provider import StripeProvider
from tests.deploy.demo.provider.provider_cases import CASES, ProviderCase, client_of


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as served:
        yield served


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    asked = [sys.executable, "-W", "ignore", "-m", "tests.deploy.demo.provider.localstripe_server"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_the_fake_does_as_stripe_says(fake: FakeStripe, case: ProviderCase) -> None:
    case.run(client_of(fake.url))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.localstripe], ids=lambda case: case.sentence
)
def test_localstripe_does_the_same(localstripe: str, case: ProviderCase) -> None:
    case.run(client_of(localstripe))


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.localstripe], ids=lambda case: case.sentence
)
def test_what_localstripe_cannot_do_it_still_cannot(localstripe: str, case: ProviderCase) -> None:
    with pytest.raises((AssertionError, AttributeError, stripe.StripeError, pytest.fail.Exception)):
        case.run(client_of(localstripe))


@pytest.mark.parametrize("served", ["fake", "localstripe"])
def test_our_gate_asks_either(served: str, request: pytest.FixtureRequest) -> None:
    """Of what the gate asks `localstripe` knows this: a payment's description it refuses."""
    found = request.getfixturevalue(served)
    url = found.url if isinstance(found, FakeStripe) else found
    with closing(StripeProvider("sk_test_fake", url=url)) as gate:
        customer = gate.add_customer("customer:1", "subject-1")
        asked = gate.set_up("setup:1", customer, PaymentWay.CARD, None)

        assert gate.look_up(PaymentObjectKind.SETUP, asked.id) == asked
        assert (asked.customer_id, asked.is_ready) == (customer, False)
        assert asked.request_key == "setup:1"
