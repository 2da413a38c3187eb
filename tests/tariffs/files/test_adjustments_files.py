"""Adjustments, series, taxes, holidays and examples as people write them, right and wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tariffs.files.examples import failing_examples
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.lint.linter import lint_file
from tariffs.model.canonical import tariff_hash
from tariffs.model.price_series import MissingPriceError
from tariffs.model.usage import SessionUsage, UsagePoint
from tariffs.taxes.sales_taxes import SalesTax, effective_percents

HEAD = "tariff: t\ncurrency: EUR\ntax_included: NO\nelements: [{energy: 0.50 per kWh}]\n"


def problems_of(text: str) -> list[str]:
    _, problems = read_tariff_file(text, "t.yaml")
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{free_first: 30, on: [time]}", "needs its unit"),
        ("{free_first: 30 min, on: [energy]}", "the first minutes are of"),
        ("{free_first: 3 kWh, on: [time]}", "the first kWh can only be energy"),
        ("{free_below: soon}", "is not a duration"),
        ("{free_below: [1 kWh, 2 kWh]}", "one amount of energy and one of time"),
        ("{free_below: [1 min, 1 kWh, 2 min]}", "one amount of energy and one of time"),
        ("{round_down: 5 min}", "needs 'on'"),
        ("{round_down: 0, on: [time]}", "its step is 0"),
        ("{round_down: 5 min, on: [time, energy]}", "is not a number"),
        ("{cap: -1}", "is negative"),
        ("{cap: 1, on: [tyme]}", "did you mean 'time'?"),
        ("{cap: 1, per: night}", "needs two different times"),
        ("{cap: 1, per: night, from: 22:00, to: 22:00}", "needs two different times"),
        ("{cap: 1, from: 22:00, to: 06:00}", "needs two different times"),
        ("{at_least: 1}", "needs 'on'"),
        ("{surcharge: 120 %}", "is more than 100 %"),
        ("{surcharge: 5 %, vat: 19 %}", "bears the taxes of what it is taken from"),
        ("{surcharge: 1E+999999}", "is not a finite number"),
        ("{cap: NaN}", "is not a finite number"),
        ("{cap: 1, cap_on: [time]}", "has no key 'cap_on'"),
        ("{cap: 1, at_least: 1, on: [time]}", "an adjustment is one of"),
    ],
)
def test_a_wrong_adjustment_is_refused_at_its_place(entry: str, sentence: str) -> None:
    (problem,) = problems_of(f"{HEAD}adjustments:\n  - {entry}\n")

    assert problem.startswith("t.yaml:6:")
    assert sentence in problem


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("taxes: [{name: GST}]", "either 'percent' or 'per_kwh'"),
        ("taxes: [{name: GST, percent: 5, vat: 3}]", "'vat' for taxes per kWh"),
        ("taxes: [{name: a, percent: 1, stack: 1}, {name: b, percent: 1}]", "order of their stack"),
        ("{vat: 19, taxes: [{name: GST, percent: 5}]}", "say either"),
        ("holidays: {country: Germany, years: [2026]}", "write the country as DE"),
        ("holidays: {country: DE, region: XX, years: [2026]}", "DE has no region 'XX'"),
        ("holidays: {country: DE, years: [26]}", "is not a year"),
        ("price_series: {interval: 60 min}", "either 'prices' or 'file'"),
        ("price_series: {interval: 60 min, file: ../up.csv}", "in the tariff's own folder"),
        ("price_series: {interval: 60 min, file: none.csv}", "none.csv cannot be read"),
        ("price_series: {interval: 7 min, prices: {2026-01-01T00:00:00Z: 1}}", "7 min are not"),
        ("price_series: {interval: 1 h, prices: {2026-01-01T00:00:00Z: -1}}", "give it a floor"),
        ("price_series: {interval: 1 h, prices: {2026-01-01 00:00: 1}}", "needs its offset"),
    ],
)
def test_what_is_wrong_beside_the_elements_is_said(line: str, sentence: str) -> None:
    text = HEAD + (line.strip("{}").replace(", taxes", "\ntaxes") if line[0] == "{" else line)

    (problem,) = problems_of(text + "\n")

    assert sentence in problem


def test_a_holiday_needs_to_know_whose() -> None:
    text = HEAD.replace("kWh}", "kWh, restrictions: {day_of_week: [HOLIDAY]}}")

    assert "HOLIDAY needs 'holidays" in problems_of(text)[0]


def test_a_season_needs_both_ends() -> None:
    text = HEAD.replace("kWh}", "kWh, restrictions: {season_start: 02-30}}")

    assert "is not a day of the year" in problems_of(text)[0]
    assert "needs season_start and season_end" in problems_of(text.replace("30", "28"))[0]
    for odd in ("W10", "W10-1", "0228", "2-28"):
        assert "is not a day of the year" in problems_of(text.replace("02-30", odd))[0]


def test_a_series_beside_the_tariff_has_its_problems_at_its_own_lines(tmp_path: Path) -> None:
    (tmp_path / "spot.csv").write_text(
        "starts_at,price\n2026-01-01T00:00:00Z,0.1\nsoon,0.2\n2026-01-01T02:00:00Z,many\n", "utf-8"
    )
    text = HEAD + "price_series: {interval: 60 min, file: spot.csv}\n"

    _, problems = read_tariff_file(text, str(tmp_path / "t.yaml"))

    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in problems] == [
        "spot.csv:3:1: 'soon' is not a moment; write it as 2026-03-29T00:00:00+01:00",
        "spot.csv:4:1: 'many' is not a number",
    ]


def test_a_price_that_stands_twice_in_a_series_is_none(tmp_path: Path) -> None:
    twice = '[{"starts_at": "2026-01-01T00:00:00Z", "price": 0.1, "price": 0.2}]'
    (tmp_path / "spot.json").write_text(twice, "utf-8")
    text = HEAD + "price_series: {interval: 60 min, file: spot.json}\n"

    _, problems = read_tariff_file(text, str(tmp_path / "t.yaml"))

    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in problems] == [
        "spot.json:1:1: this is no JSON: a key stands twice in one object",
    ]


SPOT = """tariff: spot
currency: EUR
price_series:
  interval: 60 min
  prices: {2026-01-01T00:00:00Z: 0.10, 2026-01-01T02:00:00Z: 0.30}
