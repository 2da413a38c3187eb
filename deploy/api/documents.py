"""Invoices and credit notes over HTTP: what was billed, and giving some of it back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import PermissionDeniedException, ValidationException
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec.structs import asdict
from psycopg import Connection
from psycopg_pool import ConnectionPool

from deploy.api.conventions.amounts import TaxedAmount, amount_text, amounts_of
from deploy.api.conventions.within import READS_BOOKS, Asked, check_reach, legal_entities_in, wants
from deploy.interface.access import Scope
from deploy.interface.books import Pool, Text
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from ledger.books.document_taxes import DocumentTaxes
from ledger.desk.crediting.agreeing import ProposedCredit, credit_or_propose, credit_takes_two
from ledger.desk.crediting.billed_parts import BilledPart, owed_no_more
from ledger.desk.recording import NotTakenYetError
from ledger.invoices.shown import InvoiceLine, ShownInvoice
from projections.audit.shown_documents import show_invoice
from projections.console.side import ConsoleSide
from projections.crediting.chosen import OtherTotalError, choices_of, credited_sessions, parts_of
from projections.errors import LongDocumentError
from projections.finding.documents import (
    Behind,
    DocumentWish,
    customer_subject,
    find_document,
    find_documents,
)
from projections.invoice_list import ListedInvoice

SESSIONS_MAX: Final = 5_000
"""A document of more sessions is read as PDF or XML."""
CREDITS: Final = wants(Scope.CREDIT) | {
    "example": {
        "invoice": "WL-2026-000017",
        "lines": [3],
        "reason": "the barrier was down",
        "preview": True,
    }
}
CHOSEN_MAX: Final = 1_000
Number = Annotated[
    str,
    PathParameter(description="An invoice's or a credit note's", schema_extra={"maxLength": 200}),
]
IssuedFrom = Annotated[date | None, QueryParameter(description="Issued on this day or later")]
IssuedUntil = Annotated[date | None, QueryParameter(description="Issued before this day")]
Acting = NamedDependency[ConsoleSide]


class MachineCrediterError(PermissionDeniedException):
    """A machine would be one of the two people: whoever has its token would be both."""

    def __init__(self, invoice: str) -> None:
        super().__init__(
            detail=f"invoice {invoice} asks for more than payment_approval_above: two people give "
            "that back, each with a token of their own (/console/me), and no machine",
            extra={"code": "two_people"},
        )


class DocumentTotal(TaxedAmount, frozen=True, kw_only=True):
    """What a document comes to; `due` is its gross, rounded as it is paid."""

    due: str


class ListedDocumentOf(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice, or a credit note, which `credits` an invoice and says what is owed no more.

    `customer` is the customer's key, or a subject id once that was erased; null: a bearer's.
    `open`: what is still to be paid of an invoice. `sha256`: of the document as it was issued.
    """

    number: str
    credits: str | None
    issued_on: date
    issued_at: datetime
    legal_entity: str
    customer: str | None
    sessions: int
    total: DocumentTotal
    open: str
    sha256: str


class DocumentRows(msgspec.Struct, frozen=True):
    """Some documents, and where the next ones begin; null: there are none."""

    items: list[ListedDocumentOf]
    next: str | None


class DocumentLine(TaxedAmount, frozen=True, kw_only=True):
    """A line of a document: of which session, as which line of its rating, for what, and why.

    `session` is null for the line by which the others add up to the document's rounding.
    `credits_line`: of a credit note, which line of its invoice is owed no more.
    """

    line: int
    session: str | None
    revision: int
    description: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    quantity: Decimal
    unit: str
    unit_price: Decimal
    tax_included: bool
    tax_name: str
    tax_percent: Decimal | None
    credits_line: int | None


class Document(ListedDocumentOf, frozen=True, kw_only=True):
    """A document with its lines; they add up to its total, line by line."""

    seller: str
    buyer: str
    month: str | None
    due_on: date | None
    notes: list[str]
    lines: list[DocumentLine]


class CreditWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is given back of an invoice: these lines and sessions, all of it where none is named.

    `reason` is kept with the decision and stands on no document. `preview`: only say what it
    comes to. `expected_due`: the `due` that a preview said; where it comes to another amount by
    now, nothing is given back.
    """

    invoice: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    lines: Annotated[list[int], msgspec.Meta(max_length=CHOSEN_MAX)] = []
    sessions: Annotated[list[str], msgspec.Meta(max_length=CHOSEN_MAX)] = []
    preview: bool = False
    expected_due: Annotated[str, msgspec.Meta(max_length=40)] | None = None


class GivenBackPart(msgspec.Struct, frozen=True, kw_only=True):
    """What of a session is given back; `is_done` once a further revision of it says so."""

    session: str
    revision: int
    lines: list[int]
    is_done: bool


class CreditGiven(msgspec.Struct, frozen=True, kw_only=True):
    """What is given back, or would be; the credit note follows an hour (the policy's wait_s) later.

    `is_recorded`: it is in the log; a session that is not `is_done` was not come to yet, or was
    corrected meanwhile: look, and credit again.
    """

    invoice: str
    is_recorded: bool
    total: DocumentTotal
    sessions: list[GivenBackPart]


def document_filter(
    customer: Text = None,
    session: Text = None,
    issued_from: IssuedFrom = None,
    issued_until: IssuedUntil = None,
) -> DocumentWish:
    """Return which documents a query asks for; the customer by its key."""
    return DocumentWish(
        customer=customer,
        session_id=session,
        issued_from=issued_from,
        issued_until=issued_until,
    )


Wanted = NamedDependency[DocumentWish]
FILTERED: Final = {"wanted": Provide(document_filter, sync_to_thread=False)}


class DocumentsController(Controller):
    """Invoices and credit notes."""

    tags = ("documents",)

    @get("/invoices", opt=READS_BOOKS, dependencies=FILTERED, sync_to_thread=True)
    def invoices(
        self,
        request: Asked,
        pool: Pool,
        wanted: Wanted,
        legal_entity: Text = None,
        is_open: Annotated[bool | None, QueryParameter(name="open")] = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> DocumentRows:
        """Return invoices, the newest first; `open`: only those that are not paid."""
        wish = wanted._replace(
            legal_entity=legal_entity,
            legal_entities=legal_entities_in(request),
            is_credit_note=False,
            is_open=is_open,
        )
        return _page(pool, wish, limit, cursor)

    @get("/credit-notes", opt=READS_BOOKS, dependencies=FILTERED, sync_to_thread=True)
    def credit_notes(
        self,
        request: Asked,
        pool: Pool,
        wanted: Wanted,
        invoice: Text = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> DocumentRows:
        """Return credit notes, the newest first; of one invoice, if it is named."""
        wish = wanted._replace(
            legal_entities=legal_entities_in(request), credits=invoice, is_credit_note=True
        )
        return _page(pool, wish, limit, cursor)

    @get("/invoices/{number:str}", opt=READS_BOOKS, sync_to_thread=True)
    def invoice(self, request: Asked, pool: Pool, number: Number) -> Document:
        """Return an invoice with its lines; a credit note has a number of the same kind."""
        return _one(request, pool, number)

    @get("/credit-notes/{number:str}", opt=READS_BOOKS, sync_to_thread=True)
    def credit_note(self, request: Asked, pool: Pool, number: Number) -> Document:
        """Return a credit note with its lines."""
        return _one(request, pool, number)

    @post("/credit-notes", opt=CREDITS, status_code=HTTPStatus.OK, sync_to_thread=True)
    def credit(
        self, request: Asked, data: JSONBody[CreditWish], acting: Acting
    ) -> Response[CreditGiven]:
        """Give an invoice back, or some of its lines and sessions; they stay free whatever comes.

        202 where the worker has not come to it yet, and, with `is_recorded` false, where the
        invoice asks for more than one person may give back: another person asks for the same. A
        machine does neither.
        """
        proposed: ProposedCredit | None = None
        with acting.desk.opened() as (connection, log):
            found = find_document(connection, data.invoice)
            missing = f"there is no invoice {data.invoice}"
            legal_entity = None if found is None else found.legal_entity
            check_reach(request, legal_entity, missing, Scope.CREDIT)
            parts = parts_of(connection, data.invoice, data.lines, data.sessions)
            owed = owed_no_more(connection, data.invoice, parts)
            due = amount_text(owed.due_minor, parts[0].was.currency)
            if data.expected_due not in (None, due):
                raise OtherTotalError(data.invoice, str(data.expected_due), due)
            if not data.preview:
                by, now = request.user.name, acting.now()
                is_person = request.user.person is not None
                if not is_person and credit_takes_two(connection, data.invoice, now):
                    raise MachineCrediterError(data.invoice)
                choices = choices_of(parts, "credit", by, data.reason, now)
                with suppress(NotTakenYetError):
                    proposed = credit_or_propose(
                        connection, data.invoice, parts, choices, log=log, work_off=None
                    )
            is_recorded = not data.preview and proposed is None
            answer = _credit(connection, data, owed, parts, is_recorded=is_recorded)
        is_done = all(each.is_done for each in answer.sessions)
        is_late = not data.preview and not is_done
        return Response(answer, status_code=HTTPStatus.ACCEPTED if is_late else HTTPStatus.OK)


ROUTES: Final[Sequence[type[Controller]]] = (DocumentsController,)


def _one(request: Asked, pool: ConnectionPool[Any], number: str) -> Document:
    with pool.connection() as connection:
        found = find_document(connection, number)
        missing = f"there is no document {number}"
        check_reach(request, None if found is None else found.legal_entity, missing)
        assert found is not None
        shown = show_invoice(connection, number, sessions_max=SESSIONS_MAX)
        if not shown.sessions:
            raise ValidationException(str(LongDocumentError(number, SESSIONS_MAX)))
        return _document(found, shown)


def _page(
    pool: ConnectionPool[Any], wish: DocumentWish, limit: int, cursor: str | None
) -> DocumentRows:
    behind = None if cursor is None else Behind(*key_of(cursor, tuple[date, str]))
    with pool.connection() as connection:
        if wish.customer is not None:
            wish = wish._replace(customer=customer_subject(connection, wish.customer))
        found = find_documents(connection, wish, limit=limit + 1, behind=behind)
    shown, more = cut(found, limit, lambda each: (each.issued_on, each.number))
    return DocumentRows([ListedDocumentOf(**_columns(each)) for each in shown], more)


def _columns(each: ListedInvoice) -> dict[str, Any]:
    amounts = amounts_of(each.net_minor, each.tax_minor, each.currency)
    return {
        "number": each.number,
        "credits": each.credits,
        "issued_on": each.issued_on,
        "issued_at": each.issued_at,
        "legal_entity": each.legal_entity,
        "customer": each.customer,
        "sessions": each.sessions,
        "total": DocumentTotal(**asdict(amounts), due=amount_text(each.due_minor, each.currency)),
        "open": amount_text(each.open_minor, each.currency),
        "sha256": each.sha256,
    }


def _document(found: ListedInvoice, shown: ShownInvoice) -> Document:
    return Document(
        **_columns(found),
        seller=shown.seller.name,
        buyer=shown.buyer.name,
        month=shown.month,
        due_on=shown.due_on,
        notes=[*shown.notes],
        lines=[_line(each, shown.currency) for each in shown.lines],
    )


def _line(line: InvoiceLine, currency: str) -> DocumentLine:
    return DocumentLine(
        **asdict(amounts_of(line.net_minor, line.vat_minor, currency)),
        line=line.line,
        session=line.session_id or None,
        revision=line.revision,
        description=line.description,
        reason=line.reason,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        tax_included=line.tax_included,
        tax_name=line.tax_name,
        tax_percent=line.vat_percent,
        credits_line=line.credits_line,
    )


def _credit(
    connection: Connection[Any],
    wish: CreditWish,
    owed: DocumentTaxes,
    parts: Sequence[BilledPart],
    *,
    is_recorded: bool,
) -> CreditGiven:
    currency = parts[0].was.currency
    amounts = amounts_of(owed.net_minor, owed.tax_minor, currency)
    return CreditGiven(
        invoice=wish.invoice,
        is_recorded=is_recorded,
        total=DocumentTotal(**asdict(amounts), due=amount_text(owed.due_minor, currency)),
        sessions=[
            GivenBackPart(
                session=each.session_id,
                revision=each.revision,
                lines=[*each.lines],
                is_done=each.is_done,
            )
            for each in credited_sessions(connection, parts)
        ],
    )
