"""Fifty documents of every kind and language, as files: what the judges are given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from ledger.invoices.shown import ShownInvoice
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.tax_categories import is_electronic
from projections.documents.electronic.ubl_writer import ubl
from projections.documents.languages.language import LANGUAGES
from projections.documents.pages.pdf import pdf
from projections.documents.paid import Paid
from projections.documents.statements.pdf import statement_pdf
from projections.documents.statements.statement import (
    Movement,
    MovementKind,
    ShownStatement,
    StatementSession,
    Wanted,
)
from tariffs.taxes.sales_taxes import SalesTax
from tests.projections.documents.electronic.electronic_samples import (
    Sample,
    credit_note,
    invoiced,
    public,
    samples,
)
from tests.projections.documents.shown_documents import (
    LOGO,
    a_credit_note,
    an_invoice,
    evidence_of,
    ratings,
)
from tests.told import told

LONG = "Gesellschaft für Ladeinfrastruktur Αθήνα Київ " * 6


class Written(NamedTuple):
    """The files of one document: its pages, its UBL; None: EN 16931 cannot say its taxes."""

    name: str
    pdf: Path
    ubl: Path | None


def fifty(folder: Path) -> list[Written]:
    """Write the documents into *folder*; the same ones each time."""
    documents = [_written(folder, name, each) for name, each in _documents()]
    return documents + [_statement(folder, tag) for tag in LANGUAGES]


def _documents() -> Iterator[tuple[str, Sample]]:
    for tag in LANGUAGES:
        invoice = an_invoice(3, language=tag)
        yield f"invoice {tag}", Sample(invoice)
        yield f"receipt {tag}", Sample(invoice, invoice.due_minor)
        yield f"credit note {tag}", Sample(a_credit_note(language=tag))
    for name, sample in samples().items():
        # Names that no font can set are refused before a document is made.
        if name != "hostile texts":
            yield name, sample
    invoice = an_invoice(40)
    yield "forty sessions", Sample(invoice)
    long = replace(invoice, buyer=replace(invoice.buyer, name=LONG))
    yield "long names", Sample(long)
    yield "forty sessions of a public buyer", Sample(public(invoice))
    yield "all of it credited", Sample(credit_note(invoice))
    sales_tax = (SalesTax(name="Sales tax", percent=Decimal("8.875")),)
    american = invoiced(told(((400, 36), "8.875"), country="US", sales_taxes=sales_tax))
    yield "sales tax", Sample(replace(american, language="en-US"))


def _statement(folder: Path, tag: str) -> Written:
    """Write a statement of one invoice and a payment: EN 16931 has no statements."""
    invoice, sessions = an_invoice(3, language=tag), ratings(3, language=tag)[0]
    owed, paid = invoice.due_minor, 1000
    rows = [
        (MovementKind.INVOICE, invoice.number, owed, owed),
        (MovementKind.PAYMENT, "depot/bank-1", -paid, owed - paid),
    ]
    statement = ShownStatement(
        wanted=Wanted("fleet", "depot", "EUR", date(2026, 11, 1), date(2026, 12, 31)),
        language=tag,
        seller=invoice.seller,
        seller_details=invoice.seller_details,
        buyer=invoice.buyer,
        opening_minor=0,
        closing_minor=owed - paid,
        movements=tuple(
            Movement(
                day=invoice.issued_on,
                kind=kind,
                reference=reference,
                amount_minor=amount,
                balance_minor=balance,
            )
            for kind, reference, amount, balance in rows
        ),
    )
    pages = folder / f"statement {tag}.pdf"
    numbered = [StatementSession(invoice.number, each) for each in sessions]
    pages.write_bytes(statement_pdf(statement, numbered, logo=LOGO))
    return Written(pages.stem, pages, None)


def _written(folder: Path, name: str, sample: Sample) -> Written:
    shown, paid_minor = sample
    pages, machines = folder / f"{name}.pdf", folder / f"{name}.xml"
    electronic = is_electronic(shown)
    xml = cii(shown, paid_minor=paid_minor) if electronic else None
    pages.write_bytes(_pages(shown, xml, paid_minor))
    if not electronic:
        return Written(name, pages, None)
    machines.write_bytes(ubl(shown, paid_minor=paid_minor))
    return Written(name, pages, machines)


def _pages(shown: ShownInvoice, xml: bytes | None, paid_minor: int) -> bytes:
    paid = Paid(minor=paid_minor) if paid_minor else None
    return pdf(shown, xml=xml, evidence=evidence_of(shown), logo=LOGO, paid=paid)
