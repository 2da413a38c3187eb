"""The 38 worked examples of the OCPI texts, each to the digit."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tariffs.cdr.pricing import price_cdr
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff
from tariffs.model.policy import policy_named
from tariffs.ocpi.cdr_reader import cdr_of
from tariffs.ocpi.tariff_reader import tariff_of
from tariffs.quantities import RoundingMode, round_ratio
from tests.tree import VECTORS

FOLDER = VECTORS / "ocpi-worked-examples"
EXAMPLES = sorted(FOLDER.glob("*.json"))
pytestmark = pytest.mark.skipif(
    not EXAMPLES, reason="the worked examples of ../shared are not on this machine"
)


def read(path: Path) -> dict[str, Any]:
    example: dict[str, Any] = json.loads(path.read_bytes(), parse_float=Decimal)
    return example


def price(example: dict[str, Any], policy: str = "wattledger") -> PricedSession:
    tariff, _ = tariff_of(example["tariff"])
    cdr, _ = cdr_of(example["cdr"])
    return price_cdr(
        cdr,
        compile_tariff(tariff),
        time_zone=example["time_zone"],
        policy=policy_named(policy),
    )


def at_the_digits_of(exact: Fraction, expected: Decimal) -> Decimal:
    """Round *exact* to as many digits as *expected* is stated with."""
    exponent = expected.as_tuple().exponent
    assert isinstance(exponent, int)
    digits = max(2, -exponent)
    scaled = exact * 10**digits
    rounded = round_ratio(scaled.numerator, scaled.denominator, RoundingMode.HALF_UP)
    return Decimal(rounded).scaleb(-digits)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_worked_example_costs_what_the_specification_says(path: Path) -> None:
    example = read(path)

    priced = price(example)

    expected = example["expected"]
    totals = {"excl_vat": priced.before_exact, "incl_vat": priced.after_exact}
    for name, exact in totals.items():
        if expected[name] is not None:
            assert at_the_digits_of(exact, Decimal(expected[name])) == expected[name]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_worked_example_states_a_total_after_taxes_only_if_the_tariff_does(path: Path) -> None:
    example = read(path)

    priced = price(example)

    stated = example["expected"]["incl_vat"] is not None
    included = example["tariff"].get("tax_included") == "YES"
    assert (priced.tax_known or included) == stated


@pytest.mark.parametrize(
    ("name", "total"),
    [
        pytest.param("t14_step_switch_1", "0.383", id="ten minutes and two of parking"),
        pytest.param("t14_step_switch_2", "1.30", id="charging only"),
        pytest.param("t14_step_switch_3_free", "0.78", id="free parking after eight"),
    ],
)
def test_the_edition_of_2021_comes_out_under_its_own_policy(name: str, total: str) -> None:
    priced = price(read(FOLDER / f"{name}.json"), "ocpi-2.2.1-2021")

    assert at_the_digits_of(priced.before_exact, Decimal(total)) == Decimal(total)
    assert priced.policy.name == "ocpi-2.2.1-2021"


@pytest.mark.parametrize(
    ("name", "total"),
    [
        pytest.param("t14_step_switch_1", "0.55", id="ten minutes and two of parking"),
        pytest.param("t14_step_switch_2", "1.30", id="charging only"),
        pytest.param("t14_step_switch_3_free", "0.80", id="free parking after eight"),
    ],
)
def test_the_second_edition_comes_out_as_it_is_printed(name: str, total: str) -> None:
    priced = price(read(FOLDER / f"{name}.json"), "ocpi-2.2.1-d2")

    assert at_the_digits_of(priced.before_exact, Decimal(total)) == Decimal(total)
    assert ("prices_exchanged" in [note.code for note in priced.notes]) == (total == "0.80")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_lines_of_a_worked_example_are_those_of_its_table(path: Path) -> None:
    example = read(path)

    priced = price(example)

    for line in example["expected_lines"]:
        dimension = line["dim"].split()[0].replace("RESERVATION", "RESERVATION_TIME")
        amounts = [
            at_the_digits_of(Fraction(found.before_numerator, found.denominator), Decimal("0.0000"))
            for found in priced.lines
            if found.dimension == dimension
        ]
        assert Decimal(line.get("excl_vat", line.get("correct"))) in amounts
