"""A document's tax: the taxable sum times the rate, rounded once (EN 16931, BR-CO-17)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.taxes.names import tax_name
from tariffs.taxes.sales_taxes import SalesTax
from tariffs.taxes.taxed_sum import TaxedSum, TaxOnSum, taxed_sum

money = st.integers(-(10**9), 10**12)
percents = st.decimals(0, 100, places=3)


def vat(percent: str | Decimal) -> tuple[SalesTax, ...]:
    return (SalesTax(name="VAT", percent=Decimal(percent)),)


GST_AND_PST = (
    SalesTax(name="GST", percent=Decimal(5)),
    SalesTax(name="PST", percent=Decimal("9.975")),
)
STACKED = (
    SalesTax(name="GST", percent=Decimal(10)),
    SalesTax(name="local", percent=Decimal(10), stack=1),
)


@pytest.mark.parametrize(
    ("percent", "net", "gross", "owed"),
    [
        ("20", 30, 0, (30, 6, 0)),
        ("20", 2, 0, (2, 0, 0)),
        ("20", 3, 0, (3, 1, 0)),  # 0.6
        ("10", 4, 0, (4, 0, 0)),  # 0.4
        ("10", 5, 0, (5, 1, 0)),  # half a cent goes up
        ("10", -5, 0, (-5, -1, 0)),  # as it does in a credit
        ("20", 0, 30, (25, 5, 0)),
        ("20", 0, 2, (2, 0, 0)),
        ("20", 0, 4, (3, 1, 0)),
        ("20", 0, 3, (3, 1, -1)),  # 2 and 0 or 3 and 1: no net gives 3
        ("20", 0, -3, (-3, -1, 1)),
        ("19", 0, 3, (3, 1, -1)),
        ("19", 0, 9, (8, 2, -1)),  # 7 + 1 = 8 and 8 + 2 = 10; 9 / 1.19 = 7.56
        ("19", 0, 15, (13, 2, 0)),
        ("50", 0, 1, (1, 1, -1)),  # 0.67
        ("100", 0, 5, (3, 3, -1)),  # 2.5 goes up
        ("20", 30, 30, (55, 11, 0)),
        ("20", 3, 3, (6, 1, 0)),  # 3 + 1 before, 3 inside: 7
        ("20", 5, 2, (7, 1, 0)),
        ("20", 5, 3, (8, 2, -1)),  # 6 + 3; 7 + 1 = 8 and 8 + 2 = 10; 9 / 1.2 = 7.5 goes up
        ("0", 7, 5, (12, 0, 0)),
        ("20", 0, 0, (0, 0, 0)),
    ],
)
def test_the_tax_is_the_sum_times_the_rate_and_the_rest_is_rounded_off(
    percent: str, net: int, gross: int, owed: tuple[int, int, int]
) -> None:
    found = taxed_sum(vat(percent), net_minor=net, gross_minor=gross)

    assert (found.net_minor, found.tax_minor, found.rounding_minor) == owed


@settings(deadline=None)
@given(percents, money)
def test_prices_before_taxes_leave_the_net_and_nothing_to_round_off(
    percent: Decimal, net: int
) -> None:
    found = taxed_sum(vat(percent), net_minor=net, gross_minor=0)

    assert found == TaxedSum(net, (TaxOnSum(net, rounded(net * percent / 100)),), 0)


@settings(deadline=None)
@given(percents, money, money)
def test_what_is_due_is_exact_whatever_the_prices_are(
    percent: Decimal, net: int, gross: int
) -> None:
    found = taxed_sum(vat(percent), net_minor=net, gross_minor=gross)

    assert found.tax_minor == rounded(found.net_minor * percent / 100)
    due = found.net_minor + found.tax_minor + found.rounding_minor
    assert due == gross + net + rounded(net * percent / 100)
    # No other net comes closer.
    for other in range(found.net_minor - 2, found.net_minor + 3):
        assert abs(found.rounding_minor) <= abs(due - other - rounded(other * percent / 100))
    assert abs(found.rounding_minor) <= 1


@settings(deadline=None)
@given(percents, money, money)
def test_a_credit_is_what_it_credits_with_the_sign_changed(
    percent: Decimal, net: int, gross: int
) -> None:
    owed = taxed_sum(vat(percent), net_minor=net, gross_minor=gross)
    back = taxed_sum(vat(percent), net_minor=-net, gross_minor=-gross)

    assert (back.net_minor, back.tax_minor) == (-owed.net_minor, -owed.tax_minor)
    assert back.rounding_minor == -owed.rounding_minor


def test_two_taxes_on_one_sum_are_each_rounded_once() -> None:
    found = taxed_sum(GST_AND_PST, net_minor=1010, gross_minor=0)

    assert found.taxes == (TaxOnSum(1010, 51), TaxOnSum(1010, 101))
    assert found.tax_minor == 152


def test_a_stacked_tax_is_on_the_tax_below_as_the_document_states_it() -> None:
    """10 % of 15 is 1.5, so 2; 10 % of 17 then, not of 16.5."""
    found = taxed_sum(STACKED, net_minor=15, gross_minor=0)

    assert found.taxes == (TaxOnSum(15, 2), TaxOnSum(17, 2))


@settings(deadline=None)
@given(st.sampled_from([GST_AND_PST, STACKED]), st.integers(0, 10**9))
def test_a_gross_sum_of_two_taxes_is_met_as_closely_as_it_can_be(
    taxes: tuple[SalesTax, ...], gross: int
) -> None:
    found = taxed_sum(taxes, net_minor=0, gross_minor=gross)

    assert found.net_minor + found.tax_minor + found.rounding_minor == gross
    assert abs(found.rounding_minor) <= 1


def test_where_many_small_taxes_come_up_at_once_the_nearest_net_is_found() -> None:
    """100 has no tax, 101 two of 1: the sum of the rates alone leads to 98."""
    many = tuple(
        SalesTax(name=f"{number}", percent=Decimal(percent))
        for number, percent in enumerate(["0.4975"] * 2 + ["0.45"] * 6)
    )

    for gross, owed in {99: (99, 0), 100: (100, 0), 101: (100, 1), 102: (101, -1)}.items():
        found = taxed_sum(many, net_minor=0, gross_minor=gross)
        assert (found.net_minor, found.rounding_minor) == owed


def test_a_tax_without_name_is_called_what_the_country_calls_it() -> None:
    named = {country: tax_name(country) for country in ("US", "us", "DE", "AU", "JP", "CA")}

    assert named == {
        "US": "Sales tax",
        "us": "Sales tax",
        "DE": "VAT",
        "AU": "GST",
        "JP": "Consumption tax",
        "CA": "GST/HST",
    }


def rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
