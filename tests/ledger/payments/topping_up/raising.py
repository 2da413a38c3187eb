"""A customer whose balance rises by card, and what its bank takes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace
from psycopg import Connection

from ledger.books.prepayments import PrepaidAccount, standings
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.store import declare, load_declarations
from ledger.payments.collecting.methods import PayingCustomer
from ledger.payments.disputes.taker import DisputeTaker
from ledger.payments.movement import STRIPE
from ledger.payments.provider import PaymentObjectKind
from ledger.payments.requests import ProviderRequest, RequestKind
from ledger.payments.runner import PaymentRunner
from ledger.payments.taking import Taking
from ledger.payments.topping_up.lost_top_up import take_from_balance
from ledger.payments.topping_up.pay_back import PayBackTaker, decide_pay_back
from ledger.payments.topping_up.top_up import TopUpTaker, WantedTopUp, decide_top_up
from tests.ledger.payments.collecting.payers import TAKERS, Payers

ANNA = PayingCustomer(STRIPE, "depot", "anna")
ACCOUNT = PrepaidAccount("anna", "depot", "EUR")


class Raising(Payers):
    """Payers whose balances rise."""

    def wish(self, **fields: Any) -> None:  # noqa: ANN401 - fields of Customer
        """Declare anna anew."""
        known = load_declarations(self.connection).customer("anna", self.now)
        assert known is not None
        changed = replace(known, **fields)
        change = Change(kind=Kind.CUSTOMER, key="anna", entity=changed, valid_from=BEGINNING)
        with self.connection.transaction():
            declare(self.connection, [change], by="a test", at=self.now)

    def top_up(self, minor: int, reference: str) -> ProviderRequest:
        wanted = WantedTopUp(ANNA, "EUR", minor, reference)
        with self.connection.transaction():
            return decide_top_up(self.connection, wanted, by="a test", at=self.now)

    def pay_back(self, minor: int, reference: str) -> list[ProviderRequest]:
        wanted = WantedTopUp(ANNA, "EUR", minor, reference)
        taking = Taking(self.connection, load_declarations(self.connection), STRIPE, self.now)
        return decide_pay_back(taking, wanted, by="a test")

    def balance(self) -> int:
        [standing] = standings(self.connection, [ACCOUNT])
        return standing.balance_minor

    @contextmanager
    def runner(self) -> Iterator[PaymentRunner]:
        takers = {
            **TAKERS,
            RequestKind.TOP_UP: TopUpTaker(),
            RequestKind.PAY_BACK: PayBackTaker(),
        }
        objects = {PaymentObjectKind.DISPUTE: DisputeTaker(self.dsn, "depot", take_from_balance)}
        with PaymentRunner(
            self.dsn, self.provider, takers, objects, lambda: self.now, "a test"
        ) as runner:
            yield runner


def posted(connection: Connection[Any]) -> dict[str, int]:
    """Return what each account comes to that is not 0."""
    rows = connection.execute(
        "SELECT account, sum(amount_minor)::bigint FROM posting GROUP BY account"
        " HAVING sum(amount_minor) <> 0"
    ).fetchall()
    return dict(rows)
