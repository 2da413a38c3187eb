"""Quantity x net price / base = net amount, rounded, whatever the tariff stated."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.invoices.shown import InvoiceLine
from projections.documents.electronic.net_price import (
    PRICE_DECIMALS_MAX,
    UNIT_CODES,
    net_price,
)
from tariffs.phrases.phrase import phrase
from tests.projections.documents.electronic.electronic_samples import costs_minor, invoiced
from tests.told import told

LINE = invoiced(told(((400, 76), "19"))).lines[0]
FEE = phrase("fee", dimension="ENERGY")
ADJUSTED = phrase("adjusted_fee", dimension="ENERGY", label="cap")


def line(
    quantity: str, price: str, unit: str = "kWh", vat: str | None = "19", *, adjusted: bool = False
) -> InvoiceLine:
    return replace(
        LINE,
        quantity=Decimal(quantity),
        unit_price=Decimal(price),
        unit=unit,
        vat_percent=None if vat is None else Decimal(vat),
        said=ADJUSTED if adjusted else FEE,
    )


@pytest.mark.parametrize(
    ("given_line", "net_minor", "said"),
    [
        pytest.param(line("7.293", "0.391"), 285, "7.293 KWH 0.391 1", id="as the tariff states"),
        pytest.param(line("7.293", "0.391"), 286, "7.293 KWH 0.392 1", id="a shared-out cent"),
        pytest.param(line("20", "0.59"), 992, "20 KWH 0.496 1", id="less the tax inside"),
        pytest.param(line("10", "0.595"), 500, "10 KWH 0.50 1", id="a price that ends"),
        pytest.param(line("5", "0.45", adjusted=True), -225, "-5 KWH 0.45 1", id="free kWh"),
        pytest.param(line("5", "0.595", adjusted=True), -250, "-5 KWH 0.50 1", id="free, tax in"),
        pytest.param(line("30", "2", "h", adjusted=True), -3500, "-1 C62 35.00 1", id="a cap"),
        pytest.param(line("10", "-0.05"), -50, "-10 KWH 0.05 1", id="the driver is paid"),
        pytest.param(line("0", "0.45"), 0, "0 KWH 0.45 1", id="nothing for nothing"),
        pytest.param(line("0", "0.45"), 250, "1 C62 2.50 1", id="something for nothing"),
        pytest.param(line("15", "0"), 0, "15 KWH 0 1", id="free"),
        pytest.param(line("1.5", "6", "h"), 900, "1.5 HUR 6 1", id="hours that end"),
        pytest.param(
            line("0.333333333333333333", "6", "h"), 200, "20 MIN 6 60", id="a third of an hour"
        ),
        pytest.param(
            line("0.000277777777777778", "6", "h"), 0, "0.000277778 HUR 6 1", id="a second"
        ),
        pytest.param(line("1", "0", "session"), 250, "1 C62 2.50 1", id="a least price"),
        pytest.param(line("1E+3", "0.1"), 10000, "1000 KWH 0.1 1", id="no exponents"),
    ],
)
def test_a_line_is_priced(given_line: InvoiceLine, net_minor: int, said: str) -> None:
    priced = net_price(given_line, net_minor, 2)

    assert f"{priced.quantity:f} {priced.unit} {priced.price:f} {priced.base}" == said
    assert costs_minor(priced, 2) == net_minor


@settings(max_examples=500, deadline=None)
@given(
    st.decimals("0", "1000000000", places=3, allow_nan=False),
    st.decimals("-100", "1000", places=5, allow_nan=False),
    st.sampled_from(list(UNIT_CODES)),
    st.sampled_from([None, "19", "5.5", "8.875"]),
    st.integers(-(10**9), 10**9),
    st.integers(0, 2),
    st.booleans(),
)
def test_any_line_has_a_price_that_is_not_negative_and_gives_its_amount(
    quantity: Decimal,
    price: Decimal,
    unit: str,
    vat: str | None,
    net_minor: int,
    exponent: int,
    adjusted: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    given_line = line(str(quantity), str(price), unit, vat, adjusted=adjusted)

    priced = net_price(given_line, net_minor, exponent)

    # Not by the product's own arithmetic.
    exact = priced.quantity * priced.price / priced.base
    rounded = exact.quantize(Decimal(1).scaleb(-exponent), ROUND_HALF_UP)
    assert rounded == Decimal(net_minor).scaleb(-exponent)
    assert priced.price >= 0
    assert int(priced.price.as_tuple().exponent) >= -PRICE_DECIMALS_MAX


@given(st.integers(1, 10**6), st.sampled_from(["0.39", "6.00", "0.333"]))
def test_what_a_tariff_states_before_taxes_stands_there_as_it_is(wh: int, price: str) -> None:
    quantity = Decimal(wh) / 1000
    exact = quantity * Decimal(price)
    net_minor = int(exact.quantize(Decimal("0.01"), ROUND_HALF_UP).scaleb(2))

    priced = net_price(line(str(quantity), price), net_minor, 2)

    assert (priced.quantity, priced.price) == (quantity, Decimal(price))


def test_a_quantity_of_forty_digits_is_no_harm() -> None:
    given_line = line("1234567890123456789012345678901234567.891", "0.391")

    priced = net_price(given_line, 5, 2)

    assert costs_minor(priced, 2) == 5
    assert priced.unit == "C62"
