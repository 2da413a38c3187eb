"""One partner's flood does not slow others, and strangers do not lock partners out."""

from __future__ import annotations

import asyncio
import time

from roaming_ocpi.server.front.walls import Walls
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
