"""A month of sessions by chance: any tariff, any policy, priced by the kernel as in the books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from random import Random

from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.policies import Policy
from ledger.master_data.sites import Site
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide
from ledger.rating.decisions import SessionRated
from tariffs.adjustments.adjustment import (
    Adjustment,
    AtLeast,
    CapPeriod,
    FeeCap,
    FreeBelow,
    FreeFirst,
    QuantityTax,
    RoundDown,
    Surcharge,
)
from tariffs.adjustments.shared import Allowance, PeriodCap
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import Dimension, Tariff
from tariffs.taxes.sales_taxes import SalesTax, combined_percent
from tests.depot import NOON, declared, moment_of, session
from tests.tariffs.chance import chance_tariff


def chance_declared(random: Random, pricing: str) -> Declarations:
    """Return the depot with a tariff by chance, whose customer may owe the tax itself."""
    tariff = _with_taxes(random, replace(chance_tariff(random), id="energy"))
    if random.random() < 0.5:
        tariff = _with_adjustments(random, tariff)
    if random.random() < 0.2:
        tariff = _with_series(random, tariff)
    customer = Customer(details="Fleet AG", invoicing=Invoicing.PER_MONTH)
    if random.random() < 0.2:
        customer = replace(customer, vat_id="FR61954506077", reverse_charge=True)
    site = Site(
        time_zone="Europe/Berlin", country="DE", legal_entity="depot", currency=tariff.currency
    )
    return declared(
        (Kind.SITE, "harbour", site, BEGINNING),
        (Kind.CUSTOMER, "fleet", customer, BEGINNING),
        (Kind.POLICY, "policy", Policy(pricing=pricing), BEGINNING),
        (Kind.TARIFF, "energy", published(tariff), BEGINNING),
    )


_FEES = ("FLAT", "ENERGY", "TIME", "PARKING_TIME")


def _with_adjustments(random: Random, tariff: Tariff) -> Tariff:
    """Return *tariff* with up to three adjustments of any kind that no group needs."""

    def amount() -> Decimal:
        return Decimal(random.randrange(900)).scaleb(-2)

    made: tuple[Callable[[], Adjustment], ...] = (
        lambda: FreeFirst(dimensions=("ENERGY",), kwh=amount()),
        lambda: FreeFirst(dimensions=("TIME",), seconds=60 * random.randrange(90)),
        lambda: FreeBelow(kwh=amount(), seconds=60 * random.randrange(90)),
        lambda: RoundDown(dimensions=("ENERGY",), step=random.randint(1, 3000)),
        lambda: FeeCap(amount=amount(), dimensions=tuple(random.sample(_FEES, 2))),
        lambda: FeeCap(amount=amount(), per=CapPeriod.DAY),
        lambda: PeriodCap(name="day", amount=amount()),
        lambda: Allowance(
            name="month", dimensions=("ENERGY", "TIME"), percent=Decimal("33.3"), kwh_max=amount()
        ),
        lambda: AtLeast(amount=amount(), dimensions=_FEES),
        lambda: Surcharge(percent=Decimal("12.5")),
        lambda: Surcharge(amount=amount(), vat=Decimal("7.5")),
    )
    chosen = [each() for each in random.sample(made, random.randint(0, 3))]
    return replace(tariff, adjustments=(*tariff.adjustments, *chosen))


def _with_series(random: Random, tariff: Tariff) -> Tariff:
    """Return *tariff* with all energy at the prices of an exchange, an hour each."""
    series = PriceSeries(
        name="spot",
        minutes=60,
        percent=Decimal("107.3"),
        prices=tuple(
            (NOON + timedelta(hours=hour), Decimal(random.randrange(90_000)).scaleb(-5))
            for hour in range(24 * 20)
        ),
    )
    elements = tuple(
        replace(
            element,
            price_components=tuple(
                replace(each, series=each.dimension is Dimension.ENERGY)
                for each in element.price_components
            ),
        )
        for element in tariff.elements
    )
    return replace(tariff, elements=elements, price_series=series)


def _with_taxes(random: Random, tariff: Tariff) -> Tariff:
    """Return *tariff*, perhaps with a tax per kWh, and with two taxes of which one is on both."""
    if random.random() < 0.2:
        excise = QuantityTax(name="Excise", per_kwh=Decimal("0.03"), vat=Decimal(19))
        tariff = replace(tariff, quantity_taxes=(excise,))
    if random.random() < 0.2:
        taxes = (
            SalesTax(name="GST", percent=Decimal(5)),
            SalesTax(name="QST", percent=Decimal("9.975"), stack=random.choice((0, 1))),
        )
        percent = combined_percent(taxes)
        elements = tuple(
            replace(
                element,
                price_components=tuple(
                    each if each.vat is None else replace(each, vat=percent)
                    for each in element.price_components
                ),
            )
            for element in tariff.elements
        )
        tariff = replace(tariff, sales_taxes=taxes, elements=elements)
    return tariff


def chance_month(random: Random, known: Declarations) -> list[SessionRated]:
    """Return what a few sessions of a month are rated; those that are held are left out."""
    found = []
    for number in range(1, random.randint(2, 7)):
        charging = session(
            number,
            token_uid="fleet-1",
            started_at=NOON + timedelta(hours=50 * number, seconds=random.randrange(3600)),
            energy_wh=str(random.choice((0, 1, 7293, random.randrange(90_000)))),
            minutes=random.randint(1, 600),
            parked_minutes=random.choice((0, 0, 1, 77, 600)),
        )
        decision = decide(charging, known, moment=moment_of(charging))
        # Whatever rules a tariff has, what the kernel prices is a rating.
        assert "rating_inconsistent" not in str(decision)
        if isinstance(decision, SessionRated) and decision.lines:
            found.append(decision)
    return found
