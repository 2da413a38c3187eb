"""No document says anything past its language: not its content, and not its templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec
import pytest

from ledger.invoices.shown import ShownInvoice
from projections.documents.content.invoice import invoice_sheet
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.ubl_writer import ubl
from projections.documents.statements.sheet import statement_content
from projections.documents.statements.statement import (
    Movement,
    MovementKind,
    ShownStatement,
    StatementSession,
    Wanted,
)
from tests.projections.audit.charged_elsewhere import MARK_UP, an_invoice_elsewhere
from tests.projections.documents.languages.asked_messages import ROOM, named
from tests.projections.documents.shown_documents import (
    a_credit_note,
    an_invoice,
    evidence_of,
    ratings,
)

OTHERS = ("de", "es", "fr", "nl", "pl", "sv")
"""Languages that have no word in common that a document says."""
INTERNATIONAL = {"BIC", "CDR", "IBAN", "kW", "kWh"}
PLACEHOLDERS = {"page", "pages"}
"""Of the page's number, which is known when the page is set."""
WANTED = Wanted(
    legal_entity="depot",
    customer="fleet",
    currency="EUR",
    first_day=date(2026, 11, 1),
    last_day=date(2026, 11, 30),
)
CODES_OF_XML = {"cen", "en", "eu", "urn", "FC", "CDR"}
"""Of the profile, and of what kind of number a tax number is."""
TEMPLATES = sorted(path for path in ROOM.rglob("templates/*") if path.suffix != ".css")


def words_of(value: object) -> set[str]:
    """Return every word in plain data; of pictures those that they show."""
    if isinstance(value, dict):
        return set().union(*map(words_of, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(words_of, value))
    text = re.sub(r"<[^>]*>", " ", value) if isinstance(value, str) else ""
    return set(re.findall(r"[^\W\d_]{2,}", text))


def said_and_given(shown: ShownInvoice) -> tuple[set[str], set[str]]:
    evidence = evidence_of(shown)
    sheet = invoice_sheet(shown, evidence, logo=None, paid=None)
    said, given = map(
        words_of, (msgspec.to_builtins(sheet), msgspec.to_builtins((shown, evidence)))
    )
    return said, given


def passed_on(*, language: str = "en") -> ShownInvoice:
    """Return an invoice over sessions at a partner's station and at ours."""
    return an_invoice_elsewhere(language, has_ours=True, **MARK_UP)


@pytest.mark.parametrize("of", [an_invoice, a_credit_note, passed_on])
def test_a_word_that_stands_there_in_every_language_is_nobodys_sentence(
    of: Callable[..., ShownInvoice],
) -> None:
    """What six languages have in common was not translated, or is the document's own data."""
    told = [said_and_given(of(language=tag)) for tag in OTHERS]

    common = set.intersection(*(said for said, _ in told))

    assert common - told[0][1] <= INTERNATIONAL | PLACEHOLDERS
    assert all(len(said) > 50 for said, _ in told)


def statement_in(tag: str, closing_minor: int) -> set[str]:
    """Return the words of a statement with a row of each kind and one session."""
    invoice, (decisions, _) = an_invoice(language=tag), ratings()
    movements = tuple(
        Movement(
            day=date(2026, 11, 2),
            kind=kind,
            reference="depot/WL-7",
            amount_minor=closing_minor,
            balance_minor=closing_minor,
        )
        for kind in MovementKind
    )
    statement = ShownStatement(
        wanted=WANTED,
        language=tag,
        seller=invoice.seller,
        seller_details=invoice.seller_details,
        buyer=invoice.buyer,
        opening_minor=0,
        closing_minor=closing_minor,
        movements=movements,
    )
    # The file of its lines is for machines: its columns are called the same everywhere.
    sheet = statement_content(statement, [StatementSession("WL-7", decisions[0])]).sheet
    return words_of(msgspec.to_builtins(sheet))


@pytest.mark.parametrize("closing_minor", [704, -704, 0])
def test_a_statement_says_nothing_past_its_language(closing_minor: int) -> None:
    given = words_of(msgspec.to_builtins((an_invoice(), WANTED))) | {"WL"}

    told = [statement_in(tag, closing_minor) for tag in OTHERS]

    assert set.intersection(*told) - given <= INTERNATIONAL | PLACEHOLDERS
    assert all(len(said) > 30 for said in told)


@pytest.mark.parametrize("of", [an_invoice, a_credit_note, passed_on])
@pytest.mark.parametrize("written", [cii, ubl])
def test_an_electronic_invoice_says_nothing_past_its_language(
    of: Callable[..., ShownInvoice], written: Callable[[ShownInvoice], bytes]
) -> None:
    told = [words_of(written(of(language=tag)).decode()) for tag in OTHERS]

    common = set.intersection(*told)

    assert common - words_of(msgspec.to_builtins(of())) <= CODES_OF_XML
    assert all(len(said) > 20 for said in told)


def own_words(template: Path) -> list[str]:
    """Return what a template says itself: text between tags, in attributes, in blocks of typst."""
    text = template.read_text("utf-8")
    if template.suffix == ".typ":
        blocks = re.findall(r"\[([^\[\]]*)\]", text)
        said = [re.sub(r"#[\w.\-]+(?:\([^()]*\))?", "", block) for block in blocks]
    else:
        plain = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", text, flags=re.DOTALL)
        said = re.findall(r'\b(?:alt|title|placeholder|aria-label)="([^"]*)"', plain)
        said.append(re.sub(r"<[^>]*>|\b[\w-]+=\"[^\"]*\"", "", plain))
    return [word for each in said for word in re.findall(r"[^\W\d_]{2,}", each)]


@pytest.mark.parametrize("template", TEMPLATES, ids=named)
def test_a_template_has_no_words_of_its_own(template: Path) -> None:
    assert own_words(template) == []


def test_words_of_a_template_would_be_found(tmp_path: Path) -> None:
    page, screen = tmp_path / "page.typ", tmp_path / "page.html.j2"
    page.write_text('#let a = 1\n#text(size: 9pt)[Total due #say(sheet.total)]\n"none"', "utf-8")
    screen.write_text('{% if a %}<img alt="Logo {{ b }}"><p class="c">Paid</p>{% endif %}', "utf-8")

    assert own_words(page) == ["Total", "due"]
    assert own_words(screen) == ["Logo", "Paid"]
    assert TEMPLATES != []
