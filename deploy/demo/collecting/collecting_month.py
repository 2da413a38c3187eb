"""The demo's month as money: methods on file, invoices collected, what went wrong, and the payout.

The provider is the fake of `deploy.demo.provider`, over HTTP on this machine; what asks it is what
the part `payments` runs. Its clock is the demo's, and days pass by it alone once the fleet rests.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, Final, Self

from psycopg import Connection

from deploy.demo.collecting.banking import import_statements
from deploy.demo.collecting.payers import CARD, DECLINED, LEGAL_ENTITY, method_of
from deploy.demo.provider.server import FakeStripe
from deploy.payments.wiring import payment_work
from deploy.running.parts import PartContext
from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.payments.collecting.methods import PayingCustomer
from ledger.payments.collecting.setting_up import decide_set_up
from ledger.payments.hearing.events import note_events
from ledger.payments.movement import STRIPE
from ledger.payments.provider import PaymentWay
from ledger.payments.runner import PaymentRunner
from ledger.payments.stripe.provider import StripeProvider
from ledger.persons.store import names_of

BY: Final = "demo"
KEY: Final = "sk_test_demo"
SECOND_CARD_ON: Final = 4
"""The day on which the customer whose card said no names another one; days from the first look."""
DISPUTE_ENDS_ON: Final = 9
PAID_OUT_ON: Final = 11
DAYS: Final = 14


class MonthOfMoney:
    """Collects, for the demo. Use it as a context manager."""

    def __init__(self, context: PartContext) -> None:
        self._context = context
        self._later = timedelta(0)
        self._exits = ExitStack()
        self._since = self.now()
        self._subjects: dict[str, str] = {}

    def now(self) -> datetime:
        """Return which time it is here: the demo's, and the days that passed after it."""
        return self._context.clock.now() + self._later

    def __enter__(self) -> Self:
        """Serve the provider, and begin to ask it."""
        enter = self._exits.enter_context
        self.fake = enter(FakeStripe(now=self.now, sends=False))
        self._provider = StripeProvider(KEY, url=self.fake.url)
        self._exits.callback(self._provider.close)
        dsn = self._context.dsn
        self._connection: Connection[Any] = enter(connect(dsn))
        work = payment_work(self._context, self._connection, LEGAL_ENTITY)
        self._rounds = work.rounds
        self._runner = enter(
            PaymentRunner(dsn, self._provider, work.takers, work.objects, self.now, BY)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def name_methods(self) -> None:
        """Have all customers agree to be charged, each as it pays."""
        customers = load_declarations(self._connection).keys(Kind.CUSTOMER)
        self._subjects = {
            name: subject for subject, name in names_of(self._connection, customers).items()
        }
        with self._connection.transaction():
            for key, subject in sorted(self._subjects.items()):
                if (method := method_of(key)) is not None:
                    self._set_up(subject, *method)
        self.rest()

    def rest(self) -> None:
        """Ask, and hear what became of it, until nothing is due any more."""
        while True:
            self.fake.pass_time()
            heard = note_events(
                self._connection, STRIPE, [*self._provider.events(self._since)], self.now()
            )
            done = sum(each.run(self.now()) for each in self._rounds) + self._runner.run_once()
            if not (heard or done):
                return

    def pass_days(self) -> None:
        """Let days pass: debits arrive, a card is replaced, a dispute ends, money is paid out."""
        for day in range(1, DAYS + 1):
            self._later = timedelta(days=day)
            if day == SECOND_CARD_ON:
                with self._connection.transaction():
                    self._set_up(self._subjects[DECLINED], *CARD)
            if day == DISPUTE_ENDS_ON:
                for each in self.fake.of("dispute"):
                    self.fake.settle_dispute(each["id"], won=False)
            if day == PAID_OUT_ON:
                self.fake.pay_out()
            self.rest()
        import_statements(self._connection, self.now())
        self.rest()

    def _set_up(self, subject: str, way: PaymentWay, method: str) -> None:
        who = PayingCustomer(STRIPE, LEGAL_ENTITY, subject)
        decide_set_up(self._connection, who, way, method, by=BY, at=self.now())
