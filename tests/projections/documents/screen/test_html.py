"""A document on the screen: what its pages say, as one file without scripts."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO

import pytest
from pypdf import PdfReader

from ledger.master_data.customers import PersonDetails
from projections.documents.evidence import NO_EVIDENCE
from projections.documents.pages.pdf import pdf
from projections.documents.paid import Paid
from projections.documents.screen.html import CONTENT_SECURITY_POLICY, html
from tests.projections.documents.shown_documents import (
    LOGO,
    a_credit_note,
    an_invoice,
    evidence_of,
    seller,
)

VOID = {"meta", "br", "img"}


class Read(HTMLParser):
    """What a page says and what it is built of; elements are closed in the order of opening."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "title"}:
            self.said.append(data)

    @property
    def text(self) -> str:
        return "".join("".join(self.said).split())


DOCUMENTS = {
    "a German invoice": (an_invoice(2), None),
    "a Swedish receipt": (an_invoice(language="sv"), Paid(minor=704)),
    "a French credit note": (a_credit_note(language="fr"), None),
    "an invoice to a bearer": (an_invoice(token="nobody-1"), None),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_screen_says_what_the_pages_say(name: str) -> None:
    shown, paid = DOCUMENTS[name]
    evidence = evidence_of(shown)

    made = pdf(shown, xml=None, evidence=evidence, paid=paid)
    screen = Read(html(shown, evidence=evidence, paid=paid)).text

    on_pages = "\n".join(each.extract_text() for each in PdfReader(BytesIO(made)).pages)
    words = [word for word in on_pages.split() if len(word) > 1]
    assert len(words) > 150
    # The numbers of pages are the pages' own; a long word that was broken is two of theirs.
    assert {word for word in words if word not in screen} <= {"Seite", "Sida", "Page", "sur", "von"}


def test_it_runs_nothing_and_loads_nothing() -> None:
    shown = an_invoice()

    read = Read(html(shown, evidence=evidence_of(shown), logo=LOGO))

    assert {tag for tag, _ in read.tags} & {"script", "link", "iframe", "object", "form"} == set()
    names = {name for _, attributes in read.tags for name in attributes}
    assert {name for name in names if name.startswith("on")} | names & {"style", "href"} == set()
    assert [given["src"] for tag, given in read.tags if tag == "img"] == [LOGO]


def test_the_policy_names_the_style_by_its_hash() -> None:
    page = html(an_invoice(), evidence=NO_EVIDENCE)

    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "{{ 7 * 7 }}", "a\u202eb"]
)
def test_markup_in_names_is_text(name: str) -> None:
    shown = an_invoice(buyer=PersonDetails(name=name), sold_by=seller(name=name))

    read = Read(html(shown, evidence=evidence_of(shown, site=name)))

    assert [tag for tag, _ in read.tags if tag in {"script", "img"}] == []
    assert "".join(name.replace("\u202e", r"\u202e").split()) in read.text


@pytest.mark.parametrize("logo", ["javascript:alert(1)", "https://elsewhere.example/x.png", ""])
def test_a_logo_is_a_picture_in_the_page_or_none(logo: str) -> None:
    assert "<img" not in html(an_invoice(), evidence=NO_EVIDENCE, logo=logo)


@pytest.mark.parametrize(("tag", "said"), [("de-AT", "de"), ("en-US", "en-US"), ("xx", "en")])
def test_it_says_its_language(tag: str, said: str) -> None:
    shown = an_invoice(language=tag)

    assert f'<html lang="{said}">' in html(shown, evidence=NO_EVIDENCE)
