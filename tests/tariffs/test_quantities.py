"""Money: exact until it is rounded in one spot."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tariffs.currencies import UnknownCurrencyError, currency_exponent
from tariffs.kernel.rounding import apportion
from tariffs.quantities import (
    BadNumberError,
    CurrencyMismatchError,
    Money,
    RoundingMode,
    decimal_of_ratio,
    is_sane,
    minor_text,
    money_of_minor,
    plain,
    ratio_text,
    read_number,
    round_money,
    round_ratio,
)


@pytest.mark.parametrize(
    ("mode", "rounded"),
    [
        pytest.param(RoundingMode.HALF_UP, [3, 2, -3, 0], id="a half goes away from zero"),
        pytest.param(RoundingMode.HALF_EVEN, [2, 2, -2, 0], id="a half goes to the even"),
        pytest.param(RoundingMode.UP, [3, 2, -3, 1], id="any rest goes away from zero"),
        pytest.param(RoundingMode.DOWN, [2, 2, -2, 0], id="any rest is dropped"),
    ],
)
def test_rounding_modes(mode: RoundingMode, rounded: list[int]) -> None:
    ratios = [(25, 10), (20, 10), (-25, 10), (1, 10)]

    assert [round_ratio(n, d, mode) for n, d in ratios] == rounded


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("10.005", "EUR", 1001), ("150.15", "JPY", 150), ("0.20705", "KWD", 207), ("1", "CLF", 10000)],
)
def test_minor_units_follow_iso_4217(amount: str, currency: str, minor: int) -> None:
    assert round_money(Money(Decimal(amount), currency)) == minor


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        pytest.param((10, 1), "10", id="a whole number keeps its zeros"),
        pytest.param((1000, 100), "10", id="also one that is written over something"),
        pytest.param((-5, 1000), "-0.005", id="a small negative one"),
        pytest.param((18, 9 * 10**12), "0.000000000002", id="a nine that cancels"),
        pytest.param((0, 9 * 10**12), "0", id="nothing"),
        pytest.param((2, 3), "0.666666666666666667", id="one that never ends is rounded"),
        pytest.param((-1, 3), "-0.333333333333333333", id="away from nothing, or towards it"),
    ],
)
def test_a_ratio_is_written_exactly_where_it_ends(ratio: tuple[int, int], text: str) -> None:
    assert ratio_text(*ratio) == text
    assert f"{decimal_of_ratio(*ratio):f}" == text


@given(st.integers(-(10**20), 10**20), st.integers(0, 30), st.integers(0, 30))
def test_a_ratio_that_ends_is_its_text(numerator: int, twos: int, fives: int) -> None:
    denominator = 2**twos * 5**fives

    text = ratio_text(numerator, denominator)

    assert Fraction(text) == Fraction(numerator, denominator)
    assert "." not in text or not text.endswith(("0", "."))


@pytest.mark.parametrize(
    ("minor", "exponent", "text"),
    [(1230, 2, "12.30"), (-5, 2, "-0.05"), (0, 2, "0.00"), (150, 0, "150"), (7, 3, "0.007")],
)
def test_minor_units_are_written_as_money(minor: int, exponent: int, text: str) -> None:
    assert minor_text(minor, exponent) == text


@pytest.mark.parametrize(("currency", "exponent"), [("RSD", 2), ("ALL", 2), ("ISK", 0), ("TND", 3)])
def test_exponents_are_those_of_iso_not_of_cldr(currency: str, exponent: int) -> None:
    assert currency_exponent(currency) == exponent


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(UnknownCurrencyError, match="'XYZ'"):
        currency_exponent("XYZ")


def test_two_currencies_never_meet_in_a_sum() -> None:
    with pytest.raises(CurrencyMismatchError, match="CHF to EUR"):
        Money(Decimal(1), "EUR") + Money(Decimal(1), "CHF")


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "1E+999999", "1e19", "", "0x1", "1" * 50, "1e-99", "1_000", "\u0663"],
)
def test_a_number_that_cannot_be_exact_is_refused(text: str) -> None:
    with pytest.raises(BadNumberError):
        read_number(text)


@pytest.mark.parametrize(
    ("text", "sane"),
    [
        pytest.param("9" * 18, True, id="eighteen digits before the point"),
        pytest.param("1" + "0" * 18, False, id="nineteen"),
        pytest.param("-" + "9" * 18 + ".5", True, id="eighteen, and a half below"),
        pytest.param("0." + "1" * 38, True, id="in forty characters"),
        pytest.param("0." + "1" * 40, True, id="forty digits behind the point"),
        pytest.param("0." + "1" * 41, False, id="one more"),
        pytest.param("1E+17", True, id="as large with an exponent"),
        pytest.param("1E+18", False, id="too large with an exponent"),
        pytest.param("0E-40", True, id="a zero as fine as may be"),
        pytest.param("0E-41", False, id="a finer one"),
        pytest.param("NaN", False, id="no number"),
        pytest.param("-Infinity", False, id="no end"),
    ],
)
def test_how_large_and_fine_a_number_may_be(text: str, *, sane: bool) -> None:
    assert is_sane(Decimal(text)) is sane


@pytest.mark.parametrize(
    ("written", "shown"), [("0.50", "0.5"), ("1E+2", "100"), ("100", "100"), ("0.000", "0")]
)
def test_numbers_are_written_plainly(written: str, shown: str) -> None:
    assert str(plain(Decimal(written))) == shown


def test_minor_units_become_money_again() -> None:
    assert str(money_of_minor(1957, "EUR")) == "19.57 EUR"


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_a_ratio_that_ends_is_exact_as_a_decimal(numerator: int, denominator: int) -> None:
    shown = decimal_of_ratio(numerator, denominator)

    exact = Fraction(numerator, denominator)
    assert abs(Fraction(shown) - exact) <= Fraction(1, 2 * 10**18)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=9), st.integers(1, 1000))
def test_shares_add_up_and_no_line_is_off_by_more_than_one(
    numerators: list[int], denominator: int
) -> None:
    total = round_ratio(sum(numerators), denominator)

    shares = apportion(numerators, denominator, total)

    assert sum(shares) == total
    assert all(
        abs(Fraction(n, denominator) - share) <= 1
        for n, share in zip(numerators, shares, strict=True)
    )
