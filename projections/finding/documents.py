"""Invoices and credit notes by filters, the newest first, of the legal entities within a reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.persons.holders import customer_holder
from ledger.persons.store import find
from projections.invoice_list import COLUMNS, ListedInvoice

_ASKED: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "customer": " AND i.customer = %(customer)s",
        "legal_entity": " AND legal_entity = %(legal_entity)s",
        "legal_entities": " AND legal_entity = ANY (%(legal_entities)s)",
        "credits": " AND credits = %(credits)s",
        "currency": " AND currency = %(currency)s",
        "issued_from": " AND issued_on >= %(issued_from)s",
        "issued_until": " AND issued_on < %(issued_until)s",
        "due_from_minor": " AND due_minor >= %(due_from_minor)s",
        "due_to_minor": " AND due_minor <= %(due_to_minor)s",
        "is_open": """ AND number IN (SELECT number FROM open_invoice WHERE open_minor <> 0)""",
        "number_prefix": " AND number ^@ %(number_prefix)s",
        "session_id": """ AND number IN (
            SELECT number FROM invoiced_session WHERE session_id = %(session_id)s
            UNION SELECT number FROM credited_session WHERE session_id = %(session_id)s)""",
    }
)
_KINDS: Final[Mapping[bool | None, LiteralString]] = MappingProxyType(
    {None: "", False: " AND credits IS NULL", True: " AND credits IS NOT NULL"}
)


class DocumentState(StrEnum):
    """How an invoice stands; a credit note stands nowhere.

    `OPEN`: something is still to be paid; `OVERDUE`: since a day before `DocumentWish.today`;
    `PAID`: something was to be paid of it, and all of it was; `CREDITED`: some of it, or all, is
    owed no more; `TO_GIVE_BACK`: more was paid than is owed.
    """

    OPEN = "open"
    OVERDUE = "overdue"
    PAID = "paid"
    CREDITED = "credited"
    TO_GIVE_BACK = "to_give_back"


_STATES: Final[Mapping[DocumentState | None, LiteralString]] = MappingProxyType(
    {
        None: "",
        DocumentState.OPEN: """ AND number IN (
            SELECT number FROM open_invoice WHERE open_minor > 0)""",
        DocumentState.OVERDUE: """ AND number IN (
            SELECT number FROM open_invoice WHERE open_minor > 0 AND due_on < %(today)s)""",
        DocumentState.TO_GIVE_BACK: """ AND number IN (
            SELECT number FROM open_invoice WHERE open_minor < 0)""",
        DocumentState.CREDITED: """ AND number IN (
            SELECT credits FROM issued_invoice WHERE credits IS NOT NULL)""",
        DocumentState.PAID: """ AND credits IS NULL
            AND NOT EXISTS (SELECT FROM open_invoice AS o WHERE o.number = i.number)
            AND due_minor > coalesce((SELECT sum(note.due_minor) FROM issued_invoice AS note
                WHERE note.credits = i.number), 0)""",
    }
)


class DocumentOrder(StrEnum):
    """By what a list is sorted, and by the number where that is the same."""

    ISSUED_ON = "issued_on"
    NUMBER = "number"
    DUE = "due"


_BEHIND: Final[Mapping[tuple[DocumentOrder, bool], LiteralString]] = MappingProxyType(
    {
        (DocumentOrder.ISSUED_ON, True): " AND (issued_on, number) < (%(key)s, %(after)s)",
        (DocumentOrder.ISSUED_ON, False): " AND (issued_on, number) > (%(key)s, %(after)s)",
        (DocumentOrder.NUMBER, True): " AND number < %(after)s",
        (DocumentOrder.NUMBER, False): " AND number > %(after)s",
        (DocumentOrder.DUE, True): " AND (due_minor, number) < (%(key)s, %(after)s)",
        (DocumentOrder.DUE, False): " AND (due_minor, number) > (%(key)s, %(after)s)",
    }
)
_SORTED: Final[Mapping[tuple[DocumentOrder, bool], LiteralString]] = MappingProxyType(
    {
        (DocumentOrder.ISSUED_ON, True): " ORDER BY issued_on DESC, number DESC",
        (DocumentOrder.ISSUED_ON, False): " ORDER BY issued_on, number",
        (DocumentOrder.NUMBER, True): " ORDER BY number DESC",
        (DocumentOrder.NUMBER, False): " ORDER BY number",
        (DocumentOrder.DUE, True): " ORDER BY due_minor DESC, number DESC",
        (DocumentOrder.DUE, False): " ORDER BY due_minor, number",
    }
)
_STANDINGS: LiteralString = """
SELECT number, coalesce((SELECT sum(note.due_minor) FROM issued_invoice AS note
    WHERE note.credits = i.number), 0)::bigint, open.due_on
