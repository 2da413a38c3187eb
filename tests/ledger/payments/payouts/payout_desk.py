"""A provider's account and our books of it: what happens there is told of, taken, and looked at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from ledger.payments.collecting.refund_taking import StrayRefundTaker
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.payouts.taker import PayoutTaker
from ledger.payments.provider import IntentState, PaymentObjectKind, PayoutState
from ledger.payments.requests import RequestKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.taking import ObjectTaker
from tests.depot import NOON
from tests.ledger.payments.payouts.booked import balances
from tests.ledger.payments.payouts.paper_account import PaperAccount
from tests.ledger.payments.payouts.plain_takers import PlainPayments, PlainRefunds, wish


class PayoutDesk:
    """Works for one database; `now` is when it looks."""

    def __init__(self, dsn: str, connection: Connection[Any]) -> None:
        self.dsn, self.connection = dsn, connection
        self.account = PaperAccount()
        self.now: datetime = NOON

    def charge(self, minor: int, currency: str = "EUR") -> IntentState:
        """Take a payment, and book it."""
        key = f"collect:{len(self.account.objects)}"
        wish(self.connection, RequestKind.COLLECT, minor, self.now, key=key, currency=currency)
        self.run()
        found = self.account.answers[key]
        assert isinstance(found, IntentState)
        return found

    def refund(self, intent: IntentState, minor: int) -> None:
        """Give back some of a payment, and book it."""
        key = f"refund:{len(self.account.objects)}"
        body = {"intent": intent.id, "invoice": intent.request_key}
        wish(self.connection, RequestKind.REFUND, minor, self.now, key=key, **body)
        self.run()

    def pay_out(self, currency: str = "EUR") -> PayoutState:
        """Have all paid out that is there, and take that."""
        made = self.account.pay_out(currency)
        self.take()
        return made

    def take(self, days: int = 0) -> None:
        """Take all that the provider tells of, *days* later."""
        for kind, object_id in self.account.told:
            tell_of_object(self.connection, STRIPE, kind, object_id, self.now)
        self.account.told.clear()
        self.now += timedelta(days=days)
        for _ in range(4):
            self.run()
            self.now += timedelta(seconds=20)

    def run(self) -> None:
        """Take what is due."""
        objects: dict[PaymentObjectKind, ObjectTaker] = {
            PaymentObjectKind.PAYOUT: PayoutTaker(self.dsn, "depot"),
            PaymentObjectKind.DISPUTE: DisputeTaker(self.dsn, "depot"),
            PaymentObjectKind.REFUND: StrayRefundTaker(),
        }
        takers = {RequestKind.COLLECT: PlainPayments(), RequestKind.REFUND: PlainRefunds()}
        made = PaymentRunner(
            self.dsn, self.account, takers, objects, lambda: self.now, "a test's desk"
        )
        with made as runner:
            while runner.run_once():
                pass

    def balances(self, currency: str = "EUR") -> dict[str, int]:
        """Return what stands on the accounts of money."""
        found = balances(self.connection, currency)
        return {name: minor for name, minor in found.items() if not name.startswith("receivable")}

    def waiting(self) -> dict[str, str]:
        """Return which objects wait, and for what reason."""
        query = "SELECT object_id, reason FROM provider_object_due ORDER BY object_id"
        return dict(self.connection.execute(query).fetchall())
