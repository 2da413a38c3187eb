"""A partner is asked whether its token may charge: what its answer, or its silence, comes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.database import connect, connect_options
from ledger.partners.asking import AskedAnswer, AskedToken, AskingTerms, ShownToken
from ledger.partners.tokens import (
    PartnerToken,
    Whitelist,
    add_partner_tokens,
)
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.server.calls import Module, OcpiRefusedError, PartnerCall, Reply, Route
from roaming_ocpi.tokens.asker import RealTimeAsker
from roaming_ocpi.tokens.known_tokens import KnownTokens
from roaming_ocpi.tokens.pacing import BURST, SILENCES, STATION_BURST
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion
from tests.ledger.partners.opened_contracts import opened_contract
from tests.roaming_ocpi.client.odd_partner import answer as raw_answer
from tests.roaming_ocpi.client.odd_partner import odd_partner, saying
from tests.roaming_ocpi.tokens.two_sides import AT_THEIRS, NOW, Clock, link_to, served

TERMS = AskingTerms(seconds=1.0, accepts_silence=False, list_max_age=timedelta(hours=24))
SENDER = (ModuleId.TOKENS, InterfaceRole.SENDER)
UID = "04AABBCC"


class AnsweringPartner:
    """A partner's eMSP: what it says of a token, and how long it thinks."""

    def __init__(self) -> None:
        self.data: Any = {"allowed": "ALLOWED"}
        self.status = Status.SUCCESS
        self.seconds = 0.0
        self.asked: list[PartnerCall] = []

    def module(self) -> Module:
        routes = [Route("POST", "/{token_uid}/authorize", self.authorize, "Authorize.")]
        return Module(ModuleId.TOKENS, InterfaceRole.SENDER, OurSide.EMSP, routes)

    async def authorize(self, call: PartnerCall) -> Reply:
        self.asked.append(call)
        await asyncio.sleep(self.seconds)
        if self.status is Status.UNKNOWN_TOKEN:
            message = "never heard of it"
            raise OcpiRefusedError.not_found(message, self.status)
        return Reply(self.data, status=self.status)


class Asking:
    """We, asking NL-TNM about the tokens that stations show."""

    def __init__(self, database: str, asker: RealTimeAsker, partner: AnsweringPartner) -> None:
        self.database, self.asker, self.partner = database, asker, partner
        self.link: Link | None = None

    def shown(self, uid: str = UID, station: str = "ST-1") -> ShownToken:
        holder = token_holder(uid)
        assert holder is not None
        with connect(self.database) as connection:
            (subject,) = find_or_make(connection, [holder]).values()
        return ShownToken(subject.id, station, "harbour")

    async def ask(self, uid: str = UID, *, station: str = "ST-1", **terms: Any) -> AskedToken:  # noqa: ANN401 - handed on
        return await self.asker.ask("NL-TNM", TERMS._replace(**terms), self.shown(uid, station))


@pytest.fixture(params=["2.2.1"])
async def ours(database: str, request: pytest.FixtureRequest) -> AsyncIterator[Asking]:
    partner, version = AnsweringPartner(), OcpiVersion(request.param)
    pool = AsyncConnectionPool[AsyncConnection[Any]](
        database,
        kwargs={"options": connect_options(database), "autocommit": True},
        max_size=4,
        open=False,
    )
    async with pool, served(database, lambda _: [partner.module()], callers=AT_THEIRS) as side:
        client = HttpPartnerClient(allow_private=True, now=Clock().now, heard=lambda _: None)
        links: list[Asking] = []

        async def link_of(party: str) -> Link | None:
            return links[0].link if party == "NL-TNM" else None

        asker = RealTimeAsker(client=client, links=link_of, tokens=KnownTokens(pool))
        found = Asking(database, asker, partner)
        links.append(found)
        endpoint = {SENDER: f"/ocpi/emsp/{version}/tokens"}
        found.link = link_to(side.address, endpoint, version=version)
        yield found
        await client.close()


