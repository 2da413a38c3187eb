"""docs/api.md, run: the program, its interface as a process, a station, and every example there."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, get_args

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy.commands.access import ScopeName
from deploy.interface.access import Scope
from tests.deploy.observing.free_ports import free_base
from tests.deploy.running.examples.interface_process import interface
from tests.deploy.running_wattledger import Wattledger
from tests.tree import ROOT

DOCUMENT = (ROOT / "docs/api.md").read_text("utf-8")
# A request, its body if it has one, the status, and the answer.
EXAMPLE = re.compile(
    r"\n {4}(GET|POST|PUT|PATCH) (/\S+)\n((?: {4}.*\n)*)\n {4}(\d{3})\n((?: {4}.*\n)+)",
    re.MULTILINE,
)
EXAMPLES = EXAMPLE.findall(DOCUMENT)
MASTER = """
valid_from: 2020-01-01T00:00:00Z
legal_entities:
  watt: {name: Watt GmbH, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976}
sites:
  harbour: {name: Harbour, time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}
stations:
  CS-001: {site: harbour, password: change-me-please-16, connectors: 2}
customers:
  ada: {name: Ada}
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
  - energy: 0.40 per kWh
"""


@contextmanager
def _interface_with_files(wattledger: Wattledger) -> Iterator[str]:
    wattledger.environment["WATTLEDGER_FILES_PORT"] = str(free_base())
    with interface(wattledger) as url:
        yield url


@asynccontextmanager
async def station(address: str) -> AsyncIterator[ClientConnection]:
    """Be CS-001: start to charge, and accept every call."""
    async with connect(
        f"{address}/CS-001",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": "Basic Q1MtMDAxOmNoYW5nZS1tZS1wbGVhc2UtMTY="},
        proxy=None,
    ) as socket:
        now = datetime.now(UTC).isoformat()
        boot = {"chargePointVendor": "Volt", "chargePointModel": "V1", "firmwareVersion": "1.4"}
        status = {"connectorId": 1, "status": "Charging", "errorCode": "NoError", "timestamp": now}
        event = {"type": "StartupOfTheDevice", "timestamp": now}
        for action, payload in (
            ("BootNotification", boot),
            ("StatusNotification", status),
            ("SecurityEventNotification", event),
        ):
            await socket.send(json.dumps([2, action, action, payload]))
            assert json.loads(await socket.recv())[0] == 3
        now = datetime.now(UTC).isoformat()  # after the boot, which would interrupt it
        start = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": now}
        await socket.send(json.dumps([2, "1", "StartTransaction", start]))
        assert json.loads(await socket.recv())[0] == 3
        accepting = asyncio.create_task(_accept(socket))
        yield socket
        accepting.cancel()


async def _accept(socket: ClientConnection) -> None:
    async for message in socket:
        _, message_id, action, payload = json.loads(message)
        await socket.send(json.dumps([3, message_id, {"status": "Accepted"}]))
        if action == "GetDiagnostics":
            async with httpx.AsyncClient(trust_env=False) as client:
                address = f"{payload['location']}diagnostics.log"
                assert (await client.put(address, content=b"all is well\n")).status_code == 201


def agree(documented: Any, answer: Any, path: str = "") -> None:  # noqa: ANN401 - any JSON
    """Compare: "..." stands for any text, and after "CS-001/" for the rest of one."""
    if isinstance(documented, dict):
        assert isinstance(answer, dict), path
        assert list(documented) == list(answer), path
        for key, each in documented.items():
            agree(each, answer[key], f"{path}.{key}")
    elif isinstance(documented, list):
        assert isinstance(answer, list), path
        assert bool(documented) == bool(answer), (path, answer)
        for each, got in zip(documented, answer, strict=False):
            agree(each, got, f"{path}[0]")
    elif documented == "...":
        assert answer, path
    elif isinstance(documented, str) and documented.endswith("/..."):
        assert answer.startswith(documented.removesuffix("...")), path
    else:
        assert documented == answer, path


def documented(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Return an answer of the document; a bare ... is any value, or more of the same."""
    plain = text.replace(", ...]", "]")
    return json.loads(re.sub(r": \.\.\.", ': "..."', plain))


@pytest.fixture(scope="module")
def wattledger(tmp_path_factory: pytest.TempPathFactory) -> Wattledger:
    folder = tmp_path_factory.mktemp("interface")
    (folder / "master.yaml").write_text(MASTER)
    (folder / "day.yaml").write_text(TARIFF)
    program = Wattledger(folder / "data")
    program.done("tariff", "publish", folder / "day.yaml", "--valid-from", "2020-01-01T00:00:00Z")
    program.done("apply", folder / "master.yaml")
    return program


async def test_every_example_of_the_document_is_what_happens(wattledger: Wattledger) -> None:
    made = wattledger.read("access", "add", "app", "--scope", *get_args(ScopeName))
    with wattledger.up() as (_, address), _interface_with_files(wattledger) as url:
        async with (
            station(address),
            httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {made['token']}"},
                trust_env=False,
                timeout=30,
            ) as client,
        ):
            await asyncio.to_thread(wattledger.until, "sessions")
            await asyncio.to_thread(wattledger.done, "station", "logs", "CS-001")
            await asyncio.to_thread(wattledger.until, "station", "files", "CS-001")
            assert len(EXAMPLES) == 11
            for method, path, body, status, answer in EXAMPLES:
                content = body.strip() or None
                headers = {"Content-Type": "application/json"}
                given = await client.request(method, path, content=content, headers=headers)
                assert given.status_code == int(status), given.text
                agree(documented(answer), given.json())

            said = await asyncio.to_thread(
                wattledger.done, "station", "command", "CS-001", "Reset", '{"type": "Soft"}'
            )
            assert said == 'CS-001 Reset: answered {"status": "Accepted"}\n'
            refused = await asyncio.to_thread(
                wattledger.run, "station", "command", "CS-001", "Reset", '{"type": "Warm"}'
            )
            assert (refused.returncode, "at type: 'Warm' is not one of" in refused.stderr) == (
                1,
                True,
            )
            kept = [
                await asyncio.to_thread(wattledger.done, "station", *words.split())
                for words in (
                    "reserve CS-001 --token 04A1B2C3 --evse 1",
                    "cancel-reservation CS-001 7",
                    "charging-profile CS-001 night --evse 1",
                    "clear-charging-profile CS-001",
                )
            ]
            assert all(": answered" in each for each in kept), kept
            unknown = await asyncio.to_thread(
                wattledger.run, "station", "charging-profile", "CS-001", "day"
            )
            assert (unknown.returncode, "no charging profile day" in unknown.stderr) == (1, True)
            wattledger.done("access", "revoke", "app")
            assert (await client.get("/stations")).status_code == 401
    assert [each["name"] for each in wattledger.read("access", "list")] == ["app"]


def test_every_scope_of_the_document_is_one() -> None:
    assert re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE) == [str(each) for each in Scope]


def test_a_program_is_given_every_scope_but_the_one_that_only_people_have() -> None:
    assert {*map(str, Scope)} - {*get_args(ScopeName)} == {"decide"}
