"""A running system's endpoints: what they tell is true, and who attacks them disturbs nobody."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus

from deploy.clock import SystemClock
from deploy.observing.endpoint import PARTS as ALL_PARTS
from deploy.observing.metrics import METRICS
from deploy.payments.condition import FOR_PEOPLE, WAITING
from deploy.roaming.condition import OTHERS
from deploy.running import supervisor
from deploy.running.wiring import System
from deploy.settings import Settings
from ingest.edge.admissions import Reason
from ingest.edge.server import DIALECTS
from ingest.prices.telling import HowTold
from ledger.asides.aside import AsideStep
from ledger.database import connect as connect_database
from ledger.desk.apply import apply_files
from ledger.log.postgres import PostgresEventLog
from ledger.partners.bounds import Bound
from ledger.payments.stripe.calls import ProviderOutcome
from ledger.payments.visits.visit import VisitState
from ledger.sessions.states import SessionState
from projections.documents.delivery.outbox import DeliveryState
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict
from roaming_ocpi.registration.link import LinkState
from roaming_ocpi.server.call_counts import CallOutcome
from roaming_ocpi.wire.modules import ModuleId
from tests.deploy.observing.stations import MASTER_DATA, call, station
from tests.hostile.stalls import stalls

Values = dict[tuple[str, ...], float]
"""A metric's values by its labels' values."""

# The one needs a log in Kafka, the other is what `run` serves without the interface.
PARTS = [part for part in ALL_PARTS if part not in ("publishing", "console")]
PARTITIONS: Final = 2
OLD: Final = ("ocpp1.6",)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all tests: what they look at, no other one changes."""
    data = tmp_path_factory.mktemp("observed") / "data"
    settings = Settings(
        data=data,
        listen_port=0,
        metrics_port=0,
        partitions=PARTITIONS,
        stripe_key="sk_test_nobody",
        stripe_url="http://127.0.0.1:9",
    )
    with System(settings, SystemClock()) as system:
        with connect_database(system.dsn) as books, PostgresEventLog(system.dsn) as log:
            at = datetime(2026, 1, 1, tzinfo=UTC)
            apply_files(books, [(MASTER_DATA, "yard.yaml")], log=log, by="test", at=at)
        until(lambda: all(get(system, part, "/readyz")[0] == 200 for part in PARTS))
        yield system