every_version = pytest.mark.parametrize("ours", ["2.1.1", "2.2.1", "2.3.0"], indirect=True)


@every_version
async def test_the_partner_hears_which_token_and_where(ours: Asking) -> None:
    asked = await ours.ask()

    assert asked == AskedToken("NL-TNM", AskedAnswer.ALLOWED)
    (call,) = ours.partner.asked
    assert call.path == {"token_uid": UID}
    assert call.query == {"type": "RFID"}
    assert call.body == {"location_id": "harbour"}


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ({"allowed": "ALLOWED"}, AskedAnswer.ALLOWED),
        ({"allowed": "BLOCKED"}, AskedAnswer.BLOCKED),
        ({"allowed": "EXPIRED"}, AskedAnswer.EXPIRED),
        ({"allowed": "NO_CREDIT"}, AskedAnswer.NO_CREDIT),
        ({"allowed": "NOT_ALLOWED"}, AskedAnswer.NOT_ALLOWED),
        ({"allowed": "PERHAPS"}, AskedAnswer.NOT_ALLOWED),
        ({"allowed": True}, AskedAnswer.SILENT),
        ({}, AskedAnswer.SILENT),
        ([], AskedAnswer.SILENT),
        ([{"allowed": "BLOCKED"}], AskedAnswer.BLOCKED),
        ([{"allowed": "ALLOWED"}, {"allowed": "ALLOWED"}], AskedAnswer.SILENT),
        (None, AskedAnswer.SILENT),
    ],
)
async def test_only_a_permission_is_one(ours: Asking, data: object, answer: AskedAnswer) -> None:
    ours.partner.data = data

    assert (await ours.ask()).answer is answer


async def test_a_token_that_the_partner_does_not_know_is_unknown(ours: Asking) -> None:
    ours.partner.status = Status.UNKNOWN_TOKEN

    assert (await ours.ask()).answer is AskedAnswer.UNKNOWN


async def test_a_partner_that_wants_to_know_more_said_nothing(ours: Asking) -> None:
    ours.partner.status, ours.partner.data = Status.NOT_ENOUGH_INFORMATION, None

    assert (await ours.ask()).answer is AskedAnswer.SILENT


async def test_the_permission_has_a_name_and_a_contract_that_is_sealed(
    ours: Asking, database: str
) -> None:
    token = {"uid": UID.lower(), "contract_id": "NL-TNM-C9"}
    ours.partner.data = {
        "allowed": "ALLOWED", "token": token, "authorization_reference": "AUTH-77",
    }  # fmt: skip

    asked = await ours.ask()

    assert asked.reference == "AUTH-77"
    assert "NL-TNM" not in str(asked.contract)
    with connect(database) as connection:
        subject = ours.shown().subject
        assert opened_contract(connection, subject, asked.contract or "") == "NL-TNM-C9"


@pytest.mark.parametrize(
    "reference", [f"ref-{UID.lower()}", "for NL-TNM-C9", "x" * 37, "", "a\nb", 7, "ü"]
)
async def test_a_reference_that_names_the_driver_or_is_none_is_not_kept(
    ours: Asking, reference: object
) -> None:
    token = {"uid": UID, "contract_id": "NL-TNM-C9"}
    ours.partner.data = {
        "allowed": "ALLOWED", "token": token, "authorization_reference": reference,
    }  # fmt: skip

    assert (await ours.ask()).reference is None


async def test_another_s_contract_is_not_taken_over(ours: Asking) -> None:
    ours.partner.data = {"allowed": "ALLOWED", "token": {"uid": "04FF", "contract_id": "C"}}

    assert (await ours.ask()).contract is None


