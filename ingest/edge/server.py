"""The server that charging stations connect to: who may, and which connection is the newest."""

from __future__ import annotations

import asyncio
import http
import logging
import ssl
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import psycopg
from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ingest.answers import ocpp16, ocpp201
from ingest.answers.answering import AnsweringParts, Dialect
from ingest.answers.sequences import Sequences
from ingest.answers.transactions import TransactionIds
from ingest.clock import Clock
from ingest.directory import StationAccess, StationDirectory
from ingest.edge.connection import StationConnection, hang_up
from ingest.edge.connection_epochs import Epochs
from ingest.edge.security import (
    Credentials,
    Gate,
    TooManyFailuresError,
    TooManyWaitingError,
    basic_credentials,
)
from ingest.errors import IngestError
from ingest.persons.subjects import Subjects
from ingest.rpc import codec
from ledger.declared.identities import canonical
from ledger.log.event_log import LineWriter, LogError

DIALECTS: Final[Mapping[str, Dialect]] = {
    dialect.subprotocol: dialect for dialect in (ocpp201.DIALECT, ocpp16.DIALECT)
}
"""Newest first: that is the order of preference. OCPP 2.1 will be one more."""

# A compressor or decompressor that outlives its message costs up to 300 KiB a connection; starting
# afresh with each message costs a little ratio and leaves an idle connection small.
_DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    compress_settings={"memLevel": 5},
)
_IDENTITY_MAX: Final = 255
_LOGGER = logging.getLogger(__name__)
# The library writes every frame at debug level, with whoever stands in it.
_SOCKETS_LOGGER = logging.getLogger(f"{__name__}.sockets")
_SOCKETS_LOGGER.setLevel(logging.INFO)


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
    for three heartbeats (field notes, quirk 35).
    """

    heartbeat_seconds: int = 300
    ping_seconds: float = 45.0
    silence_seconds: float | None = None
    open_seconds: float = 30.0
    close_seconds: float = 5.0

    @property
    def patience_seconds(self) -> float:
        """How long a silent station is waited for."""
        if self.silence_seconds is not None:
            return self.silence_seconds
        return max(3.0 * self.heartbeat_seconds, 3.0 * self.ping_seconds)


DEFAULT_MANNERS: Final = Manners()


class StationSocket(ServerConnection):
    """A WebSocket that knows which station it was opened by; it is among *opened* while it lasts.

    The library's own list leaves out who has not asked for anything yet.
    """

    station: StationAccess | None = None

    def __init__(self, opened: set[StationSocket], *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*arguments, **named)
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._opened.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._opened.discard(self)
        super().connection_lost(exc)


class Server:
    """A running server; `close` stops it."""

    def __init__(
        self,
        *,
        log: LineWriter,
        directory: StationDirectory,
        subjects: Subjects,
        ids: TransactionIds,
        epochs: Epochs,
        clock: Clock,
        manners: Manners,
    ) -> None:
        self._log, self._directory, self._subjects, self._ids = log, directory, subjects, ids
        self._epochs, self._clock, self._manners = epochs, clock, manners
        self._gate = Gate(time.monotonic)
        self._newest: dict[str, StationConnection] = {}
        self._sequences: dict[str, Sequences] = {}
        self._listening: list[WebSocketServer] = []
        self._opened: set[StationSocket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that the listeners got, in their order."""
        return tuple(each.sockets[0].getsockname()[1] for each in self._listening)

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

    async def listen(self, listeners: Sequence[Listener]) -> None:
        """Open *listeners* and begin to keep connections alive."""
        for listener in listeners:
            self._listening.append(await self._listen(listener))
        self._start(self._keep_alive())
        self._start(self._epochs.follow(self._overtake))

    async def _listen(self, listener: Listener) -> WebSocketServer:
        return await serve_websockets(
            self._handle,
            listener.host,
            listener.port,
            ssl=listener.tls,
            process_request=self._admit,
            subprotocols=[Subprotocol(name) for name in DIALECTS],
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
        )

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Check who asks, before the upgrade; None lets the handshake go on."""
        assert isinstance(socket, StationSocket)
        headers = request.headers.get_all("Authorization")
        credentials = basic_credentials(headers[0]) if len(headers) == 1 else None
        if credentials is None:
            return self._refuse(socket, http.HTTPStatus.UNAUTHORIZED)
        try:
            station = await self._claimed_station(request.path, credentials)
        except psycopg.Error as error:
            _LOGGER.warning("nobody can be let in: %s", error)
            return self._refuse(socket, http.HTTPStatus.SERVICE_UNAVAILABLE)
        address = str((socket.remote_address or ("",))[0])
        try:
            if not await self._gate.admits(station, credentials, address=address):
                return self._refuse(socket, http.HTTPStatus.UNAUTHORIZED)
        except TooManyWaitingError:
            return self._refuse(socket, http.HTTPStatus.SERVICE_UNAVAILABLE)
        except TooManyFailuresError as error:
            response = self._refuse(socket, http.HTTPStatus.TOO_MANY_REQUESTS)
            response.headers["Retry-After"] = str(int(error.seconds) + 1)
            return response
        assert station is not None
        socket.station = station
        return None

    async def _claimed_station(self, path: str, credentials: Credentials) -> StationAccess | None:
        """Return the station of *path*, unless the user name is another's."""
        identity = identity_of(path)
        if not identity or canonical(credentials.identity) != identity:
            return None
        return await self._directory.station(identity)

    def _refuse(self, socket: ServerConnection, status: http.HTTPStatus) -> Response:
        response = socket.respond(status, f"{status.phrase}\n")
        if status is http.HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="OCPP", charset="UTF-8"'
        return response

    async def _handle(self, socket: ServerConnection) -> None:
        """Serve one authenticated connection until it ends."""
        assert isinstance(socket, StationSocket)
        assert socket.station is not None
        assert socket.subprotocol is not None
        station = socket.station
        try:
            connection = StationConnection(
                socket,
                epoch=await self._epochs.advance(station.station_id),
                dialect=DIALECTS[socket.subprotocol],
                parts=self._parts(station),
                log=self._log,
                close_seconds=self._manners.close_seconds,
            )
            if self._enter(connection):
                await self._run(connection)
        except (IngestError, LogError, psycopg.Error) as error:
            # Not answered, so the station keeps what it has to say and comes again.
            _LOGGER.warning("station %s is sent away: %s", station.station_id, error)
            seconds = self._manners.close_seconds
            await hang_up(socket, CloseCode.TRY_AGAIN_LATER, "", seconds=seconds)

    async def _run(self, connection: StationConnection) -> None:
        try:
            await connection.run()
        finally:
            if self._newest.get(connection.station_id) is connection:
                del self._newest[connection.station_id]

    def _enter(self, connection: StationConnection) -> bool:
        """Make *connection* its station's newest and fence the one before; False if it is older."""
        before = self._newest.get(connection.station_id)
        # Two handshakes at once may come here in the other order than their epochs.
        if before is not None and before.epoch > connection.epoch:
            return False
        self._newest[connection.station_id] = connection
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

    def _parts(self, station: StationAccess) -> AnsweringParts:
        return AnsweringParts(
            station=station,
            directory=self._directory,
            subjects=self._subjects,
            ids=self._ids,
            clock=self._clock,
            sequences=self._sequences.setdefault(station.station_id, Sequences()),
            heartbeat_seconds=self._manners.heartbeat_seconds,
        )

    async def _keep_alive(self) -> None:
        """Ping everyone; close who neither sent anything nor answered a ping for too long."""
        while True:
            await asyncio.sleep(self._manners.ping_seconds)
            await self._catch_up()
            for connection in tuple(self._newest.values()):
                if connection.silent_for() > self._manners.patience_seconds:
                    self._start(connection.close("silent", code=CloseCode.GOING_AWAY))
                else:
                    connection.ping()
                    # Frames get their turn between the pings of thousands.
                    await asyncio.sleep(0)

    async def _catch_up(self) -> None:
        """Fence what was overtaken while nobody told us."""
        try:
            newest = await self._epochs.newest(tuple(self._newest))
        except psycopg.Error as error:
            _LOGGER.warning("newer connections are not known: %s", error)
            return
        for station_id, epoch in newest.items():
            self._overtake(station_id, epoch)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def serve(
    *,
    log: LineWriter,
    directory: StationDirectory,
    subjects: Subjects,
    ids: TransactionIds,
    epochs: Epochs,
    clock: Clock,
    listeners: Sequence[Listener],
    manners: Manners = DEFAULT_MANNERS,
) -> Server:
    """Start to serve stations and return the running server."""
    server = Server(
        log=log,
        directory=directory,
        subjects=subjects,
        ids=ids,
        epochs=epochs,
        clock=clock,
        manners=manners,
    )
    await server.listen(listeners)
    return server


def identity_of(path: str) -> str:
    """Return the station's identity in a request's path: the last segment, canonical."""
    segment = path.partition("?")[0].rstrip("/").rpartition("/")[2]
    identity = canonical(unquote(segment))
    return identity if len(identity) <= _IDENTITY_MAX else ""