def get(system: System, part: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{system.endpoints[part]}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def reasons(system: System, part: str) -> list[str]:
    return [each["code"] for each in json.loads(get(system, part, "/readyz")[1])["reasons"]]


def scrape(system: System, part: str) -> dict[str, Values]:
    """Return what *part* tells of us, by name; of a histogram its samples."""
    found: dict[str, Values] = {}
    for family in text_string_to_metric_families(get(system, part, "/metrics")[1]):
        for sample in family.samples:
            if sample.name.startswith("wattledger"):
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def connected(system: System) -> float:
    return scrape(system, "stations")["wattledger_connections"][OLD]


def until(is_so: Callable[[], bool], *, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.1)


async def charge(system: System) -> None:
    """Say what a station says, strangely, and begin to charge; look while it is connected."""
    async with station(system) as socket:
        model = {"chargePointVendor": "V-ODD", "chargePointModel": "M-ODD"}
        await call(socket, "BootNotification", model)
        await call(socket, "ACTION-ODD", {})
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        started = {"connectorId": 1, "idTag": "04AABBCCDD", "meterStart": 5, "timestamp": stamp}
        await call(socket, "StartTransaction", started)
        await asyncio.to_thread(until, lambda: connected(system) == 1)
    for name in ("CS-ODD", "NOBODY-ODD"):
        with pytest.raises(InvalidStatus):
            async with station(system, name, "ODD"):
                pass


def test_each_part_tells_its_metrics_and_no_other(system: System) -> None:
    for part in PARTS:
        expected = set()
        for metric in METRICS:
            if metric.part in ("", part) and (metric.name, part) != (
                "wattledger_books_readable",
                "up",
            ):
                ends = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
                expected |= {metric.name + end for end in ends}

        assert set(scrape(system, part)) == expected, part
        assert get(system, part, "/healthz") == (200, "ok\n")


def test_what_a_station_does_is_counted_and_its_words_are_no_labels(system: System) -> None:
    before = scrape(system, "stations")
    asyncio.run(charge(system))
    until(lambda: scrape(system, "worker")["wattledger_sessions"]["open",] == 1)
    until(lambda: sum(scrape(system, "worker")["wattledger_lag_records"].values()) == 0)
    until(lambda: connected(system) == 0)

    told = {part: scrape(system, part) for part in PARTS}
    at_the_edge, worker = told["stations"], told["worker"]
    assert before["wattledger_frames_total"]["in", *OLD] == 0
    assert at_the_edge["wattledger_frames_total"]["in", *OLD] == 3
    assert at_the_edge["wattledger_frames_total"]["out", *OLD] == 3
    assert at_the_edge["wattledger_connections_opened_total"][OLD] == 1
    refused = at_the_edge["wattledger_connections_refused_total"]
    assert (refused["wrong_password",], refused["unknown_identity",]) == (1, 1)
    # The beginning and the end of the connection are lines too.
    assert at_the_edge["wattledger_append_seconds_count"][()] == 5
    assert at_the_edge["wattledger_append_seconds_bucket"]["+Inf",] == 5
    assert at_the_edge["wattledger_append_failures_total"][()] == 0
    assert sum(worker["wattledger_records_taken_total"].values()) >= 2

    closed = {"in", "out", *PARTS, *DIALECTS, *Reason, *SessionState, *AsideStep, *HowTold, "0.1.0"}
    closed |= {*DeliveryState, *LinkState, *CdrVerdict, *ModuleId, *CallOutcome, OTHERS, ""}
    closed |= {*ProviderOutcome, *WAITING, *FOR_PEOPLE, *VisitState, *Bound}
    closed |= {str(partition) for partition in range(PARTITIONS)}
    labels = {
        label
        for names in told.values()
        for name, values in names.items()
        if not name.endswith("_bucket")
        for key in values
        for label in key
    }
    assert labels <= closed


def test_a_part_that_is_killed_is_told_of_and_keeps_its_port(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Away for longer than a page is kept, or nobody would see it.
    monkeypatch.setattr(supervisor, "BACK_OFF_SECONDS", 1.5)
    os.kill(system.supervisor.processes()["worker"], signal.SIGKILL)

    until(lambda: reasons(system, "up") == ["part_down"])
    until(lambda: reasons(system, "up") == [])
    until(lambda: get(system, "worker", "/readyz")[0] == 200)
    told = scrape(system, "up")
    assert told["wattledger_restarts_total"] == {
        ("interface",): 0, ("stations",): 0, ("worker",): 1, ("invoicing",): 0,
        ("documents",): 0, ("roaming",): 0, ("payments",): 0,
    }  # fmt: skip
    assert set(told["wattledger_part_running"].values()) == {1}


def test_who_attacks_an_endpoint_disturbs_no_station(system: System) -> None:
    host, port = system.endpoints["stations"].removeprefix("http://").split(":")
    processes = system.supervisor.processes()

    async def slowest_answer() -> float:
        slowest = 0.0
        async with station(system) as connection:
            for _ in range(20):
                began = time.monotonic()
                await call(connection, "Heartbeat", {})
                slowest = max(slowest, time.monotonic() - began)
        return slowest

    calm = asyncio.run(slowest_answer())
    with ExitStack() as exits, stalls() as machine:
        for number in range(1_000):
            attacker = exits.enter_context(socket.create_connection((host, int(port)), timeout=20))
            # Nothing, half a request, a line without end, and a question whose answer is not read.
            words = (b"", b"GET /met", b"GET /" + b"x" * 60_000, b"GET /metrics HTTP/1.1\r\n\r\n")
            try:
                attacker.sendall(words[number % 4])
            except OSError:
                continue
        attacked = asyncio.run(slowest_answer())
        assert get(system, "stations", "/healthz")[0] == 200
        assert get(system, "stations", "/readyz")[0] == 200

    assert system.supervisor.processes() == processes
    # A machine that has other things to do is slow without attackers too, whoever waits.
    assert attacked < max(20.0, 25 * calm, 25 * machine.longest_s)
