"""What partners are told: where they are really served, or nothing."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from deploy.clock import SystemClock
from deploy.interface.serving import open_http
from deploy.roaming.addresses import NoPartnerAddressError, address_for_partners
from deploy.roaming.serving import serve_interface_to_all
from deploy.running.opening import prepare
from deploy.running.parts import PartContext
from deploy.settings import Settings
from ledger.database import connect


def told(database: str, **settings: object) -> str:
    with connect(database) as connection:
        return address_for_partners(connection, replace(Settings(), **settings))  # type: ignore[arg-type]


@pytest.mark.timeout(120)
async def test_where_the_port_was_taken_partners_are_told_the_real_one(
    database: str, tmp_path: Path
) -> None:
    stopping, ready = asyncio.Event(), asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = replace(Settings(data=tmp_path), http_port=port)
        before = told(database, http_port=port)
        prepare(database, settings)
        context = PartContext(settings=settings, clock=SystemClock(), dsn=database, holder="a")
        listener = open_http("127.0.0.1", port)
        serving = asyncio.create_task(
            serve_interface_to_all(context, listener, stopping=stopping, ready=ready.set)
        )
        await ready.wait()
        address = told(database, http_port=port)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{address}/versions")
        stopping.set()
        await serving

    assert before == f"http://127.0.0.1:{port}/ocpi", "nobody was served yet"
    assert address == f"http://127.0.0.1:{listener_port(address)}/ocpi" != before
    assert (answer.status_code, answer.json()["status_code"]) == (401, 2000)
    assert told(database, http_port=port) == address, "it is known while nothing runs"
    assert told(database, roaming_url="https://r.example/ocpi/") == "https://r.example/ocpi"


def listener_port(address: str) -> int:
    return int(address.removesuffix("/ocpi").rpartition(":")[2])


@pytest.mark.parametrize("settings", [{"http_port": 0}, {"http_port": -1}, {"roaming_port": 0}])
def test_nothing_is_told_where_nobody_knows(database: str, settings: dict[str, object]) -> None:
    with pytest.raises(NoPartnerAddressError, match="WATTLEDGER_ROAMING_URL"):
        told(database, **settings)
