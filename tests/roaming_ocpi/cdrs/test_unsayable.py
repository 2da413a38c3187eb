"""What each version cannot say of a price, as a table: how it goes out then, and that it sums."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.sessions.session import ChargingSession, SessionPoint, SessionSpan
from roaming_ocpi.audit.run import Outcome
from roaming_ocpi.cdrs.made import SaidBy
from roaming_ocpi.cdrs.making import MadeBody, make_body
from roaming_ocpi.cdrs.saying import VERSIONS, Speaker
from tariffs.adjustments.adjustment import IdleGrace, QuantityTax, Surcharge
from tariffs.adjustments.shared import PeriodCap
from tariffs.model.policy import RoundingUnit
from tariffs.model.price_series import PriceSeries
from tariffs.model.tariff import (
    Dimension,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.model.usage import Activity
from tariffs.ocpi.versions import OcpiVersion
from tests.depot import NOON, TIMED, component, session, tariff
from tests.roaming_ocpi.cdrs.rated_for_partner import (
    GUEST,
    PARTNER,
    rated_for_partner,
    terms_for,
)
from tests.roaming_ocpi.cdrs.test_saying import audited, cdr_in

ENERGY, PARKING = Dimension.ENERGY, Dimension.PARKING_TIME
PLAIN = replace(tariff("energy", component(ENERGY, "0.40")), id="energy")
TARIFF, PRICES, FLAT = SaidBy.TARIFF, SaidBy.PERIOD_PRICES, SaidBy.FLAT


def with_element(found: Tariff, **restrictions: Any) -> Tariff:  # noqa: ANN401 - any of them
    """Return *found* with a cheaper element before its own."""
    cheap = TariffElement(
        price_components=(component(ENERGY, "0.10"),), restrictions=Restrictions(**restrictions)
    )
    return replace(found, elements=(cheap, *found.elements))


def following_a_series(found: Tariff) -> Tariff:
    """Return *found* with an exchange's prices of each quarter of an hour on top."""
    series = PriceSeries(
        name="spot",
        minutes=15,
        prices=tuple(
            (NOON + timedelta(minutes=15 * n), Decimal(n + 1).scaleb(-1)) for n in range(8)
        ),
    )
    follows = tuple(replace(each, series=True) for each in found.elements[0].price_components)
    element = replace(found.elements[0], price_components=follows)
    return replace(found, elements=(element,), price_series=series)


# Of each case: how 2.3.0, 2.2.1 and 2.1.1 say it.
TABLE = [
    pytest.param(PLAIN, (TARIFF, TARIFF, TARIFF), id="a price per kWh"),
    pytest.param(TIMED, (TARIFF, TARIFF, TARIFF), id="a price for parking"),
    pytest.param(
        replace(PLAIN, min_price=PriceLimit(before_taxes=Decimal(9))),
        (TARIFF, TARIFF, FLAT),
        id="a least price, which 2.1.1 has not",
    ),
    pytest.param(
        replace(PLAIN, max_price=PriceLimit(before_taxes=Decimal(1))),
        (TARIFF, TARIFF, FLAT),
        id="a greatest price, which 2.1.1 has not",
    ),
    pytest.param(
        with_element(PLAIN, max_kwh=Decimal(5)),
        (TARIFF, TARIFF, TARIFF),
        id="the first kWh cheaper",
    ),
    pytest.param(
        with_element(PLAIN, min_power=Decimal(5)),
        (PRICES, PRICES, FLAT),
        id="a price by power, which was measured between readings",
    ),
    pytest.param(
        with_element(PLAIN, holidays=(NOON.date(),)),
        (TARIFF, TARIFF, TARIFF),
        id="a holiday, which is a date to OCPI",
    ),
    pytest.param(following_a_series(PLAIN), (PRICES, PRICES, FLAT), id="the prices of an exchange"),
    pytest.param(
        with_element(PLAIN, season_start="11-01", season_end="12-01"),
        (PRICES, PRICES, FLAT),
        id="a season that returns",
    ),
    pytest.param(
        replace(TIMED, id="energy", adjustments=(IdleGrace(seconds=600),)),
        (PRICES, PRICES, FLAT),
        id="a grace before parking costs",
    ),
    pytest.param(
        replace(PLAIN, adjustments=(Surcharge(percent=Decimal(10)),)),
        (FLAT, FLAT, FLAT),
        id="a surcharge in per cent",
    ),
    pytest.param(
        replace(PLAIN, quantity_taxes=(QuantityTax(name="excise", per_kwh=Decimal("0.03")),)),
        (FLAT, FLAT, TARIFF),
        id="a tax per kWh",
    ),
    pytest.param(
        replace(PLAIN, tax_included=TaxIncluded.YES),
        (TARIFF, TARIFF, TARIFF),
        id="taxes inside, of which a net with four decimals comes to the cent",
    ),
    pytest.param(
        replace(
            tariff("energy", component(ENERGY, "0.3335"), component(PARKING, "0.67")),
            rounding=RoundingUnit.LINE,
        ),
        (FLAT, FLAT, FLAT),
        id="lines that are rounded each",
    ),
]


