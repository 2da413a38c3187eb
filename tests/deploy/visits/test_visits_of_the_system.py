"""The system as it runs: a driver opens a visit over HTTP, agrees, charges, pays, and reads why."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from deploy.demo.provider.server import FakeStripe
from tests.deploy.running_wattledger import Wattledger
from tests.deploy.visits.driven_station import DrivenStation
from tests.edge import Station

PASSWORD = "change-me-please-16"
MASTER = """
valid_from: 2020-01-01T00:00:00Z
policy: {visits: true, visit_kwh: 1, visit_hours: 1, visit_hold_max: 12}
legal_entities:
  watt: {name: Watt GmbH, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976, address: {street: Hafen 1, postal_code: '20457', city: Hamburg}}
sites:
  harbour: {name: Harbour, time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}
stations:
  CS-16: {site: harbour, password: change-me-please-16, connectors: 1}
tariff_assignments:
  - {tariff: day, site: harbour}
"""
# 0.04 EUR a Wh and 19 % on it: a test lasts seconds, and no plug brings a kWh in one.
TARIFF = """
tariff: day
currency: EUR
vat: 19 %
elements:
  - energy: 40.00 per kWh
"""
SECONDS = 40


@asynccontextmanager
async def plugged(address: str) -> AsyncIterator[DrivenStation]:
    secret = base64.b64encode(f"CS-16:{PASSWORD}".encode()).decode()
    async with connect(
        f"{address}/CS-16",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": f"Basic {secret}"},
        proxy=None,
    ) as socket:
        driven = DrivenStation(Station(socket))
        listening = asyncio.create_task(driven.listen())
        await driven.call("BootNotification", {"chargePointVendor": "x", "chargePointModel": "y"})
        yield driven
        listening.cancel()


class Driver:
    """A driver with a telephone: what it asks the system, and what it is told."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.told: dict[str, Any] = {}

    async def open(self) -> httpx.Response:
        answer = await self.client.post("/visits", json={"station": "CS-16", "evse": 1})
        if answer.is_success:
            self.told = answer.json()
        return answer

    async def look(self, secret: str | None = None) -> httpx.Response:
        headers = {"Visit-Secret": secret or self.told["secret"]}
        return await self.client.get(f"/visits/{self.told['visit']}", headers=headers)

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the visit as the driver sees it, once that is so."""
        async with asyncio.timeout(SECONDS):
            while True:
                seen: dict[str, Any] = (await self.look()).json()
                if holds(seen):
                    return seen
                await asyncio.sleep(0.2)


def stamp() -> str:
    return datetime.now(UTC).isoformat()


async def charge(driven: DrivenStation, wh: int) -> None:
    """Begin with the token that the station was told, and charge until it is told to stop."""
    async with asyncio.timeout(SECONDS):
        while not driven.asked:  # noqa: ASYNC110 - it comes over a socket
            await asyncio.sleep(0.05)
    begun = await driven.call(
        "StartTransaction",
        {"connectorId": 1, "idTag": driven.uid(), "meterStart": 0, "timestamp": stamp()},
    )
    assert begun["idTagInfo"]["status"] == "Accepted"
    number, flowed = begun["transactionId"], 0
    async with asyncio.timeout(SECONDS):
        while not any(action == "RemoteStopTransaction" for action, _ in driven.asked):
            flowed = min(flowed + 50, wh)
            value = {"timestamp": stamp(), "sampledValue": [{"value": str(flowed), "unit": "Wh"}]}
            told = {"transactionId": number, "connectorId": 1, "meterValue": [value]}
            await driven.call("MeterValues", told)
            await asyncio.sleep(0.5)
    stop = {"transactionId": number, "meterStop": flowed, "timestamp": stamp()}
    await driven.call("StopTransaction", stop)


@pytest.mark.timeout(240)
async def test_a_driver_pays_by_telephone_and_is_stopped_in_time(tmp_path: Path) -> None:
    wattledger = Wattledger(tmp_path / "data")
    (tmp_path / "master.yaml").write_text(MASTER)
    (tmp_path / "day.yaml").write_text(TARIFF)
    with FakeStripe(sends=False) as fake:
        wattledger.environment |= {
            "WATTLEDGER_STRIPE_KEY": "sk_test_of_a_fake",
            "WATTLEDGER_STRIPE_PUBLISHABLE_KEY": "pk_test_of_a_fake",
            "WATTLEDGER_STRIPE_URL": fake.url,
            "WATTLEDGER_HTTP_PORT": "0",
        }
        with wattledger.up() as (process, address):
            assert process.stdout is not None
            found = re.search(r"http://[\w.]+:\d+", process.stdout.readline())
            assert found is not None
            wattledger.done(
                "tariff", "publish", tmp_path / "day.yaml", "--valid-from", "2020-01-01"
            )
            wattledger.done("apply", tmp_path / "master.yaml")
            async with httpx.AsyncClient(
                base_url=found[0], trust_env=False, timeout=SECONDS
            ) as client:
                driver = Driver(client)
                assert (await driver.open()).status_code == 409, "the station is away"
                async with plugged(address) as driven:
                    opened = await driver.open()
                    assert opened.status_code == 201, opened.text
                    assert Decimal(str(driver.told["amount"])) == 12
                    assert driver.told["publishable_key"] == "pk_test_of_a_fake"
                    assert (await driver.look("guessed")).status_code == 404
                    intent = driver.told["client_secret"].partition("_secret")[0]
                    fake.confirm(intent, "pm_card_visa")
                    await driver.until(lambda seen: seen["visit"]["state"] == "starting")
                    assert (await driver.open()).status_code == 409, "it is in use"
                    await charge(driven, 500)
                    seen = await driver.until(
                        lambda seen: seen["visit"]["state"] == "captured" and bool(seen["receipts"])
                    )
                receipt = await client.get(seen["receipts"][0])
        visits = wattledger.read("visits", "list", "--state", "captured")
        shown = wattledger.done("visits", "show", 1)
        taken = [each["amount_received"] for each in fake.of("payment_intent")]

    assert seen["visit"]["state"] == "captured"
    assert Decimal(str(seen["visit"]["taken"])) == Decimal(str(seen["visit"]["cost"]))
    assert receipt.content.startswith(b"%PDF")
    assert [each["taken_minor"] for each in visits] == taken
    # How soon depends on how soon its first readings come: never on less than they say.
    assert 0 < taken[0] <= 1200, "it was stopped before it cost more than was held"
    assert "captured" in shown
    assert driver.told["secret"] not in (wattledger.data / "wattledger.log").read_text()
