"""Deciding about sessions over HTTP: looked at, decided by a person, and refused in words."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.users.roles import Grant, Role
from tests.deploy.api.books_served import invoices_of_a_day
from tests.deploy.api.people import bearing, token_of_person
from tests.deploy.api.test_books_over_http import worked_off
from tests.deploy.interface.served_interface import served

RATED = """
SELECT session_id, ended_at, meter_start_wh, meter_stop_wh FROM session
WHERE state = 'rated' AND meter_stop_wh > meter_start_wh + 500 ORDER BY session_id LIMIT 1
"""


async def test_a_person_attests_a_stop_and_no_machine_does(database: str) -> None:
    invoices_of_a_day(database)
    with connect(database) as connection:
        [(session, ended_at, start_wh, stop_wh)] = connection.execute(RATED).fetchall()
    anna = bearing(token_of_person(database, "anna", Grant(Role.FINANCE)))
    andy = bearing(token_of_person(database, "andy", Grant(Role.AUDITOR)))
    said = {"session": session, "choice": "attest", "reason": "a photo of its display"}
    async with served(database, Scope.BOOKS, Scope.DECIDE) as client:

        async def ask(headers: dict[str, str] | None = anna, **more: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
            answer = await client.post("/decisions", json=said | more, headers=headers)
            return answer.status_code, answer.json()

        less = str(stop_wh - 500)
        looked = await ask(register_wh=less, preview=True)
        refused = [
            await ask(None, register_wh=less),
            await ask(andy, register_wh=less),
            await ask(session="none"),
            await ask(ended_at="2026-03-02T09:00:00"),
            await ask(ended_at=(ended_at + timedelta(days=36500)).isoformat()),
            await ask(register_wh=str(start_wh - 1)),
            await ask(register_wh="NaN"),
            await ask(register_wh=str(stop_wh + 9_000_000)),
            await ask(register_wh=less, moves="1 EUR"),
            await ask(choice="release"),
            await ask(register_wh=less, reason=" "),
        ]
        with worked_off(database):
            done = await ask(register_wh=less, moves=looked[1]["moves"], is_sure=True)

    assert [(status, told.get("code")) for status, told in refused] == [
        (403, "no_machine"),
        (403, "forbidden"),
        (404, "not_found"),
        (400, "bad_request"),
        (409, "refuted"),
        (409, "refuted"),
        (400, "bad_request"),
        (409, "doubtful"),
        (409, "moves_otherwise"),
        (409, "not_held"),
        (400, "no_reason"),
    ], refused
    assert (looked[0], looked[1]["is_recorded"], looked[1]["revision"]) == (200, False, 1)
    assert Decimal(looked[1]["moved"]) > 0
    assert (done[0], done[1]["is_recorded"], done[1]["revision"]) == (200, True, 2)
