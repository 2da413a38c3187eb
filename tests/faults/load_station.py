"""Stations that charge without end and, like real ones, send again what was not answered."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

CALL, RESULT = 2, 3
ANSWER_SECONDS_MAX = 10.0
PAUSE_SECONDS = 0.03
PROGRESS_FRAMES = 15
PROGRESS_SECONDS_MAX = 30.0
RETRY_SECONDS = 0.1
MINUTES = 10
BEGUN_BEFORE = timedelta(days=600)
"""What it says is of the past, told late, and never of the future however long it charges: each
session is 45 minutes on. What is told more than 730 days late would be held."""
FIRST_REGISTER_WH = 1000


class Exchange(NamedTuple):
    """A frame that was answered: from here on we may never lose it."""

    station: str
    frame: str
    reply: str


class Charged(NamedTuple):
    """A session as the station knows it."""

    station: str
    transaction: str
    energy_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a station is and what it speaks."""

    name: str
    password: str
    token_uid: str
    protocol: str

    async def connected(self, url: str) -> ClientConnection:
        """Return a new connection to the server at *url*."""
        key = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        return await connect(
            f"{url}/{self.name}",
            subprotocols=[Subprotocol(self.protocol)],
            additional_headers={"Authorization": f"Basic {key}"},
            proxy=None,
            close_timeout=1,
        )


