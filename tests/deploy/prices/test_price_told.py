"""A person starts a station remotely, sees the price change, stops it and is billed that price."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.deploy.running_wattledger import Wattledger

PASSWORD = "change-me-please-16"
MASTER = """
valid_from: 2020-01-01T00:00:00Z
policy: {prices_told: running, price_every_s: 1}
legal_entities:
  watt: {name: Watt GmbH, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976}
sites:
  harbour: {name: Harbour, time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}
stations:
  CS-16: {site: harbour, password: change-me-please-16, connectors: 1, price_messages: true}
  CS-201: {site: harbour, password: change-me-please-16, connectors: 1}
  CS-21: {site: harbour, password: change-me-please-16, connectors: 1}
customers:
  ada: {name: Ada, invoicing: per_session}
tokens:
  04A1B2C3: {customer: ada}
tariff_assignments:
  - {tariff: day, site: harbour}
"""
TARIFF = """
tariff: day
currency: EUR
vat: 19 %
elements:
  - energy: 40.00 per kWh
"""
# 0.04 EUR a Wh and 19 % on it: a test lasts seconds, and no plug brings a kWh in one.
PRICES = {10: Decimal("0.48"), 50: Decimal("2.38"), 99: Decimal("4.71")}


@pytest.fixture
def wattledger(tmp_path: Path) -> Wattledger:
    found = Wattledger(tmp_path / "data")
    # A slow machine shows what the answer to the end tells, too.
    found.environment["WATTLEDGER_PRICE_WAIT_MS"] = "5000"
    return found


@dataclass
class Driven:
    """A station that does as it is told: what it was asked and shown, and its own calls."""

    socket: ClientConnection
    protocol: str
    start: Any = None
    stop: Any = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    tariff: str = ""
    shown: list[Decimal] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    sent: int = 0

    @property
    def is_old(self) -> bool:
        return self.protocol == "ocpp1.6"

    async def listen(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.socket:
                message = json.loads(text, parse_float=Decimal)
                if message[0] == 2:
                    await self.socket.send(json.dumps([3, message[1], self.obey(*message[2:])]))
                else:
                    assert message[0] == 3, message
                    self.answers[message[1]] = message[2]

    def obey(self, action: str, payload: Any) -> Any:  # noqa: ANN401 - any JSON
        match action:
            case "RemoteStartTransaction" | "RequestStartTransaction":
                self.start = payload
                self.started.set()
            case "RemoteStopTransaction" | "RequestStopTransaction":
                self.stop = payload
                self.stopped.set()
            case "CostUpdated":
                self.shown.append(payload["totalCost"])
                return {}
            case "DataTransfer":
                assert payload["vendorId"] == "org.openchargealliance.costmsg"
                data = json.loads(payload["data"], parse_float=Decimal)
                if payload["messageId"] == "SetUserPrice":
                    self.tariff = data["priceText"]
                else:
                    self.shown.append(data["cost"])
            case _:
                raise AssertionError(action)
        return {"status": "Accepted"}

    async def call(self, action: str, payload: Any) -> Any:  # noqa: ANN401 - any JSON
        self.sent += 1
        message_id = f"m{self.sent}"
        await self.socket.send(json.dumps([2, message_id, action, payload]))
        await until(lambda: message_id in self.answers)
        return self.answers[message_id]

    async def charge(self, transaction: str, at: datetime) -> str:
        """Begin, as asked; return the transaction's id."""
        moment = at.isoformat()
        if self.is_old:
            begun = {"connectorId": 1, "meterStart": 0, "timestamp": moment}
            found = await self.call("StartTransaction", {**begun, "idTag": self.start["idTag"]})
            return str(found["transactionId"])
        await self.event("Started", transaction, 0, 0, at)
        return transaction

    async def event(
        self, kind: str, transaction: str, number: int, energy_wh: int, at: datetime
    ) -> Any:  # noqa: ANN401 - any JSON
        sample = {"value": energy_wh, "measurand": "Energy.Active.Import.Register"}
        more: dict[str, Any] = {}
        if kind == "Started":
            more = {"evse": {"id": 1, "connectorId": 1}, "idToken": self.start["idToken"]}
        return await self.call(
            "TransactionEvent",
            {
                "eventType": kind,
                "timestamp": at.isoformat(),
                "triggerReason": "RemoteStart",
                "seqNo": number,
                "transactionInfo": {"transactionId": transaction, "chargingState": "Charging"},
                "meterValue": [{"timestamp": at.isoformat(), "sampledValue": [sample]}],
                **more,
            },
        )

    async def meter(self, transaction: str, number: int, energy_wh: int, at: datetime) -> None:
        if not self.is_old:
            await self.event("Updated", transaction, number, energy_wh, at)
            return
        sample = {"value": str(energy_wh), "measurand": "Energy.Active.Import.Register"}
        values = [{"timestamp": at.isoformat(), "sampledValue": [sample]}]
        payload = {"connectorId": 1, "transactionId": int(transaction), "meterValue": values}
        await self.call("MeterValues", payload)

    async def end(self, transaction: str, number: int, energy_wh: int, at: datetime) -> Any:  # noqa: ANN401 - any JSON
        if not self.is_old:
            return await self.event("Ended", transaction, number, energy_wh, at)
        stop = {"transactionId": int(transaction), "meterStop": energy_wh}
        return await self.call("StopTransaction", {**stop, "timestamp": at.isoformat()})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)


