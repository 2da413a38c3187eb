"""A session is followed over HTTP from what it costs so far to its final price."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from deploy.api import live
from deploy.interface.access import Scope
from ledger.users.roles import Grant, Role
from tests.charging_day import meter16, start16, stop16, write_log
from tests.deploy.api.people import bearing, token_of_person
from tests.deploy.interface.served_interface import served
from tests.deploy.interface.site_of_stations import HERE, site_of_stations
from tests.projections.books_of_a_day import work


async def events(client: httpx.AsyncClient, ref: str) -> AsyncIterator[dict[str, Any]]:
    async with client.stream("GET", f"/live/sessions/{ref}", timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


@pytest.fixture
def one_that_runs(database: str) -> str:
    site_of_stations(database)
    write_log(database, [start16(HERE, 10, 1, "FLEET1", 0), meter16(HERE, 20, 1, 5_000)])
    work(database)
    return database


async def ref_of(client: httpx.AsyncClient) -> str:
    [session] = (await client.get("/sessions")).json()["items"]
    return str(session["ref"])


async def test_it_is_told_at_once_at_each_change_and_with_its_final_price(
    one_that_runs: str,
) -> None:
    async with served(one_that_runs, Scope.READ, Scope.BOOKS) as client:
        ref = await ref_of(client)
        told = []
        async for event in events(client, ref):
            told.append(event)
            if len(told) == 1:
                write_log(one_that_runs, [stop16(HERE, 30, 1, 10_000)])
                await asyncio.to_thread(work, one_that_runs)
        gone = await client.get("/live/sessions/none/such")

    first, last = told[0], told[-1]
    assert (first["is_over"], first["energy_wh"], first["cost"]["gross"]) == (False, "5000", "2.38")
    assert first["cost"]["is_final"] is False
    assert (last["is_over"], last["state"], last["cost"]["gross"]) == (True, "rated", "4.76")
    assert last["cost"]["is_final"] is True
    assert gone.status_code == 404


async def test_who_never_reads_stops_nobody_and_followers_are_bounded(
    one_that_runs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FOLLOWERS_MAX", 3)
    async with served(one_that_runs, Scope.READ, Scope.BOOKS) as client:
        ref = await ref_of(client)
        async with (
            client.stream("GET", f"/live/sessions/{ref}"),
            client.stream("GET", f"/live/sessions/{ref}"),
        ):
            async for event in events(client, ref):
                assert event["ref"] == ref
                refused = await client.get(f"/live/sessions/{ref}")
                lists = await client.get("/sessions")
                break
        # Who is gone makes room as soon as that is noticed.
        for _ in range(600):
            async with client.stream("GET", f"/live/sessions/{ref}") as again:
                if again.status_code == HTTPStatus.OK:
                    break
            await asyncio.sleep(0.1)

    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_followers")
    assert (lists.status_code, again.status_code) == (200, 200)


async def test_of_many_that_come_at_once_no_more_follow_than_may(
    one_that_runs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FOLLOWERS_MAX_EACH", 3)
    async with served(one_that_runs, Scope.READ, Scope.BOOKS) as client:
        ref, together = await ref_of(client), asyncio.Event()

        async def come() -> int:
            async with client.stream("GET", f"/live/sessions/{ref}") as answer:
                counted.append(answer.status_code)
                if len(counted) == 20:
                    together.set()
                await together.wait()
            return answer.status_code

        counted: list[int] = []
        statuses = await asyncio.gather(*(come() for _ in range(20)))
        after = await client.get("/live/sessions/none/such")

    assert statuses.count(HTTPStatus.OK) == 3
    assert statuses.count(HTTPStatus.SERVICE_UNAVAILABLE) == 17
    assert after.status_code == 404


async def test_a_session_out_of_reach_is_none(one_that_runs: str) -> None:
    there = token_of_person(one_that_runs, "bo", Grant(Role.OPERATIONS, "watt", "elsewhere"))
    async with served(one_that_runs, Scope.BOOKS) as client:
        ref = await ref_of(client)
        refused = await client.get(f"/live/sessions/{ref}", headers=bearing(there))

    assert refused.status_code == 404
