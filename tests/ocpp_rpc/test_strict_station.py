"""A station that is not ours, in strict mode, at the running system, in OCPP 1.6 and 2.0.1.

ocpp-rpc holds what it sends and gets to its own copies of the schemas, and refuses the rest; of 2.1
it lacks most calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from deploy.clock import SystemClock
from deploy.running.wiring import System
from deploy.settings import load_settings
from ingest.answers import ocpp16, ocpp201
from ingest.commands.asking import Patience, StationCommands
from ingest.commands.command import CommandState
from ingest.commands.schemas import commands_of
from ingest.declared_directory import DeclaredDirectory
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect_async
from tests.deploy.running_wattledger import Wattledger
from tests.ingest.official_examples import RESPONSE, smallest
from tests.ocpp_rpc.node_station import NodeStation, node_station

PASSWORD = "change-me-please-16"
DIALECTS = {each.subprotocol: each for each in (ocpp16.DIALECT, ocpp201.DIALECT)}
NAMES = {"ocpp1.6": "CS-16", "ocpp2.0.1": "CS-201"}
TOKEN = "04A1B2C3"
MASTER = f"""
valid_from: 2020-01-01T00:00:00Z
legal_entities:
  watt: {{name: Watt GmbH, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976}}
sites:
  harbour: {{time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}}
stations:
  CS-16: {{site: harbour, password: {PASSWORD}, connectors: 2}}
  CS-201: {{site: harbour, password: {PASSWORD}, connectors: 2}}
customers:
  ada: {{name: Ada}}
tokens:
  {TOKEN}: {{customer: ada}}
tariff_assignments:
  - {{tariff: day, site: harbour}}
