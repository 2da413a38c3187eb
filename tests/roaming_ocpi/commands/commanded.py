"""We, with stations that are connected and modules that are served, and a partner that commands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.commands.asking import StationCommands
from ingest.commands.store import PostgresCommands
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.partner_calls import PartnerCalls
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect, connect_async
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.desk.apply import declare_all
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.stations import DeclaredConnector, Station
from ledger.partners.station_calls import StationCalls
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.commands.receiver import CommandsReceiver
from roaming_ocpi.commands.running import CommandParts, CommandRunner
from roaming_ocpi.registration.link import Link
from roaming_ocpi.server.calls import Module, OcpiRefusedError, PartnerCall, Reply, Route
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.versions import OcpiVersion
from tests.edge import open_edge
from tests.fakes import FixedClock, FixedDirectory
from tests.ingest.commands.called_fleet import charging_station
from tests.roaming_ocpi.tokens.two_sides import (
    AT_THEIRS,
    DECLARED_AT,
    TNM,
    Clock,
    Side,
    declare,
    link_to,
    served,
)

UID = "04AABBCC"
ACCEPTED = {"status": "Accepted"}
AGREED_TO = (
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "RequestStartTransaction",
    "RequestStopTransaction",
    "ReserveNow",
    "CancelReservation",
    "SetChargingProfile",
    "ClearChargingProfile",
)
ANSWERS = dict.fromkeys(AGREED_TO, ACCEPTED) | {
    "UnlockConnector": {"status": "Unlocked"},
    "GetCompositeSchedule": {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": "2026-03-02T12:00:00Z",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}],
        },
    },
}
SESSION = """
INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags, blockers,
    reasons, evse_id, connector_id, token_uid, started_at, ended_at, first_fact_at, last_fact_at,
    heard_at)
VALUES (%s, 0, %s, %s, %s, '{}', '{}', '{}', 1, 1, %s, %s, %s, now(), now(), now())
"""


class ResultsOfCommands:
    """A partner's eMSP: what is posted to it, and what it answers."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, Any]] = []
        self.refusal: OcpiRefusedError | None = None

    def module(self) -> Module:
        routes = [Route("POST", "/{command}/{id}", self.post, "A result.", has_body=True)]
        return Module(ModuleId.COMMANDS, InterfaceRole.SENDER, OurSide.EMSP, routes)

    async def post(self, call: PartnerCall) -> Reply:
        self.posted.append((call.path["command"], call.body))
        if self.refusal is not None:
            raise self.refusal
        return Reply()


UNREACHABLE = OcpiRefusedError("away", status=Status.SERVER_ERROR, http=503)


