"""Who is let in, by how it is declared now: its spelling of tokens, and for whom a hub speaks."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.json import encode
from msgspec.structs import replace

from ledger.database import connect
from ledger.master_data.partners import Partner, PartnerRole
from roaming_ocpi.client.answers import PartnerAnswer, PartnerRefusedError
from roaming_ocpi.registration.credentials import our_credentials
from roaming_ocpi.registration.link import Link
from roaming_ocpi.registration.links import link_of, links
from roaming_ocpi.registration.sending import HandshakeFailedError, register, renew
from roaming_ocpi.registration.store import UNUSED_MAX
from roaming_ocpi.registration.terms import terms_of
from roaming_ocpi.server.front.callers import FRESH_SECONDS
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tests.fakes import NOON
from tests.roaming_ocpi.registration.linking_instance import (
    OURS,
    THEIRS,
    LinkingInstance,
    cpo,
    declare_partners,
    emsp,
    linking_instance,
    registered,
    told,
    two_instances,
)

HUB = Partner(name="Hub", legal_entity="us", roles=(PartnerRole.HUB,))
CREDENTIALS = (ModuleId.CREDENTIALS, InterfaceRole.SENDER)


async def asked(instance: LinkingInstance, link: Link) -> PartnerAnswer:
    url = next(url for (module, _), url in link.endpoints.items() if module == ModuleId.TOKENS)
    return await instance.client.ask(link, "GET", url)


async def test_a_token_as_it_is_gets_in_only_where_that_is_declared(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        plain = (await right.link(OURS))._replace(is_plain=True)
        with pytest.raises(PartnerRefusedError) as caught:
            await asked(right, plain)
        assert caught.value.answer.http == 401
        assert "Base64" in (caught.value.answer.message or "")

        # As declared now, not as it was at the handshake; both ways.
        declare_partners(database, (THEIRS, emsp("2.2.1", plain_token=True)))
        await asyncio.sleep(FRESH_SECONDS)
        assert (await asked(right, plain)).http == 200
        assert (await left.link(THEIRS)).is_plain
        assert (await asked(right, plain._replace(is_plain=False))).http == 200


async def test_a_hub_speaks_for_whom_we_declare_behind_it_and_leads_to_them(
    database: str, other_database: str
) -> None:
    behind = replace(emsp(), hub="FR-HUB")
    async with (
        linking_instance(database, OURS, ("FR-HUB", HUB), (THEIRS, behind)) as left,
        linking_instance(other_database, "FR-HUB", (OURS, cpo()), name="Hub") as right,
    ):
        await registered(left, right)
        assert (await asked(right, await right.link(OURS))).data == ["FR-HUB", THEIRS]
        for_one = (await right.link(OURS))._replace(our_party=THEIRS)
        assert (await asked(right, for_one)).data == [THEIRS], "it gets nobody else's through it"
        assert await link_of(left.pool, THEIRS) is None
        through = await link_of(left.pool, THEIRS, hub="FR-HUB")
        assert through is not None
        assert (through.partner, through.token) == (THEIRS, (await left.link("FR-HUB")).token)
        assert [each.partner for each in await links(left.pool)] == ["FR-HUB"]

        declare_partners(database, (THEIRS, emsp()))
        await asyncio.sleep(FRESH_SECONDS)
        assert (await asked(right, await right.link(OURS))).data == ["FR-HUB"]


async def test_a_partner_uses_the_modules_that_face_its_roles_as_declared_now(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        link = await right.link(OURS)
        told_of = set(link.endpoints)
        faces_cpos = f"{left.address}/emsp/2.2.1/tokens"
        with pytest.raises(PartnerRefusedError, match="HTTP 404") as caught:
            await right.client.ask(link, "GET", faces_cpos)

        both = replace(emsp("2.2.1"), roles=(PartnerRole.EMSP, PartnerRole.CPO))
        declare_partners(database, (THEIRS, both))
        await asyncio.sleep(FRESH_SECONDS)
        assert (await right.client.ask(link, "GET", faces_cpos)).http == 200

    assert (ModuleId.TOKENS, InterfaceRole.SENDER) not in told_of
    assert "another role" in (caught.value.answer.message or "")


async def test_whoever_answers_for_another_party_is_refused(
    database: str, other_database: str
) -> None:
    async with (
        linking_instance(database, OURS, (THEIRS, emsp())) as left,
        linking_instance(other_database, "NL-XXX", (OURS, cpo()), name="Another") as right,
    ):
        token = await left.invited(THEIRS)
        with pytest.raises(HandshakeFailedError, match="are of NL-XXX; expected those of"):
            await register(right.ours, OURS, token, left.versions_url, by="bob", told=told)

        assert left.rows("SELECT state, sealed FROM roaming_link") == [("invited", None)]


async def test_a_link_whose_key_is_gone_is_none_and_stops_no_other(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        with connect(database) as connection:
            connection.execute("UPDATE subject SET key = decode(repeat('00', 64), 'hex')")
        assert (await link_of(left.pool, THEIRS), list(await links(left.pool))) == (None, [])
        with connect(database) as connection:
            connection.execute("DELETE FROM subject")
        assert await link_of(left.pool, THEIRS) is None
        # The partner is let in all the same, and may renew what we lost.
        assert await right.holds(left)


EXCHANGED = """
INSERT INTO place_told (partner, kind, key, sha256, told_at)
VALUES ('NL-TNM', 'evse', 'x', '', now());
INSERT INTO place_pulled (partner, module, pulled_at, refused) VALUES ('NL-TNM', 'x', now(), 0);
INSERT INTO partner_pull (party, module, tried_at, taken, refused)
VALUES ('NL-TNM', 'cdrs', now(), 1, 0);
INSERT INTO partner_token_list (party, full_at) VALUES ('NL-TNM', now())
ON CONFLICT (party) DO UPDATE SET full_at = excluded.full_at;
"""
KNOWN_OF_IT = """
SELECT (SELECT count(*) FROM place_told), (SELECT count(*) FROM place_pulled),
    (SELECT count(*) FROM partner_pull), (SELECT count(full_at) FROM partner_token_list)
