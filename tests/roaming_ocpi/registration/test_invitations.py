"""An invitation (TOKEN_A): who may use it when, and what ends it."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.json import encode

from ledger.database import connect
from roaming_ocpi.registration.credentials import our_credentials
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.registration.sending import register, renew
from roaming_ocpi.registration.terms import terms_of
from roaming_ocpi.relay.outgoing import MessageKind, enqueue
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


async def test_renewing_a_link_leaves_an_invitation_that_was_made_since(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        token = await left.invited(THEIRS)
        for one, party in ((right, OURS), (left, THEIRS)):
            await renew(one.ours, party, by="bob", told=told)
        await asyncio.sleep(FRESH_SECONDS)
        assert await right.holds(left)
        kinds = left.rows("SELECT kind, is_spent FROM roaming_token ORDER BY number")
        assert kinds == [("invitation", False), ("access", False)]

        # The partner's new system registers by it, and what was there before ends then.
        before = await right.link(OURS)
        await register(right.ours, OURS, token, left.versions_url, by="bob", told=told)
        await asyncio.sleep(FRESH_SECONDS)
        assert await right.holds(left)
        assert left.rows("SELECT kind FROM roaming_token") == [("access",)]
        used = before._replace(token=token)
        for link in (before, used):
            assert await status_of(right.client, link, "GET", left.versions_url) == 401


async def test_who_found_a_token_that_was_used_takes_nobodys_place(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        link = await invited_link(left)
        url = link.endpoints[CREDENTIALS]
        # The same server, so that it can be read; another address, so that it is another one.
        elsewhere = right.address.replace("127.0.0.1", "localhost")
        mine, strangers = await credentials_of(right, right.address, elsewhere)

        assert await status_of(right.client, link, "POST", url, mine) == 200
        assert await status_of(right.client, link, "POST", url, strangers) == 405
        # Whose answer was lost asks once more from where he is.
        assert await status_of(right.client, link, "POST", url, mine) == 200
        assert left.rows("SELECT versions_url FROM roaming_link") == [
            (f"{right.address}/versions",)
        ]


async def test_whoever_asks_first_by_an_invitation_may_be_anywhere(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        link = await invited_link(left)
        elsewhere = right.address.replace("127.0.0.1", "localhost")
        [moved] = await credentials_of(right, elsewhere)

        url = link.endpoints[CREDENTIALS]
        assert await status_of(right.client, link, "POST", url, moved) == 200


@pytest.mark.parametrize("anew", [True, False])
async def test_what_a_dead_token_put_off_goes_on_with_the_new_one(
    database: str, other_database: str, *, anew: bool
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        with connect(database) as connection:
            for party in (THEIRS, "FR-OFF"):
                enqueue(connection, party, MessageKind.CDR, "C1", lane="S1")
                connection.execute(
                    "INSERT INTO outgoing_party (party, failures, next_at) VALUES (%s, 9, now()"
                    " + interval '15 minutes')",
                    (party,),
                )
            connection.execute(
                "UPDATE outgoing SET state = 'waiting', failures = 9,"
                " next_at = now() + interval '15 minutes'"
            )
        if anew:
            await registered(left, right)
        else:
            await renew(left.ours, THEIRS, by="anna", told=told)

        for table in ("outgoing", "outgoing_party"):
            rows = dict(waits(database, table))
            assert rows == {THEIRS: (0, False), "FR-OFF": (9, True)}, table


def waits(database: str, table: str) -> list[tuple[str, tuple[int, bool]]]:
    """Return by party how often it failed, and whether it is left alone."""
    query = f"SELECT party, failures, next_at > now() FROM {table}"
    with connect(database) as connection:
        rows = connection.execute(query.encode()).fetchall()
    return [(party, (failures, is_later)) for party, failures, is_later in rows]


async def invited_link(left: LinkingInstance) -> Link:
    """Return how a partner shows the token of an invitation to *left*."""
    token = await left.invited(THEIRS)
    return Link(
        partner=OURS,
        our_party=THEIRS,
        state=LinkState.INVITED,
        version=OcpiVersion.V2_2_1,
        token=token,
        endpoints={CREDENTIALS: f"{left.address}/2.2.1/credentials"},
    )


async def credentials_of(instance: LinkingInstance, *addresses: str) -> list[bytes]:
    """Return the credentials that *instance* sends; it lets in by the token in them."""
    terms = terms_of(await instance.declared(), OURS, NOON)
    token = await instance.invited(OURS)
    urls = [f"{each}/versions" for each in addresses]
    return [encode(our_credentials(terms, OcpiVersion.V2_2_1, token, each)) for each in urls]
