"""A random walk: payments, refunds, disputes and payouts, told of in any order, killed anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import psycopg
import pytest

from ledger.database import connect
from ledger.declared.store import declare
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.payouts.taker import PayoutTaker
from ledger.payments.provider import (
    DisputeState,
    DisputeStatus,
    IntentState,
    PaymentObjectKind,
    PaymentProvider,
    PayoutState,
    PayoutStatus,
    ProviderObject,
    RefundState,
    RefundStatus,
)
from ledger.payments.requests import RequestKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.taking import ObjectTaker, Taking
from tests.depot import NOON, changes
from tests.ledger.payments.payouts.booked import balances, left_minor
from tests.ledger.payments.payouts.paper_account import PaperAccount
from tests.ledger.payments.payouts.plain_takers import PlainPayments, PlainRefunds, wish

_T = TypeVar("_T")


class KilledError(BaseException):
    """The process is gone, wherever it was."""


class Deadly:
    """Takes what another takes, and may die before it or after it, within the transaction."""

    def __init__(self, taker: ObjectTaker, walk: Walk) -> None:
        self._taker, self._walk = taker, walk

    def gather(self, provider: PaymentProvider, found: ProviderObject) -> object:
        gathered = self._taker.gather(provider, found)
        self._walk.perhaps_die()
        return gathered

    def take(self, taking: Taking, found: ProviderObject, gathered: object) -> None:
        self._walk.perhaps_die()
        self._taker.take(taking, found, gathered)
        self._walk.perhaps_die()


class Walk:
    """Lets things happen at the provider, and has what it tells taken in disorder."""

    def __init__(self, dsn: str, connection: psycopg.Connection[Any], seed: int) -> None:
        self._dsn, self._connection, self.chance = dsn, connection, Random(seed)
        self.account = PaperAccount()
        self.account.before = self.account.after = lambda _name, _key: self.perhaps_die()
        self.kills, self.may_die = 0, True
        self.now = NOON
        self._wishes = 0

    def perhaps_die(self) -> None:
        if self.may_die and self.chance.random() < 0.02:
            self.kills += 1
            raise KilledError

    def step(self) -> None:
        """Let one thing happen."""
        self.now += timedelta(minutes=self.chance.randrange(600))
        self.account.at = self.now
        acts = (self._charge, self._charge, self._refund, self._dispute, self._move_dispute)
        more = (self._pay_out, self._fail, self._fee)
        self.chance.choice((*acts, *more))()

    def tell_some(self) -> None:
        """Tell of some of what became of objects: disordered, twice, or not yet."""
        self.chance.shuffle(self.account.told)
        for kind, object_id in self.account.told[: self.chance.randrange(4)]:
            tell_of_object(self._connection, STRIPE, kind, object_id, self.now)
        del self.account.told[: self.chance.randrange(3)]

    def run(self) -> None:
        """Run until somebody kills it, or nothing is due."""
        with suppress(KilledError), self._runner() as runner:
            while runner.run_once():
                pass

    def rest(self) -> None:
        """Tell of everything, and let all of it be taken."""
        self.may_die = False
        for name in sorted(self.account.objects):
            kinds = {"pi": "INTENT", "re": "REFUND", "dp": "DISPUTE", "po": "PAYOUT"}
            kind = PaymentObjectKind[kinds[name.split("_", 1)[0]]]
            tell_of_object(self._connection, STRIPE, kind, name, self.now)
        while True:
            self.now += timedelta(hours=2)
            self.run()
            rows = self._connection.execute("SELECT object_id, reason FROM provider_object_due")
            if not rows.fetchall():
                break
        self.account.told.clear()
        self.may_die = True

    @contextmanager
    def _runner(self) -> Iterator[PaymentRunner]:
        payouts, disputes = PayoutTaker(self._dsn, "depot"), DisputeTaker(self._dsn, "depot")
        objects = {
            PaymentObjectKind.PAYOUT: Deadly(payouts, self),
            PaymentObjectKind.DISPUTE: Deadly(disputes, self),
        }
        takers = {RequestKind.COLLECT: PlainPayments(), RequestKind.REFUND: PlainRefunds()}
        made = PaymentRunner(self._dsn, self.account, takers, objects, lambda: self.now, "a test")
        with made as runner:
            yield runner

    def _some(self, kind: type[_T]) -> _T | None:
        found = [each for each in self.account.objects.values() if isinstance(each, kind)]
        return self.chance.choice(found) if found else None

    def _charge(self) -> None:
        self._wishes += 1
        key, minor = f"collect:{self._wishes}", self.chance.randrange(100, 9000)
        wish(self._connection, RequestKind.COLLECT, minor, self.now, key=key)

    def _refund(self) -> None:
        intent = self._some(IntentState)
        if intent is None:
            return
        self._wishes += 1
        key, minor = f"refund:{self._wishes}", self.chance.randrange(1, 90)
        body = {"intent": intent.id, "invoice": intent.request_key}
        wish(self._connection, RequestKind.REFUND, minor, self.now, key=key, **body)

    def _dispute(self) -> None:
        if (intent := self._some(IntentState)) is None:
            return
        all_of_it = (e for e in self.account.objects.values() if isinstance(e, DisputeState))
        left = intent.taken_minor - sum(
            e.amount_minor for e in all_of_it if e.intent_id == intent.id
        )
        if left > 0:
            status = self.chance.choice([DisputeStatus.INQUIRY, DisputeStatus.OPEN])
            self.account.dispute(intent, self.chance.randint(1, left), status)

    def _move_dispute(self) -> None:
        match found := self._some(DisputeState):
            case DisputeState(status=DisputeStatus.INQUIRY, amount_minor=minor):
                self.account.withdraw(found, minor)
            case DisputeState(status=DisputeStatus.OPEN, taken_minor=taken):
                is_won = self.chance.random() < 0.6
                back = self.chance.choice([0, taken, taken // 2]) if is_won else 0
                self.account.settle(found, is_won=is_won, given_back=back)
            case DisputeState(status=DisputeStatus.WON):
                if left := found.taken_minor + found.fee_minor - found.given_back_minor:
                    self.account.settle(found, is_won=True, given_back=left)
            case _:
                pass

    def _pay_out(self) -> None:
        if self.account.unpaid:
            self.account.pay_out()

    def _fail(self) -> None:
        kinds: list[type[PayoutState | RefundState]] = [PayoutState, RefundState]
        match found := self._some(self.chance.choice(kinds)):
            case PayoutState(status=PayoutStatus.ON_ITS_WAY) if found.amount_minor:
                self.account.fail_payout(found)
            case RefundState(status=RefundStatus.DONE):
                self.account.fail_refund(found)
            case _:
                pass

    def _fee(self) -> None:
        self.account.line("stripe_fee", -self.chance.randrange(1, 300))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_and_is_told_the_books_say_what_the_provider_has(
    database: str, seed: int
) -> None:
    with connect(database) as connection:
        with connection.transaction():
            declare(connection, changes(), by="a test", at=NOON)
        walk = Walk(database, connection, seed)
        for _ in range(8):
            for _ in range(12):
                walk.step()
                walk.tell_some()
                walk.run()
            walk.rest()

            account, books = walk.account, balances(connection)
            waiting = account.unpaid
            fees = sum(each.fee_minor for each in waiting if each.kind == "charge")
            rules = sum(each.net_minor for each in waiting if each.kind == "stripe_fee")
            cash = books.get("cash:stripe", 0)
            assert cash == left_minor(connection)
            assert cash - fees + rules == account.balance_minor()
            assert books.get("cash:clearing", 0) == account.in_transit_minor()
            assert books.get("disputes:stripe", 0) == account.disputed_minor()
            assert (
                books.get("receivable:invoiced", 0) == -account.net_minor() + account.lost_minor()
            )
            assert "cash:unmatched" not in books
        assert walk.kills
        query = "SELECT count(*) FROM payout WHERE difference_minor <> 0"
        assert connection.execute(query).fetchall() == [(0,)]