"""


async def test_who_registers_once_more_is_told_and_asked_everything_again(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        with connect(database) as connection:
            connection.execute(EXCHANGED.encode())
        await renew(right.ours, OURS, by="ben", told=told)
        assert left.rows(KNOWN_OF_IT) == [(1, 1, 1, 1)], "the system behind it is the same"

        token = await left.invited(THEIRS)
        await register(right.ours, OURS, token, left.versions_url, by="ben", told=told)
        assert left.rows(KNOWN_OF_IT) == [(0, 0, 0, 0)]

        with connect(database) as connection:
            connection.execute(EXCHANGED.encode())
        token = await right.invited(OURS)
        await register(left.ours, THEIRS, token, right.versions_url, by="anna", told=told)
        assert left.rows(KNOWN_OF_IT) == [(0, 0, 0, 0)]


async def test_answers_that_never_arrive_leave_no_pile_and_the_used_token_stays(
    database: str, other_database: str
) -> None:
    async with two_instances([database, other_database], "2.2.1") as (left, right):
        await registered(left, right)
        link = await right.link(OURS)
        url, body = (
            link.endpoints[CREDENTIALS],
            encode(
                our_credentials(
                    terms_of(await right.declared(), OURS, NOON),
                    link.version,
                    (await left.link(THEIRS)).token,
                    right.versions_url,
                )
            ),
        )
        for _ in range(UNUSED_MAX + 3):  # whoever asks forgets the answer each time
            assert (await right.client.ask(link, "PUT", url, body=body)).http == 200

        assert left.rows("SELECT count(*) FROM roaming_token") == [(UNUSED_MAX + 1,)]
        assert [await left.holds(right), await right.holds(left)] == [True, True]
