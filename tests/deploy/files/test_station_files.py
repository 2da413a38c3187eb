"""The program, a station that fetches and sends files over HTTPS, and the commands beside it."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy.interface.access import Scope
from tests.certificates import Authority
from tests.deploy.observing.free_ports import free_base
from tests.deploy.running.examples.interface_process import interface
from tests.deploy.running.examples.test_interface_examples import MASTER
from tests.deploy.running_wattledger import Wattledger

IMAGE = b"firmware of V1 " * 60_000
LOG = b"all is well\n" * 50_000
CREDENTIALS = {"Authorization": "Basic Q1MtMDAxOmNoYW5nZS1tZS1wbGVhc2UtMTY="}


class Fetching:
    """CS-001, which does with files what it is told."""

    def __init__(self, socket: ClientConnection, client: httpx.AsyncClient, protocol: str) -> None:
        self._socket, self._client, self._protocol = socket, client, protocol
        self.fetched: list[bytes] = []
        self.told: list[Any] = []
        self.addresses: list[str] = []

    async def call(self, action: str, payload: dict[str, Any]) -> None:
        await self._socket.send(json.dumps([2, f"{action}{time.monotonic_ns()}", action, payload]))

    async def boot(self, version: str) -> None:
        old = {"chargePointVendor": "Volt", "chargePointModel": "V1", "firmwareVersion": version}
        new = {"vendorName": "Volt", "model": "V1", "firmwareVersion": version}
        is_old = self._protocol == "ocpp1.6"
        said = old if is_old else {"reason": "PowerUp", "chargingStation": new}
        await self.call("BootNotification", said)

    async def run(self) -> None:
        async for message in self._socket:
            kind, message_id, *rest = json.loads(message)
            if kind != 2:
                continue
            action, payload = rest
            self.told.append(payload)
            answer = (
                {} if action in ("UpdateFirmware", "GetDiagnostics") else {"status": "Accepted"}
            )
            if self._protocol != "ocpp1.6":
                answer = {"status": "Accepted"}
            await self._socket.send(json.dumps([3, message_id, answer]))
            asked = {k: v for k, v in payload.items() if k == "requestId"}
            if "Firmware" in action:
                await self._update(payload.get("firmware", payload)["location"], asked)
            elif action in ("GetDiagnostics", "GetLog"):
                log = payload.get("log", {})
                await self._send(payload.get("location") or log["remoteLocation"], action, asked)

    async def _update(self, address: str, asked: dict[str, Any]) -> None:
        self.addresses.append(address)
        first = await self._client.get(address, headers={"Range": "bytes=0-99"})
        rest = await self._client.get(address, headers={"Range": "bytes=100-"})
        self.fetched.append(first.content + rest.content)
        for status in ("Downloading", "Downloaded", "Installed"):
            await self.call("FirmwareStatusNotification", {"status": status, **asked})
        await self.boot("2.0")

    async def _send(self, address: str, action: str, asked: dict[str, Any]) -> None:
        self.addresses.append(address)
        if action == "GetLog":
            given = await self._client.put(f"{address}log.txt", content=LOG)
        else:
            given = await self._client.post(address, files={"file": ("diag 1.txt", LOG)})
        assert given.status_code == 201, given.text
        kind = "Log" if action == "GetLog" else "Diagnostics"
        await self.call(f"{kind}StatusNotification", {"status": "Uploaded", **asked})


@asynccontextmanager
async def fetching(address: str, ca: Path, protocol: str) -> AsyncIterator[Fetching]:
    async with (
        connect(
            f"{address}/CS-001",
            subprotocols=[Subprotocol(protocol)],
            additional_headers=CREDENTIALS,
            proxy=None,
        ) as socket,
        httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=ca), trust_env=False, timeout=30
        ) as client,
    ):
        station = Fetching(socket, client, protocol)
        running = asyncio.create_task(station.run())
        await station.boot("1.4")
        yield station
        running.cancel()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def wattledger(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Wattledger:
    folder = tmp_path_factory.mktemp("files")
    (folder / "master.yaml").write_text(MASTER.replace("tariff_assignments:", "").split("  - {")[0])
    (folder / "volt 2.bin").write_bytes(IMAGE)
    issued = authority.issue("files")
    program = Wattledger(folder / "data")
    program.environment |= {
        "WATTLEDGER_TLS_CERTIFICATE": str(issued.certificate),
        "WATTLEDGER_TLS_KEY": str(issued.key),
        "WATTLEDGER_HTTP_PORT": "0",
        "WATTLEDGER_FILES_PORT": str(free_base()),
    }
    program.done("apply", folder / "master.yaml")
    pem = issued.certificate
    signed = ("--certificate", pem, "--signature", "c2lnbmVk")
    program.done("firmware", "add", folder / "volt 2.bin", "--as", "2.0", "--model", "V1", *signed)
    return program


async def until(read: Any, wanted: Any) -> Any:  # noqa: ANN401 - any reading
    """Return what is read once it is as wanted."""
    limit = time.monotonic() + 60
    while not wanted(found := await asyncio.to_thread(read)):
        assert time.monotonic() < limit, found
        await asyncio.sleep(0.2)
    return found


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
async def test_a_station_fetches_its_firmware_and_sends_its_logs(
    wattledger: Wattledger, authority: Authority, tmp_path: Path, protocol: str
) -> None:
    with wattledger.up() as (_, address):
        async with fetching(address, authority.ca, protocol) as station:

            def show() -> Any:  # noqa: ANN401 - JSON
                return wattledger.read("station", "show", "CS-001")

            def files() -> Any:  # noqa: ANN401 - JSON
                return wattledger.read("station", "files", "cs-001")

            await until(show, lambda found: found["firmware"] == "1.4")
            for flags in ((), ("--plain",)):
                words = ("station", "firmware", "CS-001", "2.0", *flags)
                said = await asyncio.to_thread(wattledger.done, *words)
                assert ": answered" in said
            await until(show, lambda found: found["firmware"] == "2.0")
            assert station.fetched == [IMAGE, IMAGE]
            assert ["signature" in json.dumps(each) for each in station.told] == [True, False]

            before = len(await asyncio.to_thread(files))
            await asyncio.to_thread(wattledger.done, "station", "logs", "CS-001")
            found = await until(
                files, lambda found: len(found) > before and found[0]["status"] == "Uploaded"
            )
            assert (found[0]["size"], found[0]["sha256"]) == (len(LOG), sha256(LOG).hexdigest())
            name = "diag_1.txt" if protocol == "ocpp1.6" else "log.txt"
            assert found[0]["name"] == name
            target = tmp_path / "taken"
            get = ("station", "files", "CS-001", "--get", name, "-o")
            await asyncio.to_thread(wattledger.done, *get, target)
            assert target.read_bytes() == LOG
            again = await asyncio.to_thread(wattledger.run, *get, target)
            assert (again.returncode, "cannot write" in again.stderr) == (1, True)
            for told in (("station", "show", "CS-001", "--json"), ("log", "export")):
                shown = await asyncio.to_thread(wattledger.done, *told)
                assert [e for e in station.addresses if e.split("/")[3] in shown] == []
                assert shown
            await look_over_http(wattledger, found[0], station.addresses[-1], authority.ca)


async def look_over_http(
    wattledger: Wattledger, file: dict[str, Any], address: str, ca: Path
) -> None:
    """The file is there for who has the scope; a station's address opens nothing."""
    made = [
        await asyncio.to_thread(
            wattledger.read, "access", "add", f"{scope}{time.monotonic_ns()}", "--scope", scope
        )
        for scope in (Scope.FILES, Scope.READ)
    ]
    wattledger.environment["WATTLEDGER_FILES_PORT"], port = (
        "-1",
        wattledger.environment["WATTLEDGER_FILES_PORT"],
    )
    with interface(wattledger) as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            own, read = ({"Authorization": f"Bearer {each['token']}"} for each in made)
            path = f"/stations/CS-001/files/{file['id']}"
            taken = await client.get(path, headers=own)
            assert (taken.status_code, taken.content) == (200, LOG)
            assert taken.headers["content-disposition"] == f'attachment; filename="{file["name"]}"'
            assert (await client.get(path, headers=read)).status_code == 403
            assert (await client.get(path)).status_code == 401
            listed = await client.get("/stations/CS-001/files", headers=read)
            assert listed.json()[0] == file
            other = await client.get("/stations/CS-002/files", headers=read)
            assert other.json() == []
            wrong = await client.get(f"/stations/CS-002/files/{file['id']}", headers=own)
            assert wrong.status_code == 404
    wattledger.environment["WATTLEDGER_FILES_PORT"] = port
    secret = address.split("/")[3]
    async with httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=ca), trust_env=False
    ) as client:
        base = address.partition(secret)[0]
        for each in (own, read, {"Authorization": f"Bearer {secret}"}):
            assert (await client.get(f"{base}stations", headers=each)).status_code == 404


def test_without_a_port_for_files_a_command_says_what_to_do(wattledger: Wattledger) -> None:
    given = wattledger.environment.pop("WATTLEDGER_FILES_PORT")
    finished = wattledger.run("station", "firmware", "CS-001", "2.0", "--at", "http://x")
    assert "name the version of a kept firmware, or --at" in finished.stderr
    wattledger.environment["WATTLEDGER_FILES_PORT"] = given
    listed = wattledger.read("firmware", "list")
    assert [(e["version"], e["model"], e["is_signed"]) for e in listed] == [("2.0", "V1", True)]
    assert wattledger.run("firmware", "remove", "3.0").returncode == 1
