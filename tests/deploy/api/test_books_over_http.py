"""Sessions, documents and prices over HTTP: what they say is what the books say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import POLICY_KEY, Kind
from ledger.declared.store import declare, load_declarations
from ledger.users.roles import Grant, Role
from tests.deploy.api.books_served import invoices_of_a_day
from tests.deploy.api.people import bearing, token_of_person
from tests.deploy.interface.served_interface import served
from tests.projections.books_of_a_day import work


async def every(client: httpx.AsyncClient, path: str, **params: str) -> list[dict[str, Any]]:
    """Return all items of a list, two a page."""
    items, cursor = [], None
    while True:
        asked = {**params, "limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        page = (await client.get(path, params=asked)).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


@contextmanager
def worked_off(dsn: str) -> Iterator[None]:
    """Let the worker work meanwhile."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.1):
            work(dsn)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def test_pages_tell_each_once_and_filters_choose(database: str) -> None:
    invoices_of_a_day(database)
    async with served(database, Scope.BOOKS) as client:
        whole = (await client.get("/sessions", params={"limit": 1000})).json()["items"]
        paged = await every(client, "/sessions")
        held = await every(client, "/sessions", state="held")
        at_site = await every(client, "/sessions", site="yard")
        nowhere = await every(client, "/sessions", site="moon")
        late = await every(client, "/sessions", begun_from="2026-03-02T08:20:00Z")
        early = await every(client, "/sessions", begun_until="2026-03-02T08:20:00Z")
        fleet = await every(client, "/sessions", token="fleet1", station="CS-OLD-2")
        naive = await client.get("/sessions", params={"begun_from": "2026-03-02T08:20:00"})
        documents = await every(client, "/invoices")
        of_fleet = await every(client, "/invoices", customer="fleet", open="true")
        of_session = await every(client, "/invoices", session=documents[0]["number"])

    assert paged == whole == at_site
    assert len({each["ref"] for each in paged}) == len(paged)
    assert nowhere == []
    assert late + early == whole
    assert late
    assert early
    assert held == [each for each in whole if each["state"] == "held"]
    assert fleet == [
        each for each in whole if (each["token"], each["station"]) == ("FLEET1", "CS-OLD-2")
    ]
    assert naive.status_code == 400
    assert [each["number"][-1] for each in documents] == ["4", "3", "2", "1"]
    assert {each["customer"] for each in of_fleet} == {"fleet"}
    assert of_session == []


async def test_a_document_adds_up_line_by_line_to_its_sessions(database: str) -> None:
    issued = invoices_of_a_day(database)
    async with served(database, Scope.BOOKS) as client:
        for each in issued:
            document = (await client.get(f"/invoices/{each.number}")).json()
            lines = document["lines"]
            for name in ("net", "tax", "gross"):
                summed = sum(Decimal(line[name]) for line in lines)
                assert summed == Decimal(document["total"][name])
            [ref] = {line["session"] for line in lines}
            session = (await client.get(f"/sessions/{ref}")).json()
            assert session["rating"]["total"]["gross"] == document["total"]["gross"]
            assert session["documents"] == [each.number]
            assert session["facts"][0]["kind"] == "started"
        unknown = await client.get("/invoices/W-1")
        no_session = await client.get("/sessions/x/y")

    assert (unknown.status_code, no_session.status_code) == (404, 404)


async def test_what_takes_two_people_is_given_back_by_two_and_by_no_machine(
    database: str,
) -> None:
    number = invoices_of_a_day(database)[0].number
    with connect(database) as connection:
        known = load_declarations(connection).policy(datetime.now(UTC))
        stricter = replace(known, payment_approval_above=Decimal("0.01"))
        change = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=stricter)
        declare(connection, [change], by="ann", at=datetime.now(UTC))
    anna, bert = (
        bearing(token_of_person(database, name, Grant(Role.FINANCE))) for name in ("anna", "bert")
    )
    body = {"invoice": number, "reason": "the barrier was down"}
    async with served(database, Scope.BOOKS, Scope.CREDIT) as machine:

        async def ask(headers: dict[str, str] | None = None) -> tuple[int, Any]:
            answer = await machine.post("/credit-notes", json=body, headers=headers)
            return answer.status_code, answer.json()

        told = [await ask(), await ask(anna), await ask(anna), await ask()]
        with worked_off(database):
            status, done = await ask(bert)

    assert [status for status, _ in told] == [403, 202, 409, 403]
    assert [each.get("code") for _, each in told] == [
        "two_people", None, "second_person", "two_people"
    ]  # fmt: skip
    assert (status, done["is_recorded"]) == (200, True)


