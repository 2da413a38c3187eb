"""Commands of ours to a partner's stations: given over HTTP, the result kept from it alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from roaming_ocpi.client.answers import PartnerRefusedError
from roaming_ocpi.commands.requests import CommandKind
from roaming_ocpi.commands.sender import AskedCommand, CommandsSender, NoCommandsError
from roaming_ocpi.registration.link import Link
from roaming_ocpi.server.calls import Caller, Module
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.wire.ids import evse_uid, location_id, wire_session_id
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.commands.commanded import Commanding, commanding
from tests.roaming_ocpi.tokens.two_sides import OTHER, OURS, THEIRS, TNM, Side, link_to, served

RECEIVER = (ModuleId.COMMANDS, InterfaceRole.RECEIVER)
HERE = {"location_id": location_id("harbour"), "evse_uid": evse_uid("CP1", 1)}


class Giving:
    """Two of us: NL-TNM gives commands, DE-HBC has the stations."""

    def __init__(self, ours: Commanding, sender: CommandsSender, link: Link) -> None:
        self.ours, self.sender, self.link = ours, sender, link

    async def ended(self, id_: UUID) -> AskedCommand:
        async with asyncio.timeout(60):
            while True:
                found = await self.sender.read(id_)
                if found is not None and found.result is not None:
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def giving(database: str, version: OcpiVersion = OcpiVersion.V2_2_1) -> AsyncIterator[Giving]:
    senders: list[CommandsSender] = []

    def theirs(resources: Resources) -> list[Module]:
        senders.append(CommandsSender(resources.database, resources.client, resources.address))
        return [senders[0].commands(), senders[0].profiles()]

    async with commanding(database, version=version, theirs=theirs) as ours:
        endpoint = {RECEIVER: f"/ocpi/cpo/{version}/commands"}
        link = link_to(ours.side.address, endpoint, version=version, partner=OURS)
        yield Giving(ours, senders[0], link._replace(our_party=THEIRS))


@pytest.mark.parametrize("version", list(OcpiVersion))
async def test_a_driver_of_ours_is_started_and_stopped_at_a_partner_s_station(
    database: str, version: OcpiVersion
) -> None:
    async with giving(database, version) as two:
        start = HERE | {"token": two.ours.token()}
        started = await two.sender.ask(two.link, CommandKind.START_SESSION, start)
        two.ours.session()
        stop = {"session_id": wire_session_id("CP1/7/x")}
        stopped = await two.sender.ask(two.link, CommandKind.STOP_SESSION, stop)

        found = [await two.ended(started), await two.ended(stopped)]

    assert found == [
        AskedCommand(OURS, "START_SESSION", "ACCEPTED", "ACCEPTED"),
        AskedCommand(OURS, "STOP_SESSION", "ACCEPTED", "ACCEPTED"),
    ]


async def test_what_the_partner_does_not_do_is_known_at_once(database: str) -> None:
    async with giving(database) as two:
        stop = {"session_id": "none"}
        stopped = await two.sender.ask(two.link, CommandKind.STOP_SESSION, stop)
        with pytest.raises(PartnerRefusedError):
            await two.sender.ask(two.link, CommandKind.START_SESSION, {"location_id": "x"})
        with pytest.raises(NoCommandsError, match="offers no module for commands"):
            await two.sender.ask(two.link._replace(endpoints={}), CommandKind.STOP_SESSION, stop)

        assert await two.sender.read(stopped) == AskedCommand(
            OURS, "STOP_SESSION", "UNKNOWN_SESSION", None
        )
        assert await two.sender.read(uuid4()) is None


@pytest.fixture
async def side(database: str) -> AsyncIterator[tuple[Side, CommandsSender]]:
    senders: list[CommandsSender] = []

    def modules(resources: Resources) -> list[Module]:
        senders.append(CommandsSender(resources.database, resources.client, resources.address))
        return [senders[0].commands(), senders[0].profiles()]

    callers = {
        TNM: Caller(OURS, frozenset({OURS}), THEIRS),
        OTHER: Caller("BE-ABC", frozenset({"BE-ABC"}), THEIRS),
    }
    async with served(database, modules, callers=callers) as side:
        async with side.resources.database.connection() as connection:
            await connection.execute(
                "INSERT INTO asked_command (id, party, kind) VALUES (%s, %s, 'STOP_SESSION')",
                (ID, OURS),
            )
        yield side, senders[0]


ID = UUID("6c2f7a5e-6d1b-4f6e-9d0a-2b8f6f1f0c11")
PATH = f"/ocpi/emsp/2.2.1/commands/STOP_SESSION/{ID}"


async def test_a_result_counts_from_who_was_asked_and_once(
    side: tuple[Side, CommandsSender],
) -> None:
    served_side, sender = side
    others = await served_side.call("POST", PATH, {"result": "FAILED"}, token=OTHER)
    first = await served_side.call("POST", PATH, {"result": "EV_FLEW_AWAY"})
    again = await served_side.call("POST", PATH, {"result": "ACCEPTED"})

    assert others[:2] == (404, 2000)
    assert first[:2] == again[:2] == (200, 1000)
    found = await sender.read(ID)
    assert found is not None
    assert found.result == "EV_FLEW_AWAY", "a word that nobody knows survives"


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        (PATH, {}, (400, 2001)),
        (PATH, [], (400, 2001)),
        (PATH, {"result": 7}, (400, 2001)),
        (PATH, {"result": "x" * 41}, (400, 2001)),
        (PATH, {"result": "a b"}, (400, 2001)),
        (PATH[:-1] + "2", {"result": "ACCEPTED"}, (404, 2000)),
        (PATH[:-3], {"result": "ACCEPTED"}, (404, 2000)),
        (f"/ocpi/emsp/2.2.1/chargingprofiles/{ID}", None, (400, 2001)),
    ],
)
async def test_what_is_no_result_is_refused(
    side: tuple[Side, CommandsSender], path: str, body: object, answer: tuple[int, int]
) -> None:
    method = "PUT" if "chargingprofiles" in path else "POST"
    assert (await side[0].call(method, path, body))[:2] == answer
    found = await side[1].read(ID)
    assert found is not None
    assert found.result is None