def charging() -> ChargingSession:
    """Return 10 kWh in an hour, and half an hour of parking."""
    return session(token_uid=GUEST, parked_minutes=30)


def made_by(found: Tariff, of: ChargingSession | None = None) -> MadeBody:
    rated = rated_for_partner(replace(found, id="energy"), of or charging())
    return make_body(rated, terms_for(replace(found, id="energy")), Speaker())


@pytest.mark.parametrize(("found", "ways"), TABLE)
def test_what_a_version_cannot_say_goes_out_otherwise_is_flagged_and_sums(
    found: Tariff, ways: tuple[SaidBy, ...], tmp_path: Path
) -> None:
    made = made_by(found)

    said = tuple(form.said_by if (form := made.body.form(v)) else None for v in VERSIONS)
    assert said == ways
    for version, way in zip(VERSIONS, ways, strict=True):
        written = cdr_in(made, version)
        assert written is not None
        outcome = audited(written, tmp_path, version, "Europe/Berlin")
        assert isinstance(outcome, Outcome)
        assert outcome.differences == ()
        assert outcome.priced.before_minor == made.owed.net_minor
        flagged = {each.code for each in made.notes if each.version == version.value}
        assert (f"said_by_{way}" in flagged) == (way is not TARIFF)
    if set(ways) != {TARIFF}:
        assert made.body.remark
        assert len(made.body.remark) <= 255


def test_what_a_flat_amount_is_made_of_stands_in_the_remark() -> None:
    made = made_by(replace(PLAIN, adjustments=(Surcharge(percent=Decimal(10)),)))

    assert made.body.remark is not None
    assert made.body.remark.startswith("10 kWh x 0.40 = 4.00; ")
    assert made.body.remark.endswith("0.40")


def test_an_hour_is_an_hour_and_vat_a_percentage(tmp_path: Path) -> None:
    """Fault 17 of peers: tariffs were published per minute as per hour, VAT as a fraction."""
    made = made_by(TIMED)

    for version in (OcpiVersion.V2_2_1, OcpiVersion.V2_3_0):
        written = cdr_in(made, version)
        assert written is not None
        components = written["tariffs"][0]["elements"][0]["price_components"]
        assert [(e["type"], e["price"], e["vat"]) for e in components] == [
            ("ENERGY", Decimal("0.4"), Decimal(19)),
            ("PARKING_TIME", Decimal(6), Decimal(19)),
        ]
        parked = written["charging_periods"][1]["dimensions"]
        assert parked == [{"type": "PARKING_TIME", "volume": Decimal("0.5")}]
        outcome = audited(written, tmp_path, version, "Europe/Berlin")
        assert isinstance(outcome, Outcome)
        assert outcome.priced.before_minor == 700


def test_the_cdr_costs_what_the_session_was_rated_at() -> None:
    """Fault 2 of peers: two formulas for the same money, 22.50 by one and 25.20 by the other."""
    rated = rated_for_partner(replace(TIMED, id="energy"), charging())

    made = make_body(rated, terms_for(replace(TIMED, id="energy")), Speaker())

    assert made.owed == (rated.net_minor, rated.tax_minor)
    for form in made.body.forms:
        cost = form.stated.total_cost
        assert cost is not None
        assert cost.before_taxes == Decimal(rated.net_minor) / 100
        parts = (form.stated.total_energy_cost, form.stated.total_parking_cost)
        assert sum(p.before_taxes for p in parts if p and p.before_taxes) == cost.before_taxes


def test_a_cap_by_day_takes_off_what_it_takes_off() -> None:
    cap = PeriodCap(name="day", amount=Decimal(1))
    made = made_by(replace(PLAIN, adjustments=(cap,)))

    assert {form.said_by for form in made.body.forms} == {FLAT}
    assert made.owed.net_minor == 100


def test_a_cut_between_readings_has_ocpis_digits_and_the_energy_stays_exact() -> None:
    """7,001.7 Wh evenly in 59 minutes, dearer from a threshold on that no reading has."""
    found = with_element(PLAIN, max_kwh=Decimal("3.3333"))
    end = NOON + timedelta(minutes=59)
    of = replace(
        session(token_uid=GUEST, energy_wh="7001.7"),
        ended_at=end,
        points=(SessionPoint(NOON, Decimal(0), 1, 0), SessionPoint(end, Decimal("7001.7"), 1, 1)),
        spans=(SessionSpan(NOON, Activity.CHARGING),),
    )

    periods = made_by(found, of).body.forms[0].periods

    assert [each.energy for each in periods] == [Decimal("3.3333"), Decimal("3.6684")]
    assert periods[1].starts_at.microsecond % 1000 == 0
    assert PARTNER.mark_up_percent == 0
