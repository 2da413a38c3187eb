"""What the interface changes: it holds once the answer is there, in every process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.clock import SystemClock
from deploy.interface.access import Scope
from deploy.running.opening import prepare
from deploy.settings import Settings
from ingest.declared_directory import DeclaredDirectory
from ledger.database import connect
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from tests.deploy.interface.served_interface import connected, served
from tests.deploy.interface.site_of_stations import HERE, THERE, site_of_stations

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def status_of(directory: DeclaredDirectory, dsn: str, uid: str) -> str:
    """Return what a station is told about a token now."""
    holder = token_holder(uid)
    assert holder is not None
    with connect(dsn) as connection:
        [subject] = find(connection, [holder]).values()
    found = await directory.token(subject.id)
    return "unknown" if found is None else found.status_at(SystemClock().now())


async def test_a_token_stands_so_in_every_process_once_the_answer_is_there(
    database: str, exits: AsyncExitStack, tmp_path: Path
) -> None:
    prepare(database, Settings(data=tmp_path, partitions=2))
    directories = [DeclaredDirectory(database, SystemClock()) for _ in range(2)]
    for each in directories:
        exits.push_async_callback(each.close)
    async with served(database, Scope.TOKENS) as client:
        for wanted in ("accepted", "blocked", "accepted", "expired", "accepted"):
            answer = await client.put("/tokens/04%20A1", json={"status": wanted})
            found = [await status_of(each, database, "04 a1") for each in directories]
            assert (answer.status_code, answer.json()) == (
                200,
                {"uid": "04 A1", "status": wanted, "group": None},
            )
            assert found == [wanted.capitalize()] * 2
        refused = await client.put("/tokens/04A1", json={"status": "Blocked"})
        nobody = await client.put("/tokens/%20", json={"status": "blocked"})
        forbidden = await client.get("/stations")

    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert (nobody.status_code, nobody.json()["code"]) == (400, "nameless_token")
    assert forbidden.status_code == 403


async def test_the_group_of_a_token_is_told_to_stations(
    database: str, exits: AsyncExitStack, tmp_path: Path
) -> None:
    prepare(database, Settings(data=tmp_path, partitions=2))
    site_of_stations(database)
    directory = DeclaredDirectory(database, SystemClock())
    exits.push_async_callback(directory.close)
    async with served(database, Scope.TOKENS) as client:

        async def put(**change: Any) -> Any:  # noqa: ANN401 - any JSON
            return await client.put("/tokens/04A1", json={"status": "accepted", **change})

        given = [(await put(**each)).json() for each in ({"group": "G-7"}, {}, {"group": None})]
        bad = [await put(group=each) for each in ("", 7, "x" * 256, " ")]
        await put(group="G-7")
    holder = token_holder("04A1")
    assert holder is not None
    with connect(database) as connection:
        [subject] = find(connection, [holder]).values()
    found = await directory.token(subject.id)

    assert [each["group"] for each in given] == ["G-7", "G-7", None]
    assert [(each.status_code, each.json()["code"]) for each in bad] == [
        *[(400, "bad_request")] * 3,
        (400, "nameless_token"),
    ]
    assert found is not None
    assert found.group == "G-7"


async def test_profiles_are_kept_as_they_were_given(database: str) -> None:
    profile = '{"stackLevel":0,"a":1.10,"A":1e2,"chargingSchedule":{"limit":16.0}}'
    async with served(database, Scope.COMMAND, Scope.READ) as client:
        assert (await client.get("/charging-profiles")).json() == []
        for name, text in (("night", '{"x":1}'), ("day", "{}"), ("night", profile)):
            body = f'{{"profile": {text}}}'
            answer = await client.put(f"/charging-profiles/{name}", content=body, headers=JSON)
            assert answer.status_code == 200, answer.text
            assert answer.text == f'{{"name":"{name}","profile":{text}}}'
        listed = await client.get("/charging-profiles")
        bad = [
            await client.put("/charging-profiles/x", content=body, headers=JSON)
            for body in ('{"profile":[]}', "{}", '{"profile":{},"more":1}', "nonsense")
        ]
        long = await client.put(f"/charging-profiles/{'x' * 101}", json={"profile": {}})

    assert (
        listed.text == f'[{{"name":"day","profile":{{}}}},{{"name":"night","profile":{profile}}}]'
    )
    assert [(each.status_code, each.json()["code"]) for each in (*bad, long)] == [
        (400, "bad_request")
    ] * 5


async def test_a_station_is_set_and_shows_how(database: str) -> None:
    site_of_stations(database)
    async with served(database, Scope.COMMAND, Scope.READ) as client:

        async def changed(**change: Any) -> Any:  # noqa: ANN401 - any JSON
            answer = await client.patch(f"/stations/{HERE.lower()}", json=change)
            return answer.status_code, answer.json()

        first = await changed(boot="Pending", boot_interval_s=5.0)
        second = await changed(items_per_message=3, password="8-signs-")
        seen = (await client.get(f"/stations/{HERE}")).json()["settings"]
        third = await changed(items_per_message=None, boot="Accepted")
        nothing = await changed()
        wrong = [
            await changed(**each)
            for each in (
                {"boot": "pending"},
                {"boot": None},
                {"password": "7-signs"},
                {"items_per_message": 0},
                {"boot_interval_s": 0},
                {"boot_interval_s": 1.5},
                {"items_per_message": "3"},
                {"model": "x"},
            )
        ]
        unknown = await client.patch("/stations/CS-9", json={})

    items = {"get_variables": None, "set_variables": None}
    shown = {"id": HERE, "boot": "Pending", "boot_interval_s": 5, "registered": "Accepted"}
    shown["bytes_per_message"] = items
    assert first == (200, {**shown, "items_per_message": items})
    three = {"get_variables": 3, "set_variables": 3}
    assert second == (200, {**shown, "items_per_message": three})
    assert {"id": HERE, **seen} == second[1]
    assert "8-signs" not in str(seen)
    assert third == nothing == (200, {**shown, "boot": "Accepted", "items_per_message": items})
    assert [status for status, _ in wrong] == [400] * 8
    assert "7-signs" not in str(wrong)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_station")


async def test_a_station_is_told_a_password_that_no_answer_shows(
    database: str, exits: AsyncExitStack
) -> None:
    site_of_stations(database)
    station = await connected(exits, database)
    secret = "sixteen-and-more"
    async with served(database, Scope.COMMAND) as client:
        told = await client.post(f"/stations/{HERE}/password", json={"password": secret})
        unfit = await client.post(f"/stations/{HERE}/password", json={"password": "x" * 21})
        away = await client.post(f"/stations/{THERE}/password", json={"password": secret})

    assert station.asked == [
        ["ChangeConfiguration", {"key": "AuthorizationKey", "value": secret.encode().hex()}]
    ]
    assert (told.status_code, told.json()["state"]) == (200, "answered")
    assert secret not in told.text
    assert secret.encode().hex() not in told.text
    assert (unfit.status_code, unfit.json()["code"]) == (400, "unfit_password")
    assert (away.status_code, away.json()["code"]) == (409, "not_connected")


@pytest.mark.parametrize(("thinks", "is_there"), [(0.1, True), (60, False)])
async def test_who_does_not_wait_for_a_reservation_finds_it_all_the_same(
    database: str, exits: AsyncExitStack, thinks: float, *, is_there: bool
) -> None:
    """Or else would cancel the one before."""
    site_of_stations(database)
    await connected(exits, database, thinks=thinks)
    payload = {"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": "FLEET1"}
    body = {"action": "ReserveNow", "payload": payload, "wait_s": 0}
    async with served(database, Scope.COMMAND, Scope.READ) as client:
        call = (await client.post(f"/stations/{HERE}/calls", json=body)).json()
        found = (await client.get("/reservations", params={"station": HERE.lower()})).json()

    number = call["payload"]["reservationId"]
    assert [each["id"] for each in found["items"]] == [number] * is_there


async def test_reservations_are_listed_the_latest_first_and_one_by_its_number(
    database: str, exits: AsyncExitStack
) -> None:
    site_of_stations(database)
    await connected(exits, database)
    payload = {"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": "FLEET1"}
    numbers = []
    async with served(database, Scope.COMMAND, Scope.READ) as client:
        for _ in range(3):
            body = {"action": "ReserveNow", "payload": payload}
            call = (await client.post(f"/stations/{HERE}/calls", json=body)).json()
            numbers.append(call["payload"]["reservationId"])
        first = (await client.get("/reservations", params={"limit": 2})).json()
        rest = (await client.get("/reservations", params={"cursor": first["next"]})).json()
        there = (await client.get("/reservations", params={"station": THERE})).json()
        used = (await client.get("/reservations", params={"status": "USED"})).json()
        odd = await client.get("/reservations", params={"status": "used"})
        one = (await client.get(f"/reservations/{numbers[0]}")).json()
        none = [await client.get(f"/reservations/{n}") for n in (7, 2**63, -1, "x")]

    assert [each["id"] for each in first["items"]] == numbers[:0:-1]
    assert (rest["items"], rest["next"]) == ([one], None)
    assert one == {
        "id": numbers[0],
        "station": HERE,
        "status": "ACCEPTED",
        "evse": 1,
        "expires_at": "2099-01-01T00:00:00Z",
    }
    assert there == used == {"items": [], "next": None}
    assert odd.status_code == 400
    assert {each.status_code for each in none} == {404}
