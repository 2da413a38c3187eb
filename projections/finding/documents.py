"""Invoices and credit notes by filters, the newest first, of the legal entities within a reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from projections.invoice_list import COLUMNS, ListedInvoice

_ASKED: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "customer": " AND i.customer = %(customer)s",
        "legal_entity": " AND legal_entity = %(legal_entity)s",
        "legal_entities": " AND legal_entity = ANY (%(legal_entities)s)",
        "credits": " AND credits = %(credits)s",
        "issued_from": " AND issued_on >= %(issued_from)s",
        "issued_until": " AND issued_on < %(issued_until)s",
        "is_open": """ AND number IN (SELECT number FROM open_invoice WHERE open_minor <> 0)""",
        "session_id": """ AND number IN (
            SELECT number FROM invoiced_session WHERE session_id = %(session_id)s
            UNION SELECT number FROM credited_session WHERE session_id = %(session_id)s)""",
        "issued_on": " AND (issued_on, number) < (%(issued_on)s, %(after)s)",
    }
)
_KINDS: Final[Mapping[bool | None, LiteralString]] = MappingProxyType(
    {None: "", False: " AND credits IS NULL", True: " AND credits IS NOT NULL"}
)
_ORDER: LiteralString = " ORDER BY issued_on DESC, number DESC LIMIT %(limit)s"


class DocumentWish(NamedTuple):
    """Which documents; None: whichever. `customer`: a subject id; `credits`: an invoice's number.

    `is_credit_note`: only those, or none of them. `legal_entities`: that a reach covers, whole.
    They were issued on `issued_from` or later, and before `issued_until`.
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


class Behind(NamedTuple):
    """Where a list goes on: behind this document, which was issued then."""

    issued_on: date
    number: str


def find_documents(
    connection: Connection[Any], wish: DocumentWish, *, limit: int, behind: Behind | None = None
) -> Sequence[ListedInvoice]:
    """Return documents of *wish*, the newest first; those *behind* one, if it is given."""
    issued_on, after = behind or (None, None)
    wanted: dict[str, Any] = {**wish._asdict(), "issued_on": issued_on, "after": after}
    query: LiteralString = COLUMNS + "WHERE true" + _KINDS[wish.is_credit_note]
    for name, clause in _ASKED.items():
        if wanted[name] is not None and wanted[name] is not False:
            query += clause
    if wish.legal_entities is not None:
        wanted["legal_entities"] = list(wish.legal_entities)
    with connection.cursor(row_factory=class_row(ListedInvoice)) as cursor:
        return cursor.execute(query + _ORDER, wanted | {"limit": limit}).fetchall()


def find_document(connection: Connection[Any], number: str) -> ListedInvoice | None:
    """Return the document of that number."""
    with connection.cursor(row_factory=class_row(ListedInvoice)) as cursor:
        query: LiteralString = COLUMNS + "WHERE number = %(number)s"
        return cursor.execute(query, {"number": number}).fetchone()
