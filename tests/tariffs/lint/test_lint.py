"""Every lint rule finds what it is for, where it is, and leaves a sound tariff alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import price_session
from tariffs.lint.linter import (
    MISSING_UNIT,
    RULES,
    UNPRICEABLE,
    UNREADABLE,
    lint_file,
    lint_tariff,
)
from tariffs.lint.subject import Severity
from tariffs.model.tariff import Tariff
from tariffs.model.usage import Activity, SessionUsage, UsageSpan
from tests.tariffs.lint.lint_examples import (
    ENERGY,
    EXAMPLES,
    RESERVATION,
    SOUND,
    TIME,
    element,
    price,
    tariff,
)


def rules_of(found: Tariff) -> set[str]:
    return {finding.rule for finding in lint_tariff(found)}


def test_every_rule_has_an_example_a_name_of_its_own_and_a_reason() -> None:
    names = [rule.name for rule in RULES]

    assert sorted(names) == sorted(set(names))
    assert set(names) == set(EXAMPLES)
    assert all(rule.reason.endswith(".") for rule in RULES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rule_finds_its_example(name: str) -> None:
    assert name in rules_of(EXAMPLES[name][0])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rule_leaves_the_sound_example_alone(name: str) -> None:
    assert name not in rules_of(EXAMPLES[name][1])


def test_a_sound_tariff_has_a_note_about_the_oldest_ocpi_only() -> None:
    assert rules_of(tariff(SOUND)) == {"ocpi-2.1.1"}


def test_the_country_can_be_given_from_outside() -> None:
    paid_by_time = tariff(element(price(TIME, "6")))

    found = {finding.rule for finding in lint_tariff(paid_by_time, country="DE")}

    assert "de-price-per-kwh" in found
    assert all(
        "check with counsel" in finding.message
        for finding in lint_tariff(paid_by_time, country="DE")
        if finding.rule.startswith(("de-", "us-"))
    )


def test_a_shadowed_element_is_told_by_which() -> None:
    night = element(price(ENERGY, "0.3"), start_time=time(20), end_time=time(7))
    day = element(price(ENERGY, "0.5"), start_time=time(7), end_time=time(20))

    [unreachable] = [f for f in lint_tariff(tariff(night, day, SOUND)) if f.rule == "unreachable"]

    assert unreachable.spot == ("elements", 2, "energy")
    assert unreachable.message.endswith("wherever it could be, element 1, element 2 comes first")


def test_shadows_are_found_across_seasons_and_thresholds() -> None:
    summer = {"start_date": date(2026, 6, 1), "end_date": date(2026, 9, 1)}
    first = element(price(ENERGY, "0.3"), max_kwh=Decimal(20), **summer)
    second = element(price(ENERGY, "0.4"), min_kwh=Decimal(20), **summer)
    within = element(price(ENERGY, "0.5"), min_duration=60, **summer)
    outside = element(price(ENERGY, "0.5"), min_duration=60)

    assert "unreachable" in rules_of(tariff(first, second, within, SOUND))
    assert "unreachable" not in rules_of(tariff(first, second, outside, SOUND))


def test_an_element_outside_the_validity_of_the_tariff_never_applies() -> None:
    past = element(price(ENERGY, "0.3"), end_date=date(2025, 1, 1))

    found = tariff(past, SOUND, start_date_time=datetime(2026, 1, 1, tzinfo=UTC))

    assert "never-applies" in rules_of(found)


@pytest.mark.parametrize(
    ("when", "is_dead"),
    [({"min_duration": 900}, True), ({"min_duration": 0}, False), ({"max_duration": 900}, False)],
)
def test_no_reservation_reaches_a_duration(when: dict[str, int], *, is_dead: bool) -> None:
    """Durations count from where the reservation ends; none of 20 min is billed."""
    late = tariff(element(price(TIME, "5"), reservation=RESERVATION, **when), SOUND)
    starts_at = datetime(2026, 3, 2, tzinfo=UTC)
    reserved = SessionUsage(
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=20),
        time_zone="UTC",
        spans=(UsageSpan(starts_at, Activity.RESERVATION),),
    )

    priced = price_session(reserved, CompiledTariff(late))

    assert ("never-applies" in rules_of(late)) is is_dead
    assert (priced.before_minor == 0) is is_dead


def test_a_gap_is_named_by_its_hours() -> None:
    messages = [f.message for f in lint_tariff(EXAMPLES["gap"][0]) if f.rule == "gap"]

    assert messages == ["Energy is free every day 20:00-21:00"]


def test_what_cannot_be_priced_is_the_only_finding() -> None:
    found = lint_tariff(tariff(element(price(ENERGY, "-1"))))

    assert [(finding.rule, finding.severity) for finding in found] == [
        (UNPRICEABLE, Severity.ERROR)
    ]


FILE = """\
tariff: night
currency: EUR
vat: 19 %
elements:
  - energy: 0.30
    restrictions:
      start_time: 22:00
      end_time: 06:00
      day_of_week: [weekdays]
  - energy: {price: 49 per kWh, step_size: 1000}
  - name: dead
    energy: 0.20 per kWh
