"""A document's pages: PDF/A-3b with the XML inside, the same bytes anywhere, nothing cut off."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from msgspec.structs import replace
from pypdf import PageObject, PdfReader

from ledger.master_data.addresses import Address
from ledger.master_data.customers import PersonDetails
from projections.documents.evidence import NO_EVIDENCE, DocumentEvidence
from projections.documents.pages.pdf import pdf
from projections.documents.pages.typesetting import UnsettableError, typeset, versions
from projections.documents.paid import Paid
from tests.projections.documents.shown_documents import (
    DAY,
    LOGO,
    NUMBER,
    a_credit_note,
    an_invoice,
    evidence_of,
    seller,
)

ROOT = Path(__file__).parents[4]
XML = b'<?xml version="1.0" encoding="UTF-8"?><rsm:CrossIndustryInvoice xmlns:rsm="a"/>'
# In points; a page is 595 x 842, its margins 25 mm and 20 mm.
LEFT, RIGHT, BOTTOM = 70.5, 539.0, 20.0
LETTERS_OF_A_LINE_MAX = 175


def text_of(page: bytes) -> str:
    return "\n".join(each.extract_text() for each in PdfReader(BytesIO(page)).pages)


def without_blanks(text: str) -> str:
    return "".join(text.split())


def spots(page: PageObject) -> list[tuple[float, float, str]]:
    """Return where texts begin on a page: from the left, from the bottom, the text."""
    found: list[tuple[float, float, str]] = []

    def visit(text: str, matrix: list[float], shift: list[float], *_: object) -> None:
        if text.strip():
            x = shift[4] * matrix[0] + shift[5] * matrix[2] + matrix[4]
            y = shift[4] * matrix[1] + shift[5] * matrix[3] + matrix[5]
            found.append((x, y, text))

    page.extract_text(visitor_text=visit)
    return found


def test_the_xml_lies_in_the_pdf_byte_for_byte_as_the_standard_says() -> None:
    made = pdf(an_invoice(), xml=XML, evidence=NO_EVIDENCE)

    with pikepdf.open(BytesIO(made)) as document:
        [attached] = document.attachments.values()
        assert document.attachments.keys() == {"factur-x.xml"}
        assert attached.get_file().read_bytes() == XML
        assert attached.relationship == "/Alternative"
        assert attached.get_file().mime_type == "text/xml"
        assert len(document.Root.AF) == 1
        told = document.Root.Metadata.read_bytes().decode()
    assert "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in told
    assert "<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>" in told
    assert "<pdfaid:part>3</pdfaid:part>" in told
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in told


def test_a_document_without_xml_says_of_none() -> None:
    made = pdf(an_invoice(), xml=None, evidence=NO_EVIDENCE)

    with pikepdf.open(BytesIO(made)) as document:
        assert not document.attachments
        assert b"fx:" not in document.Root.Metadata.read_bytes()


_MAKE = """
from decimal import Decimal
from hashlib import sha256
from projections.documents.pages.pdf import pdf
from tests.projections.documents.shown_documents import LOGO, an_invoice, evidence_of
shown = an_invoice(2)
made = pdf(shown, xml=b"<a/>", evidence=evidence_of(shown), logo=LOGO)
print(sha256(made).hexdigest())
"""


@pytest.mark.parametrize(
    "world",
    [
        {"TZ": "Pacific/Auckland", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"},
        {"TZ": "America/New_York", "LC_ALL": "C", "PYTHONHASHSEED": "2"},
    ],
    ids=["in Turkish at the date line", "in C in New York"],
)
def test_the_same_document_has_the_same_bytes_in_any_process(world: dict[str, str]) -> None:
    shown = an_invoice(2)
    here = pdf(shown, xml=b"<a/>", evidence=evidence_of(shown), logo=LOGO)

    there = subprocess.run(
        [sys.executable, "-c", _MAKE],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | world,
        capture_output=True,
        text=True,
        check=True,
    )

    assert there.stdout.strip() == sha256(here).hexdigest()


def test_only_fonts_of_the_package_are_in_it() -> None:
    made = pdf(an_invoice(), xml=None, evidence=NO_EVIDENCE)

    fonts = {
        str(font["/BaseFont"]).partition("+")[2]
        for page in PdfReader(BytesIO(made)).pages
        for font in (each.get_object() for each in page["/Resources"]["/Font"].values())  # type: ignore[index]
    }

    assert fonts
    assert {name.partition("-")[0] for name in fonts} == {"SourceSansPro"}


def test_what_nobody_can_break_into_lines_is_broken_anywhere_and_not_cut_off() -> None:
    long = "Überaus" + "lang" * 123
    buyer = PersonDetails(name=long, address=Address(street=long, city=long, country="DE"))
    shown = an_invoice(buyer=buyer, sold_by=seller(name=long, legal_text=long * 3))

    made = pdf(shown, xml=None, evidence=evidence_of(shown, site=long))

    assert without_blanks(text_of(made)).count(long) >= 6
    assert outside(made) == []
    # What begins within the margins ends within them, too: 165 mm hold no more of the smallest.
    assert max(map(len, text_of(made).splitlines())) < LETTERS_OF_A_LINE_MAX


def test_a_foot_of_many_lines_stands_once_and_leaves_the_pages_to_the_document() -> None:
    lines = [f"Satz-{number}." for number in range(200)]
    shown = an_invoice(sold_by=seller(legal_text="\n".join(lines)))

    made = pdf(shown, xml=None, evidence=evidence_of(shown))

    first = PdfReader(BytesIO(made)).pages[0].extract_text()
    assert NUMBER in first
    assert "Zu zahlen" in first
    assert [word for word in text_of(made).split() if word.startswith("Satz-")] == lines
    assert outside(made) == []


def test_an_address_in_the_foot_is_not_broken_while_there_is_room_beside_it() -> None:
    email = "rechnung@harbour-charging.example"
    shown = an_invoice(sold_by=replace(seller(), email=email))

    assert email in text_of(pdf(shown, xml=None, evidence=evidence_of(shown)))


def outside(made: bytes) -> list[tuple[float, float, str]]:
    """Return texts that begin beyond a margin of their page."""
    return [
        spot
        for page in PdfReader(BytesIO(made)).pages
        for spot in spots(page)
        if not (LEFT <= spot[0] <= RIGHT and BOTTOM <= spot[1] <= 842 - BOTTOM)
    ]


def test_absurd_sessions_and_amounts_run_over_nothing() -> None:
    shown = an_invoice(2)
    minor = 10**13 + 1
    session = {
        "station_id": "S" * 300, "token_uid": "漢🔌" * 60, "cost_centre": "C" * 500,
        "driver": "D" * 500, "energy_wh": Decimal(10) ** 14, "gross_minor": minor,
    }  # fmt: skip
    line = {
        "net_minor": minor, "gross_minor": -minor, "quantity": Decimal("1234567.89123"),
        "unit_price": Decimal("12345678901.123456789"),
    }  # fmt: skip
    shown = replace(
        shown,
        currency="IDR",
        due_minor=minor,
        sessions=tuple(replace(each, **session) for each in shown.sessions),
        lines=tuple(replace(each, **line) for each in shown.lines),
    )

    made = pdf(shown, xml=None, evidence=evidence_of(shown))

    text = without_blanks(text_of(made))
    assert text.count("C" * 500) == text.count("D" * 500) == 2
    assert text.count(r"\u6f22\U0001f50c" * 60) == 2
    assert outside(made) == []


@pytest.mark.parametrize(
    "name",
    ["Ηλεκτρική Κίνηση", "Електромобили ѣў", "Łódź Żółć", "Ren\u00e9e", "O'Brien & <b>Söhne</b>"],
)
def test_greek_cyrillic_and_latin_names_stand_there(name: str) -> None:
    shown = an_invoice(buyer=PersonDetails(name=name))

    assert name in text_of(pdf(shown, xml=None, evidence=NO_EVIDENCE))


def test_an_accent_behind_its_letter_is_set_with_it() -> None:
    shown = an_invoice(buyer=PersonDetails(name="Rene\u0301e A\u0328 l\u0323"))

    text = text_of(pdf(shown, xml=None, evidence=NO_EVIDENCE))

    assert "Ren\u00e9e \u0104" in unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "name",
    [
        '#import "page.typ": *',
        "*bold* _thin_ `raw` $x^2$ @ref <label> = head",
        'a "quoted" [bracket] {brace} \\backslash #{panic()}',
        "#sys.inputs.sheet",
        "{page} of {pages}",
    ],
)
def test_markup_in_a_name_is_text(name: str) -> None:
    shown = an_invoice(buyer=PersonDetails(name=name))

    assert without_blanks(name) in without_blanks(
        text_of(pdf(shown, xml=None, evidence=NO_EVIDENCE))
    )


def test_what_no_font_has_or_nobody_sees_is_told_by_its_number() -> None:
    shown = an_invoice(buyer=PersonDetails(name="a\u202eb\x00c漢d\n🔌"))

    made = pdf(shown, xml=None, evidence=NO_EVIDENCE)

    assert r"a\u202eb\x00c\u6f22d\n\U0001f50c" in without_blanks(text_of(made))


@pytest.mark.parametrize("sessions", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_many_sessions_are_all_there(sessions: int) -> None:
    shown = an_invoice(sessions, hours_apart=1)

    text = text_of(pdf(shown, xml=None, evidence=NO_EVIDENCE))

    assert [n for n in range(1, sessions + 1) if f"\n{n} · Ladestation" not in text] == []
    assert [line.line for line in shown.lines if f"\n{line.line} " not in text] == []
    assert text.count("\nSeite ") > sessions // 20


def test_a_receipt_says_that_nothing_is_due_and_shows_no_code() -> None:
    shown = an_invoice(language="en")
    plain = pdf(shown, xml=None, evidence=NO_EVIDENCE)

    text = text_of(pdf(shown, xml=None, evidence=NO_EVIDENCE, paid=Paid(minor=shown.due_minor)))

    assert "Receipt WL-2026-000007" in text
    assert "IBAN" in text_of(plain)
    assert "scanning" in text_of(plain)
    assert "scanning" not in text


def test_a_credit_note_names_its_invoice() -> None:
    text = text_of(pdf(a_credit_note(language="en"), xml=None, evidence=NO_EVIDENCE))

    assert "Credit note WLG-2026-000001" in text
    assert f"invoice {NUMBER}" in text


def test_what_the_typesetter_refuses_is_told() -> None:
    with pytest.raises(UnsettableError):
        typeset("invoice.typ", {"sheet": "{}"}, DAY)


def test_text_of_several_lines_keeps_them() -> None:
    shown = an_invoice(sold_by=seller(legal_text="First line.\n\n  Second line.\n"))

    text = text_of(pdf(shown, xml=None, evidence=NO_EVIDENCE))

    assert "First line.\nSecond line." in text


def test_versions_name_everything_that_bytes_hang_on() -> None:
    known = versions()

    assert known.keys() == {"typst", "segno", "fonts", "templates"}
    assert len(known["fonts"]) == len(known["templates"]) == 64


def test_evidence_of_other_sessions_changes_nothing() -> None:
    shown = an_invoice()
    other = replace(evidence_of(shown), sessions={"elsewhere": next(iter(
        evidence_of(shown).sessions.values()))})  # fmt: skip

    assert pdf(shown, xml=None, evidence=other) == pdf(shown, xml=None, evidence=NO_EVIDENCE)
    assert isinstance(other, DocumentEvidence)
