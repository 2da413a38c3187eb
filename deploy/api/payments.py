"""Payments over HTTP: money that moved, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Final

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter

from deploy.api.conventions.amounts import amount_text
from deploy.api.conventions.moments import Moment, moment_in
from deploy.api.conventions.within import READS_BOOKS, Asked, check_reach, one_legal_entity
from deploy.interface.books import Pool, Text
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from ledger.payments.movement import MoneyKind
from ledger.payments.recording import movements
from projections.finding.documents import customer_subject
from projections.payments.movement_list import (
    ListedMovement,
    MovementFilter,
    list_movements,
    listed,
)
from projections.payments.open_list import OpenDocument, OpenWish, open_documents, open_sums

_NUMBER_MAX: Final = 2**63 - 1


class PaymentPart(msgspec.Struct, frozen=True, kw_only=True):
    """What some of a payment is for: a document, or an account alone, such as a prepaid balance."""

    account: str
    customer: str | None
    document: str | None
    amount: str


class PaymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved: in is above 0. `parts` add up to it, unless some are left out of a list.

    `source`: "stripe", or "bank:ACCOUNT"; `reference`: what the source calls it. `period`: in which
    month's books it is.
    """

    number: int
    kind: MoneyKind
    source: str
    reference: str
    legal_entity: str
    currency: str
    amount: str
    happened_at: datetime
    recorded_by: str
    period: str
    parts: list[PaymentPart]
    parts_left_out: int


class PaymentPage(msgspec.Struct, frozen=True):
    """Some payments, and where the next ones begin; null: there are none."""

    items: list[PaymentRow]
    next: str | None


class OpenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is not paid to the cent: above 0 it is owed to us, below 0 by us.

    `party`: of a settlement, the partner. `due_on`: from which day on it is to be paid.
    """

    number: str
    legal_entity: str
    account: str
    customer: str | None
    party: str
    issued_on: date
    due_on: date | None
    open: str
    currency: str


class OpenTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What all open documents of an account come to, and how many they are."""

    account: str
    currency: str
    open: str
    documents: int


class OpenPage(msgspec.Struct, frozen=True):
    """Some open documents, what all of them come to, and where the next ones begin."""

    items: list[OpenRow]
    totals: list[OpenTotal]
    next: str | None


def payment_filter(
    customer: Text = None,
    document: Text = None,
    kind: Annotated[MoneyKind | None, QueryParameter()] = None,
    source: Text = None,
    happened_from: Moment = None,
    happened_until: Moment = None,
    is_unmatched: Annotated[bool, QueryParameter(name="unmatched")] = False,  # noqa: FBT002 - a query's
) -> MovementFilter:
    """Return which payments a query asks for; the customer by its key."""
    return MovementFilter(
        party=customer,
        document=document,
        kind=None if kind is None else kind.value,
        source=source,
        since=moment_in(happened_from),
        until=moment_in(happened_until),
        is_unmatched=is_unmatched,
    )


Wanted = NamedDependency[MovementFilter]
FILTERED: Final = {"wanted": Provide(payment_filter, sync_to_thread=False)}


class PaymentsController(Controller):
    """Money that moved, and what is open."""

    tags = ("payments",)

    @get("/payments", opt=READS_BOOKS, dependencies=FILTERED, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        wanted: Wanted,
        legal_entity: Text = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> PaymentPage:
        """Return payments, the newest first."""
        wish = wanted._replace(legal_entity=one_legal_entity(request, legal_entity))
        before = None if cursor is None else key_of(cursor, int)
        with pool.connection() as connection:
            if wish.party is not None:
                wish = wish._replace(party=customer_subject(connection, wish.party))
            found = list_movements(connection, wish, limit=limit + 1, before=before)
        shown, more = cut(found, limit, lambda each: each.number)
        return PaymentPage([_payment(each) for each in shown], more)

    @get("/payments/{number:int}", opt=READS_BOOKS, sync_to_thread=True)
    def one(self, request: Asked, pool: Pool, number: FromPath[int]) -> PaymentRow:
        """Return one payment with all its parts."""
        missing = f"there is no payment {number}"
        if not 0 < number <= _NUMBER_MAX:
            raise NotFoundException(missing)
        with pool.connection() as connection:
            found = listed(connection, movements(connection, [number]))
        check_reach(request, found[0].legal_entity if found else None, missing)
        return _payment(found[0])

    @get("/open-items", opt=READS_BOOKS, sync_to_thread=True)
    def open(
        self,
        request: Asked,
        pool: Pool,
        customer: Text = None,
        legal_entity: Text = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> OpenPage:
        """Return what is open by the documents' numbers, and what all of it comes to."""
        after = None if cursor is None else key_of(cursor, str)
        whose = one_legal_entity(request, legal_entity)
        with pool.connection() as connection:
            subject = None if customer is None else customer_subject(connection, customer)
            wish = OpenWish(customer=subject, legal_entity=whose)
            found = open_documents(connection, wish, limit=limit + 1, after=after)
            totals = open_sums(connection, wish)
        shown, more = cut(found, limit, lambda each: each.number)
        return OpenPage(
            [_open(each) for each in shown],
            [
                OpenTotal(
                    account=each.account,
                    currency=each.currency,
                    open=amount_text(each.open_minor, each.currency),
                    documents=each.documents,
                )
                for each in totals
            ],
            more,
        )


ROUTES: Final[Sequence[type[Controller]]] = (PaymentsController,)


def _payment(found: ListedMovement) -> PaymentRow:
    return PaymentRow(
        number=found.number,
        kind=MoneyKind(found.kind),
        source=found.source,
        reference=found.reference,
        legal_entity=found.legal_entity,
        currency=found.currency,
        amount=amount_text(found.amount_minor, found.currency),
        happened_at=found.happened_at,
        recorded_by=found.recorded_by,
        period=found.period,
        parts=[
            PaymentPart(
                account=each.account,
                customer=each.customer,
                document=each.document,
                amount=amount_text(each.minor, found.currency),
            )
            for each in found.allotments
        ],
        parts_left_out=found.allotments_left_out,
    )


def _open(found: OpenDocument) -> OpenRow:
    return OpenRow(
        number=found.number,
        legal_entity=found.legal_entity,
        account=found.account,
        customer=found.customer,
        party=found.party,
        issued_on=found.issued_on,
        due_on=found.due_on,
        open=amount_text(found.open_minor, found.currency),
        currency=found.currency,
    )
