"""A 2.1 station and the program as people run it: its tariffs, its limit, and the same cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ingest.commands.schemas import check_command
from tests.deploy.running_wattledger import Wattledger

MASTER = """
valid_from: 2020-01-01T00:00:00Z
legal_entities:
  watt: {name: Watt GmbH, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976}
sites:
  harbour: {name: Harbour, time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}
stations:
  CS-001: {site: harbour, password: change-me-please-16, connectors: 2}
  CS-002: {site: harbour, password: change-me-please-16, connectors: 2}
customers:
  ada: {name: Ada}
tokens:
  04A1B2C3: {customer: ada}
tariff_assignments:
  - {tariff: day, site: harbour, max_cost: 20, max_time_s: 7200}
  - {tariff: stepped, station: CS-002}
policy: {tariffs_to_stations: true}
"""
TARIFF = """
tariff: day
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
"""
STEPPED = """
tariff: stepped
currency: EUR
vat: 19 %
elements:
  - energy: {price: 0.40 per kWh, step_size: 100 Wh}
"""


class Station21:
    """CS-001: sends events, and answers what it is asked."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self.asked: list[tuple[str, Any]] = []
        self._sent = 0

    async def listen(self) -> None:
        async for message in self._socket:
            kind, number, *rest = json.loads(message, parse_float=Decimal)
            if kind == 2:
                check_command("ocpp2.1", rest[0], json.dumps(rest[1], default=float))
                if rest[0] != "CostUpdated":
                    self.asked.append((rest[0], rest[1]))
                answer: Any = {"status": "Accepted"}
                if rest[0] == "ClearTariffs":
                    answer = {"clearTariffsResult": [{"status": "Accepted"}]}
                await self._socket.send(json.dumps([3, number, answer]))
            else:
                assert kind == 3, message
                await self._answers.put(rest[0])

    async def call(self, action: str, payload: object) -> Any:  # noqa: ANN401 - JSON
        self._sent += 1
        await self._socket.send(json.dumps([2, str(self._sent), action, payload]))
        return await asyncio.wait_for(self._answers.get(), 60)


@asynccontextmanager
async def station(address: str) -> AsyncIterator[Station21]:
    async with connect(
        f"{address}/CS-001",
        subprotocols=[Subprotocol("ocpp2.1")],
        additional_headers={"Authorization": "Basic Q1MtMDAxOmNoYW5nZS1tZS1wbGVhc2UtMTY="},
        proxy=None,
    ) as socket:
        found = Station21(socket)
        listening = asyncio.create_task(found.listen())
        yield found
        listening.cancel()


def event(kind: str, number: int, at: datetime, wh: int, **more: object) -> dict[str, Any]:
    sampled = {"value": wh, "unitOfMeasure": {"unit": "Wh"}}
    return {
        "eventType": kind, "timestamp": at.isoformat(), "triggerReason": "Trigger",
        "seqNo": number, "transactionInfo": {"transactionId": "T-1"}, "evse": {"id": 1},
        "idToken": {"idToken": "04A1B2C3", "type": "ISO14443"},
        "meterValue": [{"timestamp": at.isoformat(), "sampledValue": [sampled]}], **more,
    }  # fmt: skip


async def test_a_station_reckons_by_the_tariff_that_it_was_sent(tmp_path: Path) -> None:
    for name, text in {"master": MASTER, "day": TARIFF, "stepped": STEPPED}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    program = Wattledger(tmp_path / "data")
    for name in ("day", "stepped"):
        path, since = tmp_path / f"{name}.yaml", "2020-01-01T00:00:00Z"
        program.done("tariff", "publish", path, "--valid-from", since)
    program.done("apply", tmp_path / "master.yaml")
    with program.up() as (_, address):
        async with station(address) as cs:
            boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
            await cs.call("BootNotification", boot)
            ended_at = datetime.now(UTC)
            begun_at = ended_at - timedelta(hours=1)
            authorized = await cs.call(
                "Authorize", {"idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}}
            )
            started = await cs.call("TransactionEvent", event("Started", 0, begun_at, 1_000))
            [(action, default)] = cs.asked
            assert (action, default["tariff"]) == ("SetDefaultTariff", authorized["tariff"])
            assert started["transactionLimit"] == {"maxCost": 20, "maxTime": 7200}
            await asyncio.to_thread(program.until, "sessions")

            name = default["tariff"]["tariffId"]
            said = await asyncio.to_thread(_ask_about_tariffs, program, name)

            assert [action for action, _ in cs.asked[1:]] == [
                "SetDefaultTariff", "ChangeTransactionTariff", "GetTariffs", "ClearTariffs",
            ]  # fmt: skip
            assert cs.asked[1][1] == {"evseId": 2, "tariff": default["tariff"]}
            assert cs.asked[2][1] == {"transactionId": "T-1", "tariff": default["tariff"]}
            assert cs.asked[4][1] == {"tariffIds": [name]}
            assert "elements[0].ENERGY.step_size: lost: " in said

            price = default["tariff"]["energy"]["prices"][0]["priceKwh"]
            total = {"inclTax": float(10 * price * Decimal("1.19"))}
            cost = {
                "totalCost": {"currency": "EUR", "typeOfCost": "NormalCost", "total": total},
                "totalUsage": {"energy": 10, "chargingTime": 3600, "idleTime": 0},
            }
            ended = event("Ended", 1, ended_at, 11_000, costDetails=cost)
            await cs.call("TransactionEvent", ended)
            [invoice] = await asyncio.to_thread(program.until, "invoices")
    [session] = program.read("sessions")
    # It tells an hour within a second, and has just booted.
    assert session["state"] == "rated"
    assert "station_cost_differs" not in session["flags"]
    assert invoice["gross_minor"] == 476


def _ask_about_tariffs(program: Wattledger, name: str) -> str:
    """Send tariffs as people do; return why one is refused."""
    program.done("station", "tariff", "set", "CS-001", "--evse", 2)
    program.done("station", "tariff", "change", "CS-001", "--transaction", "T-1")
    program.done("station", "tariff", "get", "CS-001")
    program.done("station", "tariff", "clear", "CS-001", name)
    refused = program.run("station", "tariff", "set", "CS-002")
    assert refused.returncode == 1
    return refused.stderr
