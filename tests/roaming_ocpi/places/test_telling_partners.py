"""What partners are told of our places and prices: what changed, in order, once, after outages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.master_data.tariff_versions import published
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.places.ours.telling import PartnerTeller
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.registration.store import Agreed, conclude, promise
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.client.odd_partner import odd_partner
from tests.roaming_ocpi.places.declared_places import (
    EMSP,
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
from tests.roaming_ocpi.places.places_served import NOW, US, Places, places_served

THEIRS = "/emsp/2.2.1"
EVSES = ("harbour/HB-1*1", "harbour/HB-1*2")
PLACE, PRICE = f"{THEIRS}/locations/DE/HBC/harbour", f"{THEIRS}/tariffs/DE/HBC/DAY"


class Told(NamedTuple):
    """A teller of ours, and the partner that it tells, which is a receiver of ours, too."""

    teller: PartnerTeller
    partner: Places
    link: Link
    asked: list[str]
    """Methods and paths of requests that the partner got."""

    async def once(self) -> list[str]:
        """Tell what is new; return what was asked."""
        self.asked.clear()
        await self.teller.tell(self.link)
        return list(self.asked)

    async def kept(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return what the partner knows."""
        return (await self.partner.ask("GET", path, token=US)).data


@asynccontextmanager
async def telling(database: str, version: OcpiVersion = OcpiVersion.V2_2_1) -> AsyncIterator[Told]:
    asked: list[str] = []
    async with places_served(database, harbour(database)) as places:
        client = HttpPartnerClient(
            allow_private=True,
            now=lambda: places.now,
            heard=lambda call: asked.append(f"{call.method} {call.status_code}"),
        )
        assert places.resources is not None
        resources = places.resources._replace(client=client)
        receiver = InterfaceRole.RECEIVER
        address = f"{resources.address}/emsp/{version}"
        endpoints = {
            (ModuleId.LOCATIONS, receiver): f"{address}/locations",
            (ModuleId.TARIFFS, receiver): f"{address}/tariffs/",
        }
        link = Link("NL-TNM", "DE-HBC", LinkState.REGISTERED, version, US, endpoints, is_plain=True)
        yield Told(PartnerTeller(resources), places, link, asked)
        await client.close()


def troubles(database: str) -> Sequence[tuple[Any, ...]]:
    with connect(database) as connection:
        return connection.execute("SELECT key, trouble FROM place_told ORDER BY key").fetchall()


@pytest.mark.parametrize("version", OcpiVersion)
async def test_a_new_partner_is_told_everything_once(database: str, version: OcpiVersion) -> None:
    async with telling(database, version) as told:
        first, again = await told.once(), await told.once()
        location, price = await told.kept(PLACE), await told.kept(PRICE)
        theirs = (await told.partner.ask("GET", "/cpo/2.2.1/locations/harbour")).data

    assert (first, again) == (["PUT 1000", "PUT 1000"], [])
    assert price["elements"][0]["price_components"][0]["price"] == Decimal("0.4")
    assert location["evses"][0]["connectors"][0]["tariff_ids"] == ["DAY"]
    if version is not OcpiVersion.V2_1_1:
        assert location == theirs


async def test_of_a_status_that_changed_the_status_is_told(database: str) -> None:
    with connected(database, "HB-1"):
        async with telling(database) as told:
            await told.once()
            say(database, "HB-1", 2, "Charging", NOW)
            first, again = await told.once(), await told.once()
            say(database, "HB-1", 2, "SuspendedEV", NOW + timedelta(seconds=1))
            same = await told.once()
            evse = await told.kept(f"{PLACE}/HB-1*2")

    assert (first, again, same) == (["PATCH 1000"], [], [])
    assert (evse["status"], evse["last_updated"]) == ("CHARGING", "2026-03-10T12:00:00Z")


async def test_a_price_is_there_before_a_place_names_it_and_goes_after(database: str) -> None:
    async with telling(database) as told:
        await told.once()
        told.partner.declared = declared_in(database, assigned("ROAM", partner="NL-TNM"), at=NOW)
        asked = await told.once()
        old = await told.partner.ask("GET", PRICE, token=US)
        plug = await told.kept(f"{PLACE}/HB-1*1/1")

    assert asked == ["PUT 1000", "PUT 1000", "DELETE 1000"]
    assert (old.http, plug["tariff_ids"]) == (404, ["ROAM"])


async def test_a_new_version_of_a_price_is_told_when_it_holds(database: str) -> None:
    async with telling(database) as told:
        await told.once()
        later = change(Kind.TARIFF, "DAY", published(tariff("DAY", "0.55")), NOW + timedelta(1))
        told.partner.declared = declared_in(database, later, at=NOW)
        early = await told.once()
        told.partner.now = NOW + timedelta(1)
        asked = await told.once()
        price = await told.kept(PRICE)

    assert early == []
    assert asked == ["PUT 1000", "PUT 1000"]  # its connectors were updated with it
    assert price["elements"][0]["price_components"][0]["price"] == Decimal("0.55")


async def test_what_a_partner_may_not_see_any_more_is_removed(database: str) -> None:
    async with telling(database) as told:
        await told.once()
        quay = change(Kind.SITE, "quay", SITE)
        fewer = change(Kind.PARTNER, "NL-TNM", replace(EMSP, sites=("quay",)))
        told.partner.declared = declared_in(database, quay, fewer, at=NOW)
        asked, again = await told.once(), await told.once()
        location = await told.kept(PLACE)
        told.partner.declared = declared_in(
            database, change(Kind.PARTNER, "NL-TNM", EMSP), at=NOW + timedelta(hours=1)
        )
        told.partner.now = NOW + timedelta(hours=1)
        back = await told.once()

    # The new site is empty; without stations, no tariff is theirs.
    assert asked == ["PUT 1000", "PATCH 1000", "PATCH 1000", "DELETE 1000"]
    assert again == []
    assert {each["status"] for each in location["evses"]} == {"REMOVED"}
    assert back == ["PUT 1000", "PATCH 1000", "PATCH 1000"]


