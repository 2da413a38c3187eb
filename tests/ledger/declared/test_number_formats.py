"""Formats of numbers: how a place is written, what is none, and which two could write the same."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.declared.series import DeclaredSeries, twins_of
from ledger.master_data.numbers import (
    BadFormatError,
    CreditNoteNumbers,
    DocumentNumbers,
    InvoiceNumbers,
    SeriesNumbers,
    Shape,
    may_be_equal,
)

_OF_ANY_DIGITS = {"digit": "[0-9]", "more digits": "[0-9]*"}


@pytest.mark.parametrize(
    ("written", "place", "number"),
    [
        ("{prefix}-{year}-{number:06}", 7, "WL-2026-000007"),
        ("{prefix}-{year}-{number:06}", 1_234_567, "WL-2026-1234567"),
        ("{prefix}{yy}/{number}", 7, "WL26/7"),
        ("{number:04}.{year}_{legal_entity}", 7, "0007.2026_depot"),
        ("{year}{number:09}", 12, "2026000000012"),
        ("{number}{year}", 12, "122026"),
    ],
)
def test_a_place_is_written_as_its_format_says(written: str, place: int, number: str) -> None:
    numbers = SeriesNumbers(format=written)

    assert numbers.number(place, year=2026, prefix="WL", legal_entity="depot") == number


def test_what_is_not_declared_is_numbered_as_ever() -> None:
    numbers = msgspec.convert({"invoices": {"start": 12}}, DocumentNumbers)

    assert numbers.invoices == InvoiceNumbers(format="{prefix}-{year}-{number:06}", start=12)
    assert numbers.credit_notes == CreditNoteNumbers(format="{prefix}-CN-{year}-{number:06}")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "must stand in it once"),
        ("{prefix}-{year}", "must stand in it once"),
        ("{number}-{year}-{number}", "must stand in it once"),
        ("{prefix}-{number:06}", "would give the numbers of the one before again"),
        ("{year}-{number:013}", "12 digits wide at most"),
        ("{year}-{number:6}", "it has the fields"),
        ("{year}-{number:00}", "it has the fields"),
        ("{year}-{number}-{month}", "it has the fields"),
        ("{year}-{number", "it has the fields"),
        ("{year}-{{number}}", "it has the fields"),
        ("{year!r}-{number}", "it has the fields"),
        ("{year} {number}", "it has the fields"),
        ("=1+{year}{number}", "it has the fields"),
        ("{year}-{number}\n", "it has the fields"),
        ("é{year}-{number}", "it has the fields"),
        ("{year}-{number}" + 46 * "x", "60 characters at most"),
    ],
)
def test_what_is_no_format_says_why(written: str, why: str) -> None:
    with pytest.raises(BadFormatError, match=re.escape(why)) as refused:
        SeriesNumbers(format=written)

    assert str(refused.value).startswith(f"{written} is no format of numbers: ")


def test_the_longest_and_the_widest_are_formats() -> None:
    longest = "{year}-{number}" + 45 * "x"

    assert SeriesNumbers(format=longest).format == longest
    widest = SeriesNumbers(format="{yy}{number:012}")
    assert widest.number(1, year=2026, prefix="", legal_entity="") == "26000000000001"


literals = st.text("AB12-/", max_size=2)
fields = st.lists(st.sampled_from(["{prefix}", "{legal_entity}", "{year}", "{yy}"]), max_size=2)
prefixes = st.text("AB12-", max_size=3)
years = st.integers(2000, 2099)
places = st.integers(1, 3000)


@st.composite
def formats(draw: st.DrawFn) -> SeriesNumbers:
    """Return any format: its parts in any order, with or without text between them."""
    number = draw(st.sampled_from(["{number}", "{number:02}", "{number:04}"]))
    parts = [number, draw(st.sampled_from(["{year}", "{yy}"])), *draw(fields)]
    parts = [f"{draw(literals)}{part}" for part in draw(st.permutations(parts))]
    return SeriesNumbers(format="".join(parts) + draw(literals))


@given(formats(), prefixes, st.tuples(years, places), st.tuples(years, places))
def test_one_format_never_writes_two_places_alike(
    numbers: SeriesNumbers, prefix: str, one: tuple[int, int], other: tuple[int, int]
) -> None:
    written = [
        numbers.number(place, year=year, prefix=prefix, legal_entity="d1")
        for year, place in (one, other)
    ]

    assert (written[0] == written[1]) is (one == other)


def expression(shape: Shape) -> str:
    return "".join(_OF_ANY_DIGITS.get(each) or re.escape(each) for each in shape)


@given(formats(), prefixes, formats(), prefixes, years, places)
def test_what_both_write_is_found_to_be_possible(
    one: SeriesNumbers, prefix: str, other: SeriesNumbers, another: str, year: int, place: int
) -> None:
    mine = one.shape(prefix=prefix, legal_entity="d1")
    theirs = other.shape(prefix=another, legal_entity="d2")
    written = one.number(place, year=year, prefix=prefix, legal_entity="d1")

    assert re.fullmatch(expression(mine), written)
    assert may_be_equal(mine, mine)
    assert may_be_equal(mine, theirs) is may_be_equal(theirs, mine)
    if re.fullmatch(expression(theirs), written):
        assert may_be_equal(mine, theirs)


@pytest.mark.parametrize(
    ("one", "other", "is_possible"),
    [
        ("A-{year}-{number:06}", "A-{year}-{number:02}", True),
        ("A-{year}-{number:06}", "A-{yy}-{number:06}", False),
        ("A-{year}-{number}", "A-{number}-{year}", True),
        ("A-{year}-{number}", "A-{number}-{yy}", True),
        ("A-{year}-{number:03}", "A-{number}-{yy}", False),
        ("A{year}{number}", "A1{year}{number}", True),
        ("A-{year}-{number}", "A-CN-{year}-{number}", False),
        ("A-{year}-{number}", "A-2026-{yy}{number}", True),
        ("A-{year}-{number}", "A-{year}-{number}-", False),
        ("{number}{yy}", "{number:04}{year}", True),
    ],
)
def test_two_formats_that_could_write_the_same(one: str, other: str, *, is_possible: bool) -> None:
    shapes = [SeriesNumbers(format=each).shape(prefix="", legal_entity="") for each in (one, other)]

    assert may_be_equal(*shapes) is is_possible


def series(
    written: str, *, entity: str = "acme", kind: str = "invoices", prefix: str = "AC"
) -> DeclaredSeries:
    return DeclaredSeries(entity, kind, prefix, SeriesNumbers(format=written))


@pytest.mark.parametrize(
    ("other", "is_twin"),
    [
        (series("{prefix}-{year}-{number}"), False),  # itself
        (series("{prefix}-{year}-{number:09}"), False),  # the same count, at the same place
        (series("{prefix}-{number}-{year}"), True),  # 2026 of 2027 is 2027 of 2026
        (series("{prefix}-{year}-{number}", prefix="AC-2026"), False),
        (series("{prefix}{year}-{number}", prefix="AC-"), True),
        (series("{prefix}-{year}-{number:04}", kind="credit notes"), True),
        (series("{prefix}-{year}-{number:04}", entity="other"), True),
        (series("{legal_entity}-{year}-{number:04}", entity="other"), False),
        (series("{legal_entity}-{year}-{number:04}", entity="AC"), True),
    ],
)
def test_a_series_is_no_twin_of_what_it_goes_on_from(
    other: DeclaredSeries, *, is_twin: bool
) -> None:
    one = series("{prefix}-{year}-{number}")

    said = (
        f"invoices as {{prefix}}-{{year}}-{{number}} could get the numbers of {other.kind} of"
        f" {other.legal_entity} as {other.numbers.format}"
    )
    assert [*twins_of([one], [other])] == is_twin * [said]
