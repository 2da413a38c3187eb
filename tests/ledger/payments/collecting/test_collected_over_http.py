"""Whatever goes wrong between us and the provider, over real HTTP: paid once, given back once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import pytest

from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.server import FakeStripe
from ledger.payments.stripe.provider import StripeProvider
from tests.ledger.payments.collecting.payers import BILLED_AT, Payers

HOURS_MAX = {
    ProviderFault.THROTTLED: 2,
    ProviderFault.FAILED_BEFORE: 2,
    ProviderFault.FAILED_AFTER: 2,
    # For as long as the provider says the same of the key; then what bears the key is looked for.
    ProviderFault.FAILED_FOR_GOOD: 24,
    ProviderFault.CUT_BEFORE: 2,
    ProviderFault.CUT_AFTER: 2,
    ProviderFault.DELAYED: 0,
}
"""After how long at most all is well again that met with each."""
DECLINED_HOURS_MAX = 80


class SlowClock:
    """The provider's, which is an hour behind ours."""

    def __init__(self) -> None:
        self.at = BILLED_AT

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> SlowClock:
    return SlowClock()


@pytest.fixture
def fake(clock: SlowClock) -> Iterator[FakeStripe]:
    with FakeStripe(now=clock.now) as served:
        yield served


@pytest.fixture
def payers(database: str, fake: FakeStripe) -> Iterator[Payers]:
    with (
        closing(StripeProvider("sk_test_fake", url=fake.url)) as provider,
        closing(Payers(database, provider)) as made,
    ):
        made.method(method="pm_card_visa")
        made.run()
        yield made


def run_until_settled(payers: Payers, clock: SlowClock, number: str, hours_max: int) -> bool:
    """Let hours pass until nothing is open of an invoice; say whether it came to that."""
    for _ in range(hours_max):
        if not payers.open_minor(number):
            break
        clock.at = payers.now
        payers.run(hours=1)
    return not payers.open_minor(number)


def test_each_invoice_is_paid_once(payers: Payers, fake: FakeStripe, clock: SlowClock) -> None:
    faults = HOURS_MAX | {ProviderFault.DECLINED: DECLINED_HOURS_MAX}
    for count, (fault, hours_max) in enumerate(faults.items(), 1):
        number = payers.bill()
        fake.faults.plan(fault, path="/v1/payment_intents")
        payers.run()

        assert run_until_settled(payers, clock, number, hours_max), fault
        assert fake.faults.struck[fault] == 1
        taken = sum(each["amount_received"] for each in fake.of("payment_intent"))
        assert (fault, taken) == (fault, count * 476)


def test_each_credit_note_is_given_back_once(
    payers: Payers, fake: FakeStripe, clock: SlowClock
) -> None:
    for count, (fault, hours_max) in enumerate(HOURS_MAX.items(), 1):
        number = payers.bill()
        payers.run()
        fake.faults.plan(fault, path="/v1/refunds")
        payers.credit(number)
        payers.run(hours=3)

        assert run_until_settled(payers, clock, number, hours_max), fault
        assert fake.faults.struck[fault] == 1
        given_back = sum(each["amount"] for each in fake.of("refund"))
        assert (fault, given_back) == (fault, count * 476)
