"""For each lint rule a tariff that it finds, and one like it that it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal

import msgspec

from tariffs.adjustments.adjustment import FreeFirst, GroupGrant, IdleGrace
from tariffs.model.tariff import (
    WEEKDAYS,
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)

ENERGY, TIME, PARKING, FLAT = (
    Dimension.ENERGY,
    Dimension.TIME,
    Dimension.PARKING_TIME,
    Dimension.FLAT,
)
RESERVATION = ReservationRestriction.RESERVATION
EXPIRES = ReservationRestriction.RESERVATION_EXPIRES


def price(
    dimension: Dimension, amount: str, vat: str | None = "19", step: int = 1
) -> PriceComponent:
    return PriceComponent(
        dimension=dimension,
        price=Decimal(amount),
        vat=None if vat is None else Decimal(vat),
        step_size=step,
    )


def element(*components: PriceComponent, **when: object) -> TariffElement:
    return TariffElement(
        price_components=components, restrictions=msgspec.structs.replace(Restrictions(), **when)
    )


def tariff(*elements: TariffElement, **settings: object) -> Tariff:
    plain = Tariff(id="t", currency="EUR", elements=elements)
    return msgspec.structs.replace(plain, **settings)


SOUND = element(price(ENERGY, "0.40"))
GRACE = (IdleGrace(seconds=900),)
IDLE = element(price(PARKING, "3"))

# A tariff that the rule finds, and one like it that it does not.
EXAMPLES: Mapping[str, tuple[Tariff, Tariff]] = {
    "never-applies": (
        tariff(element(price(ENERGY, "0.3"), min_kwh=Decimal(9), max_kwh=Decimal(5)), SOUND),
        tariff(element(price(ENERGY, "0.3"), min_kwh=Decimal(5), max_kwh=Decimal(9)), SOUND),
    ),
    "unreachable": (
        tariff(SOUND, element(price(ENERGY, "0.3"), start_time=time(7), end_time=time(20))),
        tariff(element(price(ENERGY, "0.3"), start_time=time(7), end_time=time(20)), SOUND),
    ),
    "repeated-component": (
        tariff(element(price(ENERGY, "0.3"), price(ENERGY, "0.4"))),
        tariff(element(price(ENERGY, "0.3"), price(FLAT, "1"))),
    ),
    "not-for-reservations": (
        tariff(SOUND, element(price(ENERGY, "0.3"), price(FLAT, "1"), reservation=RESERVATION)),
        tariff(SOUND, element(price(FLAT, "1"), reservation=RESERVATION)),
    ),
    "gap": (
        tariff(
            element(price(ENERGY, "0.5"), start_time=time(7), end_time=time(20)),
            element(price(ENERGY, "0.4"), start_time=time(21), end_time=time(7)),
        ),
        tariff(
            element(price(ENERGY, "0.5"), start_time=time(7), end_time=time(20)),
            element(price(ENERGY, "0.4"), start_time=time(20), end_time=time(7)),
        ),
    ),
    "free-hours": (
        tariff(SOUND, element(price(PARKING, "3"), start_time=time(8)), adjustments=GRACE),
        tariff(SOUND, IDLE, adjustments=GRACE),
    ),
    "tiny-window": (
        tariff(
            element(price(ENERGY, "0.5"), start_time=time(7), end_time=time(19, 59)),
            element(price(ENERGY, "0.4"), start_time=time(20), end_time=time(7)),
        ),
        tariff(element(price(ENERGY, "0.5"), start_time=time(7), end_time=time(7, 30)), SOUND),
    ),
    "overlap": (
        tariff(
            element(price(ENERGY, "0.5"), start_time=time(7), end_time=time(20)),
            element(price(ENERGY, "0.6"), day_of_week=WEEKDAYS[5:]),
            SOUND,
        ),
        tariff(
            element(price(ENERGY, "0.5"), start_time=time(7), end_time=time(20)),
            element(price(ENERGY, "0.6"), start_time=time(20), end_time=time(22)),
            SOUND,
        ),
    ),
    "weekday-after-midnight": (
        tariff(
            element(
                price(ENERGY, "0.3"),
                start_time=time(22),
                end_time=time(6),
                day_of_week=WEEKDAYS[:5],
            ),
            SOUND,
        ),
        tariff(element(price(ENERGY, "0.3"), start_time=time(22), end_time=time(6)), SOUND),
    ),
    "equal-ends": (
        tariff(element(price(ENERGY, "0.3"), start_time=time(7), end_time=time(7))),
        tariff(element(price(ENERGY, "0.3"), start_time=time(0), end_time=time(0))),
    ),
    "zero-price": (tariff(element(price(ENERGY, "0"))), tariff(SOUND)),
    "below-zero": (
        tariff(element(price(ENERGY, "-0.01")), below_zero=True),
        tariff(element(price(ENERGY, "0.00")), below_zero=True),
    ),
    "pays-out": (
        tariff(SOUND, below_zero=True),
        tariff(SOUND, below_zero=True, min_price=PriceLimit(before_taxes=Decimal(0))),
    ),
    "minor-units": (tariff(element(price(ENERGY, "49"))), tariff(SOUND)),
    "per-minute": (
        tariff(SOUND, element(price(TIME, "0.05"))),
        tariff(SOUND, element(price(TIME, "3"))),
    ),
    "vat-fraction": (tariff(element(price(ENERGY, "0.4", vat="0.19"))), tariff(SOUND)),
    "vat-in-part": (
        tariff(SOUND, element(price(FLAT, "1", vat=None))),
        tariff(SOUND, element(price(FLAT, "1"))),
    ),
    "vat-of-country": (
        tariff(element(price(ENERGY, "0.4", vat="7")), country_code="DE"),
        tariff(element(price(ENERGY, "0.4", vat="19")), country_code="DE"),
    ),
    "no-vat": (
        tariff(element(price(ENERGY, "0.4", vat=None))),
        tariff(element(price(ENERGY, "0.4", vat=None)), tax_included=TaxIncluded.NOT_APPLICABLE),
    ),
    "step-size": (
        tariff(element(price(ENERGY, "0.4", step=1000))),
        tariff(SOUND, element(price(FLAT, "1", step=1000))),
    ),
    "idle-fee-without-grace": (tariff(SOUND, IDLE), tariff(SOUND, IDLE, adjustments=GRACE)),
    "idle-fee-without-cap": (
        tariff(SOUND, element(price(PARKING, "6"))),
        tariff(
            SOUND,
            element(price(PARKING, "6")),
            max_price=PriceLimit(before_taxes=Decimal(50)),
        ),
    ),
    "useless-grace": (
        tariff(SOUND, adjustments=GRACE),
        tariff(SOUND, IDLE, adjustments=GRACE),
    ),
    "free-beside-steps": (
        tariff(
            element(price(TIME, "1", step=1200)),
            adjustments=(FreeFirst(dimensions=("TIME",), seconds=1800),),
        ),
        tariff(
            element(price(TIME, "1", step=1200)),
            adjustments=(FreeFirst(dimensions=("TIME",), seconds=1800, before_steps=True),),
        ),
    ),
    "useless-grant": (
        tariff(SOUND, adjustments=(GroupGrant(group="staff", dimensions=("PARKING_TIME",)),)),
        tariff(SOUND, adjustments=(GroupGrant(group="staff", dimensions=("ENERGY",)),)),
    ),
    "several-flats": (
        tariff(
            SOUND,
            element(price(FLAT, "2"), min_duration=3600),
            element(price(FLAT, "1")),
        ),
        tariff(
            SOUND, element(price(FLAT, "2")), element(price(FLAT, "1"), reservation=RESERVATION)
        ),
    ),
    "flat-only": (tariff(element(price(FLAT, "5"))), tariff(SOUND, element(price(FLAT, "5")))),
    "crossed-limits": (
        tariff(
            SOUND,
            min_price=PriceLimit(before_taxes=Decimal(5), after_taxes=Decimal(12)),
            max_price=PriceLimit(before_taxes=Decimal(9), after_taxes=Decimal(10)),
        ),
        tariff(
            SOUND,
            min_price=PriceLimit(before_taxes=Decimal(5), after_taxes=Decimal(6)),
            max_price=PriceLimit(before_taxes=Decimal(9), after_taxes=Decimal(10)),
        ),
    ),
    "limits-against-rates": (
        tariff(SOUND, min_price=PriceLimit(before_taxes=Decimal(5), after_taxes=Decimal(6))),
        tariff(SOUND, max_price=PriceLimit(before_taxes=Decimal(5), after_taxes=Decimal("5.95"))),
    ),
    "taxes-not-applicable": (tariff(SOUND, tax_included=TaxIncluded.NOT_APPLICABLE), tariff(SOUND)),
    "empty-sessions-pay": (
        tariff(SOUND, min_price=PriceLimit(before_taxes=Decimal("0.5"))),
        tariff(SOUND, min_price=PriceLimit(before_taxes=Decimal(0))),
    ),
    "ends-before-start": (
        tariff(
            SOUND,
            start_date_time=datetime(2026, 2, 1, tzinfo=UTC),
            end_date_time=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        tariff(
            SOUND,
            start_date_time=datetime(2026, 1, 1, tzinfo=UTC),
            end_date_time=datetime(2026, 2, 1, tzinfo=UTC),
        ),
    ),
    "threshold-unit": (
        tariff(element(price(ENERGY, "0.3"), min_kwh=Decimal(20_000)), SOUND),
        tariff(element(price(ENERGY, "0.3"), min_kwh=Decimal(20)), SOUND),
    ),
    "expiry-only": (
        tariff(SOUND, element(price(FLAT, "4"), reservation=EXPIRES)),
        tariff(
            SOUND,
            element(price(FLAT, "4"), reservation=EXPIRES),
            element(price(FLAT, "2"), reservation=RESERVATION),
        ),
    ),
    "not-in-ocpi": (tariff(SOUND, IDLE, adjustments=GRACE), tariff(SOUND, IDLE)),
    "seconds-in-time": (
        tariff(element(price(ENERGY, "0.3"), end_time=time(19, 59, 59)), SOUND),
        tariff(element(price(ENERGY, "0.3"), end_time=time(20)), SOUND),
    ),
    "many-decimals": (tariff(element(price(ENERGY, "0.40123"))), tariff(SOUND)),
    "needs-measurements": (
        tariff(element(price(TIME, "2"), max_power=Decimal(11)), SOUND),
        tariff(element(price(TIME, "2"), min_duration=3600), SOUND),
    ),
    "ocpi-2.1.1": (tariff(SOUND), tariff(element(price(ENERGY, "0.4", vat=None)))),
    "long-id": (tariff(SOUND, id="x" * 37), tariff(SOUND, id="x" * 36)),
    "unknown-type": (tariff(SOUND, type="CHEAP"), tariff(SOUND, type="PROFILE_CHEAP")),
    "inexact-net-price": (
        tariff(SOUND, tax_included=TaxIncluded.YES),
        tariff(element(price(ENERGY, "0.60", vat="20")), tax_included=TaxIncluded.YES),
    ),
    "de-price-per-kwh": (
        tariff(element(price(TIME, "6")), country_code="DE"),
        tariff(SOUND, element(price(TIME, "6")), country_code="DE"),
    ),
    "de-measured-time": (
        tariff(SOUND, element(price(TIME, "6")), country_code="DE"),
        tariff(SOUND, element(price(TIME, "6")), country_code="AT"),
    ),
    "de-signed-values": (
        tariff(element(price(ENERGY, "0.3"), min_kwh=Decimal(20)), SOUND, country_code="DE"),
        tariff(SOUND, country_code="DE"),
    ),
    "de-further-fees": (
        tariff(SOUND, element(price(FLAT, "1")), country_code="DE"),
        tariff(SOUND, element(price(FLAT, "1"))),
    ),
    "us-excise": (tariff(SOUND, country_code="US"), tariff(SOUND, country_code="DE")),
    "us-unnamed-tax": (
        tariff(
            element(price(ENERGY, "0.4", vat=None)),
            country_code="US",
            tax_included=TaxIncluded.YES,
        ),
        tariff(SOUND, country_code="US", tax_included=TaxIncluded.YES),
    ),
}
