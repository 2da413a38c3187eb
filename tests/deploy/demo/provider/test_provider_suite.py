"""The fake answers Stripe's own library as Stripe does; so does `localstripe`, where it can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import stripe

from deploy.demo.provider.server import FakeStripe
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
