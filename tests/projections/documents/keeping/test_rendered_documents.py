"""What is kept of a real document: pages with their electronic invoice, the same made again."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.desk.customers.prepaying import PrepaymentWish, prepay
from ledger.master_data.customers import Delivery
from projections.documents.keeping.checking import DocumentCheckReport, check_document
from projections.documents.keeping.issued import IssuedDocument
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.kept import (
    KeptDocument,
    RenderedDocument,
    read_kept,
)
from projections.documents.keeping.other_forms import as_html, as_ubl
from projections.documents.keeping.rendering import DocumentRenderer
from projections.documents.kinds import DocumentKind
from tests.depot import NOON
from tests.projections.documents.issued_documents import forget, issue, operator


def kept(dsn: str, number: str) -> KeptDocument:
    with connect(dsn) as connection:
        return read_kept(connection, number)


def issued_and_kept(
    dsn: str, *, language: str = "de", paid: str | None = None
) -> tuple[str, KeptDocument]:
    """Issue an invoice of a reader who may have paid in advance, and keep its document."""
    declarations = operator(dsn, {"ada": Delivery.NONE}, language=language)
    if paid is not None:
        wish = PrepaymentWish("ada", Decimal(paid), "EUR", "R-1")
        with connect(dsn) as connection:
            prepay(connection, wish, by="test", at=NOON - timedelta(days=1))
    [number] = issue(dsn, declarations, ["ada-1"])
    with closing(DocumentKeeper(dsn, DocumentRenderer())) as keeper:
        keeper.render_now(number)
    return number, kept(dsn, number)


def checked(dsn: str, number: str, **otherwise: object) -> DocumentCheckReport:
    """Compare with what a renderer makes of it that makes some things *otherwise*."""
    made = DocumentRenderer()

    def render(connection: Connection[Any], issued: IssuedDocument) -> RenderedDocument:
        return replace(made(connection, issued), **otherwise)  # type: ignore[arg-type]

    with connect(dsn) as connection:
        return check_document(connection, render, number)


def test_a_document_is_pdf_with_its_electronic_invoice_and_says_what_made_it(
    database: str,
) -> None:
    number, document = issued_and_kept(database)

    assert document.kind is DocumentKind.INVOICE
    assert document.pdf.startswith(b"%PDF-1.7")
    assert document.xml is not None
    assert number.encode() in document.xml
    assert b"Ada Reader" in document.xml
    made_with = json.loads(document.renderer)
    assert {"kernel", "tzdata", "babel", "cldr", "typst", "fonts", "templates"} <= made_with.keys()
    assert any(name.startswith("rules/") for name in made_with)


def test_it_is_the_same_bytes_when_it_is_rendered_again(database: str) -> None:
    number, _ = issued_and_kept(database)

    report = checked(database, number)

    assert (report.same_bytes, report.same_content, report.renderer) == (True, True, {})
    assert report.is_right


def test_under_another_renderer_the_content_is_compared_and_the_renderer_named(
    database: str,
) -> None:
    number, document = issued_and_kept(database)
    before = json.loads(document.renderer)

    newer = json.dumps(before | {"typst": "99.0"})
    report = checked(database, number, renderer=newer, pdf=b"%PDF-2.0")

    assert report.renderer == {"typst": (before["typst"], "99.0")}
    assert (report.same_bytes, report.same_content) == (False, True)
    assert report.is_right


def test_other_bytes_by_the_same_renderer_are_not_right(database: str) -> None:
    number, document = issued_and_kept(database)

    assert checked(database, number).is_right
    assert not checked(database, number, pdf=document.pdf + b"\n").is_right


@pytest.mark.parametrize("otherwise", [{"xml": b"<other/>"}, {"kind": DocumentKind.CREDIT_NOTE}])
def test_other_content_is_not_right_whatever_the_renderer(
    database: str, otherwise: dict[str, object]
) -> None:
    number, document = issued_and_kept(database)
    newer = json.dumps(json.loads(document.renderer) | {"babel": "99.0"})

    report = checked(database, number, renderer=newer, **otherwise)

    assert not report.same_content
    assert not report.is_right


def test_what_was_paid_in_advance_makes_a_receipt_of_it(database: str) -> None:
    number, document = issued_and_kept(database, paid="50")

    assert document.kind is DocumentKind.RECEIPT
    assert document.xml is not None
    assert b"<ram:TotalPrepaidAmount>4.76</ram:TotalPrepaidAmount>" in document.xml
    assert b"<ram:DuePayableAmount>0.00</ram:DuePayableAmount>" in document.xml
    assert checked(database, number).is_right


def test_what_was_paid_in_part_stays_an_invoice(database: str) -> None:
    _, document = issued_and_kept(database, paid="1")

    assert document.kind is DocumentKind.INVOICE
    assert document.xml is not None
    assert b"<ram:DuePayableAmount>3.76</ram:DuePayableAmount>" in document.xml


def test_its_other_forms_are_made_when_somebody_asks(database: str) -> None:
    number, _ = issued_and_kept(database, language="sv")

    with connect(database) as connection:
        ubl, html = as_ubl(connection, number), as_html(connection, number)

    assert ubl is not None
    assert number.encode() in ubl
    assert b"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" in ubl
    assert '<html lang="sv"' in html
    assert "Ada Reader" in html


def test_who_was_erased_is_not_compared(database: str) -> None:
    number, _ = issued_and_kept(database)
    forget(database, "ada")

    report = checked(database, number)

    assert report.skipped
    assert report.is_right
