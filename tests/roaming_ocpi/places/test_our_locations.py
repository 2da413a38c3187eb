"""Our sites as partners see them: from what is declared, and what stations last said."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.master_data.addresses import Address
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.partners import PartnerRole
from ledger.master_data.tariff_versions import published
from roaming_ocpi.places.audience import audience_of
from roaming_ocpi.places.ours.declared_times import declared_times
from roaming_ocpi.places.ours.our_locations import degrees, opening_times, our_locations
from tariffs.model.tariff import Weekday
from tests.roaming_ocpi.places.declared_places import (
    DECLARED_AT,
    EMSP,
    SELLER,
    SITE,
    STATION,
    assigned,
    change,
    connected,
    declared_in,
    harbour,
    say,
    tariff,
)
from tests.roaming_ocpi.places.places_served import HUB, NOW, OTHER, places_served

CPO = "/cpo/2.2.1/locations"
LOCATION = {
    "country_code": "DE",
    "party_id": "HBC",
    "id": "harbour",
    "publish": True,
    "name": "Harbour",
    "address": "Am Kai 7",
    "city": "Hamburg",
    "postal_code": "20457",
    "country": "DEU",
    "coordinates": {"latitude": "53.50000", "longitude": "-9.9876543"},
    "time_zone": "Europe/Berlin",
    "opening_times": {
        "twentyfourseven": False,
        "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
    },
    "operator": {"name": "Harbour Charging GmbH"},
    "last_updated": "2026-03-10T11:00:00Z",
}
CONNECTOR = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "SOCKET",
    "power_type": "AC_3_PHASE",
    "max_voltage": 230,
    "max_amperage": 32,
    "max_electric_power": 22080,
    "tariff_ids": ["DAY"],
    "last_updated": "2026-03-01T12:00:00Z",
}


def notes_of(database: str, *changes: Any) -> list[tuple[str, str | None]]:  # noqa: ANN401 - changes
    harbour(database)
    known = declared_in(database, *changes, at=DECLARED_AT)
    audience = audience_of(known, "NL-TNM", NOW)
    assert audience is not None
    with connect(database) as connection:
        times = declared_times(connection, known)
    return [(each.code, each.spot) for each in our_locations(known, times, audience, NOW).notes]


async def test_a_site_is_a_location_with_what_its_stations_said(database: str) -> None:
    with connected(database, "HB-1"):
        say(database, "HB-1", 1, "Charging", NOW - timedelta(hours=1))
        say(database, "HB-1", 2, "Available", NOW - timedelta(hours=2))
        async with places_served(database, harbour(database)) as places:
            [[found]] = await places.pages(CPO)

    evses = found.pop("evses")
    assert found == LOCATION
    assert [(each["uid"], each["status"], each["last_updated"]) for each in evses] == [
        ("HB-1*1", "CHARGING", "2026-03-10T11:00:00Z"),
        ("HB-1*2", "AVAILABLE", "2026-03-10T10:00:00Z"),
    ]
    assert evses[0]["evse_id"] == "DE*HBC*EHB*1*1"
    assert evses[0]["connectors"] == [CONNECTOR]


async def test_a_part_of_it_is_found_in_each_version(database: str) -> None:
    async with places_served(database, harbour(database)) as places:
        for version in ("2.1.1", "2.2.1", "2.3.0"):
            path = f"/cpo/{version}/locations/HARBOUR"
            one = await places.ask("GET", path)
            evse = await places.ask("GET", f"{path}/hb-1*2")
            plug = await places.ask("GET", f"{path}/HB-1*2/1")
            assert one.data["evses"][1] == evse.data
            assert evse.data["connectors"] == [plug.data]
            assert ("voltage" in plug.data) is (version == "2.1.1")
            assert plug.data.get("tariff_id", ["DAY"]) == plug.data.get("tariff_ids", "DAY")
        missing = [
            await places.ask("GET", f"{CPO}/{path}")
            for path in ("nowhere", "harbour/HB-9*1", "harbour/HB-1*1/7")
        ]

    assert {(each.http, each.status) for each in missing} == {(404, 2003)}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({1: "Preparing"}, "CHARGING"),
        ({1: "Occupied"}, "CHARGING"),
        ({1: "SuspendedEV"}, "CHARGING"),
        ({1: "Reserved"}, "RESERVED"),
        ({1: "Unavailable"}, "INOPERATIVE"),
        ({1: "Faulted"}, "OUTOFORDER"),
        ({1: "Available", 0: "Unavailable"}, "INOPERATIVE"),
        ({1: "Available", 0: "Faulted"}, "OUTOFORDER"),
        ({1: "Available", 0: "Available"}, "AVAILABLE"),
        ({1: "SomethingNew"}, "UNKNOWN"),
        ({2: "Available"}, "UNKNOWN"),
        ({}, "UNKNOWN"),
    ],
)
async def test_what_an_evse_is_doing(database: str, said: dict[int, str], status: str) -> None:
    for number, word in said.items():
        say(database, "HB-1", number, word, NOW)
    with connected(database, "HB-1"):
        async with places_served(database, harbour(database)) as places:
            evse = await places.ask("GET", f"{CPO}/harbour/HB-1*1")

    assert evse.data["status"] == status


async def test_of_a_station_that_is_gone_nothing_is_known_since_then(database: str) -> None:
    say(database, "HB-1", 1, "Available", NOW - timedelta(hours=3))
    with connected(database, "HB-1"), connect(database) as connection:
        connection.execute("UPDATE connection_epoch SET closed_at = %s", (NOW,))
        async with places_served(database, harbour(database)) as places:
            evse = await places.ask("GET", f"{CPO}/harbour/HB-1*1")

    assert (evse.data["status"], evse.data["last_updated"]) == ("UNKNOWN", "2026-03-10T12:00:00Z")


async def test_tariff_ids_follow_assignments_of_the_partner_first(database: str) -> None:
    harbour(database)
    known = declared_in(database, assigned("ROAM", partner="NL-TNM"), at=NOW - timedelta(hours=1))
    async with places_served(database, known) as places:
        theirs = await places.ask("GET", f"{CPO}/harbour/HB-1*1/1")
        others = await places.ask("GET", f"{CPO}/harbour/HB-1*1/1", token=OTHER)

    assert (theirs.data["tariff_ids"], others.data["tariff_ids"]) == (["ROAM"], ["DAY"])
    assert theirs.data["last_updated"] == "2026-03-10T11:00:00Z"
    assert others.data["last_updated"] == "2026-03-01T12:00:00Z"


async def test_an_assignment_that_holds_later_shows_then(database: str) -> None:
    harbour(database)
    later = assigned("ROAM", partner="NL-TNM")
    known = declared_in(database, replace(later, valid_from=NOW + timedelta(hours=1)), at=NOW)
    async with places_served(database, known) as places:
        before = await places.ask("GET", f"{CPO}/harbour/HB-1*1/1")
        places.now = NOW + timedelta(hours=1)
        after = await places.ask("GET", f"{CPO}/harbour/HB-1*1/1")

    assert (before.data["tariff_ids"], after.data["tariff_ids"]) == (["DAY"], ["ROAM"])
    assert after.data["last_updated"] == "2026-03-10T13:00:00Z"


async def test_a_partner_sees_the_sites_that_it_may(database: str) -> None:
    harbour(database)
    other = replace(SELLER, party="DE-OTH", invoice_prefix="O")
    known = declared_in(
        database,
        change(Kind.SITE, "quay", replace(SITE, name="Quay")),
        change(Kind.SITE, "abroad", replace(SITE, legal_entity="other")),
        change(Kind.LEGAL_ENTITY, "other", other),
        change(Kind.PARTNER, "BE-ABC", replace(EMSP, sites=("quay",))),
        change(Kind.PARTNER, "FR-HUB", replace(EMSP, roles=(PartnerRole.CPO,))),
    )
    async with places_served(database, known) as places:
        [every] = await places.pages(CPO)
        some = await places.ask("GET", CPO, token=OTHER)
        none = await places.ask("GET", CPO, token=HUB)
        hidden = await places.ask("GET", f"{CPO}/harbour", token=OTHER)

    assert [each["id"] for each in every] == ["harbour", "quay"]
    assert [each["id"] for each in some.data] == ["quay"]
    assert (none.http, none.data, hidden.http) == (200, [], 404)


async def test_what_is_withdrawn_is_removed_and_not_forgotten(database: str) -> None:
    harbour(database)
    fewer = replace(STATION, connectors=STATION.connectors[:1])
    declared_in(database, change(Kind.STATION, "HB-1", fewer), at=NOW - timedelta(hours=2))
    declared_in(database, change(Kind.STATION, "HB-2", STATION), at=NOW - timedelta(hours=2))
    known = declared_in(database, change(Kind.STATION, "HB-2", None), at=NOW - timedelta(hours=1))
    async with places_served(database, known) as places:
        [[found]] = await places.pages(CPO)

    assert [(each["uid"], each["status"]) for each in found["evses"]] == [
        ("HB-1*1", "UNKNOWN"),
        ("HB-1*2", "REMOVED"),
        ("HB-2*1", "REMOVED"),
        ("HB-2*2", "REMOVED"),
    ]
    assert found["evses"][3]["last_updated"] == found["last_updated"] == "2026-03-10T11:00:00Z"


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        ([change(Kind.SITE, "harbour", SITE)], []),
        ([change(Kind.SITE, "harbour", replace(SITE, latitude=None, longitude=None))], ["site"]),
        ([change(Kind.SITE, "harbour", replace(SITE, address=Address(city="X")))], ["site"]),
        ([change(Kind.STATION, "HB-1", replace(STATION, plug=None))], ["plug", "plug"]),
        ([change(Kind.STATION, "HB-1", replace(STATION, connectors=()))], ["no_connectors"]),
        ([change(Kind.ASSIGNMENT, "site=harbour", None)], ["no_tariff"]),
    ],
)
def test_what_is_not_published_is_noted(
    database: str, changes: list[Any], noted: list[str]
) -> None:
    found = notes_of(database, *changes)

    assert len(found) == len(noted)
    assert all(code.startswith(begin) for (code, _), begin in zip(found, noted, strict=True))


async def test_pages_are_stable_while_data_grows_and_changes(database: str) -> None:
    harbour(database)
    sites = [change(Kind.SITE, f"s{n}", replace(SITE, name=str(n))) for n in range(20)]
    stations = [change(Kind.STATION, f"S-{n}", replace(STATION, site=f"s{n}")) for n in range(20)]
    known = declared_in(database, *sites, *stations)
    with connected(database, *(f"S-{n}" for n in range(20))):
        async with places_served(database, known) as places:
            before = f"?limit=3&date_to={'2026-03-10T00:00:00Z'}"
            seen, url = [], f"{CPO}{before}"
            while url:
                answer = await places.ask("GET", url)
                seen += [each["id"] for each in answer.data]
                # Those that were seen are updated: they leave the list that date_to bounds.
                for each in answer.data:
                    say(database, f"S-{each['id'][1:]}", 1, "Charging", NOW)
                link = answer.headers.get("link", "")
                assert not link or ("date_to=" in link and "limit=3" in link)
                url = link.partition(">")[0].lstrip("<")
                new = change(Kind.SITE, f"new{len(seen)}", replace(SITE, name="new"))
                places.declared = declared_in(database, new, at=NOW)
            newer = await places.ask("GET", f"{CPO}?date_from=2026-03-10T12:00:00Z&limit=2")

    assert seen == ["harbour", *(f"s{n}" for n in range(20))]
    assert int(newer.headers["x-total-count"]) == 20 + 7
    assert newer.headers["x-limit"] == "2"


@pytest.mark.parametrize("after", ["x", "-1", "1" * 30, "%D9%A1"])
async def test_an_odd_link_is_refused(database: str, after: str) -> None:
    async with places_served(database, harbour(database)) as places:
        answer = await places.ask("GET", f"{CPO}?after={after}")

    assert (answer.http, answer.status) == (400, 2001)


async def test_a_tariff_that_ends_is_no_longer_named(database: str) -> None:
    harbour(database)
    ending = published(tariff("DAY", end_date_time=NOW + timedelta(minutes=1)))
    known = declared_in(database, change(Kind.TARIFF, "DAY", ending))
    async with places_served(database, known) as places:
        before = await places.ask("GET", f"{CPO}/harbour/HB-1*1/1")
        places.now = NOW + timedelta(minutes=1)
        after = await places.ask("GET", f"{CPO}/harbour/HB-1*1/1")

    assert before.data["tariff_ids"] == ["DAY"]
    assert "tariff_ids" not in after.data


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("53", "53.00000"),
        ("-0.5", "-0.50000"),
        ("9.123456789", "9.1234568"),
        ("179.9999999", "179.9999999"),
    ],
)
def test_angles_have_five_to_seven_decimals(value: str, text: str) -> None:
    assert degrees(Decimal(value)) == text


def test_hours_past_midnight_are_two_periods_and_whole_weeks_are_always() -> None:
    night = WeeklyHours(start=time(22), end=time(6), days=(Weekday.SUNDAY,))

    assert opening_times([night]) == {
        "twentyfourseven": False,
        "regular_hours": [
            {"weekday": 1, "period_begin": "00:00", "period_end": "06:00"},
            {"weekday": 7, "period_begin": "22:00", "period_end": "23:59"},
        ],
    }
    assert opening_times([WeeklyHours(), night]) == {"twentyfourseven": True}
