"""The pages of tariffs say everything in each language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.approvals.record import TariffState
from projections.console import tariffs
from projections.console.console_words import SPOKEN, words_of
from projections.console.tariffs.lists import side_titles
from tariffs.calendar.week import Fee
from tariffs.calendar.words import DAY_NAMES
from tariffs.lint.subject import Severity

ROOM = Path(next(iter(tariffs.__path__)))
LABELS = re.compile(r'ui\.(?:field|choice)\("[^"]*", "([^"]*)"')


def said_in_code() -> Iterator[str]:
    """Yield the texts that the room's Python says, and the titles of its columns."""
    for file in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
                index = {"text": 0, "Column": 1}.get(name)
                said = None if index is None else node.args[index]
                if isinstance(said, ast.Constant):
                    yield str(said.value)


@pytest.mark.parametrize("tag", [each for each in SPOKEN if each != "en"])
def test_each_word_of_the_pages_of_tariffs_is_said_in_each_language(tag: str) -> None:
    catalogue = (ROOM / "words" / f"{tag}.po").read_text("utf-8")
    said = {
        *said_in_code(),
        *(text for file in ROOM.glob("templates/*") for text in LABELS.findall(file.read_text())),
        *(each.value for kind in (TariffState, Severity) for each in kind),
        *(each.value for each in Fee if each is not Fee.ENERGY),
        *DAY_NAMES,
        *("holds now", "to come", "held before", "everywhere", "everybody"),
        *side_titles().values(),
    }

    assert len(said) > 50
    assert sorted(text for text in said if not words_of(tag).has(text)) == []
    # Those of the documents are not translated by their own message alone.
    assert all(f'msgid "{each.value}"' in catalogue for each in Fee if each is not Fee.ENERGY)
