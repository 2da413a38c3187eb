"""Locations that partners push: whole and part by part, exact, each party's its own."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ledger.database import connect
from roaming_ocpi.wire.forms import ObjectKind, to_wire
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.places.places_served import OTHER, Places, places_served
from tests.roaming_ocpi.wire.ocpi_objects import EVSE, LOCATION, PLUG

ONE = "/emsp/2.2.1/locations/NL/TNM/LOC1"
THEIRS = LOCATION | {"country_code": "NL", "party_id": "TNM"}
LATER = "2026-03-02T00:00:00Z"


def said(**changes: Any) -> bytes:  # noqa: ANN401 - any field
    return encoded(THEIRS | changes)


def kept(database: str) -> list[tuple[Any, ...]]:
    with connect(database) as connection:
        return connection.execute("SELECT party, location_id FROM partner_location").fetchall()


async def put(places: Places, **changes: Any) -> None:  # noqa: ANN401 - any field
    answer = await places.ask("PUT", ONE, content=said(**changes))
    assert answer.http in {200, 201}, answer


@pytest.mark.parametrize("version", OcpiVersion)
async def test_a_location_comes_back_as_it_was_in_each_version(
    database: str, version: OcpiVersion
) -> None:
    theirs, _ = to_wire(ObjectKind.LOCATION, THEIRS, version)
    theirs |= {"their_own": {"a": [Decimal("0.10"), None]}, "facilities": ["A_NEW_ONE"]}
    path = f"/emsp/{version}/locations/NL/TNM/LOC1"
    async with places_served(database) as places:
        first = await places.ask("PUT", path, content=encoded(theirs))
        again = await places.ask("PUT", path, content=encoded(theirs))
        one = await places.ask("GET", path.replace("LOC1", "loc1"))
        evse = await places.ask("GET", f"{path}/E1")
        plug = await places.ask("GET", f"{path}/e1/1")

    assert (first.http, again.http) == (201, 200)
    assert one.data == theirs
    assert evse.data == theirs["evses"][0]
    assert plug.data == theirs["evses"][0]["connectors"][0]


async def test_a_patch_of_a_part_moves_what_it_is_a_part_of(database: str) -> None:
    async with places_served(database) as places:
        await put(places)
        await places.ask("PATCH", f"{ONE}/E1", {"status": "CHARGING", "last_updated": LATER})
        patch: dict[str, Any] = {"tariff_ids": ["15"], "last_updated": "2026-03-03T00:00:00Z"}
        await places.ask("PATCH", f"{ONE}/E1/1", patch)
        patch = {"name": None, "city": "Bremen", "last_updated": LATER}
        late = await places.ask("PATCH", ONE, patch)
        await places.ask("PATCH", ONE, patch | {"last_updated": "2026-03-04T00:00:00Z"})
        one = await places.ask("GET", ONE)

    assert "updated later" in (late.message or "")
    evse = one.data["evses"][0]
    assert (one.data["last_updated"], one.data["city"]) == ("2026-03-04T00:00:00Z", "Bremen")
    assert "name" not in one.data
    assert (evse["status"], evse["last_updated"]) == ("CHARGING", "2026-03-03T00:00:00Z")
    assert evse["connectors"][0]["tariff_ids"] == ["15"]
    assert evse["capabilities"] == ["RFID_READER"]


async def test_a_part_is_added_by_its_own_put(database: str) -> None:
    new = EVSE | {"uid": "E2", "last_updated": LATER}
    plug = PLUG | {"id": "2", "last_updated": "2026-03-05T00:00:00Z"}
    async with places_served(database) as places:
        too_early = await places.ask("PUT", f"{ONE}/E2", new)
        await put(places)
        added = await places.ask("PUT", f"{ONE}/E2", new)
        nowhere = await places.ask("PUT", f"{ONE}/E9/2", plug)
        plugged = await places.ask("PUT", f"{ONE}/E2/2", plug)
        one = await places.ask("GET", ONE)

    assert [(each.http, each.status) for each in (too_early, added, nowhere, plugged)] == [
        *((404, 2003), (201, 1000), (404, 2003), (201, 1000))
    ]
    assert [each["uid"] for each in one.data["evses"]] == ["E1", "E2"]
    assert [each["id"] for each in one.data["evses"][1]["connectors"]] == ["1", "2"]
    assert one.data["last_updated"] == one.data["evses"][1]["last_updated"] == plug["last_updated"]


async def test_a_patch_of_what_is_not_there_is_told(database: str) -> None:
    patch = {"status": "CHARGING", "last_updated": LATER}
    async with places_served(database) as places:
        nothing = await places.ask("PATCH", ONE, patch)
        await put(places)
        no_evse = await places.ask("PATCH", f"{ONE}/E9", patch)
        no_moment = await places.ask("PATCH", f"{ONE}/E1", {"status": "CHARGING"})
        broken = await places.ask("PATCH", f"{ONE}/E1", patch | {"connectors": None})
        strange = await places.ask("PATCH", f"{ONE}/E1", patch | {"status": 5})
        one = await places.ask("GET", ONE)

    assert (nothing.http, no_evse.http, no_moment.http) == (404, 404, 400)
    assert (broken.http, strange.http) == (400, 400)
    assert "connectors: is missing" in (broken.message or "")
    assert one.data["evses"][0]["status"] == "AVAILABLE"


@pytest.mark.parametrize(("part", "name"), [("", "id"), ("/E1", "uid"), ("/E1/1", "id")])
async def test_a_patch_takes_no_part_its_name(database: str, part: str, name: str) -> None:
    async with places_served(database) as places:
        await put(places)
        nameless = await places.ask("PATCH", ONE + part, {name: None, "last_updated": LATER})
        one = await places.ask("GET", ONE)

    assert (nameless.http, nameless.status) == (400, 2001)
    assert one.data == THEIRS


async def test_what_2_1_1_patches_is_the_same_as_what_others_do(database: str) -> None:
    async with places_served(database) as places:
        await put(places)
        old = ONE.replace("2.2.1", "2.1.1")
        patch = {"tariff_id": "9", "voltage": 400, "last_updated": LATER}
        await places.ask("PATCH", f"{old}/E1/1", patch)
        one = await places.ask("GET", f"{ONE}/E1/1")

    assert (one.data["tariff_ids"], one.data["max_voltage"]) == (["9"], 400)


async def test_tokens_of_drivers_are_not_kept(database: str) -> None:
    hidden = {"publish": False, "publish_allowed_to": [{"uid": "04SECRET", "type": "RFID"}]}
    async with places_served(database) as places:
        await put(places, **hidden)
        patch = {"publish_allowed_to": [{"uid": "04SECRET"}], "last_updated": LATER}
        await places.ask("PATCH", ONE, patch)
        one = await places.ask("GET", ONE)
        old = await places.ask("GET", ONE.replace("2.2.1", "2.1.1"))
    with connect(database) as connection:
        [(body,)] = connection.execute("SELECT body FROM partner_location").fetchall()

    assert b"04SECRET" not in body
    assert one.data["publish"] is False
    assert (old.http, old.status) == (404, 2003)


HOSTILE = [
    b"[]",
    b'"x"',
    said(id="LOC2"),
    said(id=7),
    said(address=None),
    said(coordinates={"latitude": 1, "longitude": "2"}),
    said(coordinates=[]),
    said(last_updated="0001-01-01T00:00:00Z"),
    said(last_updated="9999-12-31T23:59:59Z"),
    said(evses={"uid": "E1"}),
    said(evses=[1]),
    said(evses=[EVSE, EVSE | {"uid": "e1"}]),
    said(evses=[EVSE | {"connectors": []} | {"uid": None}]),
    said(evses=[EVSE | {"connectors": None}]),
    said(evses=[EVSE | {"connectors": [PLUG, PLUG]}]),
    said(evses=[EVSE | {"connectors": [PLUG | {"standard": 1}]}]),
    said(time_zone=5),
    said(party_id="ABC"),
    said(country_code="BE", party_id="ABC"),
    said(name="\0"),
    said()[:-1] + b', "id": "LOC1"}',
    said()[:-1] + b', "x": NaN}',
    said()[:-1] + b', "x": "\\ud800"}',
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_location_is_refused_and_nothing_is_kept(
    database: str, content: bytes
) -> None:
    async with places_served(database) as places:
        answer = await places.ask("PUT", ONE, content=content)

    assert answer.http in {400, 403}, answer
    assert answer.message
    assert kept(database) == []


@pytest.mark.parametrize("path", ["", "/E1", "/E1/1"])
async def test_nobody_writes_or_reads_another_s_location(database: str, path: str) -> None:
    async with places_served(database) as places:
        await put(places)
        before = await places.ask("GET", ONE)
        answers = [
            await places.ask(method, ONE + path, body, token=OTHER)
            for method, body in (
                ("PUT", {"id": "LOC1", "last_updated": LATER}),
                ("PATCH", {"status": "REMOVED", "last_updated": LATER}),
                ("GET", None),
            )
        ]
        after = await places.ask("GET", ONE)

    assert {each.http for each in answers} <= {403, 404}
    assert before.data == after.data


async def test_a_clock_that_was_wrong_once_ends_no_updates(database: str) -> None:
    async with places_served(database) as places:
        await put(places, last_updated="2031-01-01T00:00:00Z")
        await put(places, name="right", last_updated="2026-03-02T00:00:00Z")
        one = await places.ask("GET", ONE)

    assert one.data["name"] == "right"


async def test_many_writers_at_once_lose_nothing(database: str) -> None:
    async with places_served(database) as places:
        await put(places)
        news = [EVSE | {"uid": f"N{n}", "last_updated": LATER} for n in range(30)]
        await asyncio.gather(*(places.ask("PUT", f"{ONE}/{each['uid']}", each) for each in news))
        one = await places.ask("GET", ONE)

    assert len(one.data["evses"]) == 31


async def test_an_evse_has_an_end_too(database: str) -> None:
    plugs = [PLUG | {"id": str(n)} for n in range(100)]
    async with places_served(database) as places:
        await put(places, evses=[EVSE | {"connectors": plugs}], connectors=7)
        known = await places.ask("PUT", f"{ONE}/E1/99", PLUG | {"id": "99", "last_updated": LATER})
        more = await places.ask("PUT", f"{ONE}/E1/100", PLUG | {"id": "100", "last_updated": LATER})

    assert (known.http, more.http) == (200, 400)
    assert "connectors: has more than 100" in (more.message or "")
