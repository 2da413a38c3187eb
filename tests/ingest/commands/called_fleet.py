"""Two processes that serve stations and a third one that asks for calls to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from ingest.commands.asking import Patience, StationCommands
from ingest.commands.outcome import CommandOutcome
from ingest.commands.store import PostgresCommands
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.station_records import PostgresStationRecords
from ledger.database import connect_async
from ledger.log.envelope import Frame
from tests.edge import CALL, Edge, Station, open_edge
from tests.fakes import FixedDirectory

SOFT = '{"type":"Soft"}'
OWN = "own"
"""The message id of what a station says by itself."""
ACCEPTED = {"status": "Accepted"}
Answers = Mapping[str, Any]


class Fleet:
    """Two processes that serve stations, and a third one that asks."""

    def __init__(self, edges: list[Edge], commands: StationCommands) -> None:
        self.edges, self.commands = edges, commands

    async def ask(
        self,
        action: str,
        payload: str = "{}",
        station: str = "CP1",
        **patience: Any,  # noqa: ANN401 - any of them
    ) -> CommandOutcome:
        patience = {"wait": 60, "answer": 60} | patience
        return await self.commands.ask(
            station, action, payload, by="ann", patience=Patience(**patience)
        )

    def frames(self) -> list[Frame]:
        """Return our calls as the logs have them."""
        return [e for edge in self.edges for e in edge.frames() if e.direction == "out"]


async def an_edge(exits: AsyncExitStack, database: str, directory: FixedDirectory) -> Edge:
    def connected() -> Any:  # noqa: ANN401 - psycopg's own type
        return connect_async(database)

    epochs, commands = PostgresEpochs(connected), PostgresCommands(connected)
    records = PostgresStationRecords(connected)
    for each in (epochs, commands, records):
        exits.push_async_callback(each.close)
    return await exits.enter_async_context(
        open_edge(epochs=epochs, commands=commands, records=records, directory=directory)
    )


async def answer(station: Station, answers: Answers) -> None:
    """Be a station that answers each call with what *answers* have for its action."""
    with suppress(ConnectionClosed):
        while True:
            kind, message_id, *rest = await station.receive()
            if kind != CALL:
                assert message_id == OWN
                station.own.put_nowait(rest)
                continue
            station.asked.append(rest)
            found = answers[rest[0]]
            if isinstance(found, str):
                await station.socket.send(found.replace("ID", message_id), text=True)
            elif found is not None:
                await station.socket.send(json.dumps([3, message_id, found]), text=True)


async def says(station: Station, action: str, payload: Mapping[str, Any]) -> None:
    """Have a station say something, and wait until it is answered; its calls go on meanwhile."""
    await station.socket.send(json.dumps([CALL, OWN, action, payload]), text=True)
    async with asyncio.timeout(60):
        await station.own.get()


async def charging_station(
    exits: AsyncExitStack,
    edge: Edge,
    answers: Answers,
    name: str = "CP1",
    protocol: str = "ocpp1.6",
) -> Station:
    station = await exits.enter_async_context(edge.station(name, protocol=protocol))
    await station.call("Heartbeat", {})
    answering = asyncio.create_task(answer(station, answers))
    exits.callback(answering.cancel)
    return station
