"""Names of strangers, whatever stands in them, through every writer of documents."""

from __future__ import annotations

import csv
from dataclasses import replace as replaced
from email import message_from_bytes
from email.policy import SMTP
from io import StringIO
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.master_data.addresses import Address
from ledger.master_data.customers import PersonDetails
from projections.documents.delivery.letter import letter
from projections.documents.delivery.mail import mail_of
from projections.documents.delivery.parcel import Parcel
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.ubl_writer import ubl
from projections.documents.pages.pdf import pdf
from projections.documents.screen.html import html
from projections.documents.statements.lines import LineTable
from projections.documents.statements.statement import StatementSession
from tariffs.phrases.printable import printable
from tests.projections.documents.delivery.test_letter import parcel_of
from tests.projections.documents.electronic.electronic_samples import samples
from tests.projections.documents.electronic.reading_cii import read_cii
from tests.projections.documents.electronic.reading_ubl import read_ubl
from tests.projections.documents.shown_documents import an_invoice, evidence_of, ratings, seller

NASTY: Final = (
    "A\r\nBcc: all@example.org",
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "\x00\x01\x1b[31m\x7f\x85",
    "\ufffe\uffff\U000e0041",
    "\u202egpj.exe\u2066\u200f",
    "]]>&amp;<!--<script>alert(1)</script>",
    "W" * 5_000,
    "é" * 300 + "e\u0301\u0300" * 300,
    "=?utf-8?q?=0D=0ABcc:_x?=",
    '"<evil@example.org>, x',
    "\u200b",
)
NAMES = st.one_of(
    st.sampled_from(NASTY),
    # Half of a surrogate pair cannot be declared: no table holds it.
    st.text(min_size=1, max_size=40),
    st.lists(st.sampled_from(NASTY[:8]), min_size=1, max_size=3).map("".join),
)
PLAIN: Final = next(iter(samples().values())).shown


@settings(max_examples=100, deadline=None)
@given(name=NAMES.map("{}x".format))
def test_electronic_documents_with_any_names_are_xml_and_say_the_same_amounts(name: str) -> None:
    address = Address(street=name, postal_code=name, city=name, country="DE")
    shown = replace(
        PLAIN,
        buyer=replace(PLAIN.buyer, name=name, address=address),
        seller=replace(PLAIN.seller, name=name),
    )

    for written, plain, read in (
        (cii(shown), cii(PLAIN), read_cii),
        (ubl(shown), ubl(PLAIN), read_ubl),
    ):
        assert read(written).totals == read(plain).totals


@settings(max_examples=60, deadline=None)
@given(name=NAMES)
def test_a_page_with_any_names_has_no_other_elements(name: str) -> None:
    shown = an_invoice(buyer=PersonDetails(name=name), sold_by=seller(name=name))
    plain = an_invoice(buyer=PersonDetails(name="x"), sold_by=seller(name="x"))

    page = html(shown, evidence=evidence_of(shown, site=name))

    assert page.encode()
    assert page.count("<") == html(plain, evidence=evidence_of(plain, site="x")).count("<")
    assert not any(each in page for each in ("\x00", "\x1b", "\u202e", "\u2066"))


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_pages_are_made_with_any_names(name: str) -> None:
    shown = an_invoice(buyer=PersonDetails(name=name), sold_by=seller(name=name))

    assert pdf(shown, xml=None, evidence=evidence_of(shown, site=name)).startswith(b"%PDF")


@settings(max_examples=60, deadline=None)
@given(name=NAMES)
def test_a_table_with_any_names_has_its_cells_and_no_formula(name: str) -> None:
    table = LineTable()
    session = replace(ratings(1)[0][0], session_id=name, station_id=name)
    table.add(StatementSession(name, session, is_credited=False))

    head, *rows = csv.reader(StringIO(table.text))

    assert {len(row) for row in rows} == {len(head)}
    assert all(not row[1].lstrip().startswith(("=", "+", "-", "@")) for row in rows)
    assert table.text.encode()


def test_a_mail_of_any_seller_is_one_with_its_own_headers(database: str) -> None:
    parcel = parcel_of(database, "de")
    written = _mail(parcel)

    for name in NASTY:
        document = replace(parcel.document, seller=replace(parcel.document.seller, name=name))
        mail = _mail(replaced(parcel, document=document))

        read, plain = (message_from_bytes(each, policy=SMTP) for each in (mail, written))

        assert read.keys() == plain.keys()
        assert not read.defects
        [sender] = read["From"].addresses
        assert sender.addr_spec == "billing@depot.example"
        # Long ones are folded, which a reader may see as blanks.
        assert "".join(sender.display_name.split()) == "".join(printable(name).split())
        assert [each.addr_spec for each in read["To"].addresses] == ["ada@example.org"]


def _mail(parcel: Parcel) -> bytes:
    return mail_of(
        parcel, "billing@depot.example", "ada@example.org", *letter(parcel, None)
    ).as_bytes()
