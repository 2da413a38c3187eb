"""Money that nobody knows what it is for, said over HTTP: read first, then once, by one or two."""

from __future__ import annotations

from typing import Any

import httpx

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.payments.bank.lines import waiting_lines
from ledger.payments.recording import movements
from ledger.users.giving import Giver, block_account
from ledger.users.roles import Grant, Role
from tests.deploy.api.people import AT, bearing, token_of_person
from tests.deploy.interface.served_interface import served
from tests.ledger.payments.bank.bank_books import invoiced, open_minor, put_in, wl
from tests.ledger.payments.bank.bank_files import Booked, camt


def waiting(dsn: str, *minors: int) -> list[str]:
    """Bring lines that wait into books with two invoices; return them, the oldest first."""
    with invoiced(dsn, ["anna-1", "anna-1"]) as connection:
        put_in(connection, camt([Booked(minor, "?", f"R-{minor}") for minor in minors]))
        return [each.line for each in waiting_lines(connection, 10)]


def told(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("code")


async def test_what_was_read_is_booked_once_and_nothing_else(database: str) -> None:
    [line] = waiting(database, 900)
    path, body = (
        f"/bank-lines/{line}/matchings",
        {"documents": {wl(1): "1.00"}},
    )
    async with served(database, Scope.BOOKS, Scope.MONEY) as client:
        listed = (await client.get("/unmatched-payments")).json()["items"]
        read = (await client.post(path, json={**body, "preview": True})).json()
        agreed = {**body, "digest": read["digest"]}
        other = await client.post(path, json={"account": "fees:bank", "digest": read["digest"]})
        key = {"Idempotency-Key": "k-1"}
        done = [await client.post(path, json=agreed, headers=key) for _ in range(2)]
        again = await client.post(path, json=agreed)
        rest = await client.post(path, json={"account": "income:gifts"})
        nothing = await client.post(path, json={"account": "income:gifts"})
        undone = await client.post(path, json={"is_undone": True})
        refused = [
            told(await client.post(path, json=each))
            for each in (
                {},
                {"is_undone": True, "account": "fees:bank"},
                {"account": "cash:stripe"},
                {"documents": {"x": "1e5"}},
                {"documents": {wl(1): "99.00"}},
                {"balance": "nobody"},
                {"what": 1},
            )
        ]
        missing = told(await client.post("/bank-lines/nothing/matchings", json=body))

    assert [(each["line"], each["unmatched"], each["why"]) for each in listed] == [
        (line, "9.00", "no_reference")
    ]
    assert (read["is_booked"], read["unmatched"], read["takes_two"]) == (False, "8.00", False)
    assert read["documents"] == [{"number": wl(1), "open": "4.76", "open_afterwards": "3.76"}]
    assert told(other) == told(again) == (409, "changed_meanwhile")
    assert [each.status_code for each in (*done, rest, undone)] == [200] * 4
    assert done[0].json() == done[1].json() == {**read, "is_booked": True}
    assert told(nothing) == (409, "not_for_that")
    assert [status for status, _ in refused] == [409, 409, 409, 409, 409, 409, 400]
    assert missing == (404, "not_found")
    with connect(database) as connection:
        assert len(movements(connection)) == 4
        assert open_minor(connection, wl(1)) == 476


async def test_what_takes_two_people_is_said_by_two_and_by_no_machine(database: str) -> None:
    [line] = waiting(database, 900_000)
    path, body = f"/bank-lines/{line}/matchings", {"account": "income:other"}
    anna, bert, far = (
        bearing(token_of_person(database, name, grant))
        for name, grant in (
            ("anna", Grant(Role.FINANCE)),
            ("bert", Grant(Role.FINANCE)),
            ("far", Grant(Role.FINANCE, "elsewhere")),
        )
    )
    async with served(database, Scope.BOOKS, Scope.MONEY) as machine:

        async def ask(headers: dict[str, str] | None = None) -> tuple[int, Any]:
            return told(await machine.post(path, json=body, headers=headers))

        refused = await ask()
        proposed = await machine.post(path, json=body, headers=anna)
        same = await ask(anna)
        away = await ask(far)
        seen = (await machine.get("/unmatched-payments", headers=far)).json()["items"]
        agreed = await machine.post(path, json=body, headers=bert)

    assert (refused, same, away) == (
        (403, "two_people"),
        (409, "second_person"),
        (404, "not_found"),
    )
    assert seen == []
    assert (proposed.json()["is_booked"], agreed.json()["is_booked"]) == (False, True)
    assert agreed.json()["proposed_by"] == "anna"
    with connect(database) as connection:
        assert movements(connection)[-1].recorded_by == "anna, bert"


async def test_who_let_the_other_one_in_is_told_that_somebody_else_agrees(database: str) -> None:
    [line] = waiting(database, 900_000)
    path, body = f"/bank-lines/{line}/matchings", {"account": "income:other"}
    anna = bearing(token_of_person(database, "anna", Grant(Role.FINANCE)))
    bert = bearing(token_of_person(database, "bert", Grant(Role.FINANCE), by="anna"))
    async with served(database) as client:
        proposed = await client.post(path, json=body, headers=anna)
        once = {**bert, "Idempotency-Key": "k-1"}
        refused = [await client.post(path, json=body, headers=once) for _ in range(2)]
        with connect(database) as connection:
            block_account(connection, "anna", Giver("ann"), AT)
        gone = await client.post(path, json=body, headers=bert)

    assert proposed.status_code == 200
    assert [told(each) for each in (*refused, gone)] == [(409, "second_person")] * 3
    assert "made the way in of bert" in refused[0].json()["detail"]
    with connect(database) as connection:
        assert len(movements(connection)) == 1