async def test_a_token_is_asked_about_as_its_partner_spells_it(ours: Asking, database: str) -> None:
    ours.shown("04aabbcc")
    told = '{"uid":"04AaBbCc","type":"APP_USER"}'
    card = PartnerToken("04AaBbCc", "C1", True, Whitelist.NEVER, object=told)
    with connect(database) as connection:
        add_partner_tokens(connection, "NL-TNM", [card], at=NOW)

    await ours.ask("04aabbcc")

    (call,) = ours.partner.asked
    assert (call.path["token_uid"], call.query["type"]) == ("04AaBbCc", "APP_USER")


async def test_a_partner_that_does_not_answer_costs_its_time_out_and_no_more(ours: Asking) -> None:
    ours.partner.seconds = 5.0

    began = perf_counter()
    asked = await ours.ask(seconds=0.3)

    assert asked.answer is AskedAnswer.SILENT
    assert perf_counter() - began < 1.0


async def test_who_cannot_be_asked_is_not_silent(ours: Asking) -> None:
    assert ours.link is not None
    linked = ours.link
    found = []
    for link in (
        None,
        linked._replace(endpoints={}),
        linked._replace(state=LinkState.PAUSED),
        linked._replace(state=LinkState.REVOKED),
    ):
        ours.link = link
        found.append((await ours.ask()).answer)

    assert found == [AskedAnswer.NO_WAY] * 4
    assert ours.partner.asked == []


async def test_a_party_behind_a_hub_is_asked_through_it(ours: Asking) -> None:
    asked = await ours.asker.ask("FR-ONE", TERMS._replace(hub="NL-TNM"), ours.shown())

    # The hub of this test routes to nobody but itself, and says so.
    assert asked == AskedToken("FR-ONE", AskedAnswer.SILENT)


async def test_a_flood_of_one_token_is_one_question(ours: Asking) -> None:
    ours.partner.status, ours.partner.seconds = Status.UNKNOWN_TOKEN, 0.1

    first = await asyncio.gather(*(ours.ask() for _ in range(200)))
    later = await asyncio.gather(*(ours.ask(station=f"ST-{n}") for n in range(50)))

    assert {each.answer for each in (*first, *later)} == {AskedAnswer.UNKNOWN}
    assert len(ours.partner.asked) == 1


async def test_a_flood_of_tokens_that_nobody_knows_is_held_back(ours: Asking) -> None:
    ours.partner.status = Status.UNKNOWN_TOKEN
    shown = [ours.shown(f"04{n:06X}", f"ST-{n}") for n in range(300)]

    asked = await asyncio.gather(*(ours.asker.ask("NL-TNM", TERMS, each) for each in shown))

    assert {each.answer for each in asked} == {AskedAnswer.UNKNOWN, AskedAnswer.SILENT}
    assert len(ours.partner.asked) <= BURST + 10


async def test_a_permission_holds_for_the_start_that_follows_at_that_station(ours: Asking) -> None:
    await ours.ask()
    await ours.ask()
    await ours.ask(station="ST-2")

    assert len(ours.partner.asked) == 2


async def test_a_silent_partner_is_left_alone_and_slows_nobody_else(ours: Asking) -> None:
    ours.partner.seconds = 5.0
    for number in range(SILENCES):
        await ours.ask(f"04{number:02X}", seconds=0.15)

    began = perf_counter()
    answers = [await ours.ask(f"05{n:02X}", seconds=3.0) for n in range(20)]

    assert {each.answer for each in answers} == {AskedAnswer.SILENT}
    assert perf_counter() - began < 1.0
    assert len(ours.partner.asked) == SILENCES


async def test_of_partners_that_are_asked_at_once_the_one_that_allows_has_the_token(
    ours: Asking,
) -> None:
    found = await ours.asker.ask_each({"BE-ABC": TERMS, "NL-TNM": TERMS}, ours.shown())
    ours.partner.status = Status.UNKNOWN_TOKEN
    nobody = await ours.asker.ask_each({"BE-ABC": TERMS, "NL-TNM": TERMS}, ours.shown("04FF"))

    assert found == AskedToken("NL-TNM", AskedAnswer.ALLOWED)
    assert nobody is None


