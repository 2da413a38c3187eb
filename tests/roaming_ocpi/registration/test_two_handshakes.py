"""Two instances of ours do the handshake over HTTP: both ways, in each version, killed anywhere."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence

import pytest
from psycopg import AsyncConnection

from ledger.database import connect
from roaming_ocpi.client.answers import PartnerAnswer, PartnerRefusedError, PartnerUnreachableError
from roaming_ocpi.registration.link import LinkState
from roaming_ocpi.registration.links import link_of
from roaming_ocpi.registration.sending import HandshakeFailedError, end, register, renew
from roaming_ocpi.registration.store import NotLinkedError
from roaming_ocpi.server.front.callers import FRESH_SECONDS
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.registration.linking_instance import (
    OURS,
    THEIRS,
    LinkingInstance,
    cpo,
    declare_partners,
    emsp,
    registered,
    status_of,
    told,
    two_instances,
)

CREDENTIALS = (ModuleId.CREDENTIALS, InterfaceRole.SENDER)


@pytest.mark.parametrize(
    ("version", "plain"), [*((version, False) for version in OcpiVersion), ("2.2.1", True)]
)
async def test_both_sides_hold_a_link_that_works(
    database: str, other_database: str, version: str, *, plain: bool
) -> None:
    async with two_instances([database, other_database], version, plain_token=plain) as (
        left,
        right,
    ):
        came = await registered(left, right)
        ours, theirs = await left.link(THEIRS), await right.link(OURS)

        assert (came.version, came.is_checked) == (version, True)
        assert {ours.version, theirs.version} == {version}
        assert {ours.state, theirs.state} == {LinkState.REGISTERED}
        assert (ours.our_party, theirs.our_party) == (OURS, THEIRS)
        assert ours.token != theirs.token
        # Of the eMSP's side we see its senders, of the CPO's side it sees the receivers.
        tokens = (ModuleId.TOKENS, InterfaceRole.SENDER)
        assert ours.endpoints[tokens] == f"{right.address}/emsp/{version}/tokens"
        assert (ModuleId.TOKENS, InterfaceRole.RECEIVER) in theirs.endpoints
        assert [await left.holds(right), await right.holds(left)] == [True, True]
        # The invitation ended with the first use of what it led to.
        assert left.rows("SELECT kind FROM roaming_token") == [("access",)]
        changes = "SELECT state, by, why FROM roaming_link_change ORDER BY number"
        assert left.rows(changes) == [
            ("invited", "anna", "invited"),
            ("registered", "NL-TNM", "registered by the partner"),
        ]
        assert [why for *_, why in right.rows(changes)] == [
            "offered a new token",
            "registered by us",
        ]


async def test_the_highest_version_that_both_may_speak_is_spoken(
    database: str, other_database: str
) -> None:
    cases: Sequence[tuple[Sequence[str], Sequence[str], str]] = [
        ((), (), "2.3.0"),
        (("2.1.1", "2.2.1"), (), "2.2.1"),
        ((), ("2.1.1", "2.2.1"), "2.2.1"),
        (("2.2.1", "2.3.0"), ("2.1.1", "2.2.1"), "2.2.1"),
    ]
    async with two_instances([database, other_database]) as (left, right):
        for mine, yours, best in cases:
            declare_partners(database, (THEIRS, emsp(*mine)))
            declare_partners(other_database, (OURS, cpo(*yours)))
            assert (await registered(left, right)).version == best


async def test_without_a_version_of_both_nothing_is_begun(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database]) as (left, right):
        declare_partners(database, (THEIRS, emsp("2.2.1")))
        declare_partners(other_database, (OURS, cpo("2.3.0")))
        with pytest.raises(HandshakeFailedError, match=r"offers 2\.2\.1, we may speak 2\.3\.0"):
            await registered(left, right)

        assert right.rows("SELECT * FROM roaming_token") == []


async def test_an_invitation_leads_to_the_handshake_alone_and_ends(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        link = await right.link(OURS)
        fresh = link._replace(token=await left.invited(THEIRS))
        tokens = next(url for (module, _), url in link.endpoints.items() if module == "tokens")

        for method, url, http in [
            ("GET", left.versions_url, 200),
            ("GET", link.endpoints[CREDENTIALS], 200),
            ("GET", tokens, 401),
            ("PUT", link.endpoints[CREDENTIALS], 405),
            ("DELETE", link.endpoints[CREDENTIALS], 405),
        ]:
            body = b"{}" if method == "PUT" else None
            assert await status_of(right.client, fresh, method, url, body) == http, (method, url)
        # An invitation does not end what is there.
        assert await right.holds(left)

        spent = fresh._replace(token=left.tokens[0])
        old = fresh._replace(token=await left.invited(THEIRS, hours=-1))
        for nobody in (spent, old, fresh, fresh._replace(token="unheard-of")):
            assert await status_of(right.client, nobody, "GET", left.versions_url) == 401


async def test_who_is_registered_renews_and_does_not_register(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        link = await right.link(OURS)
        url = link.endpoints[CREDENTIALS]

        assert await status_of(right.client, link, "POST", url, b"{}") == 405
        shown = await right.client.ask(link, "GET", url)
        assert (shown.data["token"], shown.data["url"]) == (link.token, left.versions_url)
        assert [each["role"] for each in shown.data["roles"]] == ["CPO"]


async def test_renewing_changes_both_tokens_and_moves_up_a_version(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.1.1") as (left, right):
        await registered(left, right)
        before = await left.link(THEIRS), await right.link(OURS)
        declare_partners(database, (THEIRS, emsp()))
        declare_partners(other_database, (OURS, cpo()))
        # Either side may begin it.
        for one, other, party in ((right, left, OURS), (left, right, THEIRS)):
            came = await renew(one.ours, party, by="bob", told=told)
            assert (came.version, came.is_checked) == ("2.3.0", True)
            assert [await left.holds(right), await right.holds(left)] == [True, True]
            assert one.party != other.party

        after = await left.link(THEIRS), await right.link(OURS)
        assert not {each.token for each in before} & {each.token for each in after}
        # What they replaced holds no more.
        await asyncio.sleep(FRESH_SECONDS)
        for instance, link, url in (
            (left, before[0], after[0].endpoints[CREDENTIALS]),
            (right, before[1], after[1].endpoints[CREDENTIALS]),
        ):
            assert await status_of(instance.client, link, "GET", url) == 401
        for instance in (left, right):
            assert instance.rows("SELECT kind FROM roaming_token") == [("access",)]


async def test_ending_it_lets_no_token_in_and_forgets_what_was_sealed(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        was = await left.link(THEIRS), await right.link(OURS)
        ended = await end(left.ours, THEIRS, by="anna", why="contract over")

        assert ended.untold is None
        await asyncio.sleep(FRESH_SECONDS)
        for instance, link in ((left, was[0]), (right, was[1])):
            assert await link_of(instance.pool, link.partner) is None
            assert instance.rows("SELECT state, sealed FROM roaming_link") == [("revoked", None)]
            assert instance.rows("SELECT * FROM roaming_token") == []
            assert instance.rows("SELECT * FROM subject WHERE kind = 'secret'") == []
            assert await status_of(instance.client, link, "GET", link.endpoints[CREDENTIALS]) == 401
        with pytest.raises(NotLinkedError):
            await renew(left.ours, THEIRS, by="anna", told=told)
        # And it may begin anew.
        await asyncio.sleep(FRESH_SECONDS)
        await registered(left, right)
        assert [await left.holds(right), await right.holds(left)] == [True, True]


async def test_who_is_declared_no_more_is_nobody_at_once(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        declare_partners(database, (THEIRS, None))
        await asyncio.sleep(FRESH_SECONDS)
        link = await right.link(OURS)
        assert await status_of(right.client, link, "GET", link.endpoints[CREDENTIALS]) == 401
        assert await link_of(left.pool, THEIRS) is None
        await end(left.ours, THEIRS, by="anna", why="gone")

        assert left.rows("SELECT state FROM roaming_link") == [("revoked",)]


async def test_a_partner_that_is_away_is_revoked_all_the_same(
    database: str, other_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)

        async def away(*_args: object, **_kwargs: object) -> PartnerAnswer:
            message = "the partner cannot be reached: ConnectionRefusedError"
            raise PartnerUnreachableError(message)

        monkeypatch.setattr(left.client, "ask", away)
        ended = await end(left.ours, THEIRS, by="anna", why="gone")

        assert ended.untold == "the partner cannot be reached: ConnectionRefusedError"
        await asyncio.sleep(FRESH_SECONDS)
        assert not await right.holds(left)


async def test_no_token_stands_anywhere_in_the_clear(
    database: str, other_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        tokens = [await left.invited(THEIRS)]
        steps: list[str] = []
        await register(right.ours, OURS, tokens[0], left.versions_url, by="bob", told=steps.append)
        for one, party in ((right, OURS), (left, THEIRS)):
            tokens += [(await left.link(THEIRS)).token, (await right.link(OURS)).token]
            await renew(one.ours, party, by="bob", told=steps.append)
        tokens += [(await left.link(THEIRS)).token, (await right.link(OURS)).token]
        with pytest.raises(HandshakeFailedError) as caught:
            await register(
                right.ours, OURS, "wrong-token-4711", left.versions_url, by="b", told=steps.append
            )
        said = [caplog.text, *steps, repr(caught.value), *dumped(left), *dumped(right)]
        said += [repr(each) for instance in (left, right) for each in instance.heard]
        said += [repr(await left.link(THEIRS)), repr(await right.link(OURS))]
        heard = len(left.heard) + len(right.heard)

    assert len(set(tokens)) == 7
    assert (heard > 20, "roaming_token" in "".join(said)) == (True, True)
    for token in [*tokens, "wrong-token-4711"]:
        spelt = base64.b64encode(token.encode()).decode()
        assert [each[:80] for each in said if token in each or spelt in each] == []


def dumped(instance: LinkingInstance) -> list[str]:
    """Return every row of every table of an instance as text."""
    tables = instance.rows(
        "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
        " WHERE table_schema IN ('inputs', 'books', 'persons')"
    )
    with connect(instance.database) as connection:
        return [
            f"{table}: {row}"
            for (table,) in tables
            for (row,) in connection.execute(f"SELECT t::text FROM {table} AS t").fetchall()
        ] + [str(table) for (table,) in tables]


def test_the_answers_of_a_partner_keep_what_they_bring() -> None:
    answer = PartnerAnswer(200, 1000, None, {"token": "secret"}, text='{"token": "secret"}')
    errors: Mapping[str, Exception] = {
        "refused": PartnerRefusedError("no", answer=answer),
        "unreachable": PartnerUnreachableError("no", answer=answer),
    }

    assert "secret" not in f"{answer!r} {answer} {errors!r} {AsyncConnection}"