"""


def test_findings_stand_at_line_and_column_in_the_order_of_the_file() -> None:
    found = lint_file(FILE, "night.yaml")

    assert [(f.line, f.column, f.rule) for f in found] == [
        (1, 1, "ocpi-2.1.1"),
        (5, 5, MISSING_UNIT),
        (9, 7, "weekday-after-midnight"),
        (10, 5, "minor-units"),
        (10, 33, "step-size"),
        (12, 5, "unreachable"),
    ]
    assert str(found[1]) == f"night.yaml:5:5: note: no unit: write 0.30 per kWh [{MISSING_UNIT}]"
    assert found[-1].severity is Severity.ERROR


def test_a_file_that_cannot_be_read_has_all_its_problems_and_its_missing_units() -> None:
    found = lint_file("tariff: x\ncurrency: EUR\nelements:\n  - energy: 0.30\n    enrgy: 1\n", "x")

    assert [(f.line, f.column, f.rule) for f in found] == [
        (4, 5, MISSING_UNIT),
        (5, 5, UNREADABLE),
    ]


def test_a_text_that_is_no_tariff_is_no_crash() -> None:
    for text in ("", "- 1", "a: &x [*x]", "[" * 1000, "elements: 3", "\0"):
        assert Severity.ERROR in {each.severity for each in lint_file(text, "x")}


@pytest.mark.parametrize(
    ("vat", "since", "until", "said"),
    [
        pytest.param("25.5", None, None, None, id="the newest, of a tariff without days"),
        pytest.param("24", None, None, "is 25.5 % (", id="an older one"),
        pytest.param("24", "2024-08-31", "2024-09-01", None, id="while it held"),
        pytest.param(
            "24", "2024-08-31", "2024-09-02", "is 24 %, 25.5 % from 2024-09-01 on", id="beyond it"
        ),
        pytest.param("24", "2024-09-01", "2024-10-01", "is 25.5 % (", id="from the change on"),
        pytest.param("25.5", "2024-09-01", "2024-10-01", None, id="the new one from then on"),
        pytest.param("25.5", "2024-08-31", "2024-09-01", "is 24 % (", id="a day too early"),
    ],
)
def test_a_vat_is_held_against_what_holds_in_its_country_while_the_tariff_does(
    vat: str, since: str | None, until: str | None, said: str | None
) -> None:
    starts, ends = (day and datetime.fromisoformat(f"{day}T00:00Z") for day in (since, until))
    given = tariff(
        element(price(ENERGY, "0.4", vat=vat)), start_date_time=starts, end_date_time=ends
    )

    found = [each for each in lint_tariff(given, country="FI") if each.rule == "vat-of-country"]

    assert len(found) == (said is not None)
    assert all((said or "") in each.message for each in found)
    assert all(each.spot == ("elements", 0, "energy", "vat") for each in found)
    assert not any(each.rule == "vat-of-country" for each in lint_tariff(given, country="US"))
