"""A few customers who are billed by sessions, and a provider by whose payments they pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from msgspec.structs import replace
from psycopg import Connection

from deploy.demo.provider.server import FakeStripe
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, POLICY_KEY, Entity, Kind
from ledger.declared.store import declare, load_declarations
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.master_data.customers import Customer
from ledger.master_data.tokens import Token
from ledger.payments.collecting.collecting import CollectTaker
from ledger.payments.collecting.collector import InvoiceCollector
from ledger.payments.collecting.methods import PayingCustomer
from ledger.payments.collecting.refund_taking import RefundTaker, StrayRefundTaker
from ledger.payments.collecting.setting_up import SetUpTaker, decide_set_up
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE, MoneyMovement
from ledger.payments.open_items import open_item
from ledger.payments.provider import PaymentObjectKind, PaymentProvider, PaymentWay
from ledger.payments.recording import movements_of_document
from ledger.payments.requests import ProviderRequest, RequestKind, requests_for
from ledger.payments.runner import PaymentRunner
from ledger.payments.taking import RequestTaker
from ledger.rating.decisions import Moment, SessionRated
from ledger.rating.reconciling.correcting import corrected
from tests.depot import THINGS, keep_decisions, rated, session

CUSTOMERS = ("anna", "bea", "cyd")
BILLED_AT = datetime(2026, 11, 10, 14, tzinfo=UTC)
TAKERS: Mapping[RequestKind, RequestTaker] = {
    RequestKind.SET_UP: SetUpTaker(),
    RequestKind.COLLECT: CollectTaker(),
    RequestKind.REFUND: RefundTaker(),
}


def payers_things(payment_days: int | None = None) -> dict[tuple[Kind, str], Entity]:
    """Return the depot with a token of each customer, who pays within so many days."""
    people: dict[tuple[Kind, str], Entity] = {
        (Kind.CUSTOMER, name): Customer(details=name.title(), payment_days=payment_days)
        for name in CUSTOMERS
    }
    tokens: dict[tuple[Kind, str], Entity] = {
        (Kind.TOKEN, f"{name}-1"): Token(customer=name) for name in CUSTOMERS
    }
    return THINGS | people | tokens


class Payers:
    """A database, a provider, and whoever collects between them; `now` is the clock."""

    def __init__(
        self, dsn: str, provider: PaymentProvider, payment_days: int | None = None
    ) -> None:
        self.dsn, self.provider, self.now = dsn, provider, BILLED_AT
        self.taken_in = ""
        self.connection: Connection[Any] = connect(dsn)
        self.issuer = InvoiceIssuer(dsn)
        self._numbers = count(1)
        self.rated: dict[str, list[SessionRated]] = {}
        changes = [
            Change(kind=kind, key=key, entity=entity, valid_from=BEGINNING)
            for (kind, key), entity in payers_things(payment_days).items()
        ]
        with self.connection.transaction():
            declare(self.connection, changes, by="a test", at=BILLED_AT)
        self.declared = load_declarations(self.connection)

    def close(self) -> None:
        self.issuer.close()
        self.connection.close()

    def take_in(self, subject_id: str) -> None:
        """Have one more customer, by its subject id; its token is "ID-1"."""
        self.taken_in = subject_id
        entities: dict[tuple[Kind, str], Entity] = {
            (Kind.CUSTOMER, subject_id): Customer(details="Ada"),
            (Kind.TOKEN, f"{subject_id}-1"): Token(customer=subject_id),
        }
        changes = [
            Change(kind=kind, key=key, entity=entity, valid_from=BEGINNING)
            for (kind, key), entity in entities.items()
        ]
        with self.connection.transaction():
            declare(self.connection, changes, by="a test", at=self.now)
        self.declared = load_declarations(self.connection)

    def look_at_all(self, fake: FakeStripe) -> None:
        """Look at every refund of the fake's."""
        for refund in fake.of("refund"):
            tell_of_object(
                self.connection, STRIPE, PaymentObjectKind.REFUND, refund["id"], self.now
            )
        self.run()

    def set_policy(self, policy: Entity) -> None:
        """Have *policy* hold from the beginning."""
        change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=policy, valid_from=BEGINNING)
        with self.connection.transaction():
            declare(self.connection, [change], by="a test", at=self.now)

    def bill(self, customer: str = "anna", wh: str = "10000") -> str:
        """Have a session rated and invoiced; 10 kWh are 4.76."""
        number = next(self._numbers)
        started_at = self.now - timedelta(hours=2) - timedelta(minutes=number)
        charging = session(number, token_uid=f"{customer}-1", energy_wh=wh, started_at=started_at)
        decision = rated(charging, self.declared)
        keep_decisions(self.connection, [decision])
        [issued] = self._issue()
        self.rated[issued] = [decision]
        return issued

    def credit(self, invoice: str, wh: str = "0") -> tuple[str, ...]:
        """Have an invoice's session corrected to *wh*: a note, and where it costs, an invoice."""
        was = self.rated[invoice][-1]
        number = int(was.session_id.split("/")[1])
        charging = session(number, token_uid=was.token_uid, energy_wh=wh, started_at=was.started_at)
        moment = Moment(partition=0, position=1000 * (was.revision + 1) + number, at=self.now)
        again = replace(rated(charging, self.declared), revision=was.revision + 1, moment=moment)
        decision = corrected(again, was)
        keep_decisions(self.connection, [decision])
        issued = self._issue(hours=2)
        for each in issued[1:]:
            self.rated[each] = [decision]
        return issued

    def _issue(self, hours: int = 0) -> tuple[str, ...]:
        return issue_due(
            self.connection, self.issuer, self.declared, up_to=self.now + timedelta(hours=hours)
        )

    def method(
        self, customer: str = "anna", method: str = "pm_1", way: PaymentWay = PaymentWay.CARD
    ) -> str:
        """Ask for leave to charge a customer by *method*."""
        who = PayingCustomer(STRIPE, "depot", customer)
        with self.connection.transaction():
            return decide_set_up(self.connection, who, way, method, by="a test", at=self.now)

    @contextmanager
    def runner(self) -> Iterator[PaymentRunner]:
        objects = {PaymentObjectKind.REFUND: StrayRefundTaker()}
        with PaymentRunner(
            self.dsn, self.provider, TAKERS, objects, lambda: self.now, "a test"
        ) as runner:
            yield runner

    def run(self, **later: float) -> None:
        """Collect until there is nothing to do, a while later."""
        self.now += timedelta(**later)
        collector = InvoiceCollector(self.connection, STRIPE)
        with self.runner() as runner:
            while runner.run_once() + collector.run_once(self.now):
                pass

    def open_minor(self, invoice: str) -> int:
        item = open_item(self.connection, invoice)
        assert item is not None
        return item.open_minor

    def moved(self, invoice: str) -> list[MoneyMovement]:
        return movements_of_document(self.connection, invoice)

    def requests(self, subject: str, *kinds: RequestKind) -> list[ProviderRequest]:
        return list(requests_for(self.connection, subject, *kinds))

    def collection(self, invoice: str) -> tuple[str, str] | None:
        """Return state and reason of an invoice's row."""
        query = "SELECT state, reason FROM collection WHERE number = %s"
        found = self.connection.execute(query, (invoice,)).fetchone()
        return None if found is None else (found[0], found[1])
