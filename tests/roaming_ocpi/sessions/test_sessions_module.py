"""Partners page through the sessions of their own drivers, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.database import connect, connect_options
from roaming_ocpi.cdrs.made import CdrPlace
from roaming_ocpi.server.calls import Caller, OcpiRefusedError, PageAsked, PartnerCall, Reply
from roaming_ocpi.sessions.module import SessionsSender
from roaming_ocpi.sessions.rows import keep_session
from roaming_ocpi.sessions.told import OurSession, SessionStatus
from roaming_ocpi.wire.ids import wire_session_id
from tariffs.ocpi.versions import OcpiVersion
from tests.charging_day import at
from tests.roaming_ocpi.sessions.partners_drivers import BLUE, TNM

NEWEST = OcpiVersion.V2_3_0


def told(number: int, status: SessionStatus = SessionStatus.ACTIVE) -> OurSession:
    return OurSession(
        session_id=f"CS-1/{number}/20260302T070000Z",
        our_party="DE-HBC",
        status=status,
        starts_at=at(0),
        energy_kwh=Decimal(number),
        token="p-1",
        place=CdrPlace(
            location_id="yard",
            evse_uid="CS-1*1",
            evse_id="DE*HBC*ECS*1*1",
            connector_id="1",
            time_zone="Europe/Berlin",
        ),
        currency="EUR",
    )


def keep(dsn: str, party: str, number: int, minute: float) -> None:
    with connect(dsn) as connection, connection.transaction():
        keep_session(connection, party, told(number), now=at(minute))


@asynccontextmanager
async def module_over(dsn: str) -> AsyncIterator[SessionsSender]:
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        dsn, min_size=1, max_size=2, open=False, kwargs={"options": connect_options(dsn)}
    )
    async with pool:
        yield SessionsSender(pool)


def call(
    party: str,
    *,
    query: Mapping[str, str] | None = None,
    page: PageAsked | None = None,
    path: Mapping[str, str] | None = None,
    body: object = None,
) -> PartnerCall:
    return PartnerCall(
        caller=Caller(party, frozenset({party}), "DE-HBC"),
        version=NEWEST,
        path=path or {},
        query=query or {},
        body=body,
        text="",
        now=at(0),
        page=page,
    )


def ids(reply: Reply) -> list[str]:
    assert reply.page is not None
    return [each["id"] for each in reply.page.objects]


async def test_pages_hold_each_session_though_others_change_and_come_meanwhile(
    database: str,
) -> None:
    for number in range(7):
        keep(database, TNM, number, number)
    keep(database, BLUE, 99, 3)
    found: list[str] = []
    query: Mapping[str, str] | None = {}
    async with module_over(database) as module:
        while query is not None:
            reply = await module.page(call(TNM, query=query, page=PageAsked(0, 3)))
            found += ids(reply)
            assert reply.page is not None
            query = reply.page.next_query
            if len(found) == 3:
                keep(database, TNM, 50, 100)
                assert reply.page.total == 7

    assert len(found) == len(set(found)) == 8
    assert set(found) == {wire_session_id(told(n).session_id) for n in (*range(7), 50)}


@pytest.mark.parametrize(
    ("since", "until", "numbers"),
    [
        pytest.param(at(2), None, [2, 3], id="from a moment on, it included"),
        pytest.param(None, at(2), [0, 1], id="before a moment, it excluded"),
        pytest.param(at(1), at(3), [1, 2], id="between two"),
    ],
)
async def test_a_page_keeps_to_when_sessions_changed(
    database: str, since: datetime | None, until: datetime | None, numbers: list[int]
) -> None:
    for number in range(4):
        keep(database, TNM, number, number)
    async with module_over(database) as module:
        reply = await module.page(call(TNM, page=PageAsked(0, 10, since, until)))

    assert ids(reply) == [wire_session_id(told(number).session_id) for number in numbers]
    assert reply.page is not None
    assert (reply.page.total, reply.page.next_query) == (len(numbers), None)


@pytest.mark.parametrize(
    "after", ["", "~", "tomorrow~x", "2026-03-02~x", "2026-03-02T00:00:00Z~a\0", "9" * 5000]
)
async def test_a_link_that_is_none_of_ours_is_refused(database: str, after: str) -> None:
    async with module_over(database) as module:
        with pytest.raises(OcpiRefusedError):
            await module.page(call(TNM, query={"after": after}, page=PageAsked(0, 10)))


async def test_preferences_are_answered_honestly_and_for_ones_own_sessions_alone(
    database: str,
) -> None:
    keep(database, TNM, 1, 1)
    path = {"session_id": wire_session_id(told(1).session_id)}
    async with module_over(database) as module:
        regular = await module.prefer(call(TNM, path=path, body={"profile_type": "REGULAR"}))
        green = await module.prefer(call(TNM, path=path, body={"profile_type": "GREEN"}))
        for party, body in ((BLUE, {"profile_type": "REGULAR"}), (TNM, {}), (TNM, [1])):
            with pytest.raises(OcpiRefusedError):
                await module.prefer(call(party, path=path, body=body))

    assert (regular.data, green.data) == ("ACCEPTED", "PROFILE_TYPE_NOT_SUPPORTED")


def test_a_change_within_a_moment_is_a_later_one(database: str) -> None:
    with connect(database) as connection, connection.transaction():
        for number in (1, 2):
            keep_session(connection, TNM, told(5), now=at(number))
        over = told(5, SessionStatus.COMPLETED)
        assert keep_session(connection, TNM, over, now=at(1))
        assert not keep_session(connection, TNM, told(5), now=at(9)), "it is over"

        [(changed,)] = connection.execute("SELECT last_updated FROM roaming_session").fetchall()

    assert changed == at(1) + timedelta(milliseconds=1)
