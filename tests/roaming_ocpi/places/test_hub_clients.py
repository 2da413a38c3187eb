"""Who is reached through a hub: its word for its own, and what we are to a partner."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ledger.database import connect_async
from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.partners import PartnerRole
from roaming_ocpi.places.hub_clients import UNREACHABLE, unreachable_clients
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.relay.routes import routes_of
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.places.declared_places import EMSP, change, declared_in, harbour
from tests.roaming_ocpi.places.places_served import HUB, NOW, places_served

LIST = "/cpo/2.2.1/hubclientinfo"
ONE = f"{LIST}/NL/ALL"
CLIENT: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "ALL",
    "role": "CPO",
    "status": "PLANNED",
    "last_updated": "2026-03-01T00:00:00Z",
}


def with_hub(database: str) -> Declarations:
    harbour(database)
    hub = replace(EMSP, roles=(PartnerRole.HUB,))
    return declared_in(database, change(Kind.PARTNER, "FR-HUB", hub))


async def test_a_hub_tells_who_is_there(database: str) -> None:
    async with places_served(database, with_hub(database)) as places:
        first = await places.ask("PUT", ONE, CLIENT, token=HUB)
        later = CLIENT | {"status": "CONNECTED", "last_updated": "2026-03-02T00:00:00Z", "x": [1]}
        second = await places.ask("PUT", ONE, later, token=HUB)
        late = await places.ask("PUT", ONE, CLIENT, token=HUB)
        kept = await places.ask("GET", ONE.lower().replace("/cpo/", "/cpo/"), token=HUB)
        missing = await places.ask("GET", f"{LIST}/NL/NOB", token=HUB)

    assert [each.http for each in (first, second, late, kept, missing)] == [201, 200, 200, 200, 404]
    assert "updated later" in (late.message or "")
    assert kept.data == later


async def test_what_is_for_a_party_that_its_hub_says_is_away_waits(database: str) -> None:
    declared = with_hub(database)
    behind = replace(EMSP, hub="FR-HUB")
    declared = declared_in(
        database, change(Kind.PARTNER, "NL-ALL", behind), change(Kind.PARTNER, "NL-TWO", behind)
    )
    hub = Link("FR-HUB", "DE-HBC", LinkState.REGISTERED, OcpiVersion.V2_2_1, "t", {})
    reached = {}
    async with places_served(database, declared) as places, await connect_async(database) as books:
        statuses = ["", "CONNECTED", "PLANNED", "OFFLINE", "A_NEW_ONE", "SUSPENDED"]
        for day, status in enumerate(statuses, 1):
            client = CLIENT | {"status": status, "last_updated": f"2026-03-0{day}T00:00:00Z"}
            if status:
                await places.ask("PUT", ONE, client, token=HUB)
            away = await unreachable_clients(books, ["NL-ALL", "NL-TWO"])
            reached[status] = routes_of([hub], declared, NOW, away).keys()
        # In another role it is there.
        other = CLIENT | {"role": "EMSP", "status": "CONNECTED"}
        await places.ask("PUT", ONE, other, token=HUB)
        both = routes_of([hub], declared, NOW, await unreachable_clients(books, ["NL-ALL"])).keys()

    all_of_them = {"FR-HUB", "NL-ALL", "NL-TWO"}
    assert reached == {
        status: all_of_them - {"NL-ALL"} if status in UNREACHABLE else all_of_them
        for status in statuses
    }
    assert both == all_of_them


async def test_nobody_but_a_hub_tells_of_others(database: str) -> None:
    async with places_served(database, with_hub(database)) as places:
        put = await places.ask("PUT", ONE, CLIENT)
        get = await places.ask("GET", ONE)
        oldest = await places.ask("PUT", ONE.replace("2.2.1", "2.1.1"), CLIENT, token=HUB)

    assert (put.http, get.http, oldest.http) == (403, 403, 404)


@pytest.mark.parametrize(
    "changes",
    [
        {"party_id": "XXX"},
        {"country_code": "BE"},
        {"country_code": None},
        {"role": None},
        {"role": ""},
        {"status": "x" * 41},
        {"status": 7},
        {"last_updated": None},
    ],
)
async def test_a_client_that_is_none_is_refused(database: str, changes: dict[str, Any]) -> None:
    async with places_served(database, with_hub(database)) as places:
        answer = await places.ask("PUT", ONE, CLIENT | changes, token=HUB)

    assert (answer.http, answer.status) == (400, 2001)


async def test_we_say_what_we_are_to_the_partner_that_asks(database: str) -> None:
    async with places_served(database, with_hub(database)) as places:
        partner = await places.ask("GET", LIST)
        [[cpo], [emsp]] = [
            (await places.ask("GET", f"{LIST}?limit=1&offset={n}", token=HUB)).data
            for n in range(2)
        ]
        later = await places.ask("GET", f"{LIST}?date_from=2026-03-09T00:00:00Z")

    assert partner.data == [
        {
            "country_code": "DE",
            "party_id": "HBC",
            "role": "CPO",
            "status": "CONNECTED",
            "last_updated": "2026-03-01T12:00:00Z",
        }
    ]
    assert [cpo["role"], emsp["role"]] == ["CPO", "EMSP"]
    assert later.data == []
