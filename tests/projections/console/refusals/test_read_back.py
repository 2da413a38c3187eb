"""English refusals, read back into their messages, are said in the reader's language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from projections.console.console_words import SPOKEN, refusals_of, words_of
from projections.console.refusals.read_back import TEXT_MAX, ReadBack
from tariffs.files.tariff_file import read_tariff_file
from tests.test_tidy import ROOT

OTHERS = [each for each in SPOKEN if each != "en"]
SAID_IN = (
    "tariffs/files/yaml/reader.py",
    "tariffs/files/yaml/fields.py",
    "tariffs/files/tariff_file.py",
    "tariffs/files/elements.py",
    "tariffs/files/adjustments.py",
    "tariffs/files/taxes.py",
    "ledger/approvals/approvals.py",
    "ledger/approvals/record.py",
    "ledger/desk/approvals.py",
    "ledger/desk/choices.py",
    "ledger/desk/crediting/agreeing.py",
    "ledger/desk/crediting/billed_parts.py",
    "ledger/desk/drafting/drafts.py",
    "ledger/desk/publish.py",
    "ledger/desk/second_person.py",
    "ledger/desk/tokens.py",
    "ledger/jobs/asking.py",
    "ledger/users/pairs.py",
    "ledger/users/views/saved_views.py",
    "projections/crediting/chosen.py",
    "projections/deciding/choosing.py",
    "projections/errors.py",
    "projections/console/closing/month_acts.py",
    "projections/console/customers/shown.py",
    "projections/console/entry.py",
    "projections/console/sessions/energy.py",
    "projections/console/sessions/filters.py",
    "projections/console/side.py",
    "projections/console/tariffs/proposing.py",
    "projections/console/tariffs/terms.py",
    "projections/console/what_if/acts.py",
    "projections/what_if/answering.py",
)
"""Where what pages refuse, and what a tariff's file has wrong, is said."""

ELSEWHERE = {"x has no key xx", "x is not known; x"}
"""Of several pieces; the messages have each as it comes out (the last test has them)."""
WORDS = re.compile(r"[a-z]{2,} .*[a-z]{2,}|[a-z]{2,} x")


def texts_in(path: Path) -> Iterator[str]:
    """Yield what a file says in errors and complaints, with "x" for what stands in its fields."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in {"__init__", "complain", "_complain"} or name.endswith(("Error", "tion")):
                details = (each.value for each in node.keywords if each.arg == "detail")
                yield from filter(None, map(text_of, (*node.args, *details)))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "message":
            yield from filter(None, [text_of(node.value)])


def text_of(node: ast.expr) -> str | None:
    """Return a literal, or a literal with fields, of several words."""
    match node:
        case ast.Constant(value=str() as text):
            pass
        case ast.JoinedStr(values=values):
            text = "".join(
                str(each.value) if isinstance(each, ast.Constant) else "x" for each in values
            )
        case _:
            return None
    return text if text not in ELSEWHERE and WORDS.search(text) else None


@pytest.mark.parametrize("file", SAID_IN)
def test_what_a_file_refuses_is_read_back(file: str) -> None:
    said = {*texts_in(ROOT / file)}

    unread = {tag: {each for each in said if words_of(tag).told(each) == each} for tag in OTHERS}

    assert said
    assert unread == {tag: set() for tag in OTHERS}


@pytest.mark.parametrize("tag", OTHERS)
def test_a_translation_of_a_refusal_has_its_fields(tag: str) -> None:
    for message, said in refusals_of(tag).items():
        ours, theirs = (
            {name for _, name, _, _ in Formatter().parse(text) if name is not None}
            for text in (message, said)
        )
        # What is for the command line (`wattledger period check ...`) no page says.
        assert theirs <= ours, message


def test_no_message_has_two_fields_that_touch() -> None:
    for message in refusals_of("de"):
        between = [before for before, _, _, _ in Formatter().parse(message)][1:]
        assert all(between), message


@pytest.mark.parametrize(
    ("tag", "english", "said"),
    [
        ("de", "there is no session s/1", "es gibt keinen Ladevorgang s/1"),
        ("fr", "'price': -1 is negative", "'price' : -1 est négatif"),
        ("de", "nobody knows this", "nobody knows this"),
        (
            "de",
            (
                "tariff t is approved only with a reason: nobody tried out on sessions what it "
                "changes; a session becomes dearer by 2 EUR, more than 1 EUR (job 3) (give the "
                "reason why it shall hold all the same: --reason, or the field on the page)"
            ),
            (
                "Tarif t wird nur mit Grund freigegeben: niemand hat an Ladevorgängen ausprobiert,"
                " was er ändert; ein Ladevorgang wird um 2 EUR teurer, mehr als 1 EUR (Auftrag 3)"
                " (sagen, warum er trotzdem gelten soll)"
            ),
        ),
    ],
)
def test_a_text_is_read_back_with_what_stands_in_its_fields(
    tag: str, english: str, said: str
) -> None:
    assert words_of(tag).told(english) == said
    assert words_of("en").told(english) == english


def test_braces_of_strangers_are_no_fields() -> None:
    assert words_of("de").told("there is no session {by}{0}") == (
        "es gibt keinen Ladevorgang {by}{0}"
    )


def test_a_text_without_end_is_shown_as_it_is() -> None:
    known = ReadBack({"a {x} b {y} c": "A {x} B {y} C"})

    assert known.words("a 1 b 2 c") == "A 1 B 2 C"
    assert known.words("a 1 b 2 c 3") == "a 1 b 2 c 3"
    assert known.words(f"a {'b ' * TEXT_MAX} c") == f"a {'b ' * TEXT_MAX} c"


def test_problems_of_a_file_are_said_in_a_language() -> None:
    text = "tariff: t\ncurrency: EUR\nelements:\n  - enrgy: 1\n    energy: x\n"
    _, problems = read_tariff_file(text, "t.yaml")

    said = [words_of("de").told(each.message) for each in problems]

    assert len(said) > 1
    assert all(german != each.message for german, each in zip(said, problems, strict=True))