async def test_what_is_credited_was_previewed_and_stands_on_a_note(database: str) -> None:
    number = invoices_of_a_day(database)[0].number
    body = {"invoice": number, "reason": "the barrier was down"}
    async with served(database, Scope.BOOKS, Scope.CREDIT) as client:
        preview = (await client.post("/credit-notes", json=body | {"preview": True})).json()
        with worked_off(database):
            expected = {"expected_due": preview["total"]["due"]}
            other = await client.post("/credit-notes", json=body | {"expected_due": "0.94"})
            done = await client.post("/credit-notes", json=body | {"lines": [1]} | expected)
        again = await client.post("/credit-notes", json=body)
        refused = [
            await client.post("/credit-notes", json=body | more)
            for more in ({"lines": [9]}, {"sessions": ["x"]}, {"invoice": "W-1"}, {"reason": ""})
        ]

    assert preview["is_recorded"] is False
    assert preview["total"]["gross"] == "0.95"
    assert (done.status_code, done.json()["sessions"][0]["is_done"]) == (200, True)
    assert done.json()["total"] == preview["total"]
    assert (other.status_code, other.json()["code"]) == (409, "other_total")
    assert (again.status_code, again.json()["code"]) == (409, "owed_no_more")
    assert [each.status_code for each in refused] == [404, 409, 404, 400]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({}, 200, None),
        ({"station": None, "tariff": "DAY"}, 200, None),
        ({"tariff": "DAY"}, 400, "bad_request"),
        ({"station": "CS-9"}, 404, "no_tariff"),
        ({"station": None, "tariff": "NIGHT"}, 404, "not_found"),
        ({"starts_at": "2020-01-01T00:00:00Z"}, 400, "bad_request"),
        ({"ends_at": "2026-03-02T09:00:00Z"}, 400, "bad_request"),
        ({"energy_wh": "NaN"}, 400, "bad_request"),
        ({"energy_wh": None}, 400, "bad_request"),
        ({"station": None, "tariff": "DAY", "time_zone": "Mars/Base"}, 400, "not_priced"),
        ({"energy_wh": None, "readings": [{"at": "2026-03-02T10:30:00Z", "energy_wh": "5"}]},
         400, "not_priced"),
    ],
)  # fmt: skip
async def test_a_quote_is_the_price_that_a_session_would_have(
    database: str, change: dict[str, Any], status: int, code: str | None
) -> None:
    invoices_of_a_day(database)
    wish = {
        "station": "CS-OLD-1",
        "token": "FLEET1",
        "starts_at": "2026-03-02T10:00:00Z",
        "ends_at": "2026-03-02T11:00:00Z",
        "energy_wh": "2000",
    }
    async with served(database, Scope.TARIFFS) as client:
        answer = await client.post("/price-quotes", json=wish | change)

    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    if status == 200:
        assert answer.json()["total"] == {"before_taxes": "0.80", "after_taxes": "0.95"}
        assert "ENERGY: 2 kWh x 0.40 EUR/kWh" in answer.json()["explanation"]


async def test_a_tariff_as_a_file_is_the_version_that_holds(database: str) -> None:
    invoices_of_a_day(database)
    async with served(database, Scope.TARIFFS) as client:
        one = (await client.get("/tariffs/DAY")).json()
        file, ocpi = await asyncio.gather(
            client.get("/tariffs/DAY/file", params={"sha256": one["sha256"][:12]}),
            client.get("/tariffs/DAY/ocpi", params={"version": "2.2.1"}),
        )
        none = await client.get("/tariffs/DAY/file", params={"sha256": "0" * 64})

    assert file.text.startswith('tariff: "DAY"')
    assert ocpi.json()["tariff"]["elements"][0]["price_components"][0]["price"] == 0.4
    assert [each["sha256"] for each in one["versions"]] == [one["sha256"]]
    assert none.status_code == 404
