"""The way without sockets: what the log holds is what it would hold behind a WebSocket."""

from __future__ import annotations

import asyncio
import json
from datetime import date

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from deploy.demo.memory_wire import MemoryWire
from deploy.fleet.fleet import Fleet, fleet_steps
from deploy.fleet.month import Month
from deploy.fleet.planning import StationBrief, plan_month
from deploy.fleet.station import Tally
from deploy.fleet.station_plan import StationPlan
from deploy.fleet.wire import StationRefusedError, WebSocketWire, Wire
from ingest.directory import AuthorizationStatus, TokenAccess
from ingest.edge.admissions import Admissions
from ingest.edge.known_keys import KnownKeys
from ingest.edge.server import DEFAULT_MANNERS, Listener, serve
from ledger.log.envelope import Connection, Frame, LogLine
from tests.at_the_edge import NamedSubjects
from tests.edge import SECRET
from tests.fakes import (
    FixedClock,
    FixedDirectory,
    MemoryAdmissions,
    MemoryEpochs,
    MemoryIds,
    MemoryLog,
    NoCommands,
)

MONTH = Month.ending_on(date(2026, 3, 31), history_days=2, time_zone="Europe/Berlin")
PASSWORD = "a-password-of-a-station"
BRIEFS = [
    StationBrief(
        station_id=f"S-{number}",
        password=PASSWORD,
        connectors=1,
        power_w_max=22_080,
        token_uids=[f"T{number}"],
    )
    for number in range(9)
]


class Parts:
    """What stands behind an edge."""

    def __init__(self) -> None:
        self.log, self.ids, self.epochs = MemoryLog(), MemoryIds(), MemoryEpochs()
        self.clock = FixedClock(MONTH.starts_at)
        accepted = TokenAccess(status=AuthorizationStatus.ACCEPTED)
        self.directory = FixedDirectory(
            {brief.station_id: PASSWORD for brief in BRIEFS},
            {uid.lower(): accepted for brief in BRIEFS for uid in brief.token_uids},
        )

    def memory_wire(self) -> MemoryWire:
        return MemoryWire(
            log=self.log,
            directory=self.directory,
            subjects=NamedSubjects(),
            ids=self.ids,
            epochs=self.epochs,
            clock=self.clock,
            heartbeat_seconds=DEFAULT_MANNERS.heartbeat_seconds,
        )


@pytest.fixture(scope="module")
def plans() -> list[StationPlan]:
    return plan_month(BRIEFS, MONTH, seed=1)


async def play(plans: list[StationPlan], wire: Wire, parts: Parts) -> Tally:
    async def rest() -> None:
        while sum(map(len, parts.log.records.values())) < tally.lines:  # noqa: ASYNC110 - the log tells nobody
            await asyncio.sleep(0.001)

    tally = Tally()
    fleet = Fleet(plans, wire=wire, tally=tally, after_stop=rest)
    for due in fleet_steps(plans):
        parts.clock.moment = due.step.at
        await fleet.play(due)
        await rest()
    return tally


def comparable(lines: list[LogLine]) -> list[str]:
    """Return the lines of each station without the random ids of the server's own calls."""
    texts = []
    for line in sorted(lines, key=lambda line: getattr(line, "station", "")):
        text = msgspec.json.encode(line).decode()
        if isinstance(line, Frame) and line.direction == "out":
            text = text.replace(json.loads(line.frame)[1], "ID")
        texts.append(text)
    return texts


async def test_the_log_holds_what_it_would_hold_behind_a_websocket(
    plans: list[StationPlan],
) -> None:
    behind, without = Parts(), Parts()
    server = await serve(
        log=behind.log,
        directory=behind.directory,
        subjects=NamedSubjects(),
        ids=behind.ids,
        epochs=behind.epochs,
        clock=behind.clock,
        admissions=Admissions(MemoryAdmissions(), KnownKeys(SECRET), behind.clock),
        commands=NoCommands(),
        listeners=[Listener()],
    )
    address = f"ws://127.0.0.1:{server.ports[0]}"
    over_websockets = await play(plans, WebSocketWire(address), behind)
    await server.close()

    in_memory = await play(plans, without.memory_wire(), without)

    assert comparable(without.log.lines()) == comparable(behind.log.lines())
    assert in_memory == over_websockets
    assert in_memory.lines == len(without.log.lines())
    assert any(isinstance(line, Frame) and line.direction == "out" for line in without.log.lines())


async def test_a_station_that_nobody_declared_is_refused() -> None:
    with pytest.raises(StationRefusedError, match="not declared"):
        await Parts().memory_wire().open("stranger", PASSWORD, "ocpp1.6")


async def test_a_closed_line_gives_nothing_more_and_its_end_is_logged() -> None:
    parts = Parts()
    line = await parts.memory_wire().open("S-0", PASSWORD, "ocpp1.6")
    await line.send('[2,"1","Heartbeat",{}]')
    answer = json.loads(await line.recv())
    await line.close()

    with pytest.raises(ConnectionClosed):
        await line.recv()
    [opened, closed] = parts.log.lines()
    assert answer[:2] == [3, "1"]
    assert isinstance(opened, Connection)
    assert isinstance(closed, Connection)
    assert (opened.is_open, closed.is_open, closed.why) == (True, False, "closed")