elements: [{energy: {series: yes}}]
"""


def session(hours: int) -> SessionUsage:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start.replace(hour=hours)
    return SessionUsage(
        starts_at=start,
        ends_at=end,
        time_zone="UTC",
        points=(UsagePoint(start, Decimal(0)), UsagePoint(end, Decimal(1000 * hours))),
    )


def test_energy_in_a_gap_of_the_series_is_refused_and_never_free() -> None:
    tariff, _ = read_tariff_file(SPOT, "spot.yaml")
    assert tariff is not None
    compiled = compile_tariff(tariff)

    assert price_session(session(1), compiled).before_minor == 10
    with pytest.raises(MissingPriceError, match="spot has no price for 2026-01-01 01:00 UTC"):
        price_session(session(2), compiled)


def test_another_price_in_the_series_is_another_version() -> None:
    one, _ = read_tariff_file(SPOT, "spot.yaml")
    other, _ = read_tariff_file(SPOT.replace("0.30", "0.31"), "spot.yaml")

    assert one is not None
    assert other is not None
    assert tariff_hash(one) != tariff_hash(other)


def test_holidays_are_frozen_into_the_version() -> None:
    text = HEAD.replace("kWh}", "kWh, restrictions: {day_of_week: [HOLIDAY]}}")
    text += "holidays: {country: DE, region: BY, years: [2026]}\n"

    tariff, _ = read_tariff_file(text, "t.yaml")

    assert tariff is not None
    assert tariff.holidays is not None
    days = tariff.elements[0].restrictions.holidays
    assert days == tariff.holidays.days
    assert date(2026, 1, 6) in days
    assert date(2026, 1, 7) not in days


def test_stacked_taxes_are_on_all_below() -> None:
    taxes = [
        SalesTax(name="a", percent=Decimal(5)),
        SalesTax(name="b", percent=Decimal(10)),
        SalesTax(name="c", percent=Decimal(10), stack=1),
        SalesTax(name="d", percent=Decimal(100), stack=2),
    ]

    # c is on 115 %, d on 126.5 %.
    assert effective_percents(taxes) == tuple(map(Decimal, ("5", "10", "11.5", "126.5")))


def test_an_old_tariff_keeps_its_hash_whatever_the_model_learns() -> None:
    tariff, _ = read_tariff_file(HEAD, "t.yaml")

    assert tariff is not None
    assert tariff_hash(tariff)[:16] == "3ee8109ae15c350c"


EXPIRED = "elements: [{flat: 2.00 once, restrictions: {reservation: RESERVATION_EXPIRES}}, "
EXAMPLE = """examples:
  - {time_zone: UTC, starts: 2026-03-02 10:00, ends: 2026-03-02 11:00, kwh: 10, total: 5.00}
  - name: too dear
    starts: 2026-03-02 10:00
    ends: 2026-03-02 11:00
    kwh: 10
    total: 4.99
