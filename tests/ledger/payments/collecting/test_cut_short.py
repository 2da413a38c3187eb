"""Whoever collects is killed at every step, and all that can go wrong on the way does.

In the end what each customer was charged is invoices less credit notes, by the provider's own state
and by our books; nothing is taken twice, nothing is lost.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest

from deploy.demo.provider.faults import Faults, ProviderFault
from deploy.demo.provider.server import FakeStripe
from ledger.desk.paying.giving_back import NothingToGiveBackError, give_back
from ledger.payments import runner as runner_room
from ledger.payments.collecting.collecting import NothingToCollectError, collect_now
from ledger.payments.collecting.collections import CollectionState
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.refund_taking import StrayRefundTaker
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.hearing.events import note_events
from ledger.payments.movement import STRIPE
from ledger.payments.provider import PaymentObjectKind, PaymentProvider, PaymentWay
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.payments.taking import ObjectTaker
from projections.balances.trial import trial_balance
from tests.ledger.payments.collecting.fuse import Fuse, KilledError, connect_fused, fused_provider
from tests.ledger.payments.collecting.payers import BILLED_AT, CUSTOMERS, TAKERS, Payers
from tests.ledger.payments.collecting.webhook_address import KEY, SECRET, webhook_address
from tests.ledger.payments.paper_provider import PaperProvider

CHANCES = {
    ProviderFault.THROTTLED: 0.05,
    ProviderFault.FAILED_BEFORE: 0.05,
    ProviderFault.FAILED_AFTER: 0.1,
    ProviderFault.FAILED_FOR_GOOD: 0.02,
    ProviderFault.CUT_BEFORE: 0.05,
    ProviderFault.CUT_AFTER: 0.1,
    ProviderFault.DECLINED: 0.2,
    ProviderFault.ASKS_PAYER: 0.05,
    ProviderFault.REFUND_FAILS: 0.2,
    ProviderFault.WEBHOOK_LOST: 0.3,
    ProviderFault.WEBHOOK_REPEATED: 0.3,
    ProviderFault.WEBHOOK_REORDERED: 0.3,
    ProviderFault.WEBHOOK_DELAYED: 0.2,
    ProviderFault.WEBHOOK_FORGED: 0.1,
    ProviderFault.WEBHOOK_FOREIGN: 0.1,
}
SETTLED_INVOICES = "SELECT number, customer FROM issued_invoice WHERE credits IS NULL"
DUE_OF = """
SELECT customer, sum(CASE WHEN credits IS NULL THEN due_minor ELSE -due_minor END)::bigint
FROM issued_invoice GROUP BY customer
"""
ROUNDS = 60


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


@contextmanager
def street(dsn: str, faults: Faults) -> Iterator[tuple[Payers, FakeStripe, StripeProvider]]:
    """Yield payers, and the fake provider over HTTP by which they pay."""
    clock = [BILLED_AT]
    with ExitStack() as exits:
        fake = FakeStripe(secret=SECRET, now=lambda: clock[0], faults=faults, sends=False)
        exits.enter_context(fake)
        fake.send_to(exits.enter_context(webhook_address(dsn, lambda: clock[0])))
        provider = StripeProvider(KEY, url=fake.url)
        exits.callback(provider.close)
        payers = Payers(dsn, provider)
        exits.callback(payers.close)
        payers.clock = clock
        yield payers, fake, provider


def net_by_customer(fake: FakeStripe) -> Counter[str]:
    """Return what each customer was charged, less what it got back, as the provider has it."""
    whose = {each["id"]: each["metadata"]["wattledger_customer"] for each in fake.of("customer")}
    net: Counter[str] = Counter(dict.fromkeys(CUSTOMERS, 0))
    charges = {each["id"]: each for each in fake.of("charge")}
    for charge in charges.values():
        if charge["paid"]:
            net[whose[charge["customer"]]] += charge["amount_captured"]
    for refund in fake.of("refund"):
        if refund["status"] in ("succeeded", "pending"):
            net[whose[charges[refund["charge"]]["customer"]]] -= refund["amount"]
    for dispute in fake.of("dispute"):
        if dispute["status"] == "lost":
            net[whose[charges[dispute["charge"]]["customer"]]] -= dispute["amount"]
    return net


@pytest.mark.parametrize("seed", [1])
def test_thirty_kills_among_all_that_goes_wrong(database: str, seed: int) -> None:
    chance = random.Random(seed)
    faults = Faults(seed, CHANCES)
    with street(database, faults) as (payers, fake, provider):
        life, killed, invoices = Life(payers, provider), 0, list[str]()
        for customer in CUSTOMERS:
            ask_for_leave(payers, customer)
        while killed < 30:
            happen(chance, payers, fake, invoices)
            killed += not life.live(Fuse(chance.randint(0, 40)))
            fake.deliver()
            pass_time(payers, fake, timedelta(minutes=chance.choice([1, 6, 60, 3000])))
        faults.clear()
        settle(payers, fake, life)

        assert net_by_customer(fake) == Counter(dict(payers.connection.execute(DUE_OF).fetchall()))
        charged = [each for each in fake.of("charge") if each["paid"]]
        kept = Counter(each["description"] for each in charged if not each["disputed"])
        assert max(kept.values()) == 1, kept
        assert {payers.open_minor(number) for number in invoices} == {0}
        assert trial_balance(payers.connection).is_balanced
        for fault in (ProviderFault.FAILED_AFTER, ProviderFault.CUT_AFTER, ProviderFault.DECLINED):
            assert faults.struck[fault]


def ask_for_leave(payers: Payers, customer: str) -> None:
    is_debit = customer == "cyd"
    way = PaymentWay.SEPA_DEBIT if is_debit else PaymentWay.CARD
    payers.method(customer, "pm_sepaDebit" if is_debit else "pm_card_visa", way)


def happen(chance: random.Random, payers: Payers, fake: FakeStripe, invoices: list[str]) -> None:
    """Have invoices issued, credited, disputed."""
    for _ in range(chance.randint(0, 2)):
        wh = chance.choice(["10000", "12345", "40000"])
        invoices.append(payers.bill(chance.choice(CUSTOMERS), wh))
    if invoices and chance.random() < 0.3:
        number = chance.choice(invoices)
        if len(payers.rated[number]) == 1:
            invoices += payers.credit(number, chance.choice(["0", "5000"]))[1:]
            payers.rated[number].append(payers.rated[number][-1])
    paid = [each for each in fake.of("charge") if each["paid"] and not each["disputed"]]
    if paid and chance.random() < 0.1:
        fake.open_dispute(chance.choice(paid)["id"])


def pass_time(payers: Payers, fake: FakeStripe, by: timedelta) -> None:
    payers.now += by
    payers.clock[0] = payers.now
    fake.pass_time()


def settle(payers: Payers, fake: FakeStripe, life: Life) -> None:
    """Have everything come to its end: what waits is waited for, what a person must do is done."""
    for dispute in fake.of("dispute"):
        if dispute["status"] == "needs_response":
            fake.settle_dispute(dispute["id"], won=dispute["id"][-1] in "02468")
    for _ in range(ROUNDS):
        fake.deliver()
        events = list(life.provider.events(BILLED_AT))
        note_events(payers.connection, STRIPE, events, payers.now)
        assert life.live(Fuse())
        numbers = [number for number, _ in payers.connection.execute(SETTLED_INVOICES)]
        left = [number for number in numbers if payers.open_minor(number)]
        if not left:
            return
        for number in left:
            go_on(payers, number)
        pass_time(payers, fake, timedelta(days=1))
    pytest.fail(f"{len(left)} invoices are still open: {left}")


def go_on(payers: Payers, number: str) -> None:
    """Do what a person does of an invoice that is open: collect it, or give it back."""
    try:
        how = collect_now(payers.connection, STRIPE, number, by="eve", now=payers.now)
        if how.state == CollectionState.NO_METHOD:
            ask_for_leave(payers, how.customer)
    except NothingToCollectError:
        try:
            give_back(payers.connection, STRIPE, number, None, by="eve", at=payers.now)
        except NothingToGiveBackError:
            return
