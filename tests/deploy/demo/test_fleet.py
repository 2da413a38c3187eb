"""The simulated fleet against a server that accepts everything: it must misbehave as planned."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from deploy.clock import FastClock
from deploy.fleet.day import Quirk, StationDay, StepKind, steps_of
from deploy.fleet.fleet import run_fleet
from deploy.fleet.plan import Place, plan_day
from deploy.fleet.station import Tally

MIDNIGHT = datetime(2026, 3, 31, tzinfo=UTC)
DAY = timedelta(hours=26)
PLACES = [
    Place(
        station_id=f"S-{number}",
        password="secret",
        connectors=2,
        power_w_max=22_080,
        token_uids=[f"T{number}-{token}" for token in range(4)],
    )
    for number in range(9)
]


class Heard(NamedTuple):
    """A call as the server got it, at the fleet's time."""

    station: str
    action: str
    payload: dict[str, Any]
    at: datetime


class AcceptingServer:
    """Answers every call with the least that its action allows."""

    def __init__(self, clock: FastClock) -> None:
        self.heard: list[Heard] = []
        self._clock, self._ids = clock, count(1)

    async def serve(self, socket: ServerConnection) -> None:
        """Answer one station until it goes."""
        assert socket.request is not None
        station = socket.request.path.lstrip("/")
        async for message in socket:
            _, message_id, action, payload = json.loads(message)
            self.heard.append(Heard(station, action, payload, self._clock.now()))
            answer = self._answer(action, str(socket.subprotocol))
            await socket.send(json.dumps([3, message_id, answer]))

    def _answer(self, action: str, protocol: str) -> dict[str, Any]:
        now = "2026-03-31T00:00:00Z"
        info = "idTagInfo" if protocol == "ocpp1.6" else "idTokenInfo"
        match action:
            case "BootNotification":
                return {"currentTime": now, "interval": 300, "status": "Accepted"}
            case "Heartbeat":
                return {"currentTime": now}
            case "Authorize":
                return {info: {"status": "Accepted"}}
            case "StartTransaction":
                return {"transactionId": next(self._ids), info: {"status": "Accepted"}}
            case _:
                return {}


@pytest.fixture(scope="module")
def days() -> list[StationDay]:
    return plan_day(PLACES, midnight=MIDNIGHT, ends_at=MIDNIGHT + DAY, seed=1)


async def play(days: list[StationDay]) -> tuple[list[Heard], Tally]:
    clock = FastClock.starting_now(MIDNIGHT, speed=DAY.total_seconds() / 4)
    server = AcceptingServer(clock)
    protocols = [Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")]
    async with serve(server.serve, "127.0.0.1", 0, subprotocols=protocols) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        tally = await run_fleet(days, address=f"ws://127.0.0.1:{port}", clock=clock)
    return server.heard, tally


def of(days: list[StationDay], quirk: Quirk) -> set[str]:
    return {day.station_id for day in days if day.quirk is quirk}


async def test_the_fleet_misbehaves_as_planned(days: list[StationDay]) -> None:
    heard, tally = await play(days)

    assert tally.sent == tally.answered
    assert tally.sent + tally.heartbeats == len(heard)
    starts = Counter(
        (each.station, json.dumps(each.payload, sort_keys=True))
        for each in heard
        if each.action == "StartTransaction" or each.payload.get("eventType") == "Started"
    )
    assert {station for (station, _), times in starts.items() if times == 2} == of(
        days, Quirk.DUPLICATES
    )
    stops = Counter(each.station for each in heard if each.action == "StopTransaction")
    visits = {day.station_id: len(day.visits) for day in days}
    [forgetful] = of(days, Quirk.LOST_STOP)
    assert stops[forgetful] == visits[forgetful] - 1
    late = {
        each.station
        for each in heard
        if (told := each.payload.get("timestamp"))
        and each.at - datetime.fromisoformat(told) > timedelta(hours=3)
    }
    assert late >= of(days, Quirk.OFFLINE)


def test_the_same_seed_gives_the_same_day(days: list[StationDay]) -> None:
    assert plan_day(PLACES, midnight=MIDNIGHT, ends_at=MIDNIGHT + DAY, seed=1) == days
    assert plan_day(PLACES, midnight=MIDNIGHT, ends_at=MIDNIGHT + DAY, seed=2) != days


def test_nobody_charges_at_two_places_at_once(days: list[StationDay]) -> None:
    visits = sorted(
        (visit.token_uid, visit.arrives_at, visit.leaves_at) for day in days for visit in day.visits
    )

    for (token, _, left_at), (next_token, arrives_at, _) in pairwise(visits):
        assert token != next_token or arrives_at > left_at


def test_one_register_rolls_over_and_none_runs_backwards_else(days: list[StationDay]) -> None:
    for day in days:
        registers: dict[int, int] = {}
        falls = 0
        for step in steps_of(day):
            if step.visit is None or step.kind is StepKind.PLUGGED:
                continue
            falls += step.register_wh < registers.get(step.visit.connector_id, 0)
            registers[step.visit.connector_id] = step.register_wh
        assert bool(falls) == (day.quirk is Quirk.ROLLOVER)
