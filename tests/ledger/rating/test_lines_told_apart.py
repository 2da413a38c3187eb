"""Lines that one rule makes at one moment are told apart: such a session is rated, not held."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.master_data.customers import Customer
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide
from ledger.rating.decisions import SessionHeld
from ledger.rating.english import ENGLISH
from ledger.rating.rate import InconsistentRatingError, checked_rating
from ledger.rating.reconciling.giving_back import given_back_of, with_given_back
from tariffs.adjustments.adjustment import AtLeast, FeeCap, FreeBelow, QuantityTax, Surcharge
from tariffs.adjustments.shared import PeriodCap
from tariffs.model.tariff import Dimension, PriceLimit, Tariff, TariffElement
from tests.depot import (
    ENERGY_ONLY,
    TIMED,
    component,
    declared,
    moment_of,
    rated,
    session,
    tariff,
)

RAISED = AtLeast(amount=Decimal(8), dimensions=("PARKING_TIME",))
SEVEN = Decimal(7)
TWO_RATES = replace(
    ENERGY_ONLY,
    elements=(
        TariffElement(
            price_components=(
                component(Dimension.ENERGY, "0.40"),
                component(Dimension.FLAT, "1", SEVEN),
            )
        ),
    ),
)
ABROAD = Customer(details="Anna", vat_id="FR12345678901", reverse_charge=True)


def priced_by(priced: Tariff, *more: tuple[Kind, str, Customer]) -> Declarations:
    """Return the depot with *priced* for everybody, who stands parking for an hour."""
    known = (Kind.TARIFF, "energy", published(replace(priced, id="energy")), BEGINNING)
    return declared(known, *((*each, BEGINNING) for each in more))


def lines_of(priced: Tariff, *more: tuple[Kind, str, Customer]) -> list[tuple[str, int]]:
    """Return component and net of the lines behind the prices."""
    decision = rated(session(parked_minutes=60), priced_by(priced, *more))
    lines = [(each.component, each.net_minor) for each in decision.lines]
    return [line for line in lines if not line[0].endswith("/priced")]


def test_a_cap_on_what_a_least_fee_raised_takes_from_both() -> None:
    """6.00 for parking, raised to 8.00, capped at 5.00."""
    cap = FeeCap(amount=Decimal(5), dimensions=("PARKING_TIME",))

    assert lines_of(replace(TIMED, adjustments=(RAISED, cap))) == [
        ("PARKING_TIME/0/adjustment/0", 200),
        ("PARKING_TIME/0/adjustment/1", -100),
        ("PARKING_TIME/0/adjustment/1/2", -200),
    ]


def test_a_cap_on_everything_takes_from_each_surcharge() -> None:
    """4.00 for energy, 0.35 and then 10 % (0.44) on top, at most 4.00 in all."""
    surcharges = Surcharge(amount=Decimal("0.35"), vat=Decimal(19)), Surcharge(percent=Decimal(10))

    for cap in (FeeCap(amount=Decimal(4)), PeriodCap(name="day", amount=Decimal(4))):
        found = lines_of(replace(ENERGY_ONLY, adjustments=(*surcharges, cap)))

        assert sum(net for _, net in found) == 0
        assert [name for name, _ in found] == [
            "SESSION/-/adjustment/0/19",
            "SESSION/-/adjustment/1/19",
            "SESSION/-/adjustment/2",
            "SESSION/-/adjustment/2/2",
        ]


def test_a_session_too_small_to_be_charged_owes_no_surcharge_at_either_rate() -> None:
    small = FreeBelow(kwh=Decimal(100))
    priced = replace(TWO_RATES, adjustments=(Surcharge(percent=Decimal(10)), small))

    assert [
        name for name, _ in lines_of(priced) if "adjustment/0" in name or "SESSION" in name
    ] == [
        "SESSION/-/adjustment/0/7",
        "SESSION/-/adjustment/0/19",
        "SESSION/-/grant/1",
        "SESSION/-/grant/1/2",
    ]
    assert rated(session(), priced_by(priced)).gross_minor == 0


@pytest.mark.parametrize("name", ["min_price", "max_price"])
def test_who_owes_the_vat_himself_is_held_to_a_limit_at_each_rate(name: str) -> None:
    """1.00 at 7 % and 4.00 at 19 %, 0 % now: 10.00 are 2.00 and 8.00, 2.50 are 0.50 and 2.00."""
    amount, changes = {"min_price": ("10", (100, 400)), "max_price": ("2.5", (-50, -200))}[name]
    priced = replace(TWO_RATES, **{name: PriceLimit(before_taxes=Decimal(amount))})

    assert lines_of(priced, (Kind.CUSTOMER, "anna", ABROAD)) == [
        (f"SESSION/-/{name}/0", changes[0]),
        (f"SESSION/-/{name}/0/2", changes[1]),
    ]
    assert [each for each, _ in lines_of(priced)] == [f"SESSION/-/{name}/7", f"SESSION/-/{name}/19"]


def test_a_least_price_above_what_a_driver_is_paid_is_one_line() -> None:
    """0.05 for each of 10 kWh go to the driver; at least 1.00 is owed: 1.50 more."""
    paying = tariff("energy", component(Dimension.ENERGY, "-0.05"))
    least = replace(paying, below_zero=True, min_price=PriceLimit(before_taxes=Decimal(1)))

    assert lines_of(least) == [("SESSION/-/min_price/19", 150)]
    assert rated(session(), priced_by(least)).gross_minor == 119


def test_two_taxes_of_one_name_are_two_lines() -> None:
    levies = tuple(QuantityTax(name="levy", per_kwh=Decimal(each)) for each in ("0.03", "0.02"))

    decision = rated(session(), priced_by(replace(ENERGY_ONLY, quantity_taxes=levies)))

    assert [(each.component, each.tax_minor) for each in decision.lines if each.is_tax] == [
        ("ENERGY/-/tax/levy", 30),
        ("ENERGY/-/tax/levy/2", 20),
    ]


def test_a_further_line_can_be_given_back_alone() -> None:
    cap = FeeCap(amount=Decimal(7), dimensions=("PARKING_TIME",))
    known = priced_by(replace(TIMED, adjustments=(RAISED, cap)))
    decision = rated(session(parked_minutes=60), known)
    [raised] = [each for each in decision.lines if each.net_minor == 200]

    left = with_given_back(decision, given_back_of(decision, [raised.line]))

    assert decision.net_minor == 400 + 700
    assert left.net_minor == 400 + 500
    assert [each.component for each in left.lines] == [each.component for each in decision.lines]


@pytest.mark.parametrize(("price", "is_held"), [("1E+12", False), ("1.000001E+12", True)])
def test_an_amount_that_no_books_can_hold_is_held_with_its_reason(
    price: str, *, is_held: bool
) -> None:
    """10 kWh of it are 10^15 cents; refused by the database, they would stop others as well."""
    absurd = tariff("energy", component(Dimension.ENERGY, price))
    charging = session()

    decision = decide(charging, priced_by(absurd), moment=moment_of(charging))

    assert isinstance(decision, SessionHeld) is is_held
    if isinstance(decision, SessionHeld):
        [reason] = decision.reasons
        assert "more than anything costs" in ENGLISH.words(reason)


def test_a_price_is_never_there_twice() -> None:
    decision = rated(session())
    [line] = decision.lines
    twice = replace(decision, lines=(line, replace(line, line=2)), net_minor=800, tax_minor=152)

    with pytest.raises(InconsistentRatingError, match="twice"):
        checked_rating(twice)
