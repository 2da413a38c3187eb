"""A balance rises by card, goes back to it and is lost to a bank, over real HTTP, to the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.server import FakeStripe
from deploy.payments import process
from ledger.database import connect
from ledger.payments.recording import movements
from ledger.payments.requests import RequestKind, RequestState
from ledger.payments.stripe.provider import StripeProvider
from projections.balances.trial import trial_balance
from tests.deploy.payments.test_payments_part import _Part, _settings, _until
from tests.ledger.payments.topping_up.raising import Raising, posted


def test_a_balance_follows_what_the_provider_took_and_gave(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "EVENTS_SECONDS", 0.2)
    with FakeStripe(sends=False) as fake:
        provider = StripeProvider("sk_test_part", url=fake.url)
        raising = Raising(database, provider)
        raising.method("anna", "pm_card_visa")
        part = _Part(database, _settings(fake))
        with part.running(), connect(database) as connection:
            _until(lambda: connection.execute("SELECT FROM payment_method").rowcount == 1)
            fake.faults.plan(ProviderFault.FAILED_AFTER, times=2, path="/v1/payment_intents")
            raising.top_up(3_000, "web/1")
            _until(lambda: raising.balance() == 3_000)
            fake.faults.plan(ProviderFault.FAILED_AFTER, times=1, path="/v1/refunds")
            raising.pay_back(1_000, "web/2")
            assert raising.balance() == 2_000
            _until(lambda: states(raising, RequestKind.PAY_BACK) == [RequestState.DONE])
            [intent] = fake.of("payment_intent")
            dispute = fake.open_dispute(intent["id"], amount=500)
            fake.settle_dispute(dispute["id"], won=False)
            _until(lambda: raising.balance() == 1_500)
            raising.wish(pays_in_advance=True, top_up_below=Decimal(20), top_up_by=Decimal(50))
            _until(lambda: raising.balance() == 6_500)
            fake.pay_out()
            _until(lambda: connection.execute("SELECT FROM payout").rowcount == 1)
            kept = posted(connection)
            kinds = [each.kind.value for each in movements(connection)]
            assert trial_balance(connection).is_balanced
        provider.close()
        raising.close()

    assert len(fake.of("charge")) == 2
    assert len(fake.of("refund")) == 1
    assert kinds == ["received", "refunded", "disputed", "dispute_lost", "received", "paid_out"]
    assert kept["prepayments"] == -6_500
    assert {name: kept.get(name, 0) for name in ("cash:stripe", "cash:unmatched")} == {
        "cash:stripe": 0,
        "cash:unmatched": 0,
    }


def states(raising: Raising, kind: RequestKind) -> list[RequestState]:
    return [each.state for each in raising.requests("anna", kind)]
