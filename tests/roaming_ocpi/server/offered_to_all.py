"""The interface as the product serves it to partners and all others, without a wall of rates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.clock import SystemClock
from deploy.interface.serving import open_http
from deploy.roaming import serving
from deploy.roaming.serving import serve_interface_to_all
from deploy.running.opening import prepare
from deploy.running.parts import PartContext
from deploy.settings import Settings
from roaming_ocpi.server.partner_side import WALLS


@asynccontextmanager
async def offered_to_all(
    database: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """Serve over *database*; yield the address."""
    walls = WALLS._replace(partner_rate=1e6, partner_burst=1e6, stranger_burst=1e6)
    monkeypatch.setattr(serving, "WALLS", walls)
    settings = replace(Settings(data=folder), metrics_port=-1)
    prepare(database, settings)
    context = PartContext(settings=settings, clock=SystemClock(), dsn=database, holder="a")
    listener, stopping, ready = open_http("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(
        serve_interface_to_all(context, listener, stopping=stopping, ready=ready.set)
    )
    await asyncio.wait({running, asyncio.create_task(ready.wait())}, return_when="FIRST_COMPLETED")
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        await running
