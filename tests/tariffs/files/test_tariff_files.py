"""Tariff and session files: every problem at its spot, all of them at once."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tariffs.files.examples import failing_examples
from tariffs.files.session_file import read_session_file
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.canonical import tariff_hash
from tariffs.model.tariff import Dimension, TaxIncluded, Weekday
from tariffs.model.usage import SessionUsage, UsagePoint
from tests.tree import EXAMPLES

TARIFFS = sorted((EXAMPLES / "tariffs").glob("*.yaml"))
SMALL = "tariff: t\ncurrency: EUR\nelements:\n  - energy: 0.5\n"


def problems_of(text: str) -> list[str]:
    tariff, problems = read_tariff_file(text, "t.yaml")
    assert (tariff is None) == bool(problems)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("path", TARIFFS, ids=lambda path: path.stem)
def test_an_example_tariff_has_no_problem(path: Path) -> None:
    tariff, problems = read_tariff_file(path.read_text("utf-8"), path.name)

    assert problems == []
    assert tariff is not None
    assert tariff.id == path.stem


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    found = problems_of(
        "tariff: x\n"
        "currency: EURO\n"
        "elements:\n"
        "  - energi: 0.5\n"
        "    energy: NaN\n"
        "  - energy: 0.1 per h\n"
        "    restrictions: {start_time: 2100, day_of_weeks: x, min_kwh: -1}\n"
        "  - time: 1E+999999\n"
        "    time: 3\n"
    )

    assert found == [
        "t.yaml:2:11: 'currency': 'EURO' is not known; did you mean 'EUR'?",
        "t.yaml:4:5: an element has no key 'energi'; did you mean 'energy'?",
        "t.yaml:5:13: 'energy': 'NaN' is not a finite number of reasonable size",
        "t.yaml:6:13: 'energy': energy is priced per kWh, not per h",
        "t.yaml:7:32: 'start_time': '2100' is not a time; write it as 21:00",
        "t.yaml:7:38: restrictions has no key 'day_of_weeks'; did you mean 'day_of_week'?",
        "t.yaml:7:64: 'min_kwh': -1 is negative",
        "t.yaml:8:11: 'time': '1E+999999' is not a finite number of reasonable size",
        "t.yaml:9:5: 'time' stands here again; it is already on line 8",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "t.yaml:1:1: the file is empty", id="an empty file"),
        pytest.param("[" * 100_000, "t.yaml:1:33: nested more than 32 levels deep", id="depth"),
        pytest.param("a: [1", "t.yaml:2:1: not YAML: did not find expected ',' or ']'", id="open"),
        pytest.param("a: \x00", "t.yaml:1:1: not YAML: control characters are not allowed", id="0"),
        pytest.param(
            SMALL + "name: &n x\n", "t.yaml:5:7: anchors (&name) are not allowed", id="an anchor"
        ),
        pytest.param(
            SMALL + "name: !!python/name:os.system x\n",
            "t.yaml:5:7: tags (tag:yaml.org,2002:python/name:os.system) are not allowed",
            id="a tag",
        ),
        pytest.param(
            SMALL + "---\na: 1\n", "t.yaml:5:1: only one document (---) a file", id="two documents"
        ),
        pytest.param(
            SMALL + "? [a]\n: 1\n", "t.yaml:5:3: a key must be a plain word", id="an odd key"
        ),
        pytest.param(
            "tariff: t\ncurrency: EUR\nelements: []\n",
            "t.yaml:3:1: there must be an element",
            id="no element",
        ),
        pytest.param(
            SMALL + "min_price: 3\nmax_price: 2\n",
            "t.yaml:1:1: max_price is less than min_price",
            id="limits that exclude each other",
        ),
        pytest.param(
            SMALL + "start_date_time: 2026-01-01T00:00:00\n",
            "t.yaml:5:18: 'start_date_time': '2026-01-01T00:00:00' needs its offset from UTC, "
            "as in 2026-03-29T00:00:00+01:00 or ...Z",
            id="a moment without its offset",
        ),
        pytest.param(
            SMALL + "adjustments:\n  - group: staff\n",
            "t.yaml:6:5: say either 'free: [...]' or 'discount: 20 %' with 'on'",
            id="a grant that gives nothing",
        ),
        pytest.param(
            SMALL.replace("0.5", "0.5\n    restrictions: {start_time: 08:00, end_time: 08:00}"),
            "t.yaml:5:39: end_time equals start_time; leave both out for the whole day",
            id="a window without length",
        ),
        pytest.param(
            SMALL.replace("0.5", "0.5\n    restrictions: {reservation: RESERVATION}"),
            "t.yaml:4:5: a reservation can only have flat and time prices",
            id="energy in a reservation",
        ),
    ],
)
def test_a_file_that_cannot_be_priced_names_the_place(text: str, problem: str) -> None:
    assert problem in problems_of(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("8:00", "08:00"), ("8:00:30", "08:00:30"), ("8:60", "21:00"), ("noon", "21:00")],
)
def test_a_time_without_its_zero_is_told_how_to_be_written(written: str, meant: str) -> None:
    element = f"  - energy: 1\n    restrictions: {{start_time: {written}}}\n"

    [problem] = problems_of(f"tariff: t\ncurrency: EUR\nelements:\n{element}")

    assert problem.endswith(f"'{written}' is not a time; write it as {meant}")


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]\n"
        for last, name in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert any("aliases" in problem for problem in problems_of(bomb))


def test_times_stay_times_and_no_stays_no() -> None:
    tariff, _ = read_tariff_file(
        SMALL.replace("0.5", "0.10\n    restrictions: {start_time: 21:00, end_time: 24:00}")
        + "tax_included: NO\n",
        "t.yaml",
    )

    assert tariff is not None
    assert tariff.elements[0].restrictions.start_time == time(21)
    assert tariff.elements[0].restrictions.end_time == time(0)
    assert tariff.tax_included is TaxIncluded.NO


@pytest.mark.parametrize(
    ("key", "written", "price"),
    [
        ("energy", "0.10", "0.1"),
        ("energy", "0.10/kWh", "0.1"),
        ("energy", "0.1000 per kWh", "0.1"),
        ("time", "0.10 per min", "6"),
        ("parking_time", "6.00/h", "6"),
        ("flat", "0.50 once", "0.5"),
        ("flat", "0.50 per session", "0.5"),
    ],
)
def test_a_price_may_name_its_unit(key: str, written: str, price: str) -> None:
    tariff, problems = read_tariff_file(SMALL.replace("energy: 0.5", f"{key}: {written}"), "t.yaml")

    assert problems == []
    assert tariff is not None
    (component,) = tariff.elements[0].price_components
    assert (component.dimension, component.price) == (Dimension(key.upper()), Decimal(price))


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("MONDAY", ["MONDAY"]),
        ("[saturday, Friday]", ["FRIDAY", "SATURDAY"]),
        ("weekends", ["SATURDAY", "SUNDAY"]),
        ("[FRIDAY-MONDAY]", ["MONDAY", "FRIDAY", "SATURDAY", "SUNDAY"]),
    ],
)
def test_weekdays_may_be_written_as_people_do(written: str, days: list[str]) -> None:
    tariff, problems = read_tariff_file(
        SMALL.replace("0.5", f"0.5\n    restrictions: {{day_of_week: {written}}}"), "t.yaml"
    )

    assert problems == []
    assert tariff is not None
    assert tariff.elements[0].restrictions.day_of_week == tuple(map(Weekday, days))


@pytest.mark.parametrize(
    ("price", "billed"),
    [
        pytest.param("energy: 0.49 per kWh", "2.4005", id="no step bills half a watt-hour as half"),
        pytest.param("energy: {price: 0.49, step_size: 0}", "2.4005", id="nor does a step of 0"),
        pytest.param("energy: {price: 0.49, step_size: 1}", "2.401", id="a step of 1 is one"),
        pytest.param("time: 3.00 per h", "0.4204166667", id="no step bills half a second as half"),
        pytest.param("time: {price: 3.00, step_size: 1 s}", "0.4205555556", id="a second is one"),
    ],
)
def test_only_a_stated_step_rounds_what_is_billed(price: str, billed: str) -> None:
    text = f"tariff: t\ncurrency: EUR\nelements:\n  - {price}\n"
    tariff, problems = read_tariff_file(text, "t.yaml")
    assert tariff is not None, problems
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    end = start + timedelta(seconds=1513.5)
    points = (UsagePoint(start, Decimal(0)), UsagePoint(end, Decimal("2400.5")))
    usage = SessionUsage(starts_at=start, ends_at=end, time_zone="UTC", points=points)

    line = price_session(usage, compile_tariff(tariff)).lines[-1]

    assert round(line.billed_volume, 10) == Decimal(billed)


@pytest.mark.parametrize(
    ("step", "wh"),
    [("100", 100), ("100 Wh", 100), ("100Wh", 100), ("0.5 kWh", 500), ("0.001kWh", 1)],
)
def test_a_step_of_energy_is_written_in_its_unit(step: str, wh: int) -> None:
    text = SMALL.replace("0.5", f"{{price: 0.5, step_size: {step}}}")

    tariff, problems = read_tariff_file(text, "t.yaml")

    assert problems == []
    assert tariff is not None
    assert [each.step_size for each in tariff.elements[0].price_components] == [wh]


@pytest.mark.parametrize("step", ["100 kW", "0.5", "0.5 Wh", "0.0001 kWh", "5 min", "kWh", "Wh"])
def test_a_step_that_is_no_whole_number_of_watt_hours_says_how_it_is_written(step: str) -> None:
    text = SMALL.replace("0.5", f"{{price: 0.5, step_size: {step}}}")

    _, problems = read_tariff_file(text, "t.yaml")

    assert [each.message.rpartition("; ")[2] for each in problems] == [
        "write it as 100 Wh or 0.5 kWh"
    ]


def test_how_a_price_is_written_does_not_change_the_version() -> None:
    written = [SMALL, SMALL.replace("0.5", "0.50 per kWh"), "# a comment\n" + SMALL]

    hashes = {
        tariff_hash(tariff) for tariff, _ in (read_tariff_file(t, "t") for t in written) if tariff
    }

    assert len(hashes) == 1


def test_a_session_file_names_what_is_wrong() -> None:
    usage, problems = read_session_file(
        "starts_at: 2026-03-02T10:00:00+01:00\n"
        "ends_at: 2026-03-02T09:00:00+01:00\n"
        "time_zone: Europe/Berlim\n"
        "energy: 3\n",
        "s.yaml",
    )

    assert usage is None
    assert [str(problem) for problem in problems] == [
        "s.yaml:3:12: 'time_zone': there is no time zone 'Europe/Berlim'",
        "s.yaml:4:1: the session has no key 'energy'; did you mean 'energy_wh'?",
    ]


SESSION = (
    "starts_at: 2026-03-11T19:10:00+01:00\n"
    "ends_at: 2026-03-11T21:30:00+01:00\n"
    "time_zone: Europe/Berlin\n"
)


@pytest.mark.parametrize(
    ("said", "is_read"),
    [
        pytest.param("", False, id="nothing is said"),
        pytest.param("readings: []\n", False, id="a list of no readings says nothing"),
        pytest.param("reservation_expired: no\n", False, id="it was no reservation"),
        pytest.param("energy_wh: 0\n", True, id="nothing was drawn"),
        pytest.param("reservation_expired: yes\n", True, id="nobody came"),
    ],
)
def test_a_session_says_its_energy(said: str, *, is_read: bool) -> None:
    usage, problems = read_session_file(SESSION + said, "s.yaml")

    assert (usage is not None) == is_read
    if not is_read:
        [problem] = problems
        assert str(problem).startswith("s.yaml:1:1: it has neither energy_wh nor readings")


def test_a_session_whose_readings_run_backwards_is_refused() -> None:
    usage, problems = read_session_file(
        "starts_at: 2026-03-02T10:00:00+01:00\n"
        "ends_at: 2026-03-02T11:00:00+01:00\n"
        "time_zone: Europe/Berlin\n"
        "readings:\n"
        "  - {at: 2026-03-02T10:00:00+01:00, wh: 0}\n"
        "  - {at: 2026-03-02T10:30:00+01:00, wh: 20}\n"
        "  - {at: 2026-03-02T11:00:00+01:00, wh: 10}\n",
        "s.yaml",
    )

    assert usage is None
    assert "run backwards" in str(problems[0])


BY_POWER = (
    "tariff: t\ncurrency: EUR\nvat: 0 %\nelements:\n"
    "  - energy: 0.90 per kWh\n    restrictions: {min_power: 50}\n"
    "  - energy: 0.40 per kWh\n"
    "examples:\n"
    "  - time_zone: Europe/Berlin\n    starts: 2026-03-02 12:00\n    ends: 2026-03-02 13:00\n"
    "    total: 13.00\n"
)


@pytest.mark.parametrize(
    ("readings", "problem"),
    [
        pytest.param(
            "{at: 2026-03-02 12:00, kwh: 0, power_kw: 60}, "
            "{at: 2026-03-02 12:30, kwh: 10, power_kw: 20}, {at: 2026-03-02 13:00, kwh: 20}",
            None,
            id="half of it was fast",
        ),
        pytest.param(
            "{at: 2026-03-02 12:00, kwh: 0}, {at: 2026-03-02 13:00, kwh: 20}",
            "costs 8.00 EUR in total, not 13.00 EUR",
            id="nothing was measured, so it is the mean",
        ),
        pytest.param(
            "{at: 2026-03-02 12:00, kwh: 0}, {at: 2026-03-02 12:30, kwh: 20}",
            "its readings do not begin with 0 and end with the session",
            id="it goes on after its last reading",
        ),
    ],
)
def test_an_example_may_say_what_was_read(readings: str, problem: str | None) -> None:
    text = f"{BY_POWER}    readings: [{readings}]\n"
    tariff, _ = read_tariff_file(text, "t.yaml")
    assert tariff is not None

    found = failing_examples(tariff, text, "t.yaml")

    assert [str(problem) in str(each) for each in found] == ([] if problem is None else [True])