class Charges(Protocol):
    """What takes part in the load."""

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until *stop*, and finish what was begun."""


class LoadStation:
    """One station; `acknowledged` and `charged` are what the system must not lose."""

    def __init__(self, identity: Identity, url: Callable[[], str], *, now: datetime) -> None:
        self._who, self._url = identity, url
        self._random = random.Random(identity.name)
        self._socket: ClientConnection | None = None
        self._at = now - BEGUN_BEFORE
        self._register_wh = FIRST_REGISTER_WH
        self.acknowledged: list[Exchange] = []
        self.charged: list[Charged] = []
        self.repeated = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Charge until *stop*; the last session is finished."""
        boot = {"chargePointVendor": "Load", "chargePointModel": "One"}
        if self._who.protocol == "ocpp1.6":
            await self._deliver("BootNotification", boot)
        try:
            while not stop.is_set():
                if self._who.protocol == "ocpp1.6":
                    await self._charge16()
                else:
                    await self._charge201()
        finally:
            if self._socket is not None:
                await self._socket.close()

    async def _charge16(self) -> None:
        start = {
            "connectorId": 1,
            "idTag": self._who.token_uid,
            "meterStart": self._register_wh,
            "timestamp": self._time(),
        }
        transaction = (await self._deliver("StartTransaction", start))["transactionId"]
        energy = 0
        for _ in range(3):
            energy += self._draw()
            sample = {"value": str(self._register_wh), "unit": "Wh"}
            values = [{"timestamp": self._time(), "sampledValue": [sample]}]
            await self._deliver(
                "MeterValues",
                {"connectorId": 1, "transactionId": transaction, "meterValue": values},
            )
        energy += self._draw()
        stop = {
            "transactionId": transaction,
            "meterStop": self._register_wh,
            "timestamp": self._time(),
            "reason": "Local",
        }
        await self._deliver("StopTransaction", stop)
        self._end(str(transaction), energy)

    async def _charge201(self) -> None:
        transaction = str(uuid.UUID(int=self._random.getrandbits(128)))
        energy = 0
        for number, event in enumerate(("Started", "Updated", "Updated", "Updated", "Ended")):
            energy += self._draw() if number else 0
            info: dict[str, Any] = {"transactionId": transaction, "chargingState": "Charging"}
            if event == "Ended":
                info |= {"chargingState": "Idle", "stoppedReason": "Local"}
            context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}
            sample = {
                "value": self._register_wh,
                "measurand": "Energy.Active.Import.Register",
                "context": context.get(event, "Sample.Periodic"),
                "unitOfMeasure": {"unit": "Wh"},
            }
            payload = {
                "eventType": event,
                "timestamp": self._time(),
                "triggerReason": "Authorized" if event == "Started" else "MeterValuePeriodic",
                "seqNo": number,
                "transactionInfo": info,
                "evse": {"id": 1, "connectorId": 1},
                "meterValue": [{"timestamp": self._time(), "sampledValue": [sample]}],
            }
            if event == "Started":
                payload["idToken"] = {"idToken": self._who.token_uid, "type": "ISO14443"}
            await self._deliver("TransactionEvent", payload)
        self._end(transaction, energy)

    def _end(self, transaction: str, energy_wh: int) -> None:
        self.charged.append(Charged(self._who.name, transaction, energy_wh))
        self._at += timedelta(minutes=5)

    def _draw(self) -> int:
        """Let some minutes pass in which the car charges; return the energy."""
        self._at += timedelta(minutes=MINUTES)
        energy = self._random.randint(100, 2000)
        self._register_wh += energy
        return energy

    def _time(self) -> str:
        return self._at.strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _deliver(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a call until it is answered; some repetitions have a new message id."""
        message_id = uuid.uuid4().hex
        while True:
            frame = json.dumps([CALL, message_id, action, payload])
            try:
                reply, answer = await self._ask(message_id, frame)
            except (OSError, TimeoutError, WebSocketException):
                await self._hang_up()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if answer[0] == RESULT:
                    self.acknowledged.append(Exchange(self._who.name, frame, reply))
                    await asyncio.sleep(PAUSE_SECONDS)
                    result: dict[str, Any] = answer[2]
                    return result
                await asyncio.sleep(RETRY_SECONDS)
            self.repeated += 1
            if self._random.random() < 0.5:
                message_id = uuid.uuid4().hex

    async def _ask(self, message_id: str, frame: str) -> tuple[str, list[Any]]:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            if self._socket is None:
                self._socket = await self._who.connected(self._url())
            await self._socket.send(frame)
            while True:
                reply = str(await self._socket.recv())
                answer = json.loads(reply)
                if answer[0] == CALL:
                    refusal = [4, answer[1], "NotImplemented", "", {}]
                    await self._socket.send(json.dumps(refusal))
                elif answer[1] == message_id:
                    return reply, answer

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()


@asynccontextmanager
async def under_load(fleet: Sequence[Charges]) -> AsyncIterator[None]:
    """Let the stations charge meanwhile, and finish their last session."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for station in fleet:
            tasks.create_task(station.run(stop))
        try:
            yield
        finally:
            stop.set()


async def progress(
    fleet: Sequence[LoadStation],
    frames: int = PROGRESS_FRAMES,
    *,
    seconds_max: float = PROGRESS_SECONDS_MAX,
) -> None:
    """Wait until that many more frames were answered: the system lives."""
    wanted = sum(len(station.acknowledged) for station in fleet) + frames
    async with asyncio.timeout(seconds_max):
        while sum(len(station.acknowledged) for station in fleet) < wanted:  # noqa: ASYNC110 - stations tell nobody
            await asyncio.sleep(0.02)


def stations(
    count: int, url: Callable[[], str], *, now: datetime | None = None
) -> list[LoadStation]:
    """Return *count* stations named as `master_data` declares them, of both protocols."""
    now = now or datetime.now(UTC)
    return [LoadStation(identity, url, now=now) for identity in identities(count)]


def identities(count: int) -> list[Identity]:
    return [
        Identity(
            name=f"LOAD-{n:02d}",
            password=f"load-password-{n:02d}",
            token_uid=f"CAFE{n:04d}",
            protocol="ocpp2.0.1" if n % 2 else "ocpp1.6",
        )
        for n in range(count)
    ]


def master_data(count: int) -> str:
    """Return the YAML that declares *count* stations, and a customer with a token for each."""
    own = identities(count)
    stations_text = "\n".join(
        f"  {each.name}: {{site: depot, password: {each.password}, connectors: 1,"
        " max_power_w: 22080}"
        for each in own
    )
    customers = "\n".join(f"  driver-{n}: {{name: Driver {n}}}" for n in range(count))
    tokens = "\n".join(
        f'  "{each.token_uid}": {{customer: driver-{n}}}' for n, each in enumerate(own)
    )
    return f"""
valid_from: 2020-01-01T00:00:00Z
legal_entities:
  depot-ltd: {{name: Depot Ltd, country: DE, time_zone: Europe/Berlin, invoice_prefix: DP,
    vat_id: DE123456788,
    address: {{street: Kai 1, postal_code: "20457", city: Hamburg, country: DE}}}}
sites:
  depot: {{name: Depot, time_zone: Europe/Berlin, country: DE, legal_entity: depot-ltd,
    currency: EUR}}
stations:
{stations_text}
customers:
{customers}
tokens:
{tokens}
tariff_assignments:
  - {{tariff: energy-only, site: depot}}
"""
