"""Kafka away: stations get no answer and keep what they have, health says why, memory is flat."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from deploy.clock import SystemClock
from deploy.kafka.brokers import KafkaBrokers
from deploy.running.log_store import decisions_cluster, kafka_cluster
from deploy.running.wiring import System
from deploy.settings import Settings
from ledger.database import connect as connect_database
from ledger.desk.apply import apply_files
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.topics import PROFILES, make_topic
from tests.deploy.observing.stations import MASTER_DATA, NAMES, call, station

A_FRAME_BYTES: Final = 8_000
FRAMES_EACH: Final = 1_000
"""Of each station; all together are more than memory may grow by."""
GROWTH_KB_MAX: Final = 40_000


@pytest.fixture
def brokers(brokers_home: Path) -> Iterator[KafkaBrokers]:
    with KafkaBrokers(brokers_home) as brokers:
        yield brokers


@pytest.fixture
def system(brokers: KafkaBrokers, tmp_path: Path) -> Iterator[System]:
    settings = Settings(
        data=tmp_path / "data",
        listen_port=0,
        metrics_port=0,
        partitions=2,
        log="kafka",
        kafka_bootstrap=brokers.bootstrap,
        kafka_profile="development",
    )
    cluster = kafka_cluster(settings)
    for each in (cluster, decisions_cluster(settings)):
        make_topic(each, partitions=2, profile=PROFILES["development"])
    with System(settings, SystemClock()) as system:
        with connect_database(system.dsn) as books, KafkaEventLog(cluster) as log:
            at = datetime(2026, 1, 1, tzinfo=UTC)
            apply_files(books, [(MASTER_DATA, "yard.yaml")], log=log, by="test", at=at)
        yield system


def unready(system: System, part: str) -> dict[str, str]:
    """Return why *part* is not ready, by code."""
    try:
        with urllib.request.urlopen(f"{system.endpoints[part]}/readyz", timeout=20) as answer:
            said = answer.read()
    except urllib.error.HTTPError as error:
        said = error.read()
    return {each["code"]: each["why"] for each in json.loads(said)["reasons"]}


async def until_unready(system: System, part: str, codes: set[str], *, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while (found := await asyncio.to_thread(unready, system, part)).keys() != codes:
        assert time.monotonic() < limit, found
        await asyncio.sleep(0.5)


def memory_kb(system: System) -> int:
    pid = system.supervisor.processes()["stations"]
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


async def push(socket: ClientConnection) -> None:
    """Send many frames and wait for no answer, until the other side takes no more."""
    data = {"vendorId": "V", "data": "x" * A_FRAME_BYTES}
    for number in range(FRAMES_EACH):
        await socket.send(json.dumps([2, f"push {number}", "DataTransfer", data]))


async def answered(socket: ClientConnection) -> list[Any]:
    """Return the answers that came."""
    found = []
    with suppress(TimeoutError, ConnectionClosed):
        while True:
            found.append(json.loads(await asyncio.wait_for(socket.recv(), 1)))
    return found


@pytest.mark.timeout(300)
async def test_while_kafka_is_away_nobody_is_answered_and_memory_is_flat(
    brokers: KafkaBrokers, system: System
) -> None:
    for part in ("stations", "worker", "invoicing"):
        await until_unready(system, part, set(), seconds=60)
    sockets = await asyncio.gather(*(station(system, name) for name in NAMES))
    model = {"chargePointVendor": "V", "chargePointModel": "M"}
    for socket in sockets:
        assert (await call(socket, "BootNotification", model))[2]["status"] == "Accepted"
    before_kb = memory_kb(system)

    brokers.kill(1)
    pushing = [asyncio.create_task(push(socket)) for socket in sockets]
    await until_unready(system, "stations", {"log_away", "log_not_writable"}, seconds=60)
    await until_unready(system, "worker", {"log_away"}, seconds=60)
    said = await asyncio.to_thread(unready, system, "stations")
    answers = await asyncio.gather(*(answered(socket) for socket in sockets))
    grown_kb = memory_kb(system) - before_kb

    assert answers == [[] for _ in sockets]
    assert "line" in said["log_not_writable"]
    assert grown_kb < GROWTH_KB_MAX
    for each in pushing:
        each.cancel()
    await asyncio.gather(*pushing, return_exceptions=True)
    await asyncio.gather(*(socket.close() for socket in sockets))

    brokers.start(1)
    await until_unready(system, "stations", set(), seconds=120)
    async with station(system, NAMES[0]) as socket:
        assert (await call(socket, "BootNotification", model))[2]["status"] == "Accepted"
    await until_unready(system, "worker", set(), seconds=120)
