"""A station for who has none at hand: it connects with OCPP 1.6, and charges when it is told to.

It is told to start, a car is there, so much flows as fast as it may; it stops when the car is full,
or when it is told to. `wattledger station simulate` runs it.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

_CALL, _RESULT = 2, 3
_ANSWER_SECONDS: Final = 30.0
_HOUR: Final = 3600


class StandInPlan(NamedTuple):
    """Who it is and what its cars draw: `power_w` until `energy_wh`, told every `every_s`."""

    station_id: str
    password: str
    power_w: Decimal
    energy_wh: Decimal
    every_s: Decimal = Decimal(2)


class StandInStation:
    """One connection of such a station; *said* hears what happens, in words."""

    def __init__(
        self, socket: ClientConnection, plan: StandInPlan, said: Callable[[str], None]
    ) -> None:
        self._socket, self._plan, self._said = socket, plan, said
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._sent, self._register_wh = 0, Decimal(0)
        self._stopped = asyncio.Event()
        self._charging: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Do as it is told until the connection ends."""
        listening = asyncio.create_task(self._listen())
        try:
            named = {"chargePointVendor": "Wattledger", "chargePointModel": "stand-in"}
            await self._call("BootNotification", named)
            await self._status("Available")
            self._said(f"{self._plan.station_id} is connected and waits to be told to start")
            await listening
        finally:
            listening.cancel()
            if self._charging is not None:
                self._charging.cancel()

    async def _listen(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self._socket:
                kind, message_id, *rest = json.loads(text)
                if kind == _CALL:
                    answer = self._obey(*rest[:2])
                    await self._socket.send(json.dumps([_RESULT, message_id, answer]))
                elif (waiting := self._answers.pop(message_id, None)) is not None:
                    waiting.set_result(rest[0] if kind == _RESULT else {})

    def _obey(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        is_busy = self._charging is not None and not self._charging.done()
        if action == "RemoteStartTransaction" and not is_busy:
            self._stopped.clear()
            self._charging = asyncio.create_task(self._charge(str(payload["idTag"])))
            return {"status": "Accepted"}
        if action == "RemoteStopTransaction" and is_busy:
            self._stopped.set()
            return {"status": "Accepted"}
        return {"status": "NotSupported" if action == "TriggerMessage" else "Rejected"}

    async def _charge(self, uid: str) -> None:
        await self._status("Preparing")
        start = {"connectorId": 1, "idTag": uid, "meterStart": int(self._register_wh)}
        begun = await self._call("StartTransaction", start | _now())
        status = begun.get("idTagInfo", {}).get("status")
        if status != "Accepted":
            self._said(f"the start is answered {status}")
            await self._status("Available")
            return
        number, full_wh = begun["transactionId"], self._register_wh + self._plan.energy_wh
        self._said(f"charging, transaction {number}")
        await self._status("Charging")
        step_wh = self._plan.power_w * self._plan.every_s / _HOUR
        while self._register_wh < full_wh and not self._stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), int(self._plan.every_s * 1000) / 1000)
            self._register_wh = min(self._register_wh + step_wh, full_wh)
            value = _now() | {
                "sampledValue": [{"value": str(int(self._register_wh)), "unit": "Wh"}]
            }
            told = {"connectorId": 1, "transactionId": number, "meterValue": [value]}
            await self._call("MeterValues", told)
        reason = "Remote" if self._stopped.is_set() else "EVDisconnected"
        stop = {"transactionId": number, "meterStop": int(self._register_wh), "reason": reason}
        await self._call("StopTransaction", stop | _now())
        self._said(f"stopped at {int(self._register_wh)} Wh ({reason})")
        await self._status("Available")

    async def _status(self, status: str) -> None:
        told = {"connectorId": 1, "errorCode": "NoError", "status": status}
        await self._call("StatusNotification", told | _now())

    async def _call(self, action: str, payload: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        self._sent += 1
        message_id = f"s{self._sent}"
        answer = asyncio.get_running_loop().create_future()
        self._answers[message_id] = answer
        await self._socket.send(json.dumps([_CALL, message_id, action, payload]))
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await answer


async def stand_in(url: str, plan: StandInPlan, said: Callable[[str], None]) -> None:
    """Be a station at *url* (ws://HOST:PORT) until the connection ends.

    Raises:
        OSError, websockets.exceptions.InvalidHandshake: If it cannot connect.
    """
    secret = base64.b64encode(f"{plan.station_id}:{plan.password}".encode()).decode()
    async with connect(
        f"{url.rstrip('/')}/{plan.station_id}",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": f"Basic {secret}"},
        proxy=None,
    ) as socket:
        await StandInStation(socket, plan, said).run()


def _now() -> dict[str, str]:
    return {"timestamp": datetime.now(UTC).isoformat()}