async def test_after_an_outage_what_was_missed_is_told(database: str) -> None:
    async with telling(database) as told:
        await told.once()
        gone = dict.fromkeys(told.link.endpoints, "http://127.0.0.1:9/gone")
        more = change(Kind.STATION, "HB-2", STATION)
        told.partner.declared = declared_in(database, more, at=NOW)
        unheard = await told.teller.tell(told.link._replace(endpoints=gone))
        asked = await told.once()
        location = await told.kept(PLACE)

    assert unheard == 0
    assert asked == ["PUT 1000"]
    assert len(location["evses"]) == 4


async def test_what_is_refused_is_noted_and_told_again_once_it_changed(database: str) -> None:
    async with telling(database) as told:
        wrong = f"{told.partner.resources and told.partner.resources.address}/emsp/2.2.1/nothing"
        endpoints = {**told.link.endpoints, (ModuleId.LOCATIONS, InterfaceRole.RECEIVER): wrong}
        refused = told._replace(link=told.link._replace(endpoints=endpoints))
        first, again = await refused.once(), await refused.once()
        noted = troubles(database)
        more = change(Kind.STATION, "HB-2", STATION)
        told.partner.declared = declared_in(database, more, at=NOW)
        asked = await told.once()

    assert (first, again) == (["PUT 1000", "PUT 2000"], [])
    assert ("harbour", "HTTP 404, status 2000") in noted
    assert asked == ["PUT 1000"]
    assert {trouble for _, trouble in troubles(database)} == {None}


async def test_a_partner_that_takes_neither_is_told_nothing(database: str) -> None:
    async with telling(database) as told:
        nothing = told._replace(link=told.link._replace(endpoints={}))
        asked = await nothing.once()

    assert asked == []


async def registered(told: Told, partner: str, endpoints: Mapping[Any, str]) -> None:
    """Do what a handshake comes to."""
    assert told.partner.resources is not None
    agreed = Agreed("DE-HBC", told.link.version, "http://x/versions", endpoints, [partner], US)
    async with told.partner.resources.database.connection() as connection:
        await promise(connection, partner, f"token-of-{partner}", ends=0, at=NOW, by="test")
        await conclude(connection, partner, agreed, ends=0, at=NOW, by="test", is_anew=True)


@asynccontextmanager
async def two_told(database: str, others_url: str) -> AsyncIterator[Told]:
    """Two partners of which the loop tells, the one at *others_url*."""
    async with telling(database) as told:
        plain = replace(EMSP, plain_token=True)
        partners = (change(Kind.PARTNER, key, plain) for key in ("NL-TNM", "BE-ABC"))
        told.partner.declared = declared_in(database, *partners, at=NOW)
        await registered(told, "NL-TNM", told.link.endpoints)
        await registered(told, "BE-ABC", dict.fromkeys(told.link.endpoints, others_url))
        assert told.partner.resources is not None
        teller = PartnerTeller(told.teller.resources, look_seconds=0.02)
        stop = asyncio.Event()
        running = asyncio.create_task(teller.run(stop))
        yield told._replace(teller=teller)
        stop.set()
        async with asyncio.timeout(10):
            await running


async def asked_of(told: Told, *requests: str) -> None:
    """Wait until *requests* were made, no matter in which order, nor what else was."""
    async with asyncio.timeout(60):
        while not Counter(requests) <= Counter(told.asked):  # noqa: ASYNC110 - the loop asks
            await asyncio.sleep(0.01)


async def test_a_partner_that_cannot_be_reached_is_asked_once_more_after_its_pause(
    database: str,
) -> None:
    async with two_told(database, "http://127.0.0.1:9/gone") as told:
        await asked_of(told, "PUT None", "PUT 1000", "PUT 1000")
        told.partner.now = NOW + timedelta(hours=1)
        await asked_of(told, "PUT None", "PUT 1000", "PUT 1000", "PUT None")

    assert {key for key, _ in troubles(database)} == {"DAY", "harbour", *EVSES}


async def test_one_that_never_answers_delays_no_other_nor_the_end(database: str) -> None:
    async def hang(_request: Any, _writer: Any) -> None:  # noqa: ANN401 - what odd_partner gives
        await asyncio.sleep(60)

    async with odd_partner(hang) as odd, two_told(database, odd.url) as told:
        await asked_of(told, "PUT 1000", "PUT 1000")
        dearer = change(Kind.TARIFF, "DAY", published(tariff("DAY", "0.70")))
        later = NOW + timedelta(minutes=1)
        told.partner.declared = declared_in(database, dearer, at=later)
        told.partner.now = later
        await asked_of(told, "PUT 1000", "PUT 1000", "PUT 1000")

    assert len(odd.asked) == 1
    assert "PUT None" in told.asked[3:], "what was under way is cut off"


async def test_a_slow_one_lets_others_go_first_and_is_told_the_rest_later(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roaming_ocpi.places.ours.telling.TURN_SECONDS", 0.0)
    async with telling(database) as told:
        turns = [await told.once(), await told.once(), await told.once()]

    assert turns == [["PUT 1000"], ["PUT 1000"], []]
