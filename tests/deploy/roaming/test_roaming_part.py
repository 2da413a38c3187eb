"""The part for partners: at rest until one is declared, on its port or within the interface."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from deploy.clock import SystemClock
from deploy.interface.access import Scope
from deploy.observing.watch import Watch
from deploy.roaming import process
from deploy.roaming.condition import RoamingCondition
from deploy.roaming.process import RoamingPortError, run_roaming
from deploy.running.opening import prepare
from deploy.running.parts import PartContext
from deploy.settings import Settings
from ledger.database import connect
from tests.deploy.interface.served_interface import served
from tests.deploy.running_wattledger import Wattledger
from tests.roaming_ocpi.server.linked_partner import linked_partner

DECLARED = """
INSERT INTO declaration (kind, key, valid_from, body, declared_at, declared_by)
VALUES ('partner', 'NL-TNM', now(), '{}', now(), 'ann')
"""


def context_of(database: str, tmp_path: Path, *, port: int = -1) -> PartContext:
    settings = replace(Settings(data=tmp_path), roaming_port=port)
    return PartContext(settings=settings, clock=SystemClock(), dsn=database, holder="a")


def test_it_rests_until_a_partner_is_declared_and_ends_when_told(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(process, "BEAT_SECONDS", 0.1)
    stop, watch, news, worked = threading.Event(), Watch("roaming"), list[object](), list[int]()

    async def exchange(*_: object) -> None:
        worked.append(1)

    monkeypatch.setattr(process, "_exchange", exchange)
    context = context_of(database, tmp_path)
    thread = threading.Thread(
        target=run_roaming, args=(context, stop, news.append, watch), daemon=True
    )
    thread.start()
    try:
        time.sleep(0.6)
        rested = not worked
        with connect(database) as connection:
            connection.execute(DECLARED)
        thread.join(60)
    finally:
        stop.set()

    assert (rested, worked, news) == (True, [1], [""])
    assert not thread.is_alive()


@pytest.mark.timeout(120)
async def test_all_that_goes_on_in_the_background_begins_and_ends(
    database: str, tmp_path: Path
) -> None:
    await linked_partner(database)
    context = context_of(database, tmp_path)
    prepare(database, context.settings)
    stopping, ready = threading.Event(), list[object]()
    before = signal.getsignal(signal.SIGTERM)
    part = asyncio.create_task(
        process._exchange(  # noqa: SLF001
            context, None, stopping, ready.append, Watch("roaming"), RoamingCondition(database)
        )
    )
    # Who tells it to end before it listens for that ends the tests.
    async with asyncio.timeout(60):
        while signal.getsignal(signal.SIGTERM) == before:  # noqa: ASYNC110 - of no event
            await asyncio.sleep(0.05)
    done, _ = await asyncio.wait({part}, timeout=4)
    for each in done:
        each.result()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(part, 60)

    assert not done, "nothing ends by itself"


def test_a_port_that_is_taken_is_said_with_what_to_do(database: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        context = context_of(database, tmp_path, port=taken.getsockname()[1])
        with pytest.raises(RoamingPortError, match="WATTLEDGER_ROAMING_PORT"):
            run_roaming(context, threading.Event(), print, Watch("roaming"))


@pytest.mark.timeout(180)
def test_partners_are_served_on_a_port_where_nothing_else_is(tmp_path: Path) -> None:
    wattledger = Wattledger(tmp_path / "data")
    with wattledger.part("roaming", "--port", "0") as (_, said):
        address = said.split()[-1]
        refused = httpx.get(f"{address}/versions", trust_env=False)
        elsewhere = httpx.get(address.removesuffix("/ocpi") + "/stations", trust_env=False)
        host, port = address.removeprefix("http://").removesuffix("/ocpi").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as slow:
            slow.sendall(b"GET /ocpi/versions HTTP/1.1\r\nX-Slow: ")
            ended = slow.recv(1)

    assert address.endswith("/ocpi")
    assert (refused.status_code, refused.json()["status_code"]) == (401, 2000)
    assert elsewhere.status_code == 404
    assert ended == b"", "who never ends his head is not waited for"


@pytest.mark.timeout(180)
def test_the_interface_serves_partners_too_and_each_has_tokens_of_his_own(tmp_path: Path) -> None:
    wattledger = Wattledger(tmp_path / "data")
    with wattledger.part("interface", "--port", "0") as (_, said):
        address = said.split()[4].rstrip(",")
        made = wattledger.done("access", "add", "ann", "--scope", "read")
        token = next(word for word in made.split() if word.startswith("wl_"))
        ours = {"Authorization": f"Bearer {token}"}
        stations = httpx.get(f"{address}/stations", headers=ours, trust_env=False)
        versions = httpx.get(f"{address}/ocpi/versions", headers=ours, trust_env=False)
        as_partner = {"Authorization": f"Token {token}"}
        other = httpx.get(f"{address}/ocpi/versions", headers=as_partner, trust_env=False)
        described = httpx.get(f"{address}/schema/openapi.json", trust_env=False).json()

    assert stations.status_code == 200, stations.text
    assert [each.json()["status_code"] for each in (versions, other)] == [2000, 2000]
    assert (versions.status_code, other.status_code) == (401, 401)
    operation = described["paths"]["/ocpi/versions"]["get"]
    assert operation["security"] == [{"OcpiToken": []}]
    assert "application/problem+json" not in str(operation)


async def test_an_interface_without_partners_has_no_such_routes(database: str) -> None:
    async with served(database, Scope.READ) as client:
        answer = await client.get("/ocpi/versions")

    assert answer.status_code == 404