FROM issued_invoice AS i LEFT JOIN open_invoice AS open USING (number) WHERE number = ANY (%s)
"""
_LIMIT: LiteralString = " LIMIT %(limit)s"


class DocumentWish(NamedTuple):
    """Which documents; None: whichever. `customer`: a subject id; `credits`: an invoice's number.

    `is_credit_note`: only those, or none of them. `legal_entities`: that a reach covers, whole.
    They were issued on `issued_from` or later, and before `issued_until`. `due_from_minor` and
    `due_to_minor`: at least and at most, of credit notes as they are written, above 0. `today`: by
    which day something is overdue.
    """

    customer: str | None = None
    legal_entity: str | None = None
    legal_entities: Sequence[str] | None = None
    credits: str | None = None
    is_credit_note: bool | None = None
    is_open: bool | None = None
    session_id: str | None = None
    issued_from: date | None = None
    issued_until: date | None = None
    number_prefix: str | None = None
    currency: str | None = None
    state: DocumentState | None = None
    due_from_minor: int | None = None
    due_to_minor: int | None = None
    today: date | None = None


class Behind(NamedTuple):
    """Where a list goes on: behind this document; `key` is what the list is sorted by."""

    key: date | int | str
    number: str


def find_documents(
    connection: Connection[Any],
    wish: DocumentWish,
    *,
    limit: int | None,
    behind: Behind | None = None,
    order: DocumentOrder = DocumentOrder.ISSUED_ON,
    is_down: bool = True,
) -> Sequence[ListedInvoice]:
    """Return documents of *wish*, the newest first; those *behind* one, if it is given."""
    query, wanted = documents_query(wish, behind=behind, order=order, is_down=is_down)
    with connection.cursor(row_factory=class_row(ListedInvoice)) as cursor:
        return cursor.execute(query + _LIMIT, wanted | {"limit": limit}).fetchall()


def documents_query(
    wish: DocumentWish, *, behind: Behind | None, order: DocumentOrder, is_down: bool
) -> tuple[LiteralString, dict[str, Any]]:
    """Return what asks for the rows of a list, as `ListedInvoice` has them, and its parameters."""
    clauses, wanted = asked(wish)
    if behind is not None:
        clauses += _BEHIND[order, is_down]
        wanted |= {"key": behind.key, "after": behind.number}
    return COLUMNS + "WHERE true" + clauses + _SORTED[order, is_down], wanted


def asked(wish: DocumentWish) -> tuple[LiteralString, dict[str, Any]]:
    """Return the conditions of *wish* on `issued_invoice AS i`, and their parameters."""
    wanted: dict[str, Any] = wish._asdict()
    clauses: LiteralString = _KINDS[wish.is_credit_note] + _STATES[wish.state]
    for name, clause in _ASKED.items():
        if wanted[name] is not None and wanted[name] is not False:
            clauses += clause
    if wish.legal_entities is not None:
        wanted["legal_entities"] = list(wish.legal_entities)
    return clauses, wanted


def customer_subject(connection: Connection[Any], customer: str) -> str:
    """Return the subject id of a customer's key; what is no key is taken for a subject id."""
    holder = customer_holder(customer)
    found = find(connection, [holder]).get((holder.kind, holder.name))
    return customer if found is None else found.id


class DocumentStanding(NamedTuple):
    """How much of an invoice was credited, in minor units, and since when an open one is due."""

    credited_minor: int
    due_on: date | None


def standings(connection: Connection[Any], numbers: Sequence[str]) -> dict[str, DocumentStanding]:
    """Return how the documents *numbers* stand."""
    rows = connection.execute(_STANDINGS, (list(numbers),))
    return {number: DocumentStanding(credited, due_on) for number, credited, due_on in rows}


def find_document(connection: Connection[Any], number: str) -> ListedInvoice | None:
    """Return the document of that number."""
    with connection.cursor(row_factory=class_row(ListedInvoice)) as cursor:
        query: LiteralString = COLUMNS + "WHERE number = %(number)s"
        return cursor.execute(query, {"number": number}).fetchone()
