"""Every word of this screen is said in each language, also those that stand in its Python."""

from __future__ import annotations

import re

import pytest

from ledger.jobs.job import JobState
from projections.console.console_words import ROOT, SPOKEN, words_of
from projections.console.what_if.lists import STATES

ROOM = ROOT / "what_if"
IN_TEMPLATES = (
    r'\bt\(\s*"([^"]*)"',
    r"\bt\(\s*'([^']*)'",
    r'ui\.(?:field|choice)\("[^"]*", "([^"]*)"',
    r'ui\.tile\("([^"]*)"',
)
IN_PYTHON = (r'\btext\(\s*"([^"]*)"', r'Column\("[^"]*", "([^"]*)"', r'^ +\("([A-Z][^"]+)", "[A-Z]')
CAPTIONS = (r'"((?:[A-Z][a-z]+s|Customers) (?:who|that) [a-z ]+)"', r'_listing\("([^"]*)"')
MOVES = ("asked", "taken", "lost", "given back", "done", "failed", "cancelled")


def said() -> set[str]:
    found = {*STATES.values(), *MOVES, "Customer", "Station", "Site", "Month (UTC)", "By month"}
    for pattern, patterns in (("templates/*.j2", IN_TEMPLATES), ("*.py", IN_PYTHON + CAPTIONS)):
        for file in ROOM.glob(pattern):
            text = file.read_text("utf-8")
            for each in patterns:
                found |= set(re.findall(each, text, re.MULTILINE))
    return found


@pytest.mark.parametrize("tag", [each for each in SPOKEN if each != "en"])
def test_each_word_is_said(tag: str) -> None:
    words = words_of(tag)
    wanted = said()

    assert len(wanted) > 90
    assert sorted(each for each in wanted if not words.has(each)) == []


def test_each_state_of_a_job_has_its_words() -> None:
    assert set(STATES) == set(JobState)
