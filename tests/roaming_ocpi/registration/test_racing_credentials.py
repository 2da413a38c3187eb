"""Handshakes, renewals and ends that overtake each other: what was ended stays so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.json import encode

from roaming_ocpi.client.answers import PartnerAnswer
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.credentials import our_credentials
from roaming_ocpi.registration.link import Link
from roaming_ocpi.registration.sending import end, register, renew
from roaming_ocpi.registration.store import invite, new_token, revoke
from roaming_ocpi.registration.terms import terms_of
from roaming_ocpi.server.front.callers import FRESH_SECONDS
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests.fakes import NOON
from tests.roaming_ocpi.registration.linking_instance import (
    OURS,
    THEIRS,
    LinkingInstance,
    registered,
    status_of,
    told,
    two_instances,
)

CREDENTIALS = (ModuleId.CREDENTIALS, InterfaceRole.SENDER)
STATE = "SELECT state, sealed FROM roaming_link"


def meanwhile(
    patch: pytest.MonkeyPatch, instance: LinkingInstance, call: tuple[str, int], *, again: bool
) -> None:
    """Have *instance* end its link with the partner at that call of a handshake that it begins.

    *again*: and invite the partner anew.
    """
    asked, calls = instance.client.ask, list[str]()
    other = OURS if instance.party == THEIRS else THEIRS

    async def ask(link: Link, method: str, url: str, **how: Any) -> PartnerAnswer:  # noqa: ANN401 - handed on
        answer = await asked(link, method, url, **how)
        calls.append(method)
        if (method, calls.count(method)) == call:
            async with instance.pool.connection() as connection:
                await revoke(connection, other, at=NOON, by="anna", why="over")
                if again:
                    await invite(connection, other, new_token(), hours=1, at=NOON, by="anna")
        return answer

    patch.setattr(instance.client, "ask", ask)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("call", [("GET", 1), ("GET", 2), ("PUT", 1)])
async def test_a_link_that_is_ended_while_we_renew_it_stays_ended(
    database: str,
    other_database: str,
    monkeypatch: pytest.MonkeyPatch,
    call: tuple[str, int],
    *,
    again: bool,
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        meanwhile(monkeypatch, left, call, again=again)
        with pytest.raises(RoamingError):
            await renew(left.ours, THEIRS, by="anna", told=told)

        [(state, _)] = left.rows(STATE)
        assert state == ("invited" if again else "revoked")
        assert left.rows("SELECT kind FROM roaming_token") == [("invitation",)] * again
        await asyncio.sleep(FRESH_SECONDS)
        assert not await right.holds(left)


@pytest.mark.parametrize("call", [("GET", 1), ("POST", 1)])
async def test_who_is_ended_while_we_register_once_more_is_not_registered(
    database: str, other_database: str, monkeypatch: pytest.MonkeyPatch, call: tuple[str, int]
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        token = await left.invited(THEIRS)
        meanwhile(monkeypatch, right, call, again=False)
        with pytest.raises(RoamingError):
            await register(right.ours, OURS, token, left.versions_url, by="bob", told=told)

        [(state, _)] = right.rows(STATE)
        assert state == "revoked"
        assert right.rows("SELECT * FROM roaming_token") == []


async def test_a_renewal_that_is_sent_twice_leaves_the_last_and_an_end_leaves_none(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        link = await right.link(OURS)
        terms = terms_of(await right.declared(), OURS, NOON)
        body = encode(
            our_credentials(
                terms, OcpiVersion.V2_2_1, (await left.link(THEIRS)).token, right.versions_url
            )
        )
        url = link.endpoints[CREDENTIALS]
        answers = [await right.client.ask(link, "PUT", url, body=body) for _ in range(2)]
        first, second = (link._replace(token=each.data["token"]) for each in answers)
        tokens = next(url for (module, _), url in link.endpoints.items() if module == "tokens")
        # The first answer came late, after the second: it holds until the second is used.
        assert await status_of(right.client, first, "GET", tokens) == 200
        assert await status_of(right.client, second, "GET", tokens) == 200
        await asyncio.sleep(FRESH_SECONDS)
        held = [await status_of(right.client, each, "GET", tokens) for each in (link, first)]
        assert held == [401, 401]

        # An end that crosses a renewal: whichever is first, nothing holds after both.
        crossing = await asyncio.gather(
            status_of(right.client, second, "PUT", url, body),
            status_of(right.client, second, "DELETE", url),
        )
        assert crossing[1] in {200, 401}
        assert left.rows(STATE) == [("revoked", None)]
        assert left.rows("SELECT * FROM roaming_token") == []
        assert (await end(left.ours, THEIRS, by="anna", why="over")).untold is None
