"""Refunds that nobody here asked for, over HTTP: some move money, some only show what was held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from deploy.demo.provider.account.refunds import add_refund
from deploy.demo.provider.server import FakeStripe
from ledger.payments.hearing.events import note_events
from ledger.payments.movement import STRIPE
from ledger.payments.stripe.provider import StripeProvider
from tests.deploy.demo.provider.provider_cases import client_of
from tests.ledger.payments.collecting.payers import BILLED_AT, Payers


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(now=lambda: BILLED_AT) as served:
        yield served


@pytest.fixture
def payers(database: str, fake: FakeStripe) -> Iterator[Payers]:
    with (
        closing(StripeProvider("sk_test_fake", url=fake.url)) as provider,
        closing(Payers(database, provider)) as made,
    ):
        yield made


def heard(payers: Payers) -> None:
    """Have all looked at of which the provider tells."""
    told = list(payers.provider.events(BILLED_AT - timedelta(days=1)))
    note_events(payers.connection, STRIPE, told, payers.now)
    payers.run()


@pytest.mark.parametrize(
    ("moves_money", "kinds", "open_minor"),
    [
        pytest.param(True, ["received", "refunded"], 100, id="made by hand at the provider"),
        pytest.param(False, ["received"], 0, id="what was let go of a hold"),
    ],
)
def test_a_refund_of_nobodys_is_booked_where_it_moves_money(
    payers: Payers, fake: FakeStripe, *, moves_money: bool, kinds: list[str], open_minor: int
) -> None:
    payers.method(method="pm_card_visa")
    payers.run()
    number = payers.bill()
    payers.run()
    [charge] = fake.account.all("charge")
    if moves_money:
        client_of(fake.url).v1.refunds.create({"charge": charge["id"], "amount": 100})
    else:
        with fake.lock:
            fake.account.tell("refund.created", add_refund(fake.account, charge, 100, {}))

    heard(payers)

    assert [each.kind.value for each in payers.moved(number)] == kinds
    assert payers.open_minor(number) == open_minor
    assert fake.total_minor() == 476 - 32 - open_minor
