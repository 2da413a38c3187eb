"""The example app, run: against the program as it is served, and a station that obeys."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.deploy.running.examples.interface_process import interface
from tests.deploy.running.examples.test_interface_examples import MASTER, TARIFF
from tests.deploy.running_wattledger import Wattledger
from tests.tree import ROOT

WH_A_SECOND = 2_000
SCOPES = ("read", "command", "tariffs", "books", "documents")


class ObedientStation:
    """CS-001, OCPP 1.6: starts and stops when it is told, and draws 2 kWh a second between."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._transaction: int | None = None
        self._register = 1_000
        self._tasks: set[asyncio.Task[None]] = set()

    async def obey(self) -> None:
        async for message in self._socket:
            kind, message_id, *rest = json.loads(message)
            if kind == 3:
                self._answers.pop(message_id).set_result(rest[0])
                continue
            await self._socket.send(json.dumps([3, message_id, {"status": "Accepted"}]))
            action, payload = rest
            if action == "RemoteStartTransaction":
                self._begin(self._charge(payload["idTag"]))
            elif action == "RemoteStopTransaction":
                assert payload["transactionId"] == self._transaction
                self._begin(self._stop())

    def _begin(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.create_task(work)
        self._tasks.add(task)

    async def _call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        message_id = f"{action}-{self._register}-{len(self._answers)}"
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps([2, message_id, action, payload]))
        answered: dict[str, Any] = await answer
        return answered

    async def _charge(self, driver: str) -> None:
        start = {"connectorId": 1, "idTag": driver, "meterStart": 1_000, "timestamp": now()}
        answer = await self._call("StartTransaction", start)
        self._transaction = answer["transactionId"]
        while self._transaction is not None:
            await asyncio.sleep(1)
            if self._transaction is None:
                return
            self._register += WH_A_SECOND
            value = {"measurand": "Energy.Active.Import.Register", "value": str(self._register)}
            values = [{"timestamp": now(), "sampledValue": [value]}]
            reading = {"connectorId": 1, "transactionId": self._transaction, "meterValue": values}
            await self._call("MeterValues", reading)

    async def _stop(self) -> None:
        number, self._transaction = self._transaction, None
        stop = {"transactionId": number, "meterStop": self._register, "timestamp": now()}
        await self._call("StopTransaction", stop)


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def serve_station(address: str, ready: asyncio.Event) -> None:
    async with connect(
        f"{address}/CS-001",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": "Basic Q1MtMDAxOmNoYW5nZS1tZS1wbGVhc2UtMTY="},
        proxy=None,
    ) as socket:
        boot = {"chargePointVendor": "Volt", "chargePointModel": "V1"}
        await socket.send(json.dumps([2, "boot", "BootNotification", boot]))
        assert json.loads(await socket.recv())[0] == 3
        ready.set()
        with suppress(ConnectionClosed):
            await ObedientStation(socket).obey()


async def test_a_driver_sees_the_price_charges_and_gets_the_receipt(tmp_path: Path) -> None:
    (tmp_path / "master.yaml").write_text(
        MASTER.replace("connectors: 2", "connectors: 2, max_power_w: 30000000")
    )
    (tmp_path / "day.yaml").write_text(TARIFF)
    wattledger = Wattledger(tmp_path / "data")
    since = "2020-01-01T00:00:00Z"
    wattledger.done("tariff", "publish", tmp_path / "day.yaml", "--valid-from", since)
    wattledger.done("apply", tmp_path / "master.yaml")
    token = wattledger.read("access", "add", "app", "--scope", *SCOPES)["token"]
    receipt = tmp_path / "receipt.pdf"
    with wattledger.up() as (_, address), interface(wattledger) as url:
        ready = asyncio.Event()
        station = asyncio.create_task(serve_station(address, ready))
        await ready.wait()
        command = [sys.executable, str(ROOT / "examples/app/app.py"), url, token, "CS-001"]
        more = ["04A1B2C3", "--stop-at", "2.00", "--receipt", str(receipt)]
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
            env={**wattledger.environment, "PYTHONPATH": str(ROOT)},
        )
        station.cancel()
        sessions = wattledger.read("sessions")

    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "ENERGY: 10 kWh x 0.40 EUR/kWh" in said
    assert "start: {'status': 'Accepted'}" in said
    assert "stop: {'status': 'Accepted'}" in said
    assert receipt.read_bytes().startswith(b"%PDF")
    [session] = sessions
    final = f"{session['cost']['gross_minor'] / 100:.2f} EUR"
    assert f"rated: {session['energy_wh']} Wh, {final}" in said
    assert len((ROOT / "examples/app/app.py").read_text().splitlines()) <= 80
