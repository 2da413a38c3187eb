"""A kept document in its other forms, made when somebody asks: UBL, and a page for the screen."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from projections.documents.electronic.tax_categories import is_electronic
from projections.documents.electronic.ubl_writer import ubl
from projections.documents.evidence import gather_evidence
from projections.documents.keeping.issued import IssuedDocument, logo_of, read_issued, shown
from projections.documents.keeping.rendering import paid_minor
from projections.documents.paid import paid_from_balance, payments_of
from projections.documents.screen.html import html
from tariffs.zones import zone


def as_ubl(connection: Connection[Any], number: str) -> bytes | None:
    """Return document *number* as UBL; None where EN 16931 cannot say it.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    sight = shown(connection, _issued(connection, number).document)
    if not is_electronic(sight):
        return None
    return ubl(sight, paid_minor=paid_minor(sight, paid_from_balance(connection, number)))


def as_html(connection: Connection[Any], number: str, *, known: Declarations | None = None) -> str:
    """Return document *number* as a page for the screen; *known*: a snapshot of declarations.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    issued, declared = _issued(connection, number), load_declarations(connection, known=known)
    sight = shown(connection, issued.document)
    seller = declared.legal_entity(issued.legal_entity, issued.issued_at)
    return html(
        sight,
        evidence=gather_evidence(connection, sight, known=declared),
        logo=logo_of(declared, issued),
        paid=paid_from_balance(connection, number),
        payments=payments_of(connection, number),
        calendar=zone(seller.time_zone) if seller else UTC,
    )


def _issued(connection: Connection[Any], number: str) -> IssuedDocument:
    return read_issued(connection, number)
