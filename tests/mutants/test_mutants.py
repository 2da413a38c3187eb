"""The judge of the tests is judged: it must find what a test misses, and only that."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.loading import MutantFinder, is_in
from tests.mutants.schemata import NUDGE, SWITCH, Schemata, nudged

SOURCE = '''
LIMIT = 10
BONUS = 40
TABLE = {"big": lambda value: value > 5}

def fee(value: int, *, extra: int = 3) -> int:
    """Return a fee."""
    if value < 0:
        raise ValueError(f"{value + 1} is below")
    total = 0
    for each in range(value):
        if each == 7:
            continue
        total += 2
    if total > LIMIT and not extra:
        total = LIMIT - 1
    match total:
        case 4:
            return BONUS
    return total
'''


def loaded(on: int) -> tuple[Schemata, dict[str, object]]:
    """Return the module of SOURCE with one mutant switched on."""
    schemata = Schemata("shop.fees", 1)
    tree = ast.fix_missing_locations(schemata.visit(ast.parse(SOURCE)))
    namespace: dict[str, object] = {SWITCH: on.__eq__, NUDGE: nudged}
    exec(compile(tree, "fees", "exec"), namespace)
    return schemata, namespace


def called(on: int, value: int, extra: int = 3) -> object:
    """Return what fee gives with a mutant switched on, or the error."""
    _, namespace = loaded(on)
    fee = namespace["fee"]
    assert callable(fee)
    try:
        return fee(value, extra=extra)
    except ValueError as error:
        return repr(error)


def number_of(before: str, after: str) -> int:
    schemata, _ = loaded(0)
    return next(
        each.number for each in schemata.mutants if (each.before, each.after) == (before, after)
    )


def test_with_none_switched_on_nothing_is_changed() -> None:
    assert [called(0, value) for value in (-1, 0, 2, 9)] == [
        "ValueError('0 is below')",
        0,
        40,
        16,
    ]
    assert called(0, 9, extra=0) == 9


@pytest.mark.parametrize(
    ("before", "after", "given", "came_out"),
    [
        pytest.param("value < 0", "value <= 0", (0,), "ValueError('1 is below')", id="comparison"),
        pytest.param("total > LIMIT", "total >= LIMIT", (5, 0), 9, id="within a condition"),
        pytest.param("BONUS", "BONUS + 1", (2,), 41, id="a constant where it is read"),
        pytest.param("not extra", "extra", (9, 0), 16, id="a not"),
        pytest.param("LIMIT - 1", "LIMIT + 1", (9, 0), 11, id="arithmetic"),
        pytest.param("total += 2", "nothing", (5,), 0, id="an increase left out"),
        pytest.param("continue", "nothing", (9,), 18, id="a continue left out"),
        pytest.param("2", "3", (5,), 15, id="a number"),
        pytest.param("7", "8", (8,), 16, id="a number that is compared"),
        pytest.param(
            "total > LIMIT and (not extra)",
            "total > LIMIT or not extra",
            (9,),
            9,
            id="and, or",
        ),
    ],
)
def test_a_change_is_what_it_says(
    before: str, after: str, given: tuple[int, ...], came_out: object
) -> None:
    assert called(number_of(before, after), *given) == came_out


def test_a_refusal_can_be_left_out() -> None:
    schemata, _ = loaded(0)
    [found] = [each for each in schemata.mutants if each.before.startswith("raise")]

    assert called(found.number, -1) == 0


def test_each_change_has_one_number_and_its_place() -> None:
    schemata, _ = loaded(0)

    numbers = [each.number for each in schemata.mutants]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert {each.function for each in schemata.mutants} == {"fee", "lambda"}
    assert not [each for each in schemata.mutants if each.before == "4"], "patterns stay"
    assert not [each for each in schemata.mutants if each.before == "value + 1"], "texts stay"
    assert not [each for each in schemata.mutants if each.before == "3"], "defaults stay"


@pytest.mark.parametrize(
    ("value", "above"),
    [
        (3, 4),
        (True, False),
        (Decimal("0.05"), Decimal("0.06")),
        (Decimal(5), Decimal(6)),
        (timedelta(minutes=1), timedelta(seconds=61)),
        ("text", "text"),
    ],
)
def test_a_constant_moves_by_its_own_unit(value: object, above: object) -> None:
    assert nudged(value) == above


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MutantFinder]:
    """Yield a finder that has loaded a package of one module with every kind of constant."""
    folder = tmp_path / "mutated_shop"
    folder.mkdir()
    folder.joinpath("__init__.py").touch()
    folder.joinpath("fees.py").write_text(
        """from datetime import UTC
PRICE, NAME, ZONE, TABLE = 3, "EUR", UTC, {1: 2}

def fee():
    return PRICE, NAME, ZONE, TABLE, 0, 0
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    finder = MutantFinder(tmp_path, ["mutated_shop"])
    meta_path = list(sys.meta_path)
    finder.install()
    finder.load()
    yield finder
    sys.meta_path[:] = meta_path
    for name in [each for each in sys.modules if is_in("mutated_shop", each)]:
        del sys.modules[name]


def test_a_constant_that_has_no_unit_is_not_counted(shop: MutantFinder) -> None:
    assert [each.before for each in shop.mutants if shop.moves(each)] == ["PRICE", "0", "0"]
    assert [each.before for each in shop.mutants if not shop.moves(each)] == [
        "NAME",
        "ZONE",
        "TABLE",
    ]


def test_changes_that_read_the_same_have_different_keys(shop: MutantFinder) -> None:
    assert [each.key for each in shop.mutants if each.before == "0"] == [
        "mutated_shop.fees:fee: 0 -> 1",
        "mutated_shop.fees:fee: 0 -> 1 (2)",
    ]


@pytest.mark.parametrize(
    ("package", "module", "said"),
    [
        ("ledger.meter", "ledger.meter", True),
        ("ledger.meter", "ledger.meter.series", True),
        ("ledger.meter", "ledger.meters.series", False),
        ("ledger.meter", "ledger", False),
    ],
)
def test_a_module_is_in_its_package(package: str, module: str, *, said: bool) -> None:
    assert is_in(package, module) is said


def test_each_change_that_is_called_equivalent_still_exists_and_has_a_reason() -> None:
    root = Path(__file__).resolve().parents[2]
    found = set[str]()
    for module in {key.partition(":")[0] for key in EQUIVALENT}:
        schemata = Schemata(module, 1)
        schemata.visit(ast.parse(root.joinpath(*module.split(".")).with_suffix(".py").read_text()))
        found |= {each.key for each in schemata.mutants}

    assert set(EQUIVALENT) <= found
    assert all(reason.endswith(".") for reason in EQUIVALENT.values())