async def test_a_start_that_the_partner_commanded_is_its_permission(
    ours: Asking, database: str
) -> None:
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO partner_command (id, party, version, kind, station_id, subject,"
            " reference, request, sealed_for, asked_at, expires_at, next_at)"
            " VALUES (gen_random_uuid(), 'NL-TNM', '2.2.1', 'START_SESSION', 'ST-1', %s, 'AUTH-1',"
            " '', '', now(), now(), now())",
            (ours.shown().subject,),
        )

    here, there = await ours.ask(), await ours.ask(station="ST-2")

    assert here == AskedToken("NL-TNM", AskedAnswer.ALLOWED, reference="AUTH-1", is_commanded=True)
    assert not there.is_commanded
    assert len(ours.partner.asked) == 1


async def test_a_station_that_is_shown_cards_without_end_leaves_another_its_answers(
    ours: Asking,
) -> None:
    shown = [ours.shown(f"04{n:06X}", "ST-HOSTILE") for n in range(200)]

    flood = asyncio.gather(*(ours.asker.ask("NL-TNM", TERMS, each) for each in shown))
    other = await ours.ask(station="ST-2")
    silent = [each for each in await flood if each.answer is AskedAnswer.SILENT]

    assert other.answer is AskedAnswer.ALLOWED
    assert len(shown) - len(silent) <= STATION_BURST


@pytest.mark.parametrize(
    ("location", "answer"),
    [
        (None, AskedAnswer.ALLOWED),
        ("harbour", AskedAnswer.ALLOWED),
        ({"location_id": "harbour"}, AskedAnswer.ALLOWED),
        ({"location_id": "harbour", "evse_uids": []}, AskedAnswer.ALLOWED),
        ({"location_id": "harbour", "evse_uids": None}, AskedAnswer.ALLOWED),
        ({"location_id": "HARBOUR", "evse_uids": ["st-1*2"]}, AskedAnswer.ALLOWED),
        ({"location_id": "harbour", "evse_uids": ["DE*HBC*EST*1*2"]}, AskedAnswer.ALLOWED),
        ({"location_id": "harbour", "evse_uids": ["ST-2*1", "ST-1*1"]}, AskedAnswer.ALLOWED),
        ({"location_id": "harbour", "evse_uids": ["ST-2*1"]}, AskedAnswer.NOT_ALLOWED),
        ({"location_id": "harbour", "evse_uids": ["ST-11*1"]}, AskedAnswer.NOT_ALLOWED),
        ({"location_id": "harbour", "evse_uids": [7, None, {}]}, AskedAnswer.NOT_ALLOWED),
        ({"location_id": "elsewhere", "evse_uids": ["ST-2*1"]}, AskedAnswer.ALLOWED),
    ],
)
async def test_a_permission_for_other_evses_of_the_place_is_none_here(
    ours: Asking, location: object, answer: AskedAnswer
) -> None:
    ours.partner.data = {"allowed": "ALLOWED", "location": location}

    assert (await ours.ask()).answer is answer


@pytest.mark.parametrize(
    "body",
    [
        b'{"status_code": 1000, "data": {"allowed": "BLOCKED", "allowed": "ALLOWED"}}',
        b'{"status_code": 1000, "data": {"allowed": "BLOCKED"}, "data": {"allowed": "ALLOWED"}}',
        b'{"status_code": 2001, "data": {"allowed": "ALLOWED"}, "status_code": 1000}',
    ],
)
async def test_an_answer_that_says_two_things_says_nothing(ours: Asking, body: bytes) -> None:
    async with odd_partner(saying(raw_answer(body))) as partner:
        assert ours.link is not None
        ours.link = ours.link._replace(endpoints={SENDER: f"{partner.url}/tokens"})

        assert (await ours.ask()).answer is AskedAnswer.SILENT