"""


def test_an_example_that_fails_is_found_at_its_total() -> None:
    tariff, problems = read_tariff_file(HEAD + EXAMPLE, "t.yaml")
    assert tariff is not None, problems

    failing = [str(problem) for problem in failing_examples(tariff, HEAD + EXAMPLE, "t.yaml")]

    sentence = "example 'too dear' costs 5.00 EUR in total, not 4.99 EUR"
    assert failing == [f"t.yaml:11:5: {sentence} (its lines in minor units, with tax: energy 500)"]
    assert [f.rule for f in lint_file(HEAD + EXAMPLE, "t.yaml") if f.severity == "error"] == [
        "example-fails"
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("time_zone: UTC, ", ""), "the first example needs 'time_zone'"),
        (
            ("UTC, starts: 2026-03-02 10:00", "Europe/Berlin, starts: 2026-03-29 02:30"),
            "comes twice or never",
        ),
        (("ends: 2026-03-02 11:00, kwh", "ends: 2026-03-01 11:00, kwh"), "ends before it starts"),
        (("kwh: 10, total: 5.00", "kwh: 10"), "needs 'total'"),
        (("kwh: 10, total: 5.00", "total: 0.00"), "t.yaml:6:5: an example needs kwh or readings"),
        (("kwh: 10, total: 5.00", "readings: [], total: 0.00"), "an example needs kwh or readings"),
        (("kwh: 10, total: 5.00", "reservation_expired: no, total: 0"), "needs kwh or readings"),
    ],
)
def test_a_wrong_example_is_a_problem(change: tuple[str, str], sentence: str) -> None:
    text = HEAD + EXAMPLE.replace(*change)
    tariff, problems = read_tariff_file(text, "t.yaml")
    assert tariff is not None, problems

    found = [str(problem) for problem in failing_examples(tariff, text, "t.yaml")]

    assert any(sentence in problem for problem in found), found


@pytest.mark.parametrize(
    "drawn", ["kwh: 0", "reservation_expired: yes", "reservation_expired: yes, kwh: 0"]
)
def test_an_example_may_say_that_nothing_was_drawn_or_that_nobody_came(drawn: str) -> None:
    head = HEAD.replace("elements: [", EXPIRED)
    text = head + EXAMPLE.replace("kwh: 10, total: 5.00", f"{drawn}, total: 2.00", 1)
    text = text if "expired" in drawn else text.replace("total: 2.00", "total: 0.00")
    tariff, problems = read_tariff_file(text, "t.yaml")
    assert tariff is not None, problems

    found = [each.message for each in failing_examples(tariff, text, "t.yaml")]

    assert len(found) == 1
    assert "too dear" in found[0]


def test_a_season_neither_shadows_nor_excludes() -> None:
    text = """tariff: t
currency: EUR
tax_included: N/A
elements:
  - energy: 0.60 per kWh
    restrictions: {season_start: 02-29, season_end: 06-01}
  - energy: 0.50 per kWh
"""

    rules = {finding.rule for finding in lint_file(text, "t.yaml")}

    assert "unreachable" not in rules
    assert "never-applies" not in rules
    assert "not-in-ocpi" in rules
