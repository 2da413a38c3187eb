"""Catalogues: each language says all that documents may have to say, with the same parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Final

import pytest
from babel.messages.catalog import Catalog, Message

from ledger.approvals import english as approvals
from ledger.invoices.checks import english as checks
from projections.documents.languages.catalogue import catalogue_file, read_catalogue
from projections.documents.languages.language import LANGUAGES
from projections.documents.languages.sentences import (
    LABELS,
    NOT_TOLD,
    TEMPLATES,
    is_told,
    label_context,
)
from roaming_ocpi.incoming.verdicts import english as verdicts
from tariffs.calendar import english as calendar
from tariffs.diff import english as diff
from tariffs.lint import english as lint
from tariffs.phrases.wording import Wording
from tests.projections.documents.languages.asked_messages import (
    ASKED,
    FILES,
    SAID_BY_NAME,
    literals,
    named,
)
from tests.test_codes import SENTENCES

ENGLISH: Final = {"en", "en-US"}
"""These have only what is said otherwise than in the sources."""
WHOLE: Final = [tag for tag in LANGUAGES if tag not in ENGLISH]
NAMED: Final = {
    *(("unit", word) for word in ("h", "min", "s", "invoice", "session")),
    ("quoted", "“*”"),
    *(("zone", word) for word in ("CET", "CEST", "WET", "WEST", "EET", "EEST")),
    *(("tax", word) for word in ("VAT", "Sales tax", "GST", "GST/HST", "Consumption tax")),
}
WANTED: Final = (
    {(None, said) for said in ASKED}
    | {(code, text) for code, text in TEMPLATES.items()}
    | {(label_context(code), text) for code, text in LABELS.items()}
    | NAMED
)


def messages(tag: str) -> list[Message]:
    return [message for message in read_catalogue(tag) if message.id]


def key(message: Message) -> tuple[str | None, str]:
    singular = message.id if isinstance(message.id, str) else message.id[0]
    return message.context, singular


def pairs(catalogue: list[Message]) -> Iterator[tuple[Message, str, str]]:
    """Yield each message with each of its English texts and the translation of that."""
    for message in catalogue:
        if isinstance(message.id, str):
            assert isinstance(message.string, str)
            yield message, message.id, message.string
        else:
            for translated in message.string or ():
                yield message, message.id[0], translated


def fields(text: str) -> Counter[str]:
    return Counter(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def styles(text: str) -> set[str]:
    return {
        (spec or "").partition("?")[0].partition("/")[0]
        for _, name, spec, _ in Formatter().parse(text)
        if name is not None
    }


@pytest.mark.parametrize("tag", WHOLE)
def test_a_language_has_every_message_that_documents_ask_for(tag: str) -> None:
    missing = WANTED - set(map(key, messages(tag)))

    assert missing == set(), f"translate them in {tag}.po"


@pytest.mark.parametrize("tag", WHOLE)
def test_a_language_has_nothing_that_nobody_asks_for(tag: str) -> None:
    left = set(map(key, messages(tag))) - WANTED

    assert left == set(), f"take them out of {tag}.po"


@pytest.mark.parametrize("tag", sorted(ENGLISH))
def test_english_says_otherwise_only_what_is_said(tag: str) -> None:
    said = set(map(key, messages(tag)))

    assert said <= WANTED
    assert [text for _, text, translated in pairs(messages(tag)) if text == translated] == []


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_catalogue_is_whole_and_in_order(tag: str) -> None:
    catalogue: Catalog = read_catalogue(tag)
    found = messages(tag)

    assert str(catalogue.locale).replace("_", "-") == tag
    assert [each.id for each in found if each.fuzzy] == []
    assert catalogue.obsolete == {}
    # Of a message that stands there twice, the reader would take one.
    assert len(found) + 1 == catalogue_file(tag).read_text("utf-8").count("\nmsgid ")
    assert [text for _, text, translated in pairs(found) if not translated.strip()] == []
    # The separators between phrases are the only texts that end with a space.
    edges = [
        text
        for message, text, translated in pairs(found)
        if (text[:1].isspace(), text[-1:].isspace())
        != (translated[:1].isspace(), translated[-1:].isspace())
    ]
    # French puts a space before a semicolon.
    assert edges == (["; "] if tag == "fr" else [])


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_message_has_the_parameters_of_the_english_one(tag: str) -> None:
    plain = [each for each in pairs(messages(tag)) if each[0].context not in TEMPLATES]

    assert {text: translated for _, text, translated in plain if fields(text) != fields(translated)
            } == {}  # fmt: skip


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_sentence_of_a_code_has_the_parameters_of_the_english_one(tag: str) -> None:
    for message, text, translated in pairs(messages(tag)):
        ours, theirs = (Wording({"x": each}, {}).parameters_of("x") for each in (text, translated))
        assert ours == theirs, message.context
        # A number stays a number, a word one of its kind: "costs" is the word of a dimension, too.
        known = styles(text) | {"costs", "word dimension"}
        assert styles(translated) <= known, message.context
        assert translated.count("*") >= ("*" in text), message.context


@pytest.mark.parametrize("tag", WHOLE)
def test_a_count_has_as_many_forms_as_the_language(tag: str) -> None:
    catalogue = read_catalogue(tag)
    plurals = [each for each in messages(tag) if not isinstance(each.id, str)]

    assert [each.id for each in plurals] == [("session", "sessions")]
    assert [len(each.string or ()) for each in plurals] == [catalogue.num_plurals]
    assert catalogue.num_plurals == (3 if tag == "pl" else 2)


def test_a_code_is_told_to_readers_or_never_and_the_table_says_why() -> None:
    """A new code needs a translation, or a line in the table that says why it has none."""
    left_out = [code for codes in NOT_TOLD.values() for code in codes]

    assert sorted(left_out) == sorted(set(left_out))
    assert not set(left_out) & TEMPLATES.keys()
    assert all(is_told(code) for code in TEMPLATES)
    assert not any(map(is_told, left_out))
    elsewhere = SENTENCES.keys() - TEMPLATES.keys() - set(left_out)
    others = (approvals, checks, verdicts, calendar, diff, lint)
    assert elsewhere == {code for each in others for code in each.SENTENCES}, (
        "what approvals, the gate, the judge of partners' CDRs and what looks at tariffs say "
        "stands on no document"
    )


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_a_document_says_is_there_to_be_found(path: Path) -> None:
    """A message that is no literal is looked up in a table that these tests know."""
    assert None not in set(literals(path)) or named(path) in SAID_BY_NAME


def test_the_messages_of_the_sources_are_found() -> None:
    assert {"Invoice", "Credit note", "Reverse charge", "Your invoice {number}"} <= ASKED
    assert len(ASKED) > 90
