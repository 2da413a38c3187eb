"""A street of payers who pay over HTTP by the fake provider, with all that can go wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from deploy.demo.provider.faults import Faults, ProviderFault
from deploy.demo.provider.server import FakeStripe
from ledger.desk.paying.giving_back import NothingToGiveBackError, give_back
from ledger.payments.collecting.collecting import NothingToCollectError, collect_now
from ledger.payments.collecting.collections import CollectionState
from ledger.payments.hearing.catching_up import MUCH, read_events
from ledger.payments.hearing.events import note_events
from ledger.payments.movement import STRIPE
from ledger.payments.provider import PaymentWay, ProviderError
from ledger.payments.stripe.provider import StripeProvider
from projections.balances.trial import trial_balance
from tests.ledger.payments.collecting.payers import BILLED_AT, CUSTOMERS, Payers
from tests.ledger.payments.collecting.webhook_address import KEY, SECRET, webhook_address

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
WAITING = """
SELECT (SELECT count(*) FROM provider_object_due)
    + (SELECT count(*) FROM provider_request_state WHERE state IN ('new', 'asked', 'open'))
"""
SETTLED_INVOICES = "SELECT number, customer FROM issued_invoice WHERE credits IS NULL"
DUE_OF = """
SELECT customer, sum(CASE WHEN credits IS NULL THEN due_minor ELSE -due_minor END)::bigint
FROM issued_invoice GROUP BY customer
"""
ROUNDS = 60


class Street(NamedTuple):
    """Payers, the fake provider over HTTP by which they pay, and what was billed."""

    payers: Payers
    fake: FakeStripe
    provider: StripeProvider
    invoices: list[str]
    set_clock: Callable[[datetime], None]


class _Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self._now = BILLED_AT

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now


@contextmanager
def street(dsn: str, faults: Faults) -> Iterator[Street]:
    """Yield payers who gave leave, and the fake provider by which they pay."""
    clock = _Clock()
    with ExitStack() as exits:
        fake = FakeStripe(secret=SECRET, now=clock.now, faults=faults, sends=False)
        exits.enter_context(fake)
        fake.send_to(exits.enter_context(webhook_address(dsn, clock.now)))
        provider = StripeProvider(KEY, url=fake.url)
        exits.callback(provider.close)
        payers = Payers(dsn, provider)
        exits.callback(payers.close)
        for customer in CUSTOMERS:
            ask_for_leave(payers, customer)
        yield Street(payers, fake, provider, [], clock.set)


def assert_all_is_paid(street: Street) -> None:
    """Assert that each customer was charged what is owed, once, by the provider and the books."""
    payers, fake = street.payers, street.fake
    owed = Counter(dict(payers.connection.execute(DUE_OF).fetchall()))
    assert net_by_customer(fake) == owed
    charged = [each for each in fake.of("charge") if each["paid"]]
    kept = Counter(each["description"] for each in charged if not each["disputed"])
    assert max(kept.values()) == 1, kept
    assert {payers.open_minor(number) for number in street.invoices} == {0}
    assert trial_balance(payers.connection).is_balanced


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


def ask_for_leave(payers: Payers, customer: str) -> None:
    is_debit = customer == "cyd"
    way = PaymentWay.SEPA_DEBIT if is_debit else PaymentWay.CARD
    payers.method(customer, "pm_sepaDebit" if is_debit else "pm_card_visa", way)


def happen(chance: random.Random, street: Street) -> None:
    """Have invoices issued, credited, disputed."""
    payers, fake, invoices = street.payers, street.fake, street.invoices
    for _ in range(chance.randint(0, 2)):
        wh = chance.choice(["10000", "12345", "40000"])
        invoices.append(payers.bill(chance.choice(CUSTOMERS), wh))
    if invoices and chance.random() < 0.3:
        number = chance.choice(invoices)
        if len(payers.rated[number]) == 1:
            invoices += payers.credit(number, chance.choice(["0", "5000"]))[1:]
            payers.rated[number].append(payers.rated[number][-1])
    paid = [each for each in fake.of("charge") if each["amount_captured"] and not each["disputed"]]
    if paid and chance.random() < 0.1:
        fake.open_dispute(chance.choice(paid)["id"])


def pass_time(street: Street, by: timedelta) -> None:
    """Have time pass, for us and for the provider."""
    street.payers.now += by
    street.set_clock(street.payers.now)
    street.fake.pass_time()


def hear(street: Street) -> None:
    """Ask for what webhooks lost, as far as the provider answers: it forgets after a month."""
    payers = street.payers
    with suppress(ProviderError):
        read_events(payers.connection, street.provider, payers.now, MUCH)


def settle(street: Street, collect: Callable[[], object]) -> None:
    """Have everything come to its end: what waits is waited for, what a person must do is done.

    What webhooks lost is asked for; *collect* does what there is to do.
    """
    payers, fake = street.payers, street.fake
    fake.faults.clear()
    for dispute in fake.of("dispute"):
        if dispute["status"] == "needs_response":
            fake.settle_dispute(dispute["id"], won=dispute["id"][-1] in "02468")
    for _ in range(ROUNDS):
        fake.deliver()
        events = list(street.provider.events(BILLED_AT))
        note_events(payers.connection, STRIPE, events, payers.now)
        collect()
        numbers = [number for number, _ in payers.connection.execute(SETTLED_INVOICES)]
        left = [number for number in numbers if payers.open_minor(number)]
        [(waiting,)] = payers.connection.execute(WAITING).fetchall()
        # A slow machine may not have come to all that was told of: what is known is not all yet.
        if not left and not waiting:
            return
        for number in left:
            go_on(payers, number)
        pass_time(street, timedelta(days=1))
    pytest.fail(f"{len(left)} invoices are still open: {left}; {waiting} things wait")


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
