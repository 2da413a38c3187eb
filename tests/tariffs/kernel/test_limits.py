"""The least and the most that a session costs: both bounds hold, with tax at the tariff's rates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.adjustments.adjustment import QuantityTax, Surcharge
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.model.usage import SessionUsage, UsagePoint
from tariffs.taxes.sales_taxes import SalesTax

STARTS_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def tariff(energy_vat: str | None, flat: str = "0", flat_vat: str | None = None) -> Tariff:
    """Return 1.00 per kWh and a session fee, each with its VAT."""
    prices = [(Dimension.ENERGY, "1", energy_vat), (Dimension.FLAT, flat, flat_vat)]
    components = tuple(
        PriceComponent(
            dimension=dimension,
            price=Decimal(price),
            vat=None if vat is None else Decimal(vat),
            step_size=0,
        )
        for dimension, price, vat in prices
        if price != "0"
    )
    return Tariff(id="t", currency="EUR", elements=(TariffElement(price_components=components),))


def priced(tariff: Tariff, kwh: str, **limits: str) -> PricedSession:
    """Price *kwh*; a limit is "before" or "before/after"."""
    bounds = {
        name: PriceLimit(
            before_taxes=Decimal(before), after_taxes=Decimal(after) if after else None
        )
        for name, (before, _, after) in ((n, limit.partition("/")) for n, limit in limits.items())
    }
    usage = SessionUsage(
        starts_at=STARTS_AT,
        ends_at=STARTS_AT + timedelta(hours=1),
        time_zone="UTC",
        points=(
            UsagePoint(STARTS_AT, Decimal(0)),
            UsagePoint(STARTS_AT + timedelta(hours=1), Decimal(kwh) * 1000),
        ),
    )
    return price_session(usage, compile_tariff(msgspec.structs.replace(tariff, **bounds)))


@pytest.mark.parametrize(
    ("vat", "kwh", "limit", "owed"),
    [
        ("20", "2.4", "min_price 2.50", (250, 50)),
        ("20", "2.5", "min_price 2.50", (250, 50)),
        ("20", "2.6", "min_price 2.50", (260, 52)),
        ("20", "0", "min_price 2.50", (250, 50)),  # nothing billed bears the tax as well
        ("20", "0", "min_price 2.50/3.60", (300, 60)),
        ("20", "0", "min_price 0/0", (0, 0)),
        ("20", "0", "min_price 0/1.20", (100, 20)),
        ("19", "4.8", "min_price 5.00/5.50", (500, 95)),  # never 5.00 and 0.71
        ("19", "4.8", "min_price 5.00/5.95", (500, 95)),
        ("19", "4.8", "min_price 5.00/5.96", (501, 95)),
        ("19", "4.8", "min_price 5.00/6.50", (546, 104)),
        ("19", "5.2", "min_price 5.00/6.50", (546, 104)),  # beyond the one after taxes alone
        ("19", "5.47", "min_price 5.00/6.50", (547, 104)),
        (None, "4.8", "min_price 5.00/6.50", (650, 0)),
        ("10", "100", "max_price 10/12", (1000, 100)),
        ("10", "100", "max_price 10/11", (1000, 100)),
        ("10", "100", "max_price 10/10.99", (999, 100)),
        ("10", "9.99", "max_price 10/10.99", (999, 100)),
        ("10", "9.9", "max_price 10/10.99", (990, 99)),
        ("10", "10", "max_price 10", (1000, 100)),
        ("10", "10.01", "max_price 10", (1000, 100)),
        ("10", "9.99", "max_price 10", (999, 100)),
        ("10", "5", "max_price 0/0", (0, 0)),
    ],
)
def test_both_limits_hold_and_tax_is_that_of_the_rate(
    vat: str | None, kwh: str, limit: str, owed: tuple[int, int]
) -> None:
    name, amounts = limit.split()

    result = priced(tariff(vat), kwh, **{name: amounts})

    assert (result.before_minor, result.tax_minor) == owed


@pytest.mark.parametrize(
    ("limit", "owed", "parts"),
    [
        # 12.50 at 10 % and 0.50 at 20 % (mod_tariffs, max_price): the dearer rate gives way first.
        ("max_price 10/11", (1000, 100), {"10": "10", "20": "0"}),
        ("max_price 6.5/8", (650, 68), {"10": "6.25", "20": "0.25"}),
        ("max_price 6.5/7.16", (650, 66), {"10": "6.4", "20": "0.1"}),
        ("max_price 6.5/7.14", (649, 65), None),  # below what even 10 % alone asks for
        ("max_price 13/14.35", (1300, 135), {"10": "12.5", "20": "0.5"}),
        ("max_price 13/14.30", (1295, 135), None),  # beyond the limit after taxes alone
        # What a least price adds goes to the dearer rate as far as that is needed.
        ("min_price 26/28", (2600, 270), {"10": "25", "20": "1"}),
        ("min_price 26/29", (2600, 300), {"10": "22", "20": "4"}),
        ("min_price 26/31.20", (2709, 411), None),
    ],
)
def test_a_limit_on_two_rates_keeps_the_price_before_taxes_where_the_rates_allow_it(
    limit: str, owed: tuple[int, int], parts: dict[str, str] | None
) -> None:
    name, amounts = limit.split()

    result = priced(tariff("10", "0.5", "20"), "12.5", **{name: amounts})

    assert (result.before_minor, result.tax_minor) == owed
    if parts is not None:
        assert by_rate(result) == {rate: Fraction(part) for rate, part in parts.items()}


def by_rate(result: PricedSession) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for line in result.lines:
        rate = f"{line.tax_percent}"
        amount = Fraction(line.before_numerator, line.denominator)
        found[rate] = found.get(rate, Fraction(0)) + amount
    return found


rates = st.sampled_from([None, "0", "7", "10", "19", "20"])
bounds = st.decimals(0, 20, places=2)


@settings(max_examples=200, deadline=None)
@given(
    rates, rates, st.decimals(0, 20, places=2), bounds, st.none() | bounds, st.booleans(),
    st.sampled_from([TaxIncluded.YES, TaxIncluded.NO]),
)  # fmt: skip
def test_whatever_the_limit_both_its_bounds_hold_at_real_rates(
    energy: str | None,
    flat: str | None,
    kwh: Decimal,
    before: Decimal,
    tax: Decimal | None,
    is_least: bool,  # noqa: FBT001 - drawn
    included: TaxIncluded,
) -> None:
    limit = f"{before}" if tax is None else f"{before}/{before + tax}"
    plain = msgspec.structs.replace(tariff(energy, "3.33", flat), tax_included=included)
    unlimited = priced(plain, f"{kwh}")

    result = priced(plain, f"{kwh}", **{"min_price" if is_least else "max_price": limit})

    sign = 1 if is_least else -1
    assert sign * (result.before_exact - Fraction(before)) >= 0
    assert tax is None or sign * (result.after_exact - Fraction(before + tax)) >= 0
    for line in result.lines:
        assert line.tax_numerator == line.before_numerator * Fraction(line.tax_percent or 0) / 100
    assert all(sign * line.before_numerator >= 0 for line in result.lines[len(unlimited.lines) :])
    assert all(amount >= 0 for amount in by_rate(result).values())
    # Nothing more is changed than one of the bounds asks for.
    owed = (result.before_exact, result.after_exact)
    if owed != (unlimited.before_exact, unlimited.after_exact):
        assert result.before_exact == before or result.after_exact == before + (tax or 0)


def test_where_no_taxes_apply_none_is_charged_whatever_the_tariff_states() -> None:
    stating = msgspec.structs.replace(
        tariff("20"),
        tax_included=TaxIncluded.NOT_APPLICABLE,
        sales_taxes=(SalesTax(name="GST", percent=Decimal(20)),),
        quantity_taxes=(QuantityTax(name="excise", per_kwh=Decimal("0.03")),),
        adjustments=(Surcharge(amount=Decimal(1), vat=Decimal(20)),),
    )

    result = priced(stating, "5")
    least = priced(stating, "0", min_price="2.50")

    assert (result.before_minor, result.tax_minor) == (600, 0)
    assert [note.code for note in result.notes] == ["no_taxes_apply"]
    assert (least.before_minor, least.tax_minor) == (250, 0)
    assert all(line.tax_percent is None for line in (*result.lines, *least.lines))


def test_where_no_taxes_apply_and_none_is_stated_nothing_is_said() -> None:
    silent = msgspec.structs.replace(tariff(None), tax_included=TaxIncluded.NOT_APPLICABLE)

    assert priced(silent, "5").notes == ()
    assert priced(msgspec.structs.replace(silent, tax_included=TaxIncluded.NO), "5").notes == ()
