"""Customers over HTTP: who is billed, what is open, and their statements of account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import PathParameter, QueryParameter

from deploy.api.conventions.amounts import amount_text
from deploy.api.conventions.within import READS_BOOKS, Asked, legal_entities_in
from deploy.interface.books import Newest, Pool, Text
from deploy.interface.paging import LIMIT, Cursor, Limit, cursor_of, key_of
from ledger.master_data.customers import CustomerKind, Delivery, Invoicing
from projections.customers.balances import CustomerBalance, customer_balances
from projections.documents.statements.statement import (
    LongStatementError,
    Movement,
    MovementKind,
    UnknownAccountError,
    Wanted,
    statement_of,
)
from projections.finding.customers import (
    CustomerAccount,
    FoundCustomer,
    accounts_of_customer,
    find_customer,
    find_customers,
)

Key = Annotated[
    str, PathParameter(description="The customer's key", schema_extra={"maxLength": 200})
]
FirstDay = Annotated[
    date, QueryParameter(name="from", description="The first day, in the seller's calendar")
]
DayAfter = Annotated[date, QueryParameter(name="until", description="The day after the last one")]
Currency = Annotated[str | None, QueryParameter(pattern="^[A-Z]{3}$")]


MOVES_MAX: Final = 1_000
"""So many movements of a statement come in one answer; a longer one is asked for by fewer days."""


class ListedCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, as it is declared now; `is_declared` false: it is not any more, and has no terms.

    `subject` stands for it where its key does not: in the log, and once it was erased.
    """

    key: str
    subject: str
    is_declared: bool
    kind: CustomerKind | None
    invoicing: Invoicing | None
    delivery: Delivery | None
    vat_id: str | None
    payment_days: int | None
    pays_in_advance: bool


class CustomerPage(msgspec.Struct, frozen=True):
    """Some customers, and where the next ones begin; null: there are none."""

    items: list[ListedCustomer]
    next: str | None


class AccountStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands: what is open of documents, and what is left of what was paid before.

    Both are above 0 where somebody owes it: the customer what is open, the seller the balance.
    """

    legal_entity: str
    currency: str
    open: str
    prepaid: str


class CustomerDetail(ListedCustomer, frozen=True, kw_only=True):
    """A customer, and how its accounts stand."""

    accounts: list[AccountStanding]


class StatementRow(msgspec.Struct, frozen=True, kw_only=True):
    """What moved an account: above 0 the customer owes more; `balance` is what it owes then."""

    day: date
    kind: MovementKind
    reference: str
    amount: str
    balance: str


class CustomerStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of account from a day on, and before another."""

    customer: str
    legal_entity: str
    currency: str
    first_day: date
    day_after: date
    opening: str
    closing: str
    movements: list[StatementRow]


class StatementWish(NamedTuple):
    """From which day on and before which, of which account; None: of the only one."""

    first_day: date
    day_after: date
    legal_entity: str | None
    currency: str | None


def statement_filter(
    first_day: FirstDay,
    day_after: DayAfter,
    legal_entity: Text = None,
    currency: Currency = None,
) -> StatementWish:
    """Return which statement a query asks for.

    Raises:
        ValidationException: If it has no day.
    """
    if day_after <= first_day:
        message = "until is a day after from"
        raise ValidationException(message)
    return StatementWish(first_day, day_after, legal_entity, currency)


