"""A partner may tell so many places and prices: the last that fits passes, the next is refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from ledger.database import connect
from ledger.partners.bounds import Bound, PartnerBounds
from ledger.partners.told_counts import ToldCounts, told_counts
from roaming_ocpi.wire.walls import encoded
from tests.roaming_ocpi.places.places_served import NOW, OTHER, Answered, Places, places_served
from tests.roaming_ocpi.places.test_partner_tariffs import priced, versions
from tests.roaming_ocpi.wire.ocpi_objects import EVSE, LOCATION, PLUG

LOCATIONS = "/emsp/2.2.1/locations/NL/TNM"
TARIFFS = "/emsp/2.2.1/tariffs/NL/TNM"


def bounds(**most: int) -> ToldCounts:
    return ToldCounts(PartnerBounds({Bound(name): number for name, number in most.items()}))


def counted(database: str) -> dict[Bound, tuple[int, int]]:
    with connect(database) as connection:
        found = told_counts(connection, "NL-TNM", NOW)
    return {each.bound: (each.counted, each.refused) for each in found}


async def put_place(
    places: Places, name: str, evses: list[Any] | None = None, **changes: str
) -> Answered:
    body = LOCATION | {"country_code": "NL", "party_id": "TNM", "id": name, **changes}
    body |= {"evses": [EVSE] if evses is None else evses}
    return await places.ask("PUT", f"{LOCATIONS}/{name}", content=encoded(body))


def evse(uid: str, plugs: int = 1) -> dict[str, Any]:
    return EVSE | {"uid": uid, "connectors": [PLUG | {"id": str(n)} for n in range(plugs)]}


async def test_so_many_locations_and_one_more_is_refused_by_name(database: str) -> None:
    async with places_served(database, told=bounds(locations=2)) as places:
        came = [await put_place(places, name) for name in ("L1", "L2", "L3", "L2")]
        other = LOCATION | {"country_code": "BE", "party_id": "ABC", "id": "L9"}
        path = "/emsp/2.2.1/locations/BE/ABC/L9"
        theirs = await places.ask("PUT", path, content=encoded(other), token=OTHER)
        missing = await places.ask("GET", f"{LOCATIONS}/L3")

    assert [each.http for each in came] == [201, 201, 422, 200]
    assert (came[2].status, "retry-after" in came[2].headers) == (2000, False)
    assert (came[2].message or "").startswith("too_many_locations: of NL-TNM at most 2 ")
    assert (theirs.http, missing.http) == (201, 404)
    assert counted(database)[Bound.LOCATIONS] == (2, 1)


async def test_evses_and_connectors_count_as_they_are_there_now(database: str) -> None:
    async with places_served(database, told=bounds(evses=3, connectors=4)) as places:
        first = await put_place(places, "L1", [evse("A"), evse("B", 2)])
        part = await places.ask("PUT", f"{LOCATIONS}/L1/C", content=encoded(evse("C")))
        evses = await places.ask("PUT", f"{LOCATIONS}/L1/D", content=encoded(evse("D", 0)))
        plug = PLUG | {"id": "9"}
        plugs = await places.ask("PUT", f"{LOCATIONS}/L1/C/9", content=encoded(plug))
        fewer = await put_place(places, "L1", [evse("A")], last_updated="2026-03-02T00:00:00Z")
        two = await put_place(places, "L2", [evse("A"), evse("B", 2)])

    assert [each.http for each in (first, part, fewer, two)] == [201, 201, 200, 201]
    assert [(each.http, (each.message or "").split(":")[0]) for each in (evses, plugs)] == [
        (422, "too_many_evses"),
        (422, "too_many_connectors"),
    ]
    found = counted(database)
    assert (found[Bound.EVSES], found[Bound.CONNECTORS]) == ((3, 1), (4, 1))


async def test_bytes_of_locations_are_counted_as_they_are_kept(database: str) -> None:
    async with places_served(database) as places:
        await put_place(places, "L1", city="Bremen")
        await put_place(places, "L1", city="Bremerhaven")
        await put_place(places, "L2")
    with connect(database) as connection:
        [(size,)] = connection.execute(
            "SELECT sum(length(body)) FROM (SELECT body FROM partner_location "
            "UNION ALL SELECT body FROM partner_evse) AS kept"
        ).fetchall()

    assert counted(database)[Bound.LOCATION_BYTES] == (size, 0)
    async with places_served(database, told=bounds(location_bytes=int(size))) as places:
        longer = await put_place(places, "L2", city="Bremerhaven")
        same = await put_place(places, "L2")
    assert (longer.http, same.http) == (422, 200)


async def test_so_many_tariffs_and_those_that_were_taken_back_count(database: str) -> None:
    async with places_served(database, told=bounds(tariffs=2)) as places:
        came = [
            await places.ask("PUT", f"{TARIFFS}/{name}", priced(0.4, id=name))
            for name in ("T1", "T2", "T3")
        ]
        gone = await places.ask("DELETE", f"{TARIFFS}/T1")
        fourth = await places.ask("PUT", f"{TARIFFS}/T4", priced(0.4, id="T4"))
        back = await places.ask("PUT", f"{TARIFFS}/T1", priced(0.4))

    assert [each.http for each in (*came, gone, fourth, back)] == [201, 201, 422, 200, 422, 201]
    assert (came[2].message or "").startswith("too_many_tariffs:")


async def test_a_tariff_that_is_told_again_makes_no_version_and_is_as_new_as_it_says(
    database: str,
) -> None:
    async with places_served(database, told=bounds(tariff_changes=1)) as places:
        for day in range(1, 10):
            moment = f"2026-03-0{day}T00:00:00Z"
            again = await places.ask("PUT", f"{TARIFFS}/T1", priced(0.4, last_updated=moment))
            assert again.http in {200, 201}
        late = priced(0.9, last_updated="2026-03-05T00:00:00Z")
        late_answer = await places.ask("PUT", f"{TARIFFS}/T1", late)
        kept = await places.ask("GET", f"{TARIFFS}/T1")

    assert len(versions(database)) == 1
    assert "updated later" in (late_answer.message or "")
    assert kept.data["last_updated"] == "2026-03-09T00:00:00Z"


async def test_a_tariff_changes_so_often_within_24_hours(database: str) -> None:
    async with places_served(database, told=bounds(tariff_changes=3)) as places:
        came = []
        for second in range(5):
            places.now = NOW + timedelta(seconds=second)
            came.append(await places.ask("PUT", f"{TARIFFS}/T1", priced(second)))
        other = await places.ask("PUT", f"{TARIFFS}/T2", priced(1, id="T2"))
        places.now = NOW + timedelta(hours=24) - timedelta(microseconds=1)
        early = await places.ask("PUT", f"{TARIFFS}/T1", priced(9))
        places.now = NOW + timedelta(hours=24)
        free = await places.ask("PUT", f"{TARIFFS}/T1", priced(9))

    assert [each.http for each in (*came, other, early, free)] == [
        *(201, 200, 200, 429, 429),
        *(201, 429, 200),
    ]
    assert [came[3].headers["retry-after"], early.headers["retry-after"]] == ["86397", "1"]
    assert (came[3].status, (came[3].message or "").split(":")[0]) == (
        2000,
        "too_many_tariff_changes",
    )
    assert [number for *_, number, _ in versions(database)] == [1, 2, 3, 4, 1]


async def test_so_many_versions_and_bytes_a_day(database: str) -> None:
    async with places_served(database, told=bounds(tariff_versions=2)) as places:
        came = [await places.ask("PUT", f"{TARIFFS}/T1", priced(n)) for n in range(3)]
        places.now = NOW + timedelta(hours=12)
        tomorrow = await places.ask("PUT", f"{TARIFFS}/T1", priced(3))
    assert [each.http for each in (*came, tomorrow)] == [201, 200, 429, 200]
    assert came[2].headers["retry-after"] == str(12 * 3600)

    async with places_served(database, told=bounds(bytes=1)) as places:
        full = await places.ask("PUT", f"{TARIFFS}/T2", priced(1, id="T2"))
    assert (full.http, (full.message or "").split(":")[0]) == (429, "too_many_bytes")


async def test_of_many_at_once_as_many_pass_as_there_is_room_for(database: str) -> None:
    async with places_served(database, told=bounds(locations=7)) as places:
        came = await asyncio.gather(*(put_place(places, f"L{n}") for n in range(20)))

    assert sorted(each.http for each in came) == [201] * 7 + [422] * 13
    assert counted(database)[Bound.LOCATIONS] == (7, 13)
