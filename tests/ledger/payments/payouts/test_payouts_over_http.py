"""A walk against a provider over HTTP that fails, forgets to tell, and keeps true books itself."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from random import Random

import pytest

from deploy.demo.provider.faults import Faults, ProviderFault
from deploy.demo.provider.refusals import ProviderRefusalError
from deploy.demo.provider.server import FakeStripe
from ledger.database import connect
from ledger.declared.store import declare
from ledger.payments.collecting.refund_taking import StrayRefundTaker
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.payouts.taker import PayoutTaker
from ledger.payments.provider import PaymentObjectKind
from ledger.payments.requests import RequestKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.payments.taking import ObjectTaker
from projections.payments.payout_list import list_payouts
from projections.payments.provider_check import check_provider
from projections.replay.payouts import compare_payouts
from tests.depot import NOON, changes
from tests.ledger.payments.payouts.booked import balances, left_minor
from tests.ledger.payments.payouts.plain_takers import PlainPayments, PlainRefunds, wish

KINDS = {
    "payment_intent": PaymentObjectKind.INTENT,
    "refund": PaymentObjectKind.REFUND,
    "dispute": PaymentObjectKind.DISPUTE,
    "payout": PaymentObjectKind.PAYOUT,
}
CHANCES = {
    ProviderFault.FAILED_AFTER: 0.1,
    ProviderFault.CUT_AFTER: 0.05,
    ProviderFault.FAILED_BEFORE: 0.05,
    ProviderFault.THROTTLED: 0.05,
}


def act(fake: FakeStripe, chance: Random) -> None:
    """Let one thing happen at the provider that we did not ask for."""
    try:
        match chance.randrange(8):
            case 0 | 1 if found := fake.of("payment_intent"):
                of = chance.choice(found)["id"]
                is_inquiry = chance.random() < 0.3
                fake.open_dispute(of, amount=chance.randrange(1, 90), is_inquiry=is_inquiry)
            case 2 | 3 if found := fake.of("dispute"):
                fake.settle_dispute(chance.choice(found)["id"], won=chance.random() < 0.5)
            case 4 if found := fake.of("refund"):
                fake.fail_refund(chance.choice(found)["id"])
            case 5:
                fake.charge_fee(chance.randrange(1, 99))
            case 6:
                fake.pay_out()
            case _:
                if found := fake.of("payout"):
                    fake.fail_payout(chance.choice(found)["id"])
    except ProviderRefusalError:
        pass  # not so, as that object stands


@pytest.mark.parametrize("seed", range(2))
def test_the_books_are_the_providers_balance_whatever_it_does(database: str, seed: int) -> None:
    chance, now = Random(seed), NOON

    def clock() -> datetime:
        return now

    fake = FakeStripe(now=clock, sends=False, faults=Faults(seed))
    with (
        fake,
        closing(StripeProvider("sk_test_1", url=fake.url)) as provider,
        connect(database) as books,
    ):
        with books.transaction():
            declare(books, changes(), by="a test", at=NOON)
        customer = provider.add_customer("customer:anna", "anna")
        payments, refunds = PlainPayments(customer, "pm_card_visa"), PlainRefunds()
        takers = {RequestKind.COLLECT: payments, RequestKind.REFUND: refunds}
        objects: dict[PaymentObjectKind, ObjectTaker] = {
            PaymentObjectKind.REFUND: StrayRefundTaker(),
            PaymentObjectKind.DISPUTE: DisputeTaker(database, "depot"),
            PaymentObjectKind.PAYOUT: PayoutTaker(database, "depot"),
        }

        def run() -> None:
            with PaymentRunner(database, provider, takers, objects, clock, "a test") as runner:
                while runner.run_once():
                    pass

        def tell(share: float) -> None:
            told = [(kind, each["id"]) for name, kind in KINDS.items() for each in fake.of(name)]
            chance.shuffle(told)
            for kind, object_id in told[: round(len(told) * share)]:
                tell_of_object(books, STRIPE, kind, object_id, now)

        for turn in range(24):
            fake.faults.chances = CHANCES
            minor = chance.randrange(2000, 9000)
            wish(books, RequestKind.COLLECT, minor, now, key=f"collect:{turn}")
            if turn % 3 == 2:
                body = {"intent": chance.choice(fake.of("payment_intent"))["id"], "invoice": "x"}
                wish(books, RequestKind.REFUND, 50, now, key=f"refund:{turn}", **body)
            act(fake, chance)
            act(fake, chance)
            tell(0.2)
            run()
            now += timedelta(hours=chance.randrange(30))

            if turn % 8 == 7:
                fake.faults.clear()
                tell(1.0)
                for _ in range(12):
                    run()
                    now += timedelta(hours=1)
                assert books.execute("SELECT object_id FROM provider_object_due").fetchall() == []
                checked = check_provider(books, provider, "depot", NOON - timedelta(days=1))
                assert checked.is_equal, checked
                [euros] = checked.balances
                assert euros.provider_minor == fake.total_minor()
                standing = balances(books)
                assert standing.get("cash:stripe", 0) == left_minor(books)
                under_way = sum(
                    each["amount"] for each in fake.of("payout") if each["status"] != "failed"
                )
                assert standing.get("cash:clearing", 0) == under_way
                assert "cash:unmatched" not in standing
        payouts = list_payouts(books, now)
        assert payouts
        assert not any(each.difference_minor for each in payouts)
        assert [each for each in compare_payouts(books) if each.kept != each.again] == []
