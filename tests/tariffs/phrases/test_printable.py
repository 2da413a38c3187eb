"""What strangers write is shown as what it is, never obeyed."""

from __future__ import annotations

import json
import re
import unicodedata
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.phrases.printable import (
    csv_text,
    html_text,
    printable,
    printable_json,
    printable_lines,
    printable_page,
)

HARMLESS_FORMAT = {"\u200c", "\u200d"}
"""Joiners, which some scripts need."""


def is_obeyed(character: str) -> bool:
    """Whether a terminal, or who reads it, would take *character* for more than itself."""
    return unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"} or (
        unicodedata.bidirectional(character) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI",
                                                 "FSI", "PDI", "BN"}
        and unicodedata.category(character) == "Cf"
        and character not in HARMLESS_FORMAT
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b]0;owned\x07", r"\x1b]0;owned\x07", id="a terminal's title"),
        pytest.param("CS-1\nINFO all is well", r"CS-1\nINFO all is well", id="a second line"),
        pytest.param("a\rb", r"a\rb", id="written over"),
        pytest.param("\x9b31m", r"\x9b31m", id="an escape of one character"),
        pytest.param("\x7f", r"\x7f", id="delete"),
        pytest.param("ab\u202ecd", r"ab\u202ecd", id="turned round"),
        pytest.param("ab\u2066cd", r"ab\u2066cd", id="isolated"),
        pytest.param("ab\u2028cd", r"ab\u2028cd", id="a line of its own"),
        pytest.param("\ud800", r"\ud800", id="half a pair"),
        pytest.param("\U000e0041", r"\U000e0041", id="a tag"),
        pytest.param("Plätze 家族 ½ क\u200dष", "Plätze 家族 ½ क\u200dष", id="words"),
        pytest.param(" ~", " ~", id="the ends of what ASCII prints"),
        pytest.param("\x1f\x80\x9f\xa0", "\\x1f\\x80\\x9f\xa0", id="the ends of the controls"),
    ],
)
def test_what_would_be_obeyed_is_shown_as_what_it_is(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_nothing_that_is_obeyed_passes(text: str) -> None:
    assert not [each for each in printable(text) if is_obeyed(each)]


@given(st.lists(st.text(st.sampled_from(" a~\x1f\x7f\n\r\x80é\u2028")), max_size=3))
def test_lines_are_printable_each_and_stay_as_many(lines: list[str]) -> None:
    assert printable_lines(lines) == "\n".join(map(printable, lines))


@given(st.text(st.characters(codec="utf-8")))
def test_json_keeps_its_values(text: str) -> None:
    encoded = json.dumps({text: text}, ensure_ascii=False)

    shown = printable_json(encoded)

    assert json.loads(shown) == {text: text}
    assert not [each for each in shown if is_obeyed(each)]


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_on_a_page_a_text_is_what_it_is_and_no_markup(text: str) -> None:
    on_page = html_text(text)

    assert unescape(on_page) == printable(text)
    assert not set(on_page) & set("<>\"'")
    assert not [each for each in on_page if is_obeyed(each)]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", "' =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\t=1", r"\t=1"),
        ("\u202e=1", r"\u202e=1"),
        ("a\n=1", r"a\n=1"),
        ("1=1", "1=1"),
        ("anna", "anna"),
        ("", ""),
    ],
)
def test_in_a_cell_a_text_is_no_formula(text: str, cell: str) -> None:
    assert csv_text(text) == cell


def test_json_keeps_its_lines() -> None:
    assert printable_json('{\n  "a": "\u009b"\n}\n') == '{\n  "a": "\\u009b"\n}\n'


def test_it_takes_a_text_of_any_length() -> None:
    assert not re.search("\x1b", printable("\x1b" * 1_000_000))


def test_a_page_shows_what_a_stranger_wrote_and_brings_back_what_stood_there() -> None:
    odd = "CS\x1b[2J\u202e1\x00"
    title, edited, said = (f"<{name}>{odd}</{name}>" for name in ("title", "textarea", "b"))
    shown = printable_page(f'{title}\n<input value="{odd}">{edited}\t{said}')

    title, said = (each.replace(odd, printable(odd)) for each in (title, said))
    assert shown == f'{title}\n<input value="{odd}">{edited}\t{said}'
    assert printable_page("<p>\n\u00e9\r\t\u200d</p>") == "<p>\n\u00e9\r\t\u200d</p>"


@pytest.mark.parametrize("piece", ["<", "<textarea", "<textarea>", "<textarea>a", "<a ", "\0"])
def test_a_page_of_any_kind_and_length_is_looked_through_once(piece: str) -> None:
    assert len(printable_page(piece * 50_000 + "\0")) >= 50_000 * len(piece)
