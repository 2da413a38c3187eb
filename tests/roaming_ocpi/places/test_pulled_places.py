"""Lists of partners that have stations: read once, then what changed; odd objects cost no other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.master_data.partners import PartnerRole
from ledger.master_data.tariff_versions import published
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.places.partner_tariffs import partner_tariffs_at
from roaming_ocpi.places.pulling import PartnerListReader, ReadList
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.client.odd_partner import answer, enveloped, odd_partner
from tests.roaming_ocpi.places.declared_places import (
    EMSP,
    SITE,
    STATION,
    change,
    declared_in,
    harbour,
    tariff,
)
from tests.roaming_ocpi.places.places_served import NOW, TNM, Places, places_served
from tests.roaming_ocpi.places.test_partner_tariffs import TARIFF
from tests.roaming_ocpi.wire.ocpi_objects import LOCATION

BOTH = (ModuleId.TARIFFS, ModuleId.LOCATIONS, ModuleId.HUB_CLIENT_INFO)


class Reading(NamedTuple):
    """Our eMSP side, and a partner with stations whose lists it reads: here both are ours."""

    reader: PartnerListReader
    partner: Places
    link: Link


@asynccontextmanager
async def reading(database: str, version: OcpiVersion, url: str = "") -> AsyncIterator[Reading]:
    harbour(database)
    # As an eMSP we know the party of the stations; the same database is both sides here.
    cpo = replace(EMSP, roles=(PartnerRole.CPO,))
    known = declared_in(database, change(Kind.PARTNER, "DE-HBC", cpo))
    async with places_served(database, known) as places:
        client = HttpPartnerClient(allow_private=True, now=lambda: places.now, heard=lambda _: None)
        assert places.resources is not None
        resources = places.resources._replace(client=client)
        address = url or f"{resources.address}/cpo/{version}"
        endpoints = {(each, InterfaceRole.SENDER): f"{address}/{each}?limit=2" for each in BOTH}
        link = Link(
            "DE-HBC", "NL-TNM", LinkState.REGISTERED, version, TNM, endpoints, is_plain=True
        )
        yield Reading(PartnerListReader(resources), places, link)
        await client.close()


def kept(database: str) -> list[str]:
    with connect(database) as connection:
        rows = connection.execute("SELECT location_id FROM partner_location ORDER BY 1").fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("version", OcpiVersion)
async def test_all_of_a_list_is_read_once_and_then_what_changed(
    database: str, version: OcpiVersion
) -> None:
    async with reading(database, version) as both:
        sites = [change(Kind.SITE, f"s{n}", replace(SITE, name=str(n))) for n in range(4)]
        stations = [
            change(Kind.STATION, f"S-{n}", replace(STATION, site=f"s{n}")) for n in range(4)
        ]
        both.partner.declared = declared_in(database, *sites, *stations)
        first = await both.reader.read(both.link)
        again = await both.reader.read(both.link)
        dearer = published(tariff("DAY", "0.70"))
        both.partner.now = NOW + timedelta(days=2)
        both.partner.declared = declared_in(
            database, change(Kind.TARIFF, "DAY", dearer), at=both.partner.now
        )
        later = await both.reader.read(both.link)

    assert first == {ModuleId.TARIFFS: ReadList(1), ModuleId.LOCATIONS: ReadList(5)}
    assert again == {}
    assert later == {ModuleId.TARIFFS: ReadList(1), ModuleId.LOCATIONS: ReadList(1)}
    assert kept(database) == ["harbour", "s0", "s1", "s2", "s3"]
    with connect(database) as connection:
        asked = [("DAY", at) for at in (NOW, NOW + timedelta(days=2))]
        found = partner_tariffs_at(connection, "DE-HBC", asked)
    assert [b"0.7" in found[each] for each in asked] == [False, True]


async def test_an_odd_object_costs_no_other(database: str) -> None:
    theirs = {"country_code": "DE", "party_id": "HBC"}
    place = json.loads(encoded(LOCATION))
    lists: dict[str, list[Any]] = {
        "tariffs": [
            7,
            TARIFF,  # another party's
            TARIFF | theirs | {"id": None},
            TARIFF | theirs | {"elements": None},
            TARIFF | theirs,
            TARIFF | theirs | {"last_updated": "2020-01-01T00:00:00Z"},
        ],
        "locations": [{}, place, place | {"id": "LOC2", "evses": [5]}],
    }

    async def serve(request: Any, writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        module = request.target.rsplit("/", 1)[-1].partition("?")[0]
        writer.write(answer(enveloped(lists[module])))
        await writer.drain()

    async with odd_partner(serve) as odd, reading(database, OcpiVersion.V2_2_1, odd.url) as both:
        read = await both.reader.read(both.link)

    tariffs, locations = read[ModuleId.TARIFFS], read[ModuleId.LOCATIONS]
    assert (tariffs.taken, tariffs.refused) == (2, 4)
    assert tariffs.trouble == "must be an object, not 7"
    assert (locations.taken, locations.refused) == (1, 2)
    assert kept(database) == ["loc1"]


async def test_who_is_reached_through_a_hub_is_read_more_often_and_whoever_it_is(
    database: str,
) -> None:
    listed = [client_info("NL-ALL"), 7, client_info("FR-X"), client_info("FR-ONE") | {"role": None}]

    async def serve(request: Any, writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        is_clients = "hubclientinfo" in request.target
        writer.write(answer(enveloped(listed if is_clients else [])))
        await writer.drain()

    async with odd_partner(serve) as odd, reading(database, OcpiVersion.V2_2_1, odd.url) as both:
        plain = await both.reader.read(both.link)
        hub = replace(EMSP, roles=(PartnerRole.HUB,))
        both.partner.declared = declared_in(database, change(Kind.PARTNER, "DE-HBC", hub))
        came = []
        for minutes in (16, 24, 40):
            both.partner.now = NOW + timedelta(minutes=minutes)
            came.append(await both.reader.read(both.link))

    assert ModuleId.HUB_CLIENT_INFO not in plain, "who is no hub says nothing of others"
    read = came[0][ModuleId.HUB_CLIENT_INFO]
    assert (read.taken, read.refused) == (1, 3)
    assert [list(each) for each in came[1:]] == [[], [ModuleId.HUB_CLIENT_INFO]]
    with connect(database) as connection:
        rows = connection.execute("SELECT hub, party, status FROM hub_client").fetchall()
    assert rows == [("DE-HBC", "NL-ALL", "OFFLINE")]


def client_info(party: str) -> dict[str, Any]:
    country, party_id = party.split("-")
    return {
        "country_code": country,
        "party_id": party_id,
        "role": "CPO",
        "status": "OFFLINE",
        "last_updated": "2026-03-01T00:00:00Z",
    }


async def test_who_has_no_stations_or_cannot_be_reached_is_read_later(database: str) -> None:
    async with reading(database, OcpiVersion.V2_2_1, "http://127.0.0.1:9") as both:
        gone = await both.reader.read(both.link)
        at_once = await both.reader.read(both.link)
        drivers = await both.reader.read(both.link._replace(partner="NL-TNM"))

    assert (gone, at_once, drivers) == ({}, {}, {})
    assert kept(database) == []
