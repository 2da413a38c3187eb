"""The WebSocket of a station: what it sends is read in pieces, so that all others have their turn.

The library reads what came in one go, and answers pings and puts fragments together there: a chunk
of 256 KiB may hold forty thousand frames of six bytes, and a station that sends them at line rate
had everybody else wait for as long as it did. Here each piece is followed by the loop's next turn,
and a connection whose frames come faster than any station's is read no faster than they may:

    a burst of 40 frames, a frame of 1 MiB, a queue that is flushed   -> taken at once
    100,000 pings or fragments in a second                            -> taken at 2,000 a second
    pings whose answers nobody reads                                  -> not read, until they are

TCP holds back the rest. Nothing is lost by it: what was not read was not answered.
Tests: tests/ingest/edge/connections/test_line_rate.py.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.protocol import Event

from ingest.directory import StationAccess
from ingest.rpc.codec import FRAME_MAX
from ingest.station_records import Registration

PIECE: Final = 4096
"""Bytes that are read before others have their turn: of the smallest frames some hundreds."""
FRAME_SECONDS: Final = 0.0005
"""How far apart the frames of one connection are read in the long run, fragments and pings too."""
BURST_SECONDS: Final = 40 * FRAME_SECONDS
"""How far ahead of that it may be."""
UNSENT_MAX: Final = 2 * FRAME_MAX
"""Bytes on their way to a station; beyond them nothing is read that would add to them."""
_LOOK_AGAIN_SECONDS: Final = 0.1


class StationSocket(ServerConnection):
    """A WebSocket that knows which station it was opened by; it is among *opened* while it lasts.

    The library's own list leaves out who has not asked for anything yet.
    """

    station: StationAccess | None = None
    registration = Registration.ACCEPTED

    def __init__(self, opened: set[StationSocket], *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - the library's
        super().__init__(*arguments, **named)
        self._opened = opened
        self._unread = bytearray()
        self._turn: asyncio.Handle | None = None
        # When the frames that were read would have come at the pace that is allowed.
        self._paced_to = 0.0

    @property
    def address(self) -> str:
        """Where it comes from, without the port."""
        return str((self.remote_address or ("",))[0])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._opened.add(self)
        super().connection_made(transport)
        # Whoever takes frames again has the next piece read first, and then the network.
        self.recv_messages.resume = self._resume

    def data_received(self, data: bytes) -> None:
        """Take what came, a piece at a time."""
        self._unread += data
        if self._turn is None:
            self._read_on()

    def process_event(self, event: Event) -> None:
        """Take one frame of any kind."""
        self._paced_to += FRAME_SECONDS
        super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and let go of what else only the garbage collector would find: it stops the loop.

        The library's closure for `agree` holds it, its protocol the parser that waits for more.
        """
        self._opened.discard(self)
        if self._turn is not None:
            self._turn.cancel()
        self.recv_messages.resume = _do_nothing
        super().connection_lost(exc)
        vars(self.protocol).pop("select_subprotocol", None)
        self.protocol.parser.close()
        if self.protocol.parser_exc is not None:
            self.protocol.parser_exc.with_traceback(None)

    def _resume(self) -> None:
        if self._turn is None:
            self._turn = self.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        self._read_on()

    def _read_on(self) -> None:
        """Read one piece; go on with the network once nothing is left and nobody has to wait."""
        transport = self.transport
        if self.recv_messages.paused or transport.is_closing():
            return
        now = self.loop.time()
        self._paced_to = max(self._paced_to, now)
        is_read = transport.get_write_buffer_size() <= UNSENT_MAX
        if self._unread and is_read:
            piece = bytes(self._unread[:PIECE])
            del self._unread[:PIECE]
            super().data_received(piece)
        wait = max(0.0, self._paced_to - now - BURST_SECONDS)
        if not is_read:
            wait = max(wait, _LOOK_AGAIN_SECONDS)
        if self._unread or wait:
            transport.pause_reading()
            self._turn = self.loop.call_later(wait, self._take_turn)
        elif not self.recv_messages.paused:
            transport.resume_reading()


def _do_nothing() -> None:
    """Stand in for what would read on, where there is nothing to read from."""
