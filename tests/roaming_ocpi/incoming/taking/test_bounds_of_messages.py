"""A partner may say so much of sessions and CDRs: refused before it is a line of the log."""

from __future__ import annotations

import asyncio
from typing import Any

from ledger.database import connect
from ledger.partners.bounds import Bound, PartnerBounds
from ledger.partners.told_counts import ToldCounts, told_counts
from tests.roaming_ocpi.incoming.partner_stories import (
    CAME,
    SESSION,
    cdr_of,
    changed,
    declare_roaming,
)
from tests.roaming_ocpi.incoming.served_intake import Answered, ServedIntake, served_intake
from tests.roaming_ocpi.incoming.taking.test_incoming_receiver import messages

PERIODS = [
    {"start_date_time": f"2026-03-01T10:0{minute}:00Z", "dimensions": []} for minute in range(4)
]


def bounds(**most: int) -> ToldCounts:
    return ToldCounts(PartnerBounds({Bound(name): number for name, number in most.items()}))


def counted(database: str) -> dict[Bound, tuple[int, int]]:
    with connect(database) as connection:
        found = told_counts(connection, "NL-TNM", CAME)
    return {each.bound: (each.counted, each.refused) for each in found}


async def put_session(intake: ServedIntake, name: str, **changes: Any) -> Answered:  # noqa: ANN401
    body = changed(SESSION, id=name, **changes)
    return await intake.call("PUT", f"/sessions/NL/TNM/{name}", body)


async def post_cdr(intake: ServedIntake, name: str) -> Answered:
    return await intake.call("POST", "/cdrs", cdr_of(id=name, session_id=name))


async def test_so_many_new_sessions_a_day_and_those_that_are_known_go_on(database: str) -> None:
    declare_roaming(database)
    async with served_intake(database, bounds(sessions=2)) as intake:
        came = [await put_session(intake, name) for name in ("S1", "S2", "S3")]
        again = await put_session(intake, "S2")
        more = await put_session(intake, "S2", kwh=33)

    assert [(each.http, each.code) for each in (*came, again, more)] == [
        *((200, 1000), (200, 1000), (429, 2000)),
        *((200, 1000), (200, 1000)),
    ]
    assert (came[2].message or "").startswith("too_many_sessions: of NL-TNM at most 2 a day")
    assert len(messages(database)) == 3
    assert counted(database)[Bound.SESSIONS] == (2, 1)


async def test_a_session_has_so_many_periods_however_they_come(database: str) -> None:
    declare_roaming(database)
    async with served_intake(database, bounds(session_periods=3)) as intake:
        whole = await put_session(intake, "S1", charging_periods=PERIODS[:2])
        third, fourth = [
            await intake.call(
                "PATCH",
                "/sessions/NL/TNM/S1",
                {"charging_periods": [each], "last_updated": SESSION["last_updated"]},
            )
            for each in PERIODS[2:]
        ]
        at_once = await put_session(intake, "S2", charging_periods=PERIODS)
        kept = await intake.call("GET", "/sessions/NL/TNM/S1")

    assert [each.http for each in (whole, third, fourth, at_once)] == [200, 200, 422, 422]
    assert (fourth.message or "").startswith("too_many_session_periods:")
    assert len(kept.data["charging_periods"]) == 3
    assert len(messages(database)) == 2, "of what is refused there is no line"


async def test_so_many_messages_a_day_and_what_is_known_is_none(database: str) -> None:
    declare_roaming(database)
    async with served_intake(database, bounds(messages=3)) as intake:
        session = await put_session(intake, "S1")
        cdrs = [await post_cdr(intake, name) for name in ("C1", "C2", "C3")]
        known = await post_cdr(intake, "C1")
        patch = {"kwh": 1, "last_updated": SESSION["last_updated"]}
        part = await intake.call("PATCH", "/sessions/NL/TNM/S1", patch)

    assert [each.http for each in (session, *cdrs, known, part)] == [
        *(200, 200, 200, 429),
        *(200, 429),
    ]
    assert (cdrs[2].message or "").startswith("too_many_messages:")
    assert len(messages(database)) == 3
    assert counted(database)[Bound.MESSAGES] == (3, 2)


async def test_of_cdrs_that_come_at_once_as_many_are_taken_as_there_is_room_for(
    database: str,
) -> None:
    declare_roaming(database)
    async with served_intake(database, bounds(messages=5)) as intake:
        came = await asyncio.gather(*(post_cdr(intake, f"C{n}") for n in range(12)))
        again = await asyncio.gather(*(post_cdr(intake, f"C{n}") for n in range(12)))

    assert sorted(each.http for each in came) == [200] * 5 + [429] * 7
    assert [each.http for each in again] == [each.http for each in came]
    assert len(messages(database)) == 5
    assert counted(database)[Bound.MESSAGES] == (5, 14)


async def test_so_many_bytes_a_day(database: str) -> None:
    declare_roaming(database)
    async with served_intake(database) as intake:
        await post_cdr(intake, "C1")
        [(size, _)] = [counted(database)[Bound.BYTES]]
    async with served_intake(database, bounds(bytes=2 * size)) as intake:
        second = await post_cdr(intake, "C2")
        third = await post_cdr(intake, "C3")
        session = await put_session(intake, "S1")

    assert [each.http for each in (second, third, session)] == [200, 429, 429]
    assert (third.message or "").startswith("too_many_bytes:")
    assert counted(database)[Bound.BYTES] == (2 * size, 2)
