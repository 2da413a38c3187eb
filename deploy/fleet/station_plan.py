"""What really happens at one station: cars come, charge, wait and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

METER_EVERY = timedelta(minutes=10)
HEARTBEAT_EVERY = timedelta(hours=1)
NEVER = datetime.max.replace(tzinfo=UTC)


class Protocol(StrEnum):
    """What a station speaks, as WebSocket subprotocol."""

    OCPP16 = "ocpp1.6"
    OCPP201 = "ocpp2.0.1"


class Quirk(StrEnum):
    """What is wrong with a station or with one of its cables to us."""

    OFFLINE = "offline"
    DUPLICATES = "duplicates"
    WRONG_CLOCK = "wrong_clock"
    ROLLOVER = "rollover"
    LOST_STOP = "lost_stop"
    LATE_STOP = "late_stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One car at one connector. It takes `power_w` until it nears `wanted_wh`, then less.

    A lost stop is never told, or so late that nobody waits for it any more: at `stop_comes_at`.
    """

    number: int
    connector_id: int
    token_uid: str
    arrives_at: datetime
    leaves_at: datetime
    power_w: int
    wanted_wh: int
    meter_every: timedelta = METER_EVERY
    stop_is_lost: bool = False
    stop_comes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationPlan:
    """A station, its credentials and what happens there until `ends_at`.

    It boots at each of `boots` and says that it lives from `beats_from` on. During `outages` (from,
    to) its network is down. Its clock is off by `clock_error` from `clock_wrong_from` on.
    """

    station_id: str
    password: str
    protocol: Protocol
    visits: tuple[Visit, ...]
    boots: tuple[datetime, ...]
    beats_from: datetime
    ends_at: datetime
    quirk: Quirk | None = None
    outages: tuple[tuple[datetime, datetime], ...] = ()
    clock_error: timedelta = timedelta(0)
    clock_wrong_from: datetime = NEVER
    register_start_wh: int = 0
    register_modulo_wh: int = 10**12


class StepKind(IntEnum):
    """What a step is; the order is the order of steps of one moment."""

    BOOTED = 0
    OFFLINE = 1
    ONLINE = 2
    BEAT = 3
    PLUGGED = 4
    STARTED = 5
    METERED = 6
    SUSPENDED = 7
    STOPPED = 8
    UNPLUGGED = 9
    STOP_CAME = 10
    LEFT = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens, at its true time, with the connector's register then."""

    at: datetime
    kind: StepKind
    visit: Visit | None = None
    register_wh: int = 0
    power_w: int = 0


def steps_of(plan: StationPlan) -> list[Step]:
    """Return everything that happens at the station, in order of time."""
    steps = [Step(at=at, kind=StepKind.BOOTED) for at in plan.boots]
    for lost_at, back_at in plan.outages:
        steps += [Step(at=lost_at, kind=StepKind.OFFLINE), Step(at=back_at, kind=StepKind.ONLINE)]
    beat_at = plan.beats_from + HEARTBEAT_EVERY
    while beat_at < plan.ends_at:
        steps.append(Step(at=beat_at, kind=StepKind.BEAT))
        beat_at += HEARTBEAT_EVERY
    registers: dict[int, int] = {}
    for visit in sorted(plan.visits, key=lambda visit: visit.arrives_at):
        register = registers.get(visit.connector_id, plan.register_start_wh)
        for step in _visit_steps(visit, register, plan.register_modulo_wh):
            steps.append(step)
            register = step.register_wh
        registers[visit.connector_id] = register
    last = max(step.at for step in steps)
    steps += [Step(at=at, kind=StepKind.LEFT) for at in {plan.ends_at, max(plan.ends_at, last)}]
    return sorted(steps, key=lambda step: (step.at, step.kind))


def _visit_steps(visit: Visit, register_wh: int, modulo_wh: int) -> Iterator[Step]:
    """Yield the visit's steps; energy is summed in watt-seconds, the register shows whole Wh."""

    def step(at: datetime, kind: StepKind, power_w: int = 0) -> Step:
        shown = (register_wh + delivered_ws // 3600) % modulo_wh
        return Step(at=at, kind=kind, visit=visit, register_wh=shown, power_w=power_w)

    delivered_ws, is_full = 0, False
    wanted_ws = visit.wanted_wh * 3600
    yield step(visit.arrives_at, StepKind.PLUGGED)
    at = visit.arrives_at + timedelta(seconds=40)
    yield step(at, StepKind.STARTED, power_w(visit, 0))
    while at + visit.meter_every < visit.leaves_at:
        at += visit.meter_every
        power = 0 if is_full else power_w(visit, delivered_ws)
        drawn_ws = power * int(visit.meter_every.total_seconds())
        delivered_ws = min(delivered_ws + drawn_ws, wanted_ws)
        yield step(at, StepKind.METERED, power)
        if not is_full and delivered_ws == wanted_ws:
            is_full = True
            yield step(at + timedelta(seconds=5), StepKind.SUSPENDED)
    rest_seconds = int((visit.leaves_at - at).total_seconds())
    power = 0 if is_full else power_w(visit, delivered_ws)
    delivered_ws = min(delivered_ws + power * rest_seconds, wanted_ws)
    yield step(visit.leaves_at, StepKind.STOPPED)
    yield step(visit.leaves_at + timedelta(seconds=30), StepKind.UNPLUGGED)
    if visit.stop_comes_at is not None:
        yield step(visit.stop_comes_at, StepKind.STOP_CAME)


def power_w(visit: Visit, delivered_ws: int) -> int:
    """Return the power a car takes: full until 80 % of what it wants, then falling to 15 %."""
    missing_percent = 100 - delivered_ws * 100 // (visit.wanted_wh * 3600)
    if missing_percent >= 20:  # noqa: PLR2004 - the knee of the curve, named in the docstring
        return visit.power_w
    return visit.power_w * max(missing_percent * 5, 15) // 100
