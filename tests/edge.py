"""A server on a free port with fakes behind it, and a station's end of the wire."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ingest.answers.transactions import TransactionIds
from ingest.commands.store import Commands
from ingest.directory import StationDirectory
from ingest.edge.admissions import Admissions
from ingest.edge.connection_epochs import Epochs
from ingest.edge.known_keys import KnownKeys
from ingest.edge.server import DEFAULT_MANNERS, Listener, Manners, Server, serve
from ingest.persons.subjects import Subjects
from ingest.prices.price import Prices, Stops
from ingest.receipts import Receipts
from ingest.station_records import NO_RECORDS, StationRecords
from ledger.log.envelope import Connection, Frame
from ledger.log.event_log import LineWriter
from tests.at_the_edge import NamedSubjects, original
from tests.fakes import (
    FixedClock,
    FixedDirectory,
    MemoryAdmissions,
    MemoryEpochs,
    MemoryIds,
    MemoryLog,
    NoCommands,
)
from tests.tree import VECTORS

FRAMES = VECTORS / "ocpp-frames" / "issue_frames.jsonl"
CALL = 2
PASSWORD = "correct-horse-battery"
SECRET = bytes(32)


@dataclass
class Edge:
    """A running server and what stands behind it."""

    server: Server
    log: MemoryLog
    directory: FixedDirectory
    clock: FixedClock
    admissions: MemoryAdmissions

    def station(
        self,
        name: str = "CP1",
        *,
        protocol: str | None = "ocpp1.6",
        password: str | bytes = PASSWORD,
        user: str | None = None,
        **options: Any,  # noqa: ANN401 - handed on to websockets
    ) -> AbstractAsyncContextManager[Station]:
        """Open a connection as a station would."""
        return _station(self, name, protocol, password, user or name, options)

    def frames(self) -> list[Frame]:
        """Return the logged frames as they came."""
        return [original(line) for line in self.log.lines() if isinstance(line, Frame)]

    def connections(self) -> list[Connection]:
        """Return the logged connection changes."""
        return [line for line in self.log.lines() if isinstance(line, Connection)]


@dataclass
class Station:
    """A station's end of the wire."""

    socket: ClientConnection
    sent: int = 0
    asked: list[Any] = field(default_factory=list)
    own: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    """What it was answered, where somebody else reads its end of the wire."""

    async def send(self, text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
        """Send *text* as it is and return the answer; calls to the station are set aside."""
        await self.socket.send(text, text=True)
        while (message := await self.receive())[0] == CALL:
            self.asked.append(message)
        return message

    async def receive(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the next message."""
        return json.loads(await self.socket.recv())

    async def call(self, action: str, payload: Any, *, message_id: Any = None) -> Any:  # noqa: ANN401 - any JSON
        """Send a call and return the payload of its result."""
        self.sent += 1
        asked = f"m{self.sent}" if message_id is None else message_id
        kind, answered, *rest = await self.send(json.dumps([2, asked, action, payload]))
        assert [kind, answered] == [3, asked], rest
        return rest[0]


@asynccontextmanager
async def open_edge(  # noqa: PLR0913 - every part of a server, by its name
    *,
    log: LineWriter | None = None,
    ids: TransactionIds | None = None,
    epochs: Epochs | None = None,
    directory: StationDirectory | None = None,
    subjects: Subjects | None = None,
    manners: Manners = DEFAULT_MANNERS,
    admissions: MemoryAdmissions | None = None,
    commands: Commands | None = None,
    records: StationRecords = NO_RECORDS,
    prices: Prices | None = None,
    stops: Stops | None = None,
    receipts: Receipts | None = None,
    listeners: Sequence[Listener] = (Listener(),),
) -> AsyncIterator[Edge]:
    """Serve stations CP1, CP2 and CP3 while the context lasts."""
    log = log or MemoryLog()
    directory = directory or FixedDirectory(dict.fromkeys(("CP1", "CP2", "CP3"), PASSWORD))
    clock, admissions = FixedClock(), admissions or MemoryAdmissions()
    server = await serve(
        log=log,
        directory=directory,
        subjects=subjects or NamedSubjects(),
        ids=ids or MemoryIds(),
        epochs=epochs or MemoryEpochs(),
        clock=clock,
        listeners=listeners,
        manners=manners,
        admissions=Admissions(admissions, KnownKeys(SECRET), clock),
        commands=commands or NoCommands(),
        records=records,
        prices=prices,
        stops=stops,
        receipts=receipts,
    )
    try:
        yield Edge(server, log, directory, clock, admissions)  # type: ignore[arg-type]  # reading it back is for the fake only
    finally:
        await server.close()


@asynccontextmanager
async def _station(
    edge: Edge,
    name: str,
    protocol: str | None,
    password: str | bytes,
    user: str,
    options: dict[str, Any],
) -> AsyncIterator[Station]:
    key = password.encode() if isinstance(password, str) else password
    token = base64.b64encode(user.encode() + b":" + key).decode()
    async with connect(
        f"ws://127.0.0.1:{edge.server.ports[0]}/ocpp/{name}",
        subprotocols=None if protocol is None else [Subprotocol(protocol)],
        additional_headers={"Authorization": f"Basic {token}"},
        proxy=None,
        **options,
    ) as socket:
        yield Station(socket)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds, for at most a minute."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the server under test has no event for each thing
            await asyncio.sleep(0.01)


def issue_frames(issue: str) -> list[str]:
    """Return the frames quoted in a public issue, or skip the test."""
    if not FRAMES.exists():
        pytest.skip("the frames from public issues are not beside this repository")
    for line in FRAMES.read_text("utf-8").splitlines():
        entry = json.loads(line)
        if entry["source"].endswith(issue):
            frames: list[str] = entry["frames"]
            return frames
    raise AssertionError(issue)
