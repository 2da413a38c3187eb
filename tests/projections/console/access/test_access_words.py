"""What the pages of access say, they say in each language."""

from __future__ import annotations

import re

import pytest

from ledger.errors import LedgerError
from ledger.users.roles import Role
from projections.console.access.people_view import KINDS
from projections.console.access.words_of_errors import WORDS
from projections.console.console_words import ROOT, words_of

SAID = re.compile(r'\btext\(\s*"([^"]+)"')
TITLES = re.compile(r'Column\("[^"]*", "([^"]+)"')
FACTS = re.compile(r'^\s+\("([A-Z][^"]+)", (?:Cell|ways_cell|_may)\(', re.MULTILINE)
WAYS = re.compile(r'\("(an? [a-z ]+)", standing')
CHOSEN = re.compile(r'ui\.(?:field|choice)\("[^"]*", "([^"]+)"')


@pytest.mark.parametrize("tag", ["de", "fr"])
def test_each_word_of_code_is_said_in_each_language(tag: str) -> None:
    room, words = ROOT / "access", words_of(tag)
    code = "".join(each.read_text("utf-8") for each in sorted(room.glob("*.py")))
    pages = "".join(each.read_text("utf-8") for each in sorted(room.glob("templates/*.j2")))
    said = {*SAID.findall(code), *CHOSEN.findall(pages), *WORDS.values(), *map(str, Role)}
    said |= {*TITLES.findall(code), *FACTS.findall(code), *WAYS.findall(code), *KINDS.values()}

    assert len(said) > len(WORDS)
    assert sorted(text for text in said if not words.has(text)) == []


@pytest.mark.parametrize("error", WORDS, ids=lambda error: error.__name__)
def test_each_error_s_words_take_what_it_has(error: type[LedgerError]) -> None:
    assert set(re.findall(r"\{(\w+)\}", WORDS[error])) <= {"line", "seconds"}
