"""Our tariffs as partners get them: the versions that price, with the mark-up, honest and exact."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import Kind
from ledger.master_data.tariff_versions import published
from tariffs.adjustments.adjustment import CapPeriod, FeeCap
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.ocpi.tariff_reader import tariff_of
from tests.roaming_ocpi.places.declared_places import (
    EMSP,
    SITE,
    STATION,
    assigned,
    change,
    declared_in,
    harbour,
    tariff,
)
from tests.roaming_ocpi.places.places_served import HUB, NOW, OTHER, places_served

LIST = "/cpo/2.2.1/tariffs"
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")


def component(dimension: Dimension, price: str) -> PriceComponent:
    return PriceComponent(dimension=dimension, price=Decimal(price), vat=Decimal(19), step_size=1)


HOURLY = Tariff(
    id="DAY",
    currency="EUR",
    elements=(
        TariffElement(
            price_components=(
                component(Dimension.ENERGY, "0.40"),
                component(Dimension.PARKING_TIME, "6"),
            )
        ),
    ),
    min_price=PriceLimit(before_taxes=Decimal(1)),
)


async def test_prices_are_per_hour_and_vat_in_per_cent(database: str) -> None:
    """Fault 17: tariffs published per minute where OCPI wants hours, VAT as a fraction."""
    harbour(database)
    known = declared_in(database, change(Kind.TARIFF, "DAY", published(HOURLY)))
    async with places_served(database, known) as places:
        found = {
            version: (await places.ask("GET", f"/cpo/{version}/tariffs")).data[0]
            for version in VERSIONS
        }

    for version, each in found.items():
        energy, parking = each["elements"][0]["price_components"]
        assert (energy["price"], parking["price"]) == (Decimal("0.4"), 6), version
        assert energy.get("vat") == (None if version == "2.1.1" else 19), version
    assert (found["2.3.0"]["tax_included"], found["2.2.1"]["country_code"]) == ("NO", "DE")
    assert found["2.3.0"]["min_price"] == {"before_taxes": 1}
    assert found["2.2.1"]["min_price"] == {"excl_vat": 1}
    assert found["2.2.1"]["last_updated"] == "2026-03-01T12:00:00Z"


async def test_each_partner_gets_the_tariffs_of_its_drivers(database: str) -> None:
    harbour(database)
    known = declared_in(
        database,
        assigned("ROAM", partner="NL-TNM"),
        change(Kind.TARIFF, "OURS", published(tariff("OURS", "0.10"))),
    )
    async with places_served(database, known) as places:
        theirs = await places.ask("GET", LIST)
        others = await places.ask("GET", LIST, token=OTHER)
        strangers = await places.ask("GET", LIST, token=HUB)

    assert [each["id"] for each in theirs.data] == ["ROAM"]
    assert [each["id"] for each in others.data] == ["DAY"]
    assert strangers.data == []


async def test_a_mark_up_is_in_the_prices_and_a_new_one_is_an_update(database: str) -> None:
    harbour(database)
    declared_in(database, change(Kind.TARIFF, "DAY", published(HOURLY)))
    dearer = replace(EMSP, mark_up_percent=Decimal("7.5"))
    known = declared_in(database, change(Kind.PARTNER, "NL-TNM", dearer), at=NOW)
    async with places_served(database, known) as places:
        [marked] = (await places.ask("GET", LIST)).data
        [plain] = (await places.ask("GET", LIST, token=OTHER)).data

    prices = [each["price"] for each in marked["elements"][0]["price_components"]]
    assert prices == [Decimal("0.43"), Decimal("6.45")]
    assert marked["min_price"]["excl_vat"] == Decimal("1.075")
    assert marked["last_updated"] == "2026-03-10T12:00:00Z"
    assert plain["elements"][0]["price_components"][0]["price"] == Decimal("0.4")


async def test_the_version_that_prices_is_the_one_that_is_published(database: str) -> None:
    harbour(database)
    later = change(Kind.TARIFF, "DAY", published(tariff("DAY", "0.55")), NOW + timedelta(hours=1))
    known = declared_in(database, later)
    async with places_served(database, known) as places:
        [before] = (await places.ask("GET", LIST)).data
        places.now = NOW + timedelta(hours=1)
        [after] = (await places.ask("GET", LIST)).data
        places.declared = declared_in(database, change(Kind.ASSIGNMENT, "site=harbour", None))
        gone = await places.ask("GET", LIST)

    shown = [each["elements"][0]["price_components"][0]["price"] for each in (before, after)]
    assert shown == [Decimal("0.4"), Decimal("0.55")]
    assert after["last_updated"] == "2026-03-10T13:00:00Z"
    assert gone.data == []


async def test_what_no_version_can_say_its_text_says(database: str) -> None:
    harbour(database)
    capped = replace(
        HOURLY,
        adjustments=(FeeCap(dimensions=("PARKING_TIME",), amount=Decimal(12), per=CapPeriod.DAY),),
    )
    marked = replace(EMSP, mark_up_percent=Decimal(5))
    known = declared_in(
        database,
        change(Kind.TARIFF, "DAY", published(capped)),
        change(Kind.PARTNER, "BE-ABC", marked),
    )
    async with places_served(database, known) as places:
        [dearer] = (await places.ask("GET", LIST, token=OTHER)).data
        assert "12.6" in dearer["tariff_alt_text"][0]["text"]
        for version in VERSIONS:
            [found] = (await places.ask("GET", f"/cpo/{version}/tariffs")).data
            [text] = found["tariff_alt_text"]
            assert "Not all of the price is shown here" in text["text"], version


async def test_prices_with_their_taxes_are_said_before_taxes_where_a_version_wants_it(
    database: str,
) -> None:
    harbour(database)
    inside = replace(tariff("DAY", "0.595"), tax_included=TaxIncluded.YES)
    known = declared_in(database, change(Kind.TARIFF, "DAY", published(inside)))
    async with places_served(database, known) as places:
        [old] = (await places.ask("GET", LIST)).data
        [new] = (await places.ask("GET", "/cpo/2.3.0/tariffs")).data

    assert old["elements"][0]["price_components"][0]["price"] == Decimal("0.5")
    assert new["elements"][0]["price_components"][0]["price"] == Decimal("0.595")
    assert new["tax_included"] == "YES"


async def test_what_is_published_is_read_again_as_what_prices(database: str) -> None:
    harbour(database)
    known = declared_in(database, change(Kind.TARIFF, "DAY", published(HOURLY)))
    async with places_served(database, known) as places:
        [found] = (await places.ask("GET", "/cpo/2.3.0/tariffs")).data

    read, notes = tariff_of(found)
    assert notes == ()
    assert (read.elements, read.min_price) == (HOURLY.elements, HOURLY.min_price)


async def test_tariffs_come_in_pages(database: str) -> None:
    harbour(database)
    many: list[Any] = []
    for number in range(7):
        many += [
            change(Kind.SITE, f"s{number}", SITE),
            change(Kind.STATION, f"S-{number}", replace(STATION, site=f"s{number}")),
            change(Kind.TARIFF, f"T{number}", published(tariff(f"T{number}"))),
            assigned(f"T{number}", site=f"s{number}"),
        ]
    known = declared_in(database, *many)
    async with places_served(database, known) as places:
        pages = await places.pages(f"{LIST}?limit=3&date_to=2026-03-05T00:00:00Z")
        none = await places.ask("GET", f"{LIST}?date_from=2026-03-05T00:00:00Z")

    assert [[each["id"] for each in page] for page in pages] == [
        *(["DAY", "T0", "T1"], ["T2", "T3", "T4"], ["T5", "T6"])
    ]
    assert none.data == []


@pytest.mark.parametrize("key", ["a-very-long-id-of-a-tariff-that-ocpi-has-no-room-for", "Evening"])
async def test_an_id_that_is_too_long_is_bounded_the_same_everywhere(
    database: str, key: str
) -> None:
    harbour(database)
    known = declared_in(
        database,
        change(Kind.TARIFF, key, published(tariff(key))),
        assigned(key, partner="NL-TNM"),
    )
    async with places_served(database, known) as places:
        [found] = (await places.ask("GET", LIST)).data
        plug = await places.ask("GET", "/cpo/2.2.1/locations/harbour/HB-1*1/1")

    assert len(found["id"]) <= 36
    assert plug.data["tariff_ids"] == [found["id"]]