class Commanding:
    """What a test does: the partner commands, the station hears, the partner is told."""

    def __init__(
        self, database: str, side: Side, partner: Side, results: ResultsOfCommands
    ) -> None:
        self.database, self.side, self.partner, self.results = database, side, partner, results
        self.version = OcpiVersion.V2_2_1
        self.link: Link | None = None
        self.parts: CommandParts | None = None

    def response_url(self, command: str = "START_SESSION", number: int = 1) -> str:
        return f"{self.partner.address}/ocpi/emsp/{self.version}/commands/{command}/{number}"

    async def command(self, kind: str, body: Mapping[str, Any], *, token: str = TNM) -> Any:  # noqa: ANN401 - JSON
        """Give a command; return the data, or HTTP's and OCPI's status where there is none."""
        path = f"/ocpi/cpo/{self.version}/commands/{kind}"
        told = {"response_url": self.response_url(kind), **body}
        http, status, data = await self.side.call("POST", path, told, token=token)
        return data if http == 200 else (http, status)

    async def told(self, count: int = 1, seconds: float = 60) -> list[tuple[str, Any]]:
        """Return what the partner was told once it is so much."""
        async with asyncio.timeout(seconds):
            while len(self.results.posted) < count:  # noqa: ASYNC110 - posted by another process
                await asyncio.sleep(0.02)
        return self.results.posted

    def states(self) -> list[str]:
        with connect(self.database) as connection:
            rows = connection.execute("SELECT state FROM partner_command ORDER BY asked_at")
            return [state for (state,) in rows]

    def token(self, uid: str = UID, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        told = {
            "country_code": "NL", "party_id": "TNM", "uid": uid, "type": "APP_USER",
            "contract_id": "NL-TNM-C1", "issuer": "TNM", "valid": True, "whitelist": "NEVER",
            "last_updated": "2026-03-02T10:00:00Z",
        }  # fmt: skip
        if self.version is OcpiVersion.V2_1_1:
            told["auth_id"] = told.pop("contract_id")
            del told["country_code"], told["party_id"]
        return told | more

    def session(
        self, session_id: str = "CP1/7/x", *, party: str = "NL-TNM", uid: str = UID,
        ended_at: datetime | None = None,
    ) -> None:  # fmt: skip
        """Let a session run at CP1, EVSE 1, or have ended, with a token that *party* told."""
        card = PartnerToken(uid, "C1", True, Whitelist.ALWAYS)
        state = "open" if ended_at is None else "rated"
        with connect(self.database) as connection:
            add_partner_tokens(connection, party, [card], at=DECLARED_AT)
            holder = token_holder(uid)
            assert holder is not None
            (subject,) = find_or_make(connection, [holder]).values()
            begun = (ended_at or Clock().now()) - timedelta(hours=2)
            row = (session_id, "CP1", "7", state, subject.id, begun, ended_at)
            connection.execute(SESSION, row)


def declare_stations(database: str) -> None:
    """Declare the partners, and CP1 and CP2 with two EVSEs each, at the harbour."""
    declare(database)
    connectors = tuple(DeclaredConnector(evse_id=evse, connector_id=1) for evse in (1, 2))
    station = Station(site="harbour", connectors=connectors)
    with connect(database) as connection, PostgresEventLog(database) as log:
        changes = [
            Change(kind=Kind.STATION, key=key, entity=station, valid_from=BEGINNING)
            for key in ("CP1", "CP2")
        ]
        declare_all(connection, changes, log=log, by="a test", at=DECLARED_AT)


@asynccontextmanager
async def commanding(
    database: str,
    *,
    version: OcpiVersion = OcpiVersion.V2_2_1,
    answers: Mapping[str, Any] | None = None,
    protocol: str = "ocpp1.6",
    is_running: bool = True,
    theirs: Callable[[Resources], Sequence[Module]] | None = None,
) -> AsyncIterator[Commanding]:
    """Serve both sides; CP1 is connected, CP2 is not. *theirs*: what the partner serves."""
    declare_stations(database)
    results = ResultsOfCommands()
    async with AsyncExitStack() as exits:
        calls = await _calls(exits, database, {**ANSWERS, **(answers or {})}, protocol)
        book = TokenBook(database)
        exits.push_async_callback(book.close)

        def modules(resources: Resources) -> list[Module]:
            receiver = CommandsReceiver(resources, book, calls)
            return [receiver.commands(), receiver.profiles()]

        side = await exits.enter_async_context(served(database, modules))
        partner = await exits.enter_async_context(
            served(database, theirs or (lambda _: [results.module()]), callers=AT_THEIRS)
        )
        found = Commanding(database, side, partner, results)
        found.version = version
        found.link = link_to(partner.address, {}, version=version)
        client = HttpPartnerClient(
            allow_private=True, now=lambda: datetime.now(UTC), heard=lambda _: None
        )
        exits.push_async_callback(client.close)

        async def link_of(party: str) -> Link | None:
            return found.link if party == "NL-TNM" else None

        found.parts = CommandParts(side.resources.database, client, link_of, calls)
        if is_running:
            await exits.enter_async_context(running(found))
        yield found


@asynccontextmanager
async def running(ours: Commanding) -> AsyncIterator[CommandRunner]:
    """Run commands while the context lasts."""
    assert ours.parts is not None
    runner, stop = CommandRunner(ours.parts), asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
    try:
        yield runner
    finally:
        stop.set()
        await task


async def _calls(
    exits: AsyncExitStack, database: str, answers: Mapping[str, Any], protocol: str
) -> StationCalls:
    directory = FixedDirectory(dict.fromkeys(("CP1", "CP2"), "correct-horse-battery"))
    subjects = PostgresSubjects(lambda: connect_async(database))
    epochs = PostgresEpochs(lambda: connect_async(database))
    rows = PostgresCommands(lambda: connect_async(database))
    for each in (subjects, epochs, rows):
        exits.push_async_callback(each.close)
    edge = await exits.enter_async_context(
        open_edge(epochs=epochs, commands=rows, subjects=subjects, directory=directory)
    )
    commands = StationCommands(
        lambda: connect_async(database),
        directory=directory,
        subjects=subjects,
        clock=FixedClock(),
    )
    exits.push_async_callback(commands.close)
    following = asyncio.create_task(commands.follow())
    exits.callback(following.cancel)
    await charging_station(exits, edge, answers, protocol=protocol)
    return PartnerCalls(commands)


def heard(database: str) -> list[tuple[str, Any]]:
    """Return the calls that stations got, in order: the action and the payload as it was sent."""
    with connect(database) as connection:
        rows = connection.execute(
            "SELECT action, convert_from(frame, 'utf8')::jsonb ->> 'frame'"
            " FROM station_command ORDER BY asked_at"
        ).fetchall()
    return [(action, json.loads(frame)[3]) for action, frame in rows]
