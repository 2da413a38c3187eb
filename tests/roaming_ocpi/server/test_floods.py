"""One partner's flood does not slow others, and strangers do not lock partners out."""

from __future__ import annotations

import asyncio
import json
import time

from roaming_ocpi.server.front.walls import Walls, body_cost
from tests.roaming_ocpi.server.notes_for_partners import HUB, TNM, headers_of, partners_served

VERSIONS = "/ocpi/versions"
WAITING = "/ocpi/cpo/2.2.1/commands/STOP_SESSION"


async def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_answered(
    database: str,
) -> None:
    async with partners_served(database, walls=Walls(partner_rate=1, partner_burst=20)) as served:
        get = served.client.get
        flood = [await get(VERSIONS, headers=headers_of(TNM)) for _ in range(40)]
        other = await get(VERSIONS, headers=headers_of(HUB))

    refused = [answer for answer in flood if answer.status_code == 429]
    assert 15 <= len(refused) <= 20
    assert {answer.json()["status_code"] for answer in refused} == {2000}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert other.status_code == 200


async def test_requests_of_one_partner_that_hang_leave_others_their_turn(database: str) -> None:
    async with partners_served(database, walls=Walls(lane_width=4, lane_length=30)) as served:
        hanging = [
            asyncio.create_task(served.client.post(WAITING, headers=headers_of(TNM)))
            for _ in range(50)
        ]
        await asyncio.wait(hanging, timeout=1)
        began = time.monotonic()
        other = await served.client.get("/ocpi/cpo/2.2.1/cdrs", headers=headers_of(HUB))
        took = time.monotonic() - began
        served.notes.slow.set()
        statuses = [(await each).status_code for each in hanging]

    assert (other.status_code, took < 2) == (200, True)
    assert (statuses.count(200), statuses.count(429)) == (34, 16)


async def test_strangers_at_the_address_of_a_partner_do_not_lock_it_out(database: str) -> None:
    walls = Walls(stranger_rate=0.1, stranger_burst=5)
    async with partners_served(database, walls=walls) as served:
        get = served.client.get
        first = await get(VERSIONS, headers=headers_of(TNM))
        strangers = [await get(VERSIONS, headers=headers_of(f"guess-{n}")) for n in range(20)]
        await asyncio.sleep(0.6)
        again = await get(VERSIONS, headers=headers_of(TNM))

    assert (first.status_code, again.status_code) == (200, 200)
    assert [answer.status_code for answer in strangers] == [401] * 5 + [429] * 15
    assert len(served.asked) == 7


async def test_large_bodies_of_one_partner_leave_others_their_turn(database: str) -> None:
    note = "/ocpi/emsp/2.2.1/tariffs/NL/TNM/1"
    large = json.dumps({"x": [[]] * 190_000}).encode()
    walls = Walls(partner_burst=1_000_000)
    async with partners_served(database, walls=walls) as served:
        put = served.client.put
        flood = [
            asyncio.create_task(put(note, content=large, headers=headers_of(TNM))) for _ in range(6)
        ]
        waits = []
        while not all(each.done() for each in flood):
            began = time.monotonic()
            other = await served.client.get(VERSIONS, headers=headers_of(HUB))
            waits.append(time.monotonic() - began)
            assert other.status_code == 200
        took = [(await each).status_code for each in flood]

    assert took == [201] * 6
    # Read where all wait, each of the six holds everybody up until it is read.
    assert len(waits) > 6


async def test_what_a_body_costs_beside_its_request_the_next_one_waits_for(database: str) -> None:
    note = "/ocpi/emsp/2.2.1/tariffs/NL/TNM/1"
    walls = Walls(partner_rate=1, partner_burst=10, body_bytes_free=1000, body_bytes_each=100)
    body = json.dumps({"x": "y" * 2_500}).encode()
    async with partners_served(database, walls=walls) as served:
        first = await served.client.put(note, content=body, headers=headers_of(TNM))
        second = await served.client.put(note, content=b"{}", headers=headers_of(TNM))
        other = await served.client.get(VERSIONS, headers=headers_of(HUB))

    assert (first.status_code, second.status_code, other.status_code) == (201, 429, 200)
    assert 4 <= int(second.headers["retry-after"]) <= 8
    assert [body_cost(walls, size) for size in (0, 1000, 1001, 1100)] == [0, 0, 0.01, 1]


async def test_of_large_bodies_at_once_those_that_are_let_in_wait_after_all(database: str) -> None:
    note = "/ocpi/emsp/2.2.1/tariffs/NL/TNM/1"
    walls = Walls(partner_rate=1, partner_burst=100, lane_width=1, body_bytes_each=1)
    body = json.dumps({"x": "y" * 40_000}).encode()
    async with partners_served(database, walls=walls) as served:
        asked = [served.client.put(note, content=body, headers=headers_of(TNM)) for _ in range(9)]
        statuses = [each.status_code for each in await asyncio.gather(*asked)]

    assert (statuses.count(201), statuses.count(429)) == (1, 8)
