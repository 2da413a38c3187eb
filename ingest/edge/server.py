"""The server that charging stations connect to: who may, and which connection is the newest."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import psycopg
from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from ingest.answers import ocpp16, ocpp21, ocpp201
from ingest.answers.answering import AnsweringParts, Dialect
from ingest.answers.schedules import VehicleSchedules
from ingest.answers.sequences import Sequences
from ingest.answers.transactions import TransactionIds
from ingest.clock import Clock
from ingest.commands.dispatching import Dispatcher
from ingest.commands.store import Commands
from ingest.directory import StationAccess, StationDirectory
from ingest.edge.admissions import SAVE_SECONDS, Admissions, Reason
from ingest.edge.closing import hang_up
from ingest.edge.connection import StationConnection
from ingest.edge.connection_epochs import Epochs
from ingest.edge.door import Door
from ingest.edge.frame_counts import FrameCounts
from ingest.edge.gate import Gate
from ingest.edge.session_pace import SessionPace
from ingest.edge.station_socket import StationSocket
from ingest.errors import IngestError
from ingest.persons.subjects import Subjects
from ingest.prices.price import Prices, Stops
from ingest.receipts import Receipts
from ingest.rpc import codec
from ingest.station_records import NO_RECORDS, Registration, StationRecords
from ledger.log.event_log import LineWriter, LogError

DIALECTS: Final[Mapping[str, Dialect]] = {
    each.subprotocol: each for each in (ocpp21.DIALECT, ocpp201.DIALECT, ocpp16.DIALECT)
}

# A compressor or decompressor that outlives its message costs up to 300 KiB a connection; starting
# afresh with each message costs a little ratio and leaves an idle connection small.
_DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    compress_settings={"memLevel": 5},
)
SILENT_SECONDS: Final = 1.0
"""So long a connection that says nothing leaves its station's living one in its place."""
BACKLOG: Final = 4096
"""Connections that may wait to be accepted: a whole fleet comes back at the same moment."""
_LOGGER = logging.getLogger(__name__)
# The library writes every frame at debug level, with whoever stands in it, and two lines without a
# name for each connection: the log of a fleet that comes back.
_SOCKETS_LOGGER = logging.getLogger(f"{__name__}.sockets")
_SOCKETS_LOGGER.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where to listen; with `tls` (see `security.tls_context`) it is `wss`, else `ws`."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How the server keeps in touch, in seconds of real time (the heartbeat: of the clock).

    `silence_seconds` closes a connection on which nothing came, neither frame nor pong; None stands
    for three heartbeats (field notes, quirk 35). So long at most waits the answer to the end of a
    transaction for its price: `price_seconds`. Of one station `sessions_a_minute` may begin in the
    long run (0: any number): `session_pace`.
    """

    heartbeat_seconds: int = 300
    ping_seconds: float = 45.0
    silence_seconds: float | None = None
    open_seconds: float = 30.0
    close_seconds: float = 5.0
    price_seconds: float = 0.3
    sessions_a_minute: float = 30.0

    @property
    def patience_seconds(self) -> float:
        """How long a silent station is waited for."""
        if self.silence_seconds is not None:
            return self.silence_seconds
        return max(3.0 * self.heartbeat_seconds, 3.0 * self.ping_seconds)


DEFAULT_MANNERS: Final = Manners()


class Server:
    """A running server; `close` stops it."""

    def __init__(  # noqa: PLR0913 - every part of a server, by its name
        self,
        *,
        log: LineWriter,
        directory: StationDirectory,
        subjects: Subjects,
        ids: TransactionIds,
        epochs: Epochs,
        clock: Clock,
        manners: Manners,
        admissions: Admissions,
        commands: Commands,
        records: StationRecords,
        prices: Prices | None,
        stops: Stops | None,
        receipts: Receipts | None,
    ) -> None:
        self._prices, self._stops, self._receipts = prices, stops, receipts
        self._log, self._directory, self._subjects, self._ids = log, directory, subjects, ids
        self._epochs, self._clock, self._manners = epochs, clock, manners
        self._admissions, self.counts = admissions, FrameCounts()
        self._records, gate = records, Gate(time.monotonic, admissions.known)
        self._door = Door(directory, gate, admissions, records)
        self._newest: dict[str, StationConnection] = {}
        self._dispatcher = Dispatcher(commands, self._newest)
        self._sequences: dict[str, Sequences] = {}
        self._vehicles: dict[str, VehicleSchedules] = {}
        self._paces: dict[str, SessionPace] = {}
        self._listening: list[WebSocketServer] = []
        self._opened: set[StationSocket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that the listeners got, in their order."""
        return tuple(each.sockets[0].getsockname()[1] for each in self._listening)

    @property
    def refused(self) -> Mapping[Reason, int]:
        """How many connections were refused since the start, by reason."""
        return self._admissions.counts

    @property
    def connections(self) -> Mapping[str, StationConnection]:
        """The newest connection of each connected station."""
        return self._newest

    async def close(self) -> None:
        """Close the listeners and all connections; return when every handler has finished.

        Who did not take part within `Manners.close_seconds` is hung up on.
        """
        for task in self._tasks:
            task.cancel()
        for each in self._newest.values():
            each.closing_reason = "server stopped"
        for listening in self._listening:
            listening.close()
        closed = [asyncio.create_task(each.wait_closed()) for each in self._listening]
        if closed:
            await asyncio.wait(closed, timeout=self._manners.close_seconds)
            for socket in tuple(self._opened):
                socket.transport.abort()
        await asyncio.gather(*closed)
        await self._dispatcher.close()
        await self._admissions.save()

    async def listen(self, listeners: Sequence[Listener]) -> None:
        """Open *listeners* and begin to keep connections alive."""
        await self._admissions.load()
        for listener in listeners:
            self._listening.append(await self._listen(listener))
        self._start(self._keep_alive())
        self._start(self._epochs.follow(self._overtake))
        self._start(self._save_admissions())
        self._start(self._dispatcher.run())

    async def _listen(self, listener: Listener) -> WebSocketServer:
        return await serve_websockets(
            self._handle,
            listener.host,
            listener.port,
            ssl=listener.tls,
            process_request=self._door.admit,
            subprotocols=[Subprotocol(name) for name in DIALECTS],
            select_subprotocol=self._door.agree,
            extensions=[_DEFLATE],
            compression=None,
            create_connection=partial(StationSocket, self._opened),  # type: ignore[arg-type]  # it is only called
            server_header=None,
            open_timeout=self._manners.open_seconds,
            close_timeout=self._manners.close_seconds,
            # Ours in `_keep_alive`: an unanswered ping alone closes nobody (quirk 35).
            ping_interval=None,
            max_size=codec.FRAME_MAX,
            logger=_SOCKETS_LOGGER,
            backlog=BACKLOG,
        )

    async def _handle(self, socket: ServerConnection) -> None:
        """Serve one authenticated connection until it ends."""
        assert isinstance(socket, StationSocket)
        assert socket.station is not None
        assert socket.subprotocol is not None
        station, dialect = socket.station, DIALECTS[socket.subprotocol.lower()]
        try:
            first = await self._first_word(socket)
        except ConnectionClosed:
            return
        try:
            connection = StationConnection(
                socket,
                epoch=await self._epochs.advance(station.station_id, dialect.subprotocol),
                dialect=dialect,
                parts=self._parts(station, socket.registration),
                log=self._log,
                counts=self.counts,
                pace=self._pace(station.station_id),
                close_seconds=self._manners.close_seconds,
            )
            if self._enter(connection):
                await self._run(connection, first)
        except (IngestError, LogError, psycopg.Error) as error:
            # Not answered, so the station keeps what it has to say and comes again.
            _LOGGER.warning("station %s is sent away: %s", station.station_id, error)
            seconds = self._manners.close_seconds
            await hang_up(socket, CloseCode.TRY_AGAIN_LATER, "", seconds=seconds)

    async def _first_word(self, socket: StationSocket) -> bytes | None:
        """Return what a connection says first beside a living one of its station, if it does soon.

        Raises:
            ConnectionClosed: If it ends without a word: then it takes nobody's place.
        """
        assert socket.station is not None
        living = self._newest.get(socket.station.station_id)
        if living is None or living.is_fenced or living.has_hung_up:
            return None
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                return await socket.recv(decode=False)
        except TimeoutError:
            return None

    async def _run(self, connection: StationConnection, first: bytes | None) -> None:
        self._dispatcher.begin(connection)
        try:
            await connection.run(first)
        finally:
            connection.readiness.end()
            if self._newest.get(connection.station_id) is connection:
                del self._newest[connection.station_id]
                if self._pace(connection.station_id).is_at_rest:
                    del self._paces[connection.station_id]
                self._start(self._leave(connection))

    async def _leave(self, connection: StationConnection) -> None:
        """Let everybody see that a station is gone; whoever asks meanwhile is told too late."""
        with suppress(psycopg.Error):
            await self._epochs.leave(connection.station_id, connection.epoch)

    def _enter(self, connection: StationConnection) -> bool:
        """Make *connection* its station's newest and fence the one before; False if it is older."""
        before = self._newest.get(connection.station_id)
        # Two handshakes at once may come here in the other order than their epochs.
        if before is not None and before.epoch > connection.epoch:
            return False
        self._newest[connection.station_id] = connection
        self.counts.opened[connection.protocol] += 1
        if before is not None:
            self._fence(before)
        return True

    def _overtake(self, station_id: str, epoch: int) -> None:
        """Fence our connection of a station if *epoch* says that it has a newer one elsewhere."""
        connection = self._newest.get(station_id)
        if connection is not None and connection.epoch < epoch:
            self._fence(connection)

    def _fence(self, connection: StationConnection) -> None:
        if connection.is_fenced:
            return
        connection.is_fenced = True
        _LOGGER.warning("station %s connected again", connection.station_id)
        self._start(connection.close("replaced", code=CloseCode.POLICY_VIOLATION))

    def _pace(self, station_id: str) -> SessionPace:
        pace = self._paces.get(station_id)
        if pace is None:
            pace = SessionPace(station_id, self._manners.sessions_a_minute)
            self._paces[station_id] = pace
        return pace

    def _parts(self, station: StationAccess, registration: Registration) -> AnsweringParts:
        return AnsweringParts(
            station=station,
            directory=self._directory,
            subjects=self._subjects,
            ids=self._ids,
            clock=self._clock,
            sequences=self._sequences.setdefault(station.station_id, Sequences()),
            vehicles=self._vehicles.setdefault(station.station_id, VehicleSchedules()),
            heartbeat_seconds=self._manners.heartbeat_seconds,
            records=self._records,
            registration=registration,
            prices=self._prices,
            price_seconds=self._manners.price_seconds,
            stops=self._stops,
            receipts=self._receipts,
        )

    async def _keep_alive(self) -> None:
        """Ping everyone; close who neither sent anything nor answered a ping for too long."""
        while True:
            await asyncio.sleep(self._manners.ping_seconds)
            # Beside the pings: a database that does not answer must not hold them up.
            self._start(self._catch_up())
            for connection in tuple(self._newest.values()):
                if connection.silent_for() > self._manners.patience_seconds:
                    self._start(connection.close("silent", code=CloseCode.GOING_AWAY))
                else:
                    connection.ping()
                    # Frames get their turn between the pings of thousands.
                    await asyncio.sleep(0)

    async def _save_admissions(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            await self._admissions.save()

    async def _catch_up(self) -> None:
        """Fence what was overtaken unheard; it is given up when the next look begins."""
        try:
            async with asyncio.timeout(self._manners.ping_seconds):
                newest = await self._epochs.newest(tuple(self._newest))
        except (psycopg.Error, TimeoutError) as error:
            why = str(error) or "the database does not answer"
            _LOGGER.warning("newer connections are not known: %s", why)
            return
        for station_id, epoch in newest.items():
            self._overtake(station_id, epoch)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def serve(  # noqa: PLR0913 - every part of a server, by its name
    *,
    log: LineWriter,
    directory: StationDirectory,
    subjects: Subjects,
    ids: TransactionIds,
    epochs: Epochs,
    clock: Clock,
    listeners: Sequence[Listener],
    admissions: Admissions,
    commands: Commands,
    manners: Manners = DEFAULT_MANNERS,
    records: StationRecords = NO_RECORDS,
    prices: Prices | None = None,
    stops: Stops | None = None,
    receipts: Receipts | None = None,
) -> Server:
    """Start to serve stations and return the running server.

    Without *prices* none are told, without *stops* no limit of a session stops it,
    without *receipts* no payment gets a receipt of ours.
    """
    server = Server(
        log=log,
        directory=directory,
        subjects=subjects,
        ids=ids,
        epochs=epochs,
        clock=clock,
        manners=manners,
        admissions=admissions,
        commands=commands,
        records=records,
        prices=prices,
        stops=stops,
        receipts=receipts,
    )
    await server.listen(listeners)
    return server
