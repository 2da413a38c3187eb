"""The table of places: days in order, a source each, and the page that shows it."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from tariffs.taxes.places import PLACES, VatPlace, dealers_owe_vat
from tests.tree import ROOT

PAGE = (ROOT / "docs" / "customers.md").read_text("utf-8")
MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"


def row(country: str, place: VatPlace) -> str:
    """Return the line of the page about a country."""
    rates = ", ".join(f"{rate.percent:f} % ({rate.since})" for rate in place.rates)
    return f"| {country} | {rates} | {place.source} | {place.dealers_owe} |"


def test_every_member_state_and_its_neighbours_are_there() -> None:
    assert sorted([*MEMBERS.split(), "CH", "GB", "NO"]) == sorted(PLACES)


@pytest.mark.parametrize("country", PLACES)
def test_the_page_shows_what_is_in_the_table(country: str) -> None:
    assert row(country, PLACES[country]) in PAGE.splitlines()


@pytest.mark.parametrize("country", PLACES)
def test_each_rate_differs_from_the_one_before_and_comes_after_it(country: str) -> None:
    place = PLACES[country]

    assert place.source
    assert all(15 <= rate.percent <= 27 for rate in place.rates if country != "CH")
    for before, after in pairwise(place.rates):
        assert before.since < after.since
        assert before.percent != after.percent


@pytest.mark.parametrize(
    ("first", "after", "percents"),
    [
        ("2020-06-30", "2020-07-01", [19]),
        ("2020-06-30", "2020-07-02", [19, 16]),
        ("2020-07-01", "2021-01-01", [16]),
        ("2020-12-31", None, [16, 19]),
        ("2021-01-01", None, [19]),
        ("1990-01-01", "1991-01-01", []),
    ],
)
def test_which_rates_hold_within_some_days(
    first: str, after: str | None, percents: list[int]
) -> None:
    ends = None if after is None else date.fromisoformat(after)

    found = PLACES["DE"].rates_within(date.fromisoformat(first), ends)

    assert [rate.percent for rate in found] == percents


def test_a_country_that_is_not_known_lets_no_dealer_owe() -> None:
    assert dealers_owe_vat("DE")
    assert not dealers_owe_vat("US")
    assert not dealers_owe_vat("NL")
