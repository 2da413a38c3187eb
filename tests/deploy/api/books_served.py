"""The charging day with its invoices, and the interface over it."""

from __future__ import annotations

from ledger.database import connect
from projections.finding.documents import DocumentWish, find_documents
from projections.invoice_list import ListedInvoice
from tests.projections.books_of_a_day import books_of_a_day


def invoices_of_a_day(dsn: str) -> list[ListedInvoice]:
    """Work the charging day off, and return its invoices."""
    books_of_a_day(dsn)
    with connect(dsn) as connection:
        return [*find_documents(connection, DocumentWish(), limit=100)]
