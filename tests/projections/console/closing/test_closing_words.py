"""Months and integrity speak each language."""

from __future__ import annotations

import pytest

from projections.closing.checklist import MEANINGS
from projections.console.closing.items import ITEMS
from projections.console.closing.month import ACTS
from projections.console.closing.month_tables import ENERGY_PARTS, SIDES
from projections.console.closing.months import STATES
from projections.console.console_words import SPOKEN, words_of
from projections.console.integrity.checks import COMPARED
from tests.projections.console.said_texts import texts_of_code, texts_of_templates

SAID = {
    "closing": texts_of_templates("closing")
    | texts_of_code("closing", sums_table=(1,))
    | {*STATES.values(), *ACTS.values(), *(title for _, title in (*SIDES, *ENERGY_PARTS))},
    "integrity": texts_of_templates("integrity", work=(2, 3))
    | texts_of_code("integrity")
    | {*COMPARED.values()},
}


@pytest.mark.parametrize("tag", [each for each in SPOKEN if each != "en"])
@pytest.mark.parametrize("room", sorted(SAID))
def test_each_text_of_a_room_is_said_in_each_language(room: str, tag: str) -> None:
    words = words_of(tag)

    assert len(SAID[room]) > 40
    assert sorted(text for text in SAID[room] if not words.has(text)) == []


def test_each_item_of_a_checklist_has_its_words() -> None:
    assert list(ITEMS) == list(MEANINGS)
