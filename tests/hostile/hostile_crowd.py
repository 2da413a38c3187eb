"""Hostile stations over real sockets beside a good one, and how long that one waits for answers."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.hostile.hostile_frames import HostileFrames
from tests.hostile.hostile_parts import seed_of

CROWD: Final = 32
GOOD: Final = "GOOD"
GOOD_TOKEN: Final = "GOODCARD"
SESSION_WH: Final = 100
"""What each session of the good station draws."""
_IN_PIECES_MAX: Final = 200
_MASTER_DATA: Final = """
valid_from: 2026-01-01T00:00:00Z
legal_entities:
  acme: {name: Acme Charging, country: DE, time_zone: Europe/Berlin, invoice_prefix: AC,
    vat_id: DE136695976}
sites:
  depot: {time_zone: Europe/Berlin, country: DE, legal_entity: acme, currency: EUR}
customers:
  driver: {name: A Driver}
tokens:
  GOODCARD: {customer: driver}
tariff_assignments:
  - {tariff: energy-only, site: depot}
stations:
"""


def crowd(part: int) -> dict[str, str]:
    """Return the hostile stations of *part* with their protocols.

    Each part has its own: a million frames of 32 stations would ask how long one station may go on
    with transactions that it never ends, which is another question.
    """
    protocols = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
    return {f"BAD-{part}-{number}": protocols[number % 3] for number in range(CROWD)}


def master_data(part: int) -> str:
    """Return the YAML that declares the good station and the hostile ones of *part*."""
    return _MASTER_DATA + "".join(
        f"  {name}: {{site: depot, password: depot-secret-1, connectors: 1, max_power_w: 22080}}\n"
        for name in (GOOD, *crowd(part))
    )


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def opened(address: str, station: str, protocol: str, **options: Any) -> connect:  # noqa: ANN401 - handed on
    secret = base64.b64encode(f"{station}:depot-secret-1".encode()).decode()
    return connect(
        f"{address}/{station}",
        subprotocols=[Subprotocol(protocol)],
        additional_headers={"Authorization": f"Basic {secret}"},
        open_timeout=60,
        ping_interval=None,
        **options,
    )


async def send_hostile(
    address: str, part: int, frames: int, *, told: Callable[[], None] = lambda: None
) -> None:
    """Let the hostile stations of *part* together send *frames*; *told* is called before each."""
    each, stations = frames // CROWD, enumerate(crowd(part).items())
    assert each * CROWD == frames, "each sends as many"
    await asyncio.gather(
        *(_be_hostile(address, who, seed_of(part) + n, each, told) for n, who in stations)
    )


async def _be_hostile(
    address: str, who: tuple[str, str], seed: int, frames: int, told: Callable[[], None]
) -> None:
    """Send *frames*, plain, compressed or in fragments; come again whenever thrown out."""
    chance, (station, protocol) = random.Random(seed), who
    source, left = HostileFrames(seed, protocol, now=now), frames
    while left > 0:
        compression = chance.choice([None, "deflate"])
        with suppress(ConnectionClosed, OSError):
            async with opened(address, station, protocol, compression=compression) as socket:
                hearing = asyncio.create_task(_hear(socket))
                while left > 0:
                    left -= 1
                    told()
                    frame = source.frame()
                    pieces = [frame[at : at + 7] for at in range(0, len(frame), 7)]
                    in_pieces = chance.random() < 0.05 and len(pieces) < _IN_PIECES_MAX
                    await socket.send(pieces if in_pieces else frame, text=chance.random() < 0.95)
                    if left % 50 == 0:
                        await (await socket.ping())
                hearing.cancel()


async def _hear(socket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass


class GoodStation:
    """Charges again and again on one connection; `answers_s` are the times of its answers."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.answers_s: list[float] = []
        self.sessions = 0

    @asynccontextmanager
    async def charging(self) -> AsyncIterator[None]:
        """Let it charge meanwhile; its last session is finished."""
        stop = asyncio.Event()
        charging = asyncio.create_task(self._charge(stop))
        try:
            yield
        finally:
            stop.set()
            await charging

    async def _charge(self, stop: asyncio.Event) -> None:
        async with opened(self._address, GOOD, "ocpp1.6") as socket:
            while not stop.is_set():
                register = self.sessions * SESSION_WH
                started = {"connectorId": 1, "idTag": GOOD_TOKEN, "meterStart": register}
                answer = await self._ask(socket, "StartTransaction", started)
                ended = {
                    "transactionId": answer["transactionId"],
                    "meterStop": register + SESSION_WH,
                }
                await self._ask(socket, "StopTransaction", ended)
                self.sessions += 1
                await asyncio.sleep(0.05)

    async def _ask(self, socket: ClientConnection, action: str, said: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        began = time.monotonic()
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        call = [2, f"{self.sessions}-{action}", action, said | {"timestamp": moment}]
        await socket.send(json.dumps(call))
        answer = json.loads(await socket.recv())
        self.answers_s.append(time.monotonic() - began)
        return answer[2]
