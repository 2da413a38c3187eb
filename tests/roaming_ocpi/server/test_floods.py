"""One partner's flood does not slow others, and strangers do not lock partners out."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from typing import Any

import pytest

from roaming_ocpi.server import partner_side
from roaming_ocpi.server.front.walls import Walls, body_cost
from roaming_ocpi.server.front.wire_request import body_of
from tests.roaming_ocpi.server.notes_for_partners import HUB, TNM, headers_of, partners_served

VERSIONS = "/ocpi/versions"
WAITING = "/ocpi/cpo/2.2.1/commands/STOP_SESSION"


async def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_answered(
    database: str,
) -> None:
    async with partners_served(
        database, walls=Walls(partner_rate=0.001, partner_burst=20)
    ) as served:
        get = served.client.get
        flood = [await get(VERSIONS, headers=headers_of(TNM)) for _ in range(40)]
        other = await get(VERSIONS, headers=headers_of(HUB))

    refused = [answer for answer in flood if answer.status_code == 429]
    assert len(refused) == 20
    assert {answer.json()["status_code"] for answer in refused} == {2000}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert other.status_code == 200


async def test_requests_of_one_partner_that_hang_leave_others_their_turn(database: str) -> None:
    walls = Walls(lane_width=4, lane_length=30, answer_seconds=600)
    async with partners_served(database, walls=walls) as served:
        hanging = [
            asyncio.create_task(served.client.post(WAITING, headers=headers_of(TNM)))
            for _ in range(50)
        ]
        for refused in itertools.islice(asyncio.as_completed(hanging), 16):
            await refused
        other = await served.client.get("/ocpi/cpo/2.2.1/cdrs", headers=headers_of(HUB))
        served.notes.slow.set()
        statuses = [(await each).status_code for each in hanging]

    assert other.status_code == 200
    assert (statuses.count(200), statuses.count(429)) == (34, 16)


async def test_strangers_at_the_address_of_a_partner_do_not_lock_it_out(database: str) -> None:
    walls = Walls(stranger_rate=0.001, stranger_burst=5)
    async with partners_served(database, walls=walls) as served:
        get = served.client.get
        first = await get(VERSIONS, headers=headers_of(TNM))
        strangers = [await get(VERSIONS, headers=headers_of(f"guess-{n}")) for n in range(20)]
        await asyncio.sleep(0.6)
        again = await get(VERSIONS, headers=headers_of(TNM))

    assert (first.status_code, again.status_code) == (200, 200)
    assert [answer.status_code for answer in strangers] == [401] * 5 + [429] * 15
    assert len(served.asked) == 7


async def test_large_bodies_of_one_partner_leave_others_their_turn(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "/ocpi/emsp/2.2.1/tariffs/NL/TNM/1"
    large = json.dumps({"x": [[]] * 190_000}).encode()
    walls = Walls(partner_burst=1_000_000)
    begun, others_turn, waited = threading.Event(), threading.Event(), list[bool]()

    def read_late(content: bytes) -> tuple[Any, str]:
        if content == large:
            begun.set()
            # Read where all wait, nobody could let it go on.
            waited.append(others_turn.wait(30 if all(waited) else 0))
        return body_of(content)

    monkeypatch.setattr(partner_side, "body_of", read_late)
    async with partners_served(database, walls=walls) as served:
        put = served.client.put
        flood = [
            asyncio.create_task(put(note, content=large, headers=headers_of(TNM))) for _ in range(6)
        ]
        await asyncio.to_thread(begun.wait, 60)
        other = await served.client.get(VERSIONS, headers=headers_of(HUB))
        others_turn.set()
        took = [(await each).status_code for each in flood]

    assert other.status_code == 200
    assert (took, waited) == ([201] * 6, [True] * 6)


async def test_what_a_body_costs_beside_its_request_the_next_one_waits_for(database: str) -> None:
    note = "/ocpi/emsp/2.2.1/tariffs/NL/TNM/1"
    walls = Walls(partner_rate=0.01, partner_burst=10, body_bytes_free=1000, body_bytes_each=100)
    body = json.dumps({"x": "y" * 2_500}).encode()
    async with partners_served(database, walls=walls) as served:
        first = await served.client.put(note, content=body, headers=headers_of(TNM))
        second = await served.client.put(note, content=b"{}", headers=headers_of(TNM))
        other = await served.client.get(VERSIONS, headers=headers_of(HUB))

    assert (first.status_code, second.status_code, other.status_code) == (201, 429, 200)
    assert 400 <= int(second.headers["retry-after"]) <= 800
    assert [body_cost(walls, size) for size in (0, 1000, 1001, 1100)] == [0, 0, 0.01, 1]


async def test_of_large_bodies_at_once_those_that_are_let_in_wait_after_all(database: str) -> None:
    note = "/ocpi/emsp/2.2.1/tariffs/NL/TNM/1"
    walls = Walls(partner_rate=1, partner_burst=100, lane_width=1, body_bytes_each=1)
    body = json.dumps({"x": "y" * 40_000}).encode()
    async with partners_served(database, walls=walls) as served:
        asked = [served.client.put(note, content=body, headers=headers_of(TNM)) for _ in range(9)]
        statuses = [each.status_code for each in await asyncio.gather(*asked)]

    assert (statuses.count(201), statuses.count(429)) == (1, 8)
