"""The product's edge without sockets: a month of frames goes through it in seconds.

The same `StationConnection` as behind a WebSocket takes the frames, answers and logs them. What is
left out is the network, and that each line waits for its own commit.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Close, CloseCode

from deploy.fleet.wire import StationRefusedError
from ingest.answers.answering import AnsweringParts
from ingest.answers.sequences import Sequences
from ingest.answers.transactions import TransactionIds
from ingest.clock import Clock
from ingest.directory import StationDirectory
from ingest.edge.connection import StationConnection
from ingest.edge.connection_epochs import Epochs
from ingest.edge.frame_counts import FrameCounts
from ingest.edge.server import DEFAULT_MANNERS, DIALECTS
from ingest.edge.session_pace import SessionPace
from ingest.persons.subjects import Subjects
from ledger.declared.identities import canonical
from ledger.log.event_log import LineWriter

_TURNS: Final = 20
"""More turns of the loop than a call of ours and its answer take."""
_GONE: Final = Close(CloseCode.NORMAL_CLOSURE, "")


class _End:
    """One end of a connection: what was sent to it, and None once the other end has closed."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()

    async def take(self) -> str:
        frame = await self._frames.get()
        if frame is None:
            self._frames.put_nowait(None)  # and so it stays
            raise ConnectionClosedOK(_GONE, _GONE, rcvd_then_sent=True)
        return frame

    def put(self, frame: str | None) -> None:
        self._frames.put_nowait(frame)


class _ServerSocket:
    """What a `StationConnection` uses of a WebSocket."""

    def __init__(self, ours: _End, theirs: _End) -> None:
        self._ours, self._theirs = ours, theirs

    async def recv(self, *, decode: bool) -> bytes:
        assert not decode
        return (await self._ours.take()).encode()

    async def send(self, message: bytes, *, text: bool) -> None:
        assert text
        self._theirs.put(message.decode())


class MemoryLine:
    """The station's end."""

    def __init__(self, ours: _End, theirs: _End) -> None:
        self._ours, self._theirs = ours, theirs
        self._serving: asyncio.Task[None] | None = None

    def serve(self, connection: StationConnection) -> None:
        """Let *connection* take what comes from this end."""
        self._serving = asyncio.create_task(connection.run())

    async def recv(self) -> str:
        """Return the next frame; raises `ConnectionClosed` when there is no more."""
        return await self._ours.take()

    async def send(self, message: str) -> None:
        """Send a frame."""
        self._theirs.put(message)

    async def close(self) -> None:
        """Close, and return once the log has the connection's end."""
        self._theirs.put(None)
        self._ours.put(None)
        assert self._serving is not None
        await self._serving

    async def hear_out(self) -> None:
        """Return once all that the server had to say by now has come."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)


class MemoryWire:
    """Opens connections to the product's edge in this process."""

    checks_frames = False

    def __init__(
        self,
        *,
        log: LineWriter,
        directory: StationDirectory,
        subjects: Subjects,
        ids: TransactionIds,
        epochs: Epochs,
        clock: Clock,
        heartbeat_seconds: int,
    ) -> None:
        self._log, self._directory, self._subjects = log, directory, subjects
        self._ids, self._epochs = ids, epochs
        self._clock, self._heartbeat_seconds = clock, heartbeat_seconds
        self._sequences: dict[str, Sequences] = {}

    async def open(self, station_id: str, password: str, subprotocol: str) -> MemoryLine:  # noqa: ARG002 - nobody asks for a password here
        """Connect a station.

        Raises:
            StationRefusedError: If nobody declared it.
        """
        access = await self._directory.station(canonical(station_id))
        if access is None:
            raise StationRefusedError(station_id, "it is not declared")
        ours, theirs = _End(), _End()
        line = MemoryLine(theirs, ours)
        connection = StationConnection(
            # It uses three methods of the class, which has no smaller type.
            cast("ServerConnection", _ServerSocket(ours, theirs)),
            epoch=await self._epochs.advance(access.station_id, subprotocol),
            dialect=DIALECTS[subprotocol],
            parts=AnsweringParts(
                station=access,
                directory=self._directory,
                subjects=self._subjects,
                ids=self._ids,
                clock=self._clock,
                sequences=self._sequences.setdefault(access.station_id, Sequences()),
                heartbeat_seconds=self._heartbeat_seconds,
            ),
            log=self._log,
            counts=FrameCounts(),
            pace=SessionPace(access.station_id, 0),  # its days pass in seconds
            close_seconds=DEFAULT_MANNERS.close_seconds,
        )
        line.serve(connection)
        return line
