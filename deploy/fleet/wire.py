"""How a station reaches the server: over a WebSocket, or whatever else behaves like one."""

from __future__ import annotations

from typing import Final, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from deploy.errors import DeployError

OPEN_SECONDS_MAX: Final = 120.0
_TURNS: Final = 3


class StationRefusedError(DeployError):
    """The server does not take a station in, or never answers it."""

    def __init__(self, station_id: str, why: str) -> None:
        self.station_id, self.why = station_id, why
        super().__init__(f"{station_id} was refused: {why}")


class OpenWire(Protocol):
    """An open connection, as the package `ocpp` and a station use it."""

    async def recv(self) -> str | bytes:
        """Return the next frame; raises `ConnectionClosed` when there is no more."""

    async def send(self, message: str) -> None:
        """Send a frame."""

    async def close(self) -> None:
        """Close, and return once the other side has seen it."""

    async def hear_out(self) -> None:
        """Return once all that the server had to say by now has come."""


class Wire(Protocol):
    """Opens connections. `checks_frames`: whether stations hold frames against the schemas."""

    @property
    def checks_frames(self) -> bool:
        """Whether what a station says and hears is held against OCPP's schemas."""

    async def open(self, station_id: str, password: str, subprotocol: str) -> OpenWire:
        """Connect a station.

        Raises:
            StationRefusedError: If the server does not let it in.
        """


class OpenWebSocket:
    """A real WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def recv(self) -> str | bytes:
        """Return the next frame; raises `ConnectionClosed` when there is no more."""
        return await self._socket.recv()

    async def send(self, message: str) -> None:
        """Send a frame."""
        await self._socket.send(message)

    async def close(self) -> None:
        """Close, and return once the other side has seen it."""
        await self._socket.close()

    async def hear_out(self) -> None:
        """Return once all that the server had to say by now has come.

        A pong comes after what was sent before it, and what the server begins with an answer is
        sent within its loop's next turn: a ping that waits for the pong before it gives it that.
        """
        for _ in range(_TURNS):
            await (await self._socket.ping())


class WebSocketWire:
    """Real WebSockets to the server at an address (`ws://host:port`)."""

    def __init__(self, address: str, *, checks_frames: bool = True) -> None:
        self._address, self.checks_frames = address, checks_frames

    async def open(self, station_id: str, password: str, subprotocol: str) -> OpenWebSocket:
        """Connect a station.

        Raises:
            StationRefusedError: If the server does not let it in.
        """
        address = self._address.replace("://", f"://{station_id}:{password}@", 1)
        try:
            socket = await connect(
                f"{address}/{station_id}",
                subprotocols=[Subprotocol(subprotocol)],
                open_timeout=OPEN_SECONDS_MAX,
                ping_interval=None,
            )
        except InvalidStatus as error:
            raise StationRefusedError(station_id, str(error)) from error
        return OpenWebSocket(socket)
