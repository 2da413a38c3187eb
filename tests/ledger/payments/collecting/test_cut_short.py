"""Whoever collects is killed at every step, and all that can go wrong on the way does.

In the end what each customer was charged is invoices less credit notes, by the provider's own state
and by our books; nothing is taken twice, nothing is lost.
"""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from deploy.demo.provider.faults import Faults, ProviderFault
from ledger.payments import runner as runner_room
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.refund_taking import StrayRefundTaker
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.movement import STRIPE
from ledger.payments.provider import PaymentObjectKind, PaymentProvider
from ledger.payments.runner import PaymentRunner
from ledger.payments.taking import ObjectTaker
from projections.balances.trial import trial_balance
from tests.ledger.payments.collecting.fuse import Fuse, KilledError, connect_fused, fused_provider
from tests.ledger.payments.collecting.payers import CUSTOMERS, TAKERS, Payers
from tests.ledger.payments.collecting.street import (
    CHANCES,
    assert_all_is_paid,
    happen,
    pass_time,
    settle,
    street,
)
from tests.ledger.payments.paper_provider import PaperProvider


class Life:
    """One process that collects, until its fuse blows."""

    def __init__(self, payers: Payers, provider: PaymentProvider) -> None:
        self.payers, self.provider = payers, provider

    def live(self, fuse: Fuse) -> bool:
        """Collect until there is nothing to do; say whether it came to that."""
        payers, provider = self.payers, fused_provider(self.provider, fuse)
        objects: dict[PaymentObjectKind, ObjectTaker] = {
            PaymentObjectKind.REFUND: StrayRefundTaker(),
            PaymentObjectKind.DISPUTE: DisputeTaker(payers.dsn, "depot"),
        }
        with connect_fused(payers.dsn, fuse) as connection, pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner_room, "connect", lambda dsn: connect_fused(dsn, fuse))
            runner = PaymentRunner(
                payers.dsn, provider, TAKERS, objects, lambda: payers.now, "a test"
            )
            collector = InvoiceCollector(connection, STRIPE)
            try:
                while runner.run_once() + collector.run_once(payers.now):
                    pass
            except KilledError:
                return False
            finally:
                runner.close()
        return True


def test_a_kill_at_any_step_neither_charges_twice_nor_loses_a_payment(
    database: str,
) -> None:
    """Each step of asking for leave, collecting, crediting and giving back, one after the other."""
    paper = PaperProvider()
    payers = Payers(database, paper)
    life = Life(payers, paper)
    killed = step = 0
    is_over = False
    while not is_over:
        customer = CUSTOMERS[step % len(CUSTOMERS)]
        payers.method(customer, f"pm_{step}")
        number = payers.bill(customer)
        fuse = Fuse(step)
        is_over = life.live(fuse)
        if was_collected := is_over:
            payers.credit(number)
            payers.now += timedelta(hours=3)
            is_over = life.live(fuse)
        killed += not is_over
        # What was on its way is taken up once nobody can be at it any more.
        payers.run(minutes=6)
        if not was_collected:
            assert [each.amount_minor for each in payers.moved(number)] == [476]
            payers.credit(number)
        payers.run(hours=3)
        assert [each.amount_minor for each in payers.moved(number)] == [476, -476]
        assert paper.net_minor() == 0
        step += 1

    assert killed == step - 1 >= 25, killed
    assert trial_balance(payers.connection).is_balanced
    payers.close()


@pytest.mark.parametrize("seed", [1])
def test_thirty_kills_among_all_that_goes_wrong(database: str, seed: int) -> None:
    chance = random.Random(seed)
    faults = Faults(seed, CHANCES)
    with street(database, faults) as town:
        life, killed = Life(town.payers, town.provider), 0
        while killed < 30:
            happen(chance, town)
            killed += not life.live(Fuse(chance.randint(0, 40)))
            town.fake.deliver()
            pass_time(town, timedelta(minutes=chance.choice([1, 6, 60, 3000])))
        settle(town, lambda: life.live(Fuse()))

        assert_all_is_paid(town)
        for fault in (ProviderFault.FAILED_AFTER, ProviderFault.CUT_AFTER, ProviderFault.DECLINED):
            assert faults.struck[fault]