@asynccontextmanager
async def driven(address: str, name: str, protocol: str) -> AsyncIterator[Driven]:
    secret = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    async with connect(
        f"{address}/{name}",
        subprotocols=[Subprotocol(protocol)],
        additional_headers={"Authorization": f"Basic {secret}"},
        proxy=None,
    ) as socket:
        station = Driven(socket, protocol)
        listening = asyncio.create_task(station.listen())
        yield station
        await socket.close()
        await listening


@pytest.mark.timeout(240)
async def test_the_price_on_the_display_is_that_of_the_invoice(
    wattledger: Wattledger, tmp_path: Path
) -> None:
    (tmp_path / "master.yaml").write_text(MASTER)
    (tmp_path / "day.yaml").write_text(TARIFF)
    with wattledger.up() as (_, address):
        wattledger.done("tariff", "publish", tmp_path / "day.yaml", "--valid-from", "2020-01-01")
        wattledger.done("apply", tmp_path / "master.yaml")
        for name, protocol in (
            ("CS-16", "ocpp1.6"),
            ("CS-201", "ocpp2.0.1"),
            ("CS-21", "ocpp2.1"),
        ):
            async with driven(address, name, protocol) as station:
                await charged(wattledger, station, name)
        await until_invoiced(wattledger, 3)
    listed = wattledger.read("sessions")
    checked = wattledger.done("replay", "--check")

    invoices = wattledger.read("invoices")
    assert [each["gross_minor"] for each in invoices] == [471, 471, 471]
    assert [each["told_gross"] for each in listed] == ["4.71", "4.71", "4.71"]
    assert [each["flags"] for each in listed if "price_told_differs" in each["flags"]] == []
    assert ", 0 differ" in checked


async def charged(wattledger: Wattledger, station: Driven, name: str) -> None:
    """Start by command, charge, see the price change, stop by command, see the last price."""
    token = "04A1B2C3"
    await asyncio.to_thread(
        wattledger.done, "station", "start", name, "--token", token, "--evse", "1"
    )
    await asyncio.wait_for(station.started.wait(), 60)
    began = datetime.now(UTC).replace(microsecond=0)
    transaction = await station.charge(f"tx-{name}", began)
    (first, one), (second, two), (last, three) = PRICES.items()
    await station.meter(transaction, 1, first, began + timedelta(seconds=1))
    await until(lambda: one in station.shown)
    await asyncio.sleep(1)  # not told more often than once a second
    await station.meter(transaction, 2, second, began + timedelta(seconds=2))
    await until(lambda: two in station.shown)

    await asyncio.to_thread(wattledger.done, "station", "stop", name, "--transaction", transaction)
    await asyncio.wait_for(station.stopped.wait(), 60)
    answer = await station.end(transaction, 3, last, began + timedelta(seconds=3))

    if station.is_old:
        await until(lambda: three in station.shown)
        told = station.shown
        assert "40.00 EUR/kWh" in station.tariff
    else:
        told = [*station.shown, answer["totalCost"]]
    # What it costs as it starts, 0.00, is told where the first reading does not come before that.
    assert [each for each in told if each] == [one, two, three]


async def until_invoiced(wattledger: Wattledger, count: int) -> None:
    async with asyncio.timeout(60):
        while len(await asyncio.to_thread(wattledger.read, "invoices")) < count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.5)
