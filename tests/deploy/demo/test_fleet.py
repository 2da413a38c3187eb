"""The simulated fleet against a server that accepts everything: it must misbehave as planned."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import count, pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from deploy.fleet.fleet import Fleet, fleet_steps
from deploy.fleet.month import Month
from deploy.fleet.partner_visits import with_partner_visits
from deploy.fleet.planning import StationBrief, plan_month
from deploy.fleet.station import Tally
from deploy.fleet.station_plan import Quirk, StationPlan, StepKind, Visit, steps_of
from deploy.fleet.wire import WebSocketWire

MONTH = Month.ending_on(date(2026, 3, 31), history_days=3, time_zone="Europe/Berlin")
BRIEFS = [
    StationBrief(
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

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.now = MONTH.starts_at
        self._ids = count(1)

    async def serve(self, socket: ServerConnection) -> None:
        """Answer one station until it goes."""
        assert socket.request is not None
        station = socket.request.path.lstrip("/")
        async for message in socket:
            _, message_id, action, payload = json.loads(message)
            self.heard.append(Heard(station, action, payload, self.now))
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
def plans() -> list[StationPlan]:
    return plan_month(BRIEFS, MONTH, seed=1)


async def play(plans: list[StationPlan]) -> tuple[list[Heard], Tally]:
    server = AcceptingServer()
    protocols = [Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")]
    async with serve(server.serve, "127.0.0.1", 0, subprotocols=protocols) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        tally = Tally()
        fleet = Fleet(plans, wire=WebSocketWire(f"ws://127.0.0.1:{port}"), tally=tally)
        for due in fleet_steps(plans):
            server.now = due.step.at
            await fleet.play(due)
    return server.heard, tally


def of(plans: list[StationPlan], quirk: Quirk) -> set[str]:
    return {plan.station_id for plan in plans if plan.quirk is quirk}


async def test_the_fleet_misbehaves_as_planned(plans: list[StationPlan]) -> None:
    heard, tally = await play(plans)

    assert tally.sent == tally.answered
    assert tally.sent + tally.heartbeats == len(heard)
    starts = Counter(
        (each.station, json.dumps(each.payload, sort_keys=True))
        for each in heard
        if each.action == "StartTransaction" or each.payload.get("eventType") == "Started"
    )
    assert {station for (station, _), times in starts.items() if times == 2} == of(
        plans, Quirk.DUPLICATES
    )
    stops = Counter(each.station for each in heard if each.action == "StopTransaction")
    visits = {plan.station_id: len(plan.visits) for plan in plans}
    [forgetful] = of(plans, Quirk.LOST_STOP)
    assert stops[forgetful] == visits[forgetful] - 1
    late = {
        each.station
        for each in heard
        if (told := each.payload.get("timestamp"))
        and each.at - datetime.fromisoformat(told) > timedelta(hours=1)
    }
    assert late >= of(plans, Quirk.OFFLINE)


async def test_a_late_stop_comes_days_after_everything_else(plans: list[StationPlan]) -> None:
    heard, _ = await play(plans)

    *_, boot, stop = heard
    assert {boot.station, stop.station} == of(plans, Quirk.LATE_STOP)
    assert boot.action == "BootNotification"
    assert stop.payload["eventType"] == "Ended"
    assert stop.payload["offline"]
    assert stop.at - datetime.fromisoformat(stop.payload["timestamp"]) > timedelta(days=3)


def test_the_same_seed_gives_the_same_month(plans: list[StationPlan]) -> None:
    assert plan_month(BRIEFS, MONTH, seed=1) == plans
    assert plan_month(BRIEFS, MONTH, seed=2) != plans


def test_days_begin_at_midnight_when_the_clocks_change() -> None:
    utc = [f"{midnight:%d %H:%M}" for midnight in MONTH.midnights]

    assert utc == ["27 23:00", "28 23:00", "29 22:00", "30 22:00"]


def test_nobody_charges_at_two_stations_at_once(plans: list[StationPlan]) -> None:
    visits = sorted(
        (visit.token_uid, visit.arrives_at, visit.leaves_at)
        for plan in plans
        for visit in plan.visits
    )

    for (token, _, left_at), (next_token, arrives_at, _) in pairwise(visits):
        assert token != next_token or arrives_at > left_at


def test_one_register_rolls_over_and_none_runs_backwards_else(plans: list[StationPlan]) -> None:
    for plan in plans:
        registers: dict[int, int] = {}
        falls = 0
        for step in steps_of(plan):
            if step.visit is None or step.kind in {StepKind.PLUGGED, StepKind.STOP_CAME}:
                continue
            falls += step.register_wh < registers.get(step.visit.connector_id, 0)
            registers[step.visit.connector_id] = step.register_wh
        assert bool(falls) == (plan.quirk is Quirk.ROLLOVER)


PARTNERS = [f"P{number}" for number in range(7)]
FULL_MONTH = Month.ending_on(date(2026, 3, 31), history_days=30, time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("month", "left_out"),
    [
        pytest.param(MONTH, {"P5"}, id="in three days there is no place for one"),
        pytest.param(FULL_MONTH, set(), id="in a month there is for all"),
    ],
)
def test_a_partners_drivers_come_where_nobody_else_is(month: Month, left_out: set[str]) -> None:
    briefs = [replace(brief, partner_uids=PARTNERS) for brief in BRIEFS]
    before = plan_month(briefs, month, seed=1)

    after = with_partner_visits(before, briefs, month)

    added: dict[str, tuple[StationPlan, Visit]] = {}
    for was, plan in zip(before, after, strict=True):
        assert plan.visits[: len(was.visits)] == was.visits, "all others stay as they were"
        assert len({visit.number for visit in plan.visits}) == len(plan.visits)
        connectors: dict[int, list[Visit]] = {}
        for visit in sorted(plan.visits, key=lambda each: each.arrives_at):
            connectors.setdefault(visit.connector_id, []).append(visit)
        for visits in connectors.values():
            assert all(one.leaves_at < other.arrives_at for one, other in pairwise(visits))
        added |= {visit.token_uid: (plan, visit) for visit in plan.visits[len(was.visits) :]}
    assert added.keys() == set(PARTNERS) - left_out
    [(late_plan, late)] = [each for each in added.values() if each[1].stop_is_lost]
    assert late_plan.quirk is Quirk.LATE_STOP
    assert late.stop_comes_at is not None
    assert late.leaves_at < month.stop_lost_on + timedelta(days=1) < late.stop_comes_at
    assert late.stop_comes_at < month.closes_at
    others = [visit for plan, visit in added.values() if plan.quirk is None]
    assert len(others) == len(added) - 1
    zone = ZoneInfo("Europe/Berlin")
    local = [(each.arrives_at.astimezone(zone), each.leaves_at.astimezone(zone)) for each in others]
    assert any(one.hour < 20 <= end.hour and one.weekday() < 5 for one, end in local), "two prices"
    assert any(each.arrives_at >= month.last_day_at for each in others), "one over a WebSocket"
    registers = [step for plan in after for step in steps_of(plan) if step.visit in others]
    idle = [step for step in registers if step.kind is StepKind.SUSPENDED]
    assert idle, "one stays when it is full"


def test_without_tokens_of_a_partner_nothing_is_added(plans: list[StationPlan]) -> None:
    assert with_partner_visits(plans, BRIEFS, MONTH) == plans
