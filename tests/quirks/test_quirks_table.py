"""docs/quirks.md and the tests agree."""

from __future__ import annotations

import re
from typing import NamedTuple

from ledger.facts.flags import Flag
from tests.tree import ROOT

SOURCES = [*sorted((ROOT / "tests" / "quirks").glob("test_quirks_*.py"))]
SOURCES.append(ROOT / "tests" / "ingest" / "edge" / "test_edge_quirks.py")


class Row(NamedTuple):
    """One quirk as the page lists it."""

    number: int
    flags: tuple[str, ...]
    test: str


def _rows() -> list[Row]:
    page = (ROOT / "docs" / "quirks.md").read_text("utf-8")
    found = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \| `(\w+)` \|$", page, re.MULTILINE)
    return [
        Row(int(number), tuple(re.findall(r"`(\w+)`", flags)), test)
        for number, flags, test in found
    ]


def _tests() -> set[str]:
    text = "\n".join(path.read_text("utf-8") for path in SOURCES)
    return set(re.findall(r"^(?:async )?def (test_quirk_\w+)", text, re.MULTILINE))


def test_all_39_quirks_are_listed_once_in_order() -> None:
    assert [row.number for row in _rows()] == list(range(1, 40))


def test_every_listed_test_exists_and_carries_its_number() -> None:
    tests = _tests()

    for row in _rows():
        assert row.test in tests
        assert row.test.startswith(f"test_quirk_{row.number:02}_")


def test_every_quirk_test_has_a_number_of_the_page() -> None:
    listed = {row.number for row in _rows()}

    assert {int(name.split("_")[2]) for name in _tests()} == listed


def test_every_listed_flag_exists_and_is_asserted_in_a_test_of_the_quirks() -> None:
    text = "\n".join(path.read_text("utf-8") for path in SOURCES)

    for row in _rows():
        for name in row.flags:
            assert f"Flag.{Flag(name).name}" in text, name
