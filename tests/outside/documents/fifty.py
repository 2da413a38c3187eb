"""Fifty documents of every kind and language, as files: what the judges are given."""

from __future__ import annotations

from collections.abc import Iterator
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
    return [_written(folder, name, each) for name, each in _documents()]


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
