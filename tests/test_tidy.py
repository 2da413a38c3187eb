"""House rules that no linter knows, each with its reason."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tariffs", "ledger", "ingest", "projections", "roaming_ocpi", "deploy")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCH = sorted((ROOT / "bench").rglob("*.py"))

LINES_MAX = 400
FILES_IN_A_FOLDER_MAX = 13
FUNCTION_LINES_MAX = 50
TEST_FUNCTION_LINES_MAX = 80
KNOW_OCPP = {"ocpp21"}
"""Beside ingest: the room that reads and writes OCPP 2.1's tariffs."""
EMPTY_NAMES = {"utils", "util", "helpers", "common", "misc", "base", "stuff"}

EVERYWHERE = {
    "FIX" + "ME": "finish it before merging",
    "TO" + "DO": "finish it before merging, or open an issue",
    "unittest" + ".mock": "use a fake that implements the port, or the real part",
}
BELOW_THE_EDGES = {
    r"\bdatetime\.now\(": "take the moment as an argument; only deploy reads the clock",
    r"\butcnow\(": "take the moment as an argument; only deploy reads the clock",
    r"\btime\.time\(": "take the moment as an argument; only deploy reads the clock",
}
ONE_WORD_ONE_MEANING = {
    r"\borphan": "loose frame (no valid id), unmatched frame (fits no session)",
    r"\bstreams?\b": "transaction",
    r"\bclass (?:bad|reading)?place": "position in the log, spot in a file; a place is an EVSE",
}
"""Words that had a second meaning; docs/words.md has what to say."""
NEAR_MONEY = {r"\bfloat\(": "money and energy are exact: Decimal or scaled integers"}


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*SOURCES, *TESTS, *BENCH], ids=_named)
def test_a_file_is_one_noun_of_at_most_400_lines(path: Path) -> None:
    text = path.read_text("utf-8")

    assert path.stem not in EMPTY_NAMES, "name the noun"
    assert len(text.splitlines()) <= LINES_MAX, "split it by noun"
    assert [why for word, why in EVERYWHERE.items() if word in text] == []


@pytest.mark.parametrize("path", [*SOURCES, *TESTS, *BENCH], ids=_named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    limit = FUNCTION_LINES_MAX if path in SOURCES else TEST_FUNCTION_LINES_MAX
    long = [
        f"{node.name} ({length})"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > limit
    ]

    assert long == []


@pytest.mark.parametrize("path", SOURCES, ids=_named)
def test_only_the_composition_root_reads_the_clock_and_no_float_touches_money(path: Path) -> None:
    text = path.read_text("utf-8")
    package = path.relative_to(ROOT).parts[0]
    rules = {} if package == "deploy" else dict(BELOW_THE_EDGES)
    if package in {"tariffs", "ledger"}:
        rules |= NEAR_MONEY

    assert [why for pattern, why in rules.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.parts[-2] not in KNOW_OCPP], ids=_named
)
def test_below_ingest_nothing_knows_the_protocol_of_stations(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    if package in {"ingest", "deploy"}:
        return
    tree = ast.parse(path.read_text("utf-8"))
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    said = [
        str(word)
        for node in ast.walk(tree)
        for word in (
            *(getattr(node, name, "") for name in ("id", "attr", "arg", "name", "module")),
            node.value if isinstance(node, ast.Constant) and id(node) not in prose else "",
        )
    ]

    assert [word for word in said if re.search("ocpp(?!21)", word, re.IGNORECASE)] == []


def test_the_house_rules_look_at_every_package() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(PACKAGES)


def test_each_test_file_has_its_own_name() -> None:
    names = [path.name for path in TESTS if path.name != "conftest.py"]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("package", [*PACKAGES, "tests", "bench"])
def test_a_folder_is_a_room_of_about_twelve_files(package: str) -> None:
    counts = Counter(
        path.parent.relative_to(ROOT)
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    )

    crowded = {str(folder): n for folder, n in counts.items() if n > FILES_IN_A_FOLDER_MAX}
    assert crowded == {}, "give the rules rooms of their own"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_room_says_what_it_holds(package: str) -> None:
    rooms = {path.parent for path in (ROOT / package).rglob("*.py")}

    silent = [
        str(room.relative_to(ROOT))
        for room in rooms
        if not (room / "__init__.py").read_text("utf-8").startswith('"""')
    ]
    assert silent == []


def test_a_class_name_stands_for_one_thing() -> None:
    homes = defaultdict(list)
    for path in SOURCES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(_named(path))

    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", SOURCES, ids=_named)
def test_a_word_has_one_meaning(path: Path) -> None:
    text = path.read_text("utf-8").lower()

    assert [why for word, why in ONE_WORD_ONE_MEANING.items() if re.search(word, text)] == []
