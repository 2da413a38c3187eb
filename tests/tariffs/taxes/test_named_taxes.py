"""Taxes with names: what each is of a rate, those per kWh, and what a buyer owes instead of us."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from tariffs.adjustments.adjustment import FreeFirst, QuantityTax
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement, TaxIncluded
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.taxes.breakdown import NamedTax, tax_breakdown
from tariffs.taxes.names import rate_name
from tariffs.taxes.sales_taxes import SalesTax, combined_percent, effective_percents, shares
from tariffs.taxes.taxes import decimals_of

STARTS_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def taxes(*stated: tuple[str, str, int]) -> tuple[SalesTax, ...]:
    return tuple(SalesTax(name=n, percent=Decimal(p), stack=s) for n, p, s in stated)


def priced(
    kwh: str,
    *,
    price: str = "1",
    vat: str | None = "20",
    buyer: str | None = None,
    **stated: object,
) -> PricedSession:
    """Price *kwh* of 1.00 each in an hour, and an hour of parking at 2.00."""
    rate = None if vat is None else Decimal(vat)
    element = TariffElement(
        price_components=(
            PriceComponent(dimension=Dimension.ENERGY, price=Decimal(price), vat=rate, step_size=0),
            PriceComponent(
                dimension=Dimension.PARKING_TIME, price=Decimal(2), vat=rate, step_size=0
            ),
        )
    )
    tariff = Tariff(id="t", currency="EUR", elements=(element,), **stated)  # type: ignore[arg-type]
    wh = Decimal(kwh) * 1000
    usage = SessionUsage(
        starts_at=STARTS_AT,
        ends_at=STARTS_AT + 2 * HOUR,
        time_zone="UTC",
        points=tuple(
            UsagePoint(STARTS_AT + hours * HOUR, energy)
            for hours, energy in ((0, Decimal(0)), (1, wh), (2, wh))
        ),
        spans=(
            UsageSpan(STARTS_AT, Activity.CHARGING),
            UsageSpan(STARTS_AT + HOUR, Activity.PARKING),
        ),
        reverse_charge_vat_id=buyer,
    )
    return price_session(usage, compile_tariff(tariff))


EXCISE = QuantityTax(name="excise", per_kwh=Decimal("0.03"))
FINE_EXCISE = QuantityTax(name="excise", per_kwh=Decimal("0.03333"))
TAXED_EXCISE = QuantityTax(name="excise", per_kwh=Decimal("0.03"), vat=Decimal(20))


@pytest.mark.parametrize(
    ("stated", "percents", "together"),
    [
        (taxes(("GST", "5", 0), ("PST", "7", 0)), ("5", "7"), "12"),
        (taxes(("GST", "5", 0), ("QST", "10", 1)), ("5", "10.5"), "15.5"),
        (taxes(("a", "10", 0), ("b", "10", 1), ("c", "10", 1)), ("10", "11", "11"), "32"),
        (taxes(("a", "10", 0), ("b", "10", 1), ("c", "10", 2)), ("10", "11", "12.1"), "33.1"),
        ((), (), "0"),
    ],
)
def test_a_stacked_tax_is_on_what_lies_below_it(
    stated: tuple[SalesTax, ...], percents: tuple[str, ...], together: str
) -> None:
    assert effective_percents(stated) == tuple(map(Decimal, percents))
    assert combined_percent(stated) == Decimal(together)


def test_taxes_have_shares_of_their_sum_and_none_of_nothing() -> None:
    assert shares(taxes(("a", "5", 0), ("b", "15", 0))) == (Fraction(1, 4), Fraction(3, 4))
    assert shares(taxes(("a", "0", 0), ("b", "0", 0))) == (Fraction(0), Fraction(0))
    assert shares(()) == ()


def test_a_price_is_written_with_the_decimals_that_it_has() -> None:
    written = [decimals_of(Decimal(each)) for each in ("0.30", "1.234", "5", "1E+2", "NaN")]

    assert written == [2, 3, 0, 0, 0]


def test_a_rate_is_called_by_the_taxes_that_it_consists_of() -> None:
    both = taxes(("GST", "5", 0), ("PST", "7", 0))

    assert rate_name(Decimal(12), both, "CA") == "GST + PST"
    assert rate_name(Decimal("12.0"), both, "CA") == "GST + PST"
    assert rate_name(Decimal(13), both, "US") == "Sales tax"
    assert rate_name(Decimal(0), (), None) == "VAT"
    assert rate_name(None, both, "US") == "Sales tax"


def test_the_taxes_of_a_session_are_told_apart_and_add_up() -> None:
    both = taxes(("GST", "5", 0), ("PST", "7", 0))

    session = priced("3.5", vat="12", sales_taxes=both, quantity_taxes=(EXCISE,))

    # 5.50: 0.275 and 0.385, together 0.66, and 0.105 of excise.
    assert tax_breakdown(session) == (
        NamedTax(name="GST", percent=Decimal(5), minor=28),
        NamedTax(name="PST", percent=Decimal(7), minor=38),
        NamedTax(name="excise", percent=None, minor=11),
    )
    assert session.tax_minor == 77
    assert tax_breakdown(priced("3.5")) == ()


@pytest.mark.parametrize(
    ("kwh", "tax", "owed"),
    [
        ("10", EXCISE, (1200, 270)),
        ("10", TAXED_EXCISE, (1200, 276)),
        ("0", EXCISE, (200, 40)),
        ("0.1", EXCISE, (210, 42)),  # 0.003
        # Enough energy to see the last decimal of a rate, and a percent of its tax.
        ("1000", FINE_EXCISE, (100200, 20040 + 3333)),
        ("1000", TAXED_EXCISE, (100200, 20040 + 3600)),
    ],
)
def test_a_tax_per_kwh_is_on_energy_alone_and_in_no_other_base(
    kwh: str, tax: QuantityTax, owed: tuple[int, int]
) -> None:
    session = priced(kwh, quantity_taxes=(tax,))

    assert (session.before_minor, session.tax_minor) == owed


def test_a_tax_per_kwh_is_due_once_on_all_that_was_metered_free_or_not() -> None:
    gift = FreeFirst(dimensions=("ENERGY",), kwh=Decimal(4))
    session = priced("10", vat=None, quantity_taxes=(EXCISE,), adjustments=(gift,))

    assert (session.before_minor, session.tax_minor) == (800, 30)
    line = session.lines[-1]
    assert line.volume == line.billed_volume == Decimal(10)
    assert line.unit_price == Decimal("0.03")
    assert (line.element_index, line.tax_percent, line.before_numerator) == (None, None, 0)
    assert (line.starts_at, line.ends_at) == (STARTS_AT, STARTS_AT + 2 * HOUR)


@pytest.mark.parametrize("included", [TaxIncluded.NO, TaxIncluded.YES])
def test_a_buyer_who_owes_the_vat_is_charged_none_and_the_excise_without_its_own(
    included: TaxIncluded,
) -> None:
    theirs = priced("10", buyer="FR1", quantity_taxes=(TAXED_EXCISE,), tax_included=included)
    ours = priced("10", quantity_taxes=(TAXED_EXCISE,), tax_included=included)

    assert theirs.before_minor == ours.before_minor
    assert theirs.tax_minor == 30
    assert {line.tax_percent for line in theirs.lines[:-1]} == {Decimal(0)}
    assert {line.tax_numerator for line in theirs.lines[:-1]} == {0}


def test_what_is_free_is_without_vat_as_well_for_a_buyer_who_owes_it() -> None:
    """A price of nothing has no tax, but a rate: an invoice must not name one that is not ours."""
    theirs = priced("10", price="0", buyer="FR1")
    ours = priced("10", price="0")

    assert [line.tax_percent for line in ours.lines] == [Decimal(20), Decimal(20)]
    assert [line.tax_percent for line in theirs.lines] == [Decimal(0), Decimal(0)]


def test_what_has_no_vat_has_none_for_a_buyer_who_owes_it_either() -> None:
    session = priced("10", vat=None, buyer="FR1")

    assert session.tax_minor == 0
    assert {line.tax_percent for line in session.lines} == {None}