"""
TARIFF = """
tariff: day
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
"""


@pytest.fixture(scope="module")
def wattledger(tmp_path_factory: pytest.TempPathFactory) -> Wattledger:
    folder = tmp_path_factory.mktemp("strict")
    (folder / "master.yaml").write_text(MASTER)
    (folder / "day.yaml").write_text(TARIFF)
    program = Wattledger(folder / "data")
    program.done("tariff", "publish", folder / "day.yaml", "--valid-from", "2020-01-01T00:00:00Z")
    program.done("apply", folder / "master.yaml")
    return program


@pytest.fixture(scope="module")
def system(wattledger: Wattledger) -> Iterator[System]:
    settings = load_settings({}, data=wattledger.data, listen_port=0, metrics_port=0)
    with System(settings, SystemClock()) as running:
        yield running


@pytest.fixture(params=list(DIALECTS))
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def station(system: System, protocol: str) -> AsyncIterator[NodeStation]:
    async with node_station(system.addresses[0], NAMES[protocol], PASSWORD, protocol) as found:
        yield found
    assert found.refused == []


@pytest.fixture
async def commands(system: System) -> AsyncIterator[StationCommands]:
    clock = SystemClock()

    async def connected() -> Any:  # noqa: ANN401 - psycopg's own type
        return await connect_async(system.dsn)

    async with AsyncExitStack() as exits:
        directory, subjects = DeclaredDirectory(system.dsn, clock), PostgresSubjects(connected)
        found = StationCommands(connected, directory=directory, subjects=subjects, clock=clock)
        for each in (directory, subjects, found):
            exits.push_async_callback(each.close)
        following = asyncio.create_task(found.follow())
        exits.callback(following.cancel)
        yield found


async def test_it_takes_the_answer_to_every_call(station: NodeStation, protocol: str) -> None:
    version = protocol.removeprefix("ocpp")

    for action in DIALECTS[protocol].answers:
        await station.call(action, smallest(version, action))


async def test_it_takes_every_call_and_we_take_its_answer(
    station: NodeStation, commands: StationCommands, protocol: str
) -> None:
    version, actions = protocol.removeprefix("ocpp"), commands_of(protocol)
    await station.answer_with(accepting(protocol))

    for action in actions:
        payload = msgspec.json.encode(smallest(version, action)).decode()
        patience = Patience(wait=20, answer=20)
        outcome = await commands.ask(NAMES[protocol], action, payload, by="x", patience=patience)
        assert outcome.state is CommandState.ANSWERED, (action, outcome.error)
    assert [asked for asked, _ in station.asked] == list(actions)


async def test_it_charges_from_a_remote_start_to_a_rated_session(
    station: NodeStation, wattledger: Wattledger, protocol: str
) -> None:
    name = NAMES[protocol]
    await station.answer_with(accepting(protocol))
    charging = Charging16(station) if protocol == "ocpp1.6" else Charging201(station)

    await _done(wattledger, "start", name, "--token", TOKEN, "--evse", 1)
    transaction = await charging.starts()
    await charging.says_what_it_metered(5_000)
    await _done(wattledger, "stop", name, "--transaction", transaction)
    await charging.stops(10_000)

    # Costs and profiles are sent beside these, whenever it suits them.
    assert [asked for asked, _ in station.asked if asked in charging.asked] == [*charging.asked]
    session = await _rated(wattledger, name)
    assert session["energy_wh"] == "10000"
    assert (session["cost"]["gross_minor"], session["stop_reason"]) == (476, "Remote")


class Charging16:
    """A session of OCPP 1.6 that began an hour ago."""

    asked = ("RemoteStartTransaction", "RemoteStopTransaction")

    def __init__(self, station: NodeStation) -> None:
        self._station, self._transaction = station, 0

    async def starts(self) -> int:
        token = station_asked(self._station, self.asked[0])["idTag"]
        start = {"connectorId": 1, "idTag": token, "meterStart": 1_000, "timestamp": ago(60)}
        answer = await self._station.call("StartTransaction", start)
        assert answer["idTagInfo"]["status"] == "Accepted"
        self._transaction = answer["transactionId"]
        return self._transaction

    async def says_what_it_metered(self, energy_wh: int) -> None:
        sample = {"timestamp": ago(30), "sampledValue": [{"value": str(1_000 + energy_wh)}]}
        values = {"connectorId": 1, "transactionId": self._transaction, "meterValue": [sample]}
        await self._station.call("MeterValues", values)

    async def stops(self, energy_wh: int) -> None:
        asked = station_asked(self._station, self.asked[1])
        stop = {"transactionId": asked["transactionId"], "meterStop": 1_000 + energy_wh}
        stop |= {"timestamp": ago(1), "reason": "Remote"}
        await self._station.call("StopTransaction", stop)


class Charging201:
    """A session of OCPP 2.0.1 that began an hour ago."""

    asked = ("RequestStartTransaction", "RequestStopTransaction")

    def __init__(self, station: NodeStation) -> None:
        self._station, self._sent = station, 0

    async def starts(self) -> str:
        asked = station_asked(self._station, self.asked[0])
        answer = await self._event("Started", 60, 0, "RemoteStart", idToken=asked["idToken"])
        assert answer["idTokenInfo"]["status"] == "Accepted"
        return "T-1"

    async def says_what_it_metered(self, energy_wh: int) -> None:
        await self._event("Updated", 30, energy_wh, "MeterValuePeriodic")

    async def stops(self, energy_wh: int) -> None:
        assert station_asked(self._station, self.asked[1]) == {"transactionId": "T-1"}
        await self._event("Ended", 1, energy_wh, "RemoteStop")

    async def _event(self, kind: str, minutes: int, energy_wh: int, why: str, **more: Any) -> Any:  # noqa: ANN401 - any JSON
        sample = {"timestamp": ago(minutes), "sampledValue": [{"value": 1_000 + energy_wh}]}
        event: dict[str, Any] = {"eventType": kind, "timestamp": ago(minutes), "triggerReason": why}
        info = {"transactionId": "T-1"} | ({"stoppedReason": "Remote"} if kind == "Ended" else {})
        event |= {"seqNo": self._sent, "transactionInfo": info}
        event |= {"evse": {"id": 1, "connectorId": 1}, "meterValue": [sample], **more}
        self._sent += 1
        return await self._station.call("TransactionEvent", event)


def accepting(protocol: str) -> dict[str, Any]:
    """Return the smallest answer to each call: that of the first status, which is Accepted."""
    version = protocol.removeprefix("ocpp")
    return {action: smallest(version, action, RESPONSE) for action in commands_of(protocol)}


def station_asked(station: NodeStation, action: str) -> Any:  # noqa: ANN401 - any JSON
    return next(payload for asked, payload in station.asked if asked == action)


def ago(minutes: int) -> str:
    return f"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


async def _done(wattledger: Wattledger, *words: object) -> None:
    await asyncio.to_thread(wattledger.done, "station", *words)


async def _rated(wattledger: Wattledger, station: str) -> Any:  # noqa: ANN401 - JSON
    """Return the station's only session that was charged, once it is rated."""
    async with asyncio.timeout(30):
        while True:
            found = await asyncio.to_thread(wattledger.read, "sessions")
            for each in found:
                if each["station_id"] == station and each["state"] == "rated":
                    return each
            await asyncio.sleep(0.5)
