"""Issued invoices as people look at them: the list and its totals."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from tariffs.currencies import currency_exponent

COLUMNS: LiteralString = """
SELECT number, issued_on, issued_at, legal_entity, coalesce(name, customer) AS customer,
       customer AS subject, currency,
       net_minor, tax_minor, gross_minor, rounding_minor, due_minor, sha256,
       credits,
       coalesce((SELECT open_minor FROM open_invoice AS o WHERE o.number = i.number), 0)
           AS open_minor,
       (SELECT count(*) FROM invoiced_session AS s WHERE s.number = i.number)
       + (SELECT count(*) FROM credited_session AS c WHERE c.number = i.number) AS sessions
FROM issued_invoice AS i LEFT JOIN subject ON subject = customer
"""
_LIST: LiteralString = (
    COLUMNS
    + """
WHERE (%(customer)s::text IS NULL OR %(customer)s IN (name, customer))
ORDER BY issued_on DESC, number DESC LIMIT %(limit)s
"""
)
_TOTALS: LiteralString = """
SELECT currency, count(*) FILTER (WHERE credits IS NULL),
       sum(CASE WHEN credits IS NULL THEN due_minor ELSE -due_minor END)::bigint
FROM issued_invoice GROUP BY currency ORDER BY currency
"""


class ListedInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice in a list; amounts in whole minor units.

    `due_minor` is what is to be paid: `gross_minor` with `rounding_minor`. `customer` is the
    customer's key, or its `subject` once that is erased. A credit note `credits` an invoice: its
    amounts are positive, and owed no more. `open_minor`: what is still to be paid of an invoice.
    """

    number: str
    issued_on: date
    issued_at: datetime
    legal_entity: str
    customer: str | None
    subject: str | None
    currency: str
    net_minor: int
    tax_minor: int
    gross_minor: int
    rounding_minor: int
    due_minor: int
    sha256: str
    credits: str | None
    open_minor: int
    sessions: int


def list_invoices(
    connection: Connection[Any], *, customer: str | None, limit: int
) -> list[ListedInvoice]:
    """Return issued invoices, the highest number first."""
    with connection.cursor(row_factory=class_row(ListedInvoice)) as cursor:
        return cursor.execute(_LIST, {"customer": customer, "limit": limit}).fetchall()


def invoice_totals(connection: Connection[Any]) -> dict[str, tuple[int, Decimal]]:
    """Return how many invoices were issued in each currency, and what is due, less credits."""
    return {
        currency: (count, Decimal(minor).scaleb(-currency_exponent(currency)))
        for currency, count, minor in connection.execute(_TOTALS)
    }


def credit_note_count(connection: Connection[Any]) -> int:
    """Return how many credit notes were issued."""
    query = "SELECT count(*) FROM issued_invoice WHERE credits IS NOT NULL"
    [(count,)] = connection.execute(query).fetchall()
    return int(count)


def amount(minor: int, currency: str) -> str:
    """Return an amount of whole minor units as people write it: "12.34 EUR"."""
    exponent = currency_exponent(currency)
    return f"{Decimal(minor).scaleb(-exponent):,.{exponent}f} {currency}"
