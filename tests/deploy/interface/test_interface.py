"""The HTTP interface as its users meet it: over a socket, on real books, with a real station."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from deploy.clock import SystemClock
from deploy.interface.access import Scope
from ledger.database import connect
from ledger.users.access_tokens import make_personal_token, revoke_token
from ledger.users.giving import Giver, add_account, require_factor
from ledger.users.proving.second_factor import (
    code_at,
    key_in,
    offer_factor,
    offered_address,
    set_factor,
)
from ledger.users.roles import Grant, Role
from ledger.users.user import User
from tests.charging_day import call, stamp, start16, write_log
from tests.deploy.interface.served_interface import connected, served
from tests.deploy.interface.site_of_stations import HERE, THERE, charge, site_of_stations
from tests.projections.books_of_a_day import work

JSON = {"Content-Type": "application/json"}
SOFT = {"action": "Reset", "payload": {"type": "Soft"}}


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_a_call_is_sent_as_given_and_its_answer_comes_back(
    database: str, exits: AsyncExitStack
) -> None:
    site_of_stations(database)
    station = await connected(exits, database)
    profile = (
        '{"connectorId": 1, "csChargingProfiles": {"stackLevel": 0, "chargingProfileId": 1,'
        '"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":'
        '{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.10}]}}}'
    )
    body = f'{{"action":"SetChargingProfile","payload":{profile}}}'
    async with served(database, Scope.COMMAND, Scope.READ) as client:
        answer = await client.post(f"/stations/{HERE.lower()}/calls", content=body, headers=JSON)
        call = answer.json()
        again = (await client.get(f"/calls/{call['id']}")).json()

    assert (answer.status_code, call["state"]) == (200, "answered")
    assert call["response"] == {"status": "Accepted"}
    assert call["asked_by"] == "tests"
    assert again == call
    assert station.asked == [["SetChargingProfile", json.loads(profile)]]


@pytest.mark.parametrize(
    ("station", "body", "status", "code", "spot"),
    [
        (THERE, SOFT, 409, "not_connected", None),
        ("CS-9", SOFT, 404, "unknown_station", None),
        (HERE, {"action": "Reset", "payload": {"type": "Warm"}}, 400, "refused_payload", "type"),
        (HERE, {"action": "BootNotification"}, 400, "unknown_command", None),
        (HERE, {"action": "Reset", "wait_s": -1}, 400, "bad_request", None),
        (HERE, {"action": "Reset", "payload": []}, 400, "bad_request", None),
        (HERE, {"action": "Reset", "later": True}, 400, "bad_request", None),
        (HERE, SOFT | {"queue": 0}, 400, "bad_request", None),
        (HERE, SOFT | {"wait_s": "1"}, 400, "bad_request", None),
        (HERE, {"action": "\0"}, 400, "unknown_command", None),
        ("%00", SOFT, 404, "unknown_station", None),
        (HERE, {}, 400, "bad_request", None),
    ],
)
async def test_what_is_not_done_is_a_problem_with_its_code(
    database: str,
    exits: AsyncExitStack,
    station: str,
    body: dict[str, Any],
    status: int,
    code: str,
    spot: str | None,
) -> None:
    site_of_stations(database)
    await connected(exits, database)
    async with served(database, Scope.COMMAND) as client:
        answer = await client.post(f"/stations/{station}/calls", json=body)

    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.get("spot") == spot
    assert problem["detail"]


async def test_who_has_no_token_or_not_the_scope_is_refused(database: str) -> None:
    site_of_stations(database)
    async with served(database, Scope.READ) as client:
        for headers in ({}, {"Authorization": "Bearer wl_x"}, {"Authorization": "Basic eDp5"}):
            client.headers.pop("Authorization", None)
            refused = await client.get("/stations", headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.json()["code"] == "unauthorized"
        described = await client.get("/schema/openapi.json")
        assert described.status_code == 200, "what there is, anybody may know"


async def test_a_scope_is_wanted_for_each_route_and_a_revoked_token_holds_no_more(
    database: str,
) -> None:
    site_of_stations(database)
    async with served(database, Scope.READ) as client:
        assert (await client.get("/stations")).status_code == 200
        forbidden = await client.post(f"/stations/{HERE}/calls", json=SOFT)
        assert (forbidden.status_code, forbidden.json()["code"]) == (403, "forbidden")
        with connect(database) as connection:
            revoke_token(connection, "tests")
        await asyncio.sleep(0.6)  # so old is what is known of a token, at most
        assert (await client.get("/stations")).status_code == 401


async def test_a_persons_token_holds_with_the_second_factor_that_is_asked_for(
    database: str,
) -> None:
    site_of_stations(database)
    at, chief = SystemClock().now(), Giver("chief")
    anna = User(name="anna", full_name="Anna", grants=(Grant(Role.AUDITOR),))
    with connect(database) as connection:
        add_account(connection, anna, chief, at)
        token = make_personal_token(connection, "anna", "laptop", at)
    async with served(database, Scope.READ) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        before = await client.get("/stations")
        with connect(database) as connection:
            require_factor(connection, "anna", chief, at, is_required=True)
        await asyncio.sleep(0.6)  # so old is what is known of a token, at most
        refused = await client.get("/stations")
        with connect(database) as connection:
            offer_factor(connection, "anna")
            key = key_in(offered_address(connection, "anna") or "")
            assert set_factor(connection, "anna", code_at(key, at), at)
        again = await client.get("/stations")

    assert (before.status_code, refused.status_code, again.status_code) == (200, 401, 200)
    assert refused.json()["code"] == "second_factor_missing"
    assert "set one at /console/login" in refused.json()["detail"]
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_stations_are_listed_with_their_connections_page_by_page(
    database: str, exits: AsyncExitStack
) -> None:
    site_of_stations(database)
    await connected(exits, database)
    async with served(database, Scope.READ) as client:
        first = (await client.get("/stations", params={"limit": 3})).json()
        rest = (await client.get("/stations", params={"cursor": first["next"]})).json()
        online = (await client.get("/stations", params={"connected": "true"})).json()
        offline = (await client.get("/stations", params={"connected": "false"})).json()
        elsewhere = (await client.get("/stations", params={"site": "nowhere"})).json()
        one = (await client.get(f"/stations/{THERE.lower()}")).json()
        none = await client.get("/stations/CS-9")
        nul = await client.get("/stations/%00")
        odd = await client.get("/stations", params={"cursor": "odd"})
        neither = await client.get("/stations", params={"connected": "maybe"})

    assert [each["id"] for each in first["items"]] == ["CS-NEW-1", "CS-NEW-2", HERE]
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([THERE], None)
    assert [(e["id"], e["connection"]["protocol"]) for e in online["items"]] == [(HERE, "ocpp1.6")]
    assert [each["id"] for each in offline["items"]] == ["CS-NEW-1", "CS-NEW-2", THERE]
    assert elsewhere == {"items": [], "next": None}
    assert (one["id"], one["site"], one["connection"], one["running"]) == (THERE, "yard", None, [])
    assert [each["connector"] for each in one["connectors"]] == [1, 2]
    assert (none.status_code, nul.status_code) == (404, 404)
    assert (odd.status_code, odd.json()["status"]) == (404, 404)
    assert neither.status_code == 400
    assert neither.json()["detail"].startswith("connected: ")


async def test_transactions_are_listed_the_newest_first_and_cost_what_they_were_rated_at(
    database: str,
) -> None:
    site_of_stations(database)
    charge(database)
    async with served(database, Scope.READ) as client:
        found = (await client.get("/transactions", params={"limit": 3})).json()
        rest = (await client.get("/transactions", params={"cursor": found["next"]})).json()
        mine = (await client.get("/transactions", params={"token": " fleet1"})).json()
        nobody = (await client.get("/transactions", params={"token": "04CCDD"})).json()
        here = (await client.get("/transactions", params={"station": f" {HERE.lower()}"})).json()
        running = (await client.get("/transactions", params={"open": "true"})).json()
        one = (await client.get(f"/transactions/{here['items'][2]['ref']}")).json()
        station = (await client.get(f"/stations/{THERE}")).json()
        none = await client.get("/transactions/CS-1/7/20260101T000000Z")

    assert [each["transaction_id"] for each in found["items"]] == ["9", "3", "2"]
    assert ([each["transaction_id"] for each in rest["items"]], rest["next"]) == (["1"], None)
    assert mine["items"] == here["items"] == [*found["items"][1:], *rest["items"]]
    assert nobody["items"] == []
    assert running["items"] == found["items"][:1]
    assert [each["ref"] for each in running["items"]] == station["running"]
    assert (running["items"][0]["stopped_at"], running["items"][0]["state"]) == ("", "open")
    assert one == rest["items"][0]
    cost = {"net": "4.00", "tax": "0.76", "gross": "4.76", "currency": "EUR", "is_final": True}
    assert (one["cost"], one["energy_wh"], one["stop_reason"]) == (cost, "10000", "EVDisconnected")
    assert (one["token"], one["started_at"]) == ("FLEET1", "2026-03-02T07:10:00Z")
    assert none.status_code == 404


async def test_a_stop_without_a_reason_has_the_one_that_may_be_left_out(database: str) -> None:
    site_of_stations(database)
    stop = {"transactionId": 7, "meterStop": 1_000, "timestamp": stamp(40)}
    lines = [
        start16(HERE, 10, 7, "FLEET1", 0),
        call(HERE, 40, "StopTransaction", stop, {}),
        start16(HERE, 50, 8, "FLEET1", 1_000),
    ]
    write_log(database, lines)
    work(database)
    async with served(database, Scope.READ) as client:
        found = (await client.get("/transactions")).json()["items"]

    assert [(each["transaction_id"], each["stop_reason"]) for each in found] == [
        ("8", None),
        ("7", "Local"),
    ]