class CustomersController(Controller):
    """Customers."""

    tags = ("customers",)

    @get("/customers", opt=READS_BOOKS, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> CustomerPage:
        """Return customers by their keys."""
        after = "" if cursor is None else key_of(cursor, str)
        with pool.connection() as connection:
            shown, behind = find_customers(
                connection,
                newest.of(connection),
                datetime.now(UTC),
                limit=limit,
                after=after,
                legal_entities=legal_entities_in(request),
            )
        more = None if behind is None else cursor_of(behind)
        return CustomerPage([ListedCustomer(**_columns(each)) for each in shown], more)

    @get("/customers/{key:str}", opt=READS_BOOKS, sync_to_thread=True)
    def one(self, request: Asked, pool: Pool, newest: Newest, key: Key) -> CustomerDetail:
        """Return a customer, and how its accounts within reach stand."""
        within, now = legal_entities_in(request), datetime.now(UTC)
        with pool.connection() as connection:
            declared = newest.of(connection)
            found = find_customer(connection, declared, key, now, legal_entities=within)
            if found is None:
                raise NotFoundException(_missing(key))
            accounts = _within(accounts_of_customer(connection, found.subject), within)
            balances = {
                CustomerAccount(each.legal_entity, each.currency): each
                for each in customer_balances(connection, [found.subject])
            }
        standing = [
            _standing(account, balances.get(account) or CustomerBalance(found.subject, *account))
            for account in accounts
        ]
        return CustomerDetail(**_columns(found), accounts=standing)

    @get(
        "/customers/{key:str}/statement",
        opt=READS_BOOKS,
        dependencies={"wanted": Provide(statement_filter, sync_to_thread=False)},
        sync_to_thread=True,
    )
    def statement(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        key: Key,
        wanted: NamedDependency[StatementWish],
    ) -> CustomerStatement:
        """Return a statement of account; which account, where the customer has several.

        One of more than a thousand movements is refused: ask for fewer days at a time.
        """
        within, now = legal_entities_in(request), datetime.now(UTC)
        with pool.connection() as connection:
            declared = newest.of(connection)
            found = find_customer(connection, declared, key, now, legal_entities=within)
            if found is None:
                raise NotFoundException(_missing(key))
            accounts = _within(accounts_of_customer(connection, found.subject), within)
            account = _one(accounts, wanted)
            last_day = wanted.day_after - timedelta(days=1)
            whose = Wanted(found.subject, *account, wanted.first_day, last_day)
            try:
                shown = statement_of(connection, whose, moves_max=MOVES_MAX, known=declared)
            except (LongStatementError, UnknownAccountError) as error:
                raise ValidationException(str(error)) from error
        return CustomerStatement(
            customer=found.key,
            legal_entity=account.legal_entity,
            currency=account.currency,
            first_day=wanted.first_day,
            day_after=wanted.day_after,
            opening=amount_text(shown.opening_minor, account.currency),
            closing=amount_text(shown.closing_minor, account.currency),
            movements=[_moved(each, account.currency) for each in shown.movements],
        )


ROUTES: Final[Sequence[type[Controller]]] = (CustomersController,)


def _columns(found: FoundCustomer) -> dict[str, Any]:
    declared = found.declared
    return {
        "key": found.key,
        "subject": found.subject,
        "is_declared": declared is not None,
        "kind": declared.kind if declared else None,
        "invoicing": declared.invoicing if declared else None,
        "delivery": declared.delivery if declared else None,
        "vat_id": declared.vat_id if declared else None,
        "payment_days": declared.payment_days if declared else None,
        "pays_in_advance": bool(declared and declared.pays_in_advance),
    }


def _standing(account: CustomerAccount, balance: CustomerBalance) -> AccountStanding:
    return AccountStanding(
        legal_entity=account.legal_entity,
        currency=account.currency,
        open=amount_text(balance.open_minor, account.currency),
        prepaid=amount_text(balance.prepaid_minor, account.currency),
    )


def _missing(key: str) -> str:
    return f"there is no customer {key}"


def _within(
    accounts: Sequence[CustomerAccount], within: Sequence[str] | None
) -> Sequence[CustomerAccount]:
    return [each for each in accounts if within is None or each.legal_entity in within]


def _one(accounts: Sequence[CustomerAccount], wanted: StatementWish) -> CustomerAccount:
    """Return the only account that fits.

    Raises:
        NotFoundException: If none does.
        ValidationException: If several do.
    """
    fitting = [
        each
        for each in accounts
        if each.legal_entity == (wanted.legal_entity or each.legal_entity)
        and each.currency == (wanted.currency or each.currency)
    ]
    if not fitting:
        message = "it has no such account: nothing was invoiced or paid in advance there"
        raise NotFoundException(message)
    if len(fitting) > 1:
        there = "; ".join(f"{each.legal_entity} in {each.currency}" for each in fitting)
        message = f"say which account (legal_entity, currency): {there}"
        raise ValidationException(message)
    return fitting[0]


def _moved(movement: Movement, currency: str) -> StatementRow:
    return StatementRow(
        day=movement.day,
        kind=movement.kind,
        reference=movement.reference,
        amount=amount_text(movement.amount_minor, currency),
        balance=amount_text(movement.balance_minor, currency),
    )
