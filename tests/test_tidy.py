"""House rules that no linter knows, each with its reason."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

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
    # text/event-stream is HTML's, and an answer piece by piece has its name of litestar.
    r"(?<!event-)(?<!litestar.response import )\bstreams?\b": "transaction",
    r"\bclass (?:bad|reading)?place": "position in the log, spot in a file; a place is an EVSE",
}
"""Words that had a second meaning; docs/words.md has what to say."""
KNOWS_OCPP = re.compile("ocpp(?!21)", re.IGNORECASE)
REPEATED_GROUP = re.compile(r"(?<!\(\?:\\\\\.\[\^\"\\\\\]\*\+)\)(?:[*+?]|\{[0-9,]+\})\+")
"""A possessive repeat of a group. Python before 3.11.5 does not go back to where a repeat began
that came to nothing; one that can only fail at the end of the text is allowed."""
NAMING = ("id", "attr", "arg", "name", "module")
"""Of the nodes of a tree: where a name stands."""
NEAR_MONEY = {r"\bfloat\(": "money and energy are exact: Decimal or scaled integers"}


class Outline(NamedTuple):
    """A file as the rules see it: functions with their lines, classes, words for OCPP in code."""

    functions: list[tuple[str, int]]
    classes: list[str]
    tells_ocpp: list[str]


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _text(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def _outline(path: Path) -> Outline:
    """What the rules ask of a file's tree; the trees of all files would fill the memory."""
    tree = ast.parse(_text(path))
    functions, prose, said = [], set(), list[ast.AST]()
    is_ours = path in SOURCES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append((node.name, (node.end_lineno or 0) - node.lineno + 1))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.add(node.value)
        if is_ours:
            said.append(node)
    return Outline(
        functions=functions,
        classes=[node.name for node in tree.body if isinstance(node, ast.ClassDef)],
        tells_ocpp=[word for word in _words(said, prose) if KNOWS_OCPP.search(word)],
    )


def _words(said: Iterable[ast.AST], prose: set[ast.Constant]) -> Iterator[str]:
    """Yield what stands in code: names, and texts that are no docstrings."""
    for node in said:
        if isinstance(node, ast.Constant):
            if node not in prose:
                yield str(node.value)
        else:
            yield from (str(each) for name in NAMING if (each := getattr(node, name, None)))


def _broken(paths: Iterable[Path], rule: Callable[[Path], object]) -> dict[str, object]:
    """Return by file what breaks *rule*, of those files where anything does."""
    return {_named(path): found for path in paths if (found := rule(path))}


def test_a_file_is_one_noun_of_at_most_400_lines() -> None:
    files = [*SOURCES, *TESTS, *BENCH]

    assert [_named(path) for path in files if path.stem in EMPTY_NAMES] == [], "name the noun"
    long = _broken(files, lambda path: len(_text(path).splitlines()) > LINES_MAX)
    assert long == {}, "split it by noun"
    assert (
        _broken(files, lambda path: [EVERYWHERE[w] for w in EVERYWHERE if w in _text(path)]) == {}
    )


def test_a_function_fits_on_a_screen() -> None:
    def long(path: Path) -> list[tuple[str, int]]:
        limit = TEST_FUNCTION_LINES_MAX if path in tests else FUNCTION_LINES_MAX
        return [(name, lines) for name, lines in _outline(path).functions if lines > limit]

    tests = {*TESTS, *BENCH}
    assert _broken([*SOURCES, *tests], long) == {}


def test_only_the_composition_root_reads_the_clock_and_no_float_touches_money() -> None:
    def broken(path: Path) -> list[str]:
        package = path.relative_to(ROOT).parts[0]
        rules = {} if package == "deploy" else dict(BELOW_THE_EDGES)
        if package in {"tariffs", "ledger"}:
            rules |= NEAR_MONEY
        return [why for pattern, why in rules.items() if re.search(pattern, _text(path))]

    assert _broken(SOURCES, broken) == {}


def test_below_ingest_nothing_knows_the_protocol_of_stations() -> None:
    below = [
        path
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] not in {"ingest", "deploy"}
        and path.parts[-2] not in KNOW_OCPP
    ]

    assert _broken(below, lambda path: _outline(path).tells_ocpp) == {}


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
        for name in _outline(path).classes:
            if not name.startswith("_"):
                homes[name].append(_named(path))

    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_a_word_has_one_meaning() -> None:
    words = {re.compile(word): why for word, why in ONE_WORD_ONE_MEANING.items()}

    def second(path: Path) -> list[str]:
        text = _text(path).lower()
        return [why for word, why in words.items() if word.search(text)]

    assert _broken(SOURCES, second) == {}


def test_no_pattern_repeats_a_group_possessively() -> None:
    assert REPEATED_GROUP.search(r"(?:ab)*" + "+")
    assert REPEATED_GROUP.search(r"(?:ab){0,9}" + "+")
    assert not REPEATED_GROUP.search(r"(?>(?:ab)*)[cd]*+")

    assert _broken(SOURCES, lambda path: REPEATED_GROUP.findall(_text(path))) == {}
