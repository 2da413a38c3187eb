"""Who charges where and when: the fleet's month, the same for the same seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from deploy.fleet.month import Month
from deploy.fleet.station_plan import Protocol, Quirk, StationPlan, Visit

OUTAGE_HOURS = (9.2, 13.4)
ROLLOVER_MODULO_WH = 100_000_000
WRONG_CLOCK = timedelta(minutes=47)
POWERS_W = (3_680, 7_360, 11_040, 22_080)
LAST_ARRIVAL_HOURS = 22.6
HOURS_BETWEEN_VISITS = (1.0, 6.0)
VISITS_A_DAY = 0.57
ARRIVAL_HOURS_IN_HISTORY = (5.5, 20.5)
METER_EVERY_IN_HISTORY = timedelta(minutes=15)
OUTAGE_EVERY_DAYS = 6
BETWEEN_VISITS = timedelta(minutes=5)
LATE_STOP_STATION = 7

QUIRKS: dict[int, Quirk] = {
    0: Quirk.OFFLINE,
    1: Quirk.DUPLICATES,
    2: Quirk.LOST_STOP,
    3: Quirk.OFFLINE,
    4: Quirk.ROLLOVER,
    6: Quirk.WRONG_CLOCK,
    LATE_STOP_STATION: Quirk.LATE_STOP,
    8: Quirk.DUPLICATES,
}
"""Which station of the fleet has which quirk: even ones speak 1.6, odd ones 2.0.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationBrief:
    """A station as declared, and the tokens of those who charge there.

    `partner_uids` are those of a roaming partner's drivers (`deploy.fleet.partner_visits`).
    """

    station_id: str
    password: str
    connectors: int
    power_w_max: int
    token_uids: Sequence[str]
    partner_uids: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """How long a car stays, and what it wants."""

    hours: float
    power_w: int
    wanted_wh: int


class Drivers:
    """The tokens in use: nobody charges at two stations at once."""

    def __init__(self) -> None:
        self._taken: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)

    def pick(
        self, tokens: Sequence[str], starts_at: datetime, ends_at: datetime, dice: random.Random
    ) -> str | None:
        """Return a token that is free all that time, or None."""
        free = [
            uid
            for uid in tokens
            if all(ends_at < taken or starts_at > left for taken, left in self._taken[uid])
        ]
        return dice.choice(free) if free else None

    def take(self, token: str, starts_at: datetime, ends_at: datetime) -> None:
        """Note that *token* is in use, and for a while before and after."""
        self._taken[token].append((starts_at - BETWEEN_VISITS, ends_at + BETWEEN_VISITS))


def plan_month(briefs: Sequence[StationBrief], month: Month, *, seed: int) -> list[StationPlan]:
    """Return each station's month: some visits a day, and a last day on which all are busy."""
    drivers = Drivers()
    visits = _history(briefs, month, drivers, seed)
    plans = []
    for index, brief in enumerate(briefs):
        dice = random.Random(f"{seed}/{brief.station_id}")  # noqa: S311 - a simulation, not a secret
        here = visits[brief.station_id]
        for connector_id in range(1, brief.connectors + 1):
            here += _busy_day(brief, connector_id, month.last_day_at, drivers, dice)
        plan = StationPlan(
            station_id=brief.station_id,
            password=brief.password,
            protocol=Protocol.OCPP201 if index % 2 else Protocol.OCPP16,
            visits=tuple(
                replace(visit, number=index * 1000 + number) for number, visit in enumerate(here)
            ),
            boots=tuple(
                midnight + timedelta(minutes=2, seconds=15 * index)
                for midnight in (month.starts_at, month.last_day_at)
            ),
            beats_from=month.last_day_at,
            ends_at=month.ends_at,
            quirk=QUIRKS.get(index),
            register_start_wh=dice.randrange(100_000, 9_000_000),
        )
        plans.append(_with_quirk(plan, month))
    return plans


def _history(
    briefs: Sequence[StationBrief], month: Month, drivers: Drivers, seed: int
) -> dict[str, list[Visit]]:
    """Return the visits before the last day, by station."""
    visits: dict[str, list[Visit]] = {brief.station_id: [] for brief in briefs}
    late = briefs[LATE_STOP_STATION]
    visits[late.station_id].append(_visit_with_late_stop(late, month, drivers))
    for midnight in month.midnights[:-1]:
        for brief in briefs:
            dice = random.Random(f"{seed}/{brief.station_id}/{midnight:%Y-%m-%d}")  # noqa: S311 - a simulation, not a secret
            if (brief, midnight) != (late, month.stop_lost_on):
                visits[brief.station_id] += _quiet_day(brief, midnight, drivers, dice)
    return visits


def _visit_with_late_stop(brief: StationBrief, month: Month, drivers: Drivers) -> Visit:
    """Return a charge that is broken off while the car still draws, so that its stop tells news.

    Its driver has a bill of her own. It is planned before all others, and for that day and station
    there are no others: the silence after it is what gives the stop up for lost.
    """
    arrives_at = month.stop_lost_on + timedelta(hours=13, minutes=5)
    leaves_at = arrives_at + timedelta(hours=2, minutes=10)
    token = brief.token_uids[0]
    drivers.take(token, arrives_at, leaves_at)
    return Visit(
        number=0,
        connector_id=1,
        token_uid=token,
        arrives_at=arrives_at,
        leaves_at=leaves_at,
        power_w=min(11_040, brief.power_w_max),
        wanted_wh=40_000,
        meter_every=METER_EVERY_IN_HISTORY,
        stop_is_lost=True,
        stop_comes_at=month.stop_comes_at,
    )


def _quiet_day(
    brief: StationBrief, midnight: datetime, drivers: Drivers, dice: random.Random
) -> Iterator[Visit]:
    """Yield the visits of an ordinary day: one at three of five connectors."""
    for connector_id in range(1, brief.connectors + 1):
        hours = dice.uniform(*ARRIVAL_HOURS_IN_HISTORY)
        stay = _stay(brief, dice, hours_max=24 - hours)
        if dice.random() < VISITS_A_DAY:
            visit = _visit(brief, connector_id, midnight, hours, stay, drivers, dice)
            if visit is not None:
                yield replace(visit, meter_every=METER_EVERY_IN_HISTORY)


def _busy_day(
    brief: StationBrief,
    connector_id: int,
    midnight: datetime,
    drivers: Drivers,
    dice: random.Random,
) -> Iterator[Visit]:
    """Yield the visits at one connector that is hardly ever free."""
    hours = dice.uniform(0.6, 5)
    while hours < LAST_ARRIVAL_HOURS:
        stay = _stay(brief, dice, hours_max=24.9 - hours)
        visit = _visit(brief, connector_id, midnight, hours, stay, drivers, dice)
        if visit is not None:
            yield visit
        hours += stay.hours + dice.uniform(*HOURS_BETWEEN_VISITS)


def _stay(brief: StationBrief, dice: random.Random, *, hours_max: float) -> Stay:
    power_w = min(dice.choice(POWERS_W), brief.power_w_max)
    wanted_wh = dice.randrange(4_000, 30_000)
    full_hours = wanted_wh / power_w * 1.15
    idles = dice.random() < 0.4  # noqa: PLR2004 - two of five leave their car plugged in
    share = dice.uniform(0.5, 0.95)
    hours = full_hours + dice.uniform(0.4, 2) if idles else full_hours * share
    return Stay(hours=min(max(hours, 0.3), hours_max), power_w=power_w, wanted_wh=wanted_wh)


def _visit(
    brief: StationBrief,
    connector_id: int,
    midnight: datetime,
    hours: float,
    stay: Stay,
    drivers: Drivers,
    dice: random.Random,
) -> Visit | None:
    """Return the visit of somebody who is free and finds the connector free, or None."""
    arrives_at = midnight + timedelta(seconds=int(hours * 3600))
    leaves_at = arrives_at + timedelta(seconds=int(stay.hours * 3600))
    token = drivers.pick(brief.token_uids, arrives_at, leaves_at, dice)
    if token is None:
        return None
    drivers.take(token, arrives_at, leaves_at)
    return Visit(
        number=0,
        connector_id=connector_id,
        token_uid=token,
        arrives_at=arrives_at,
        leaves_at=leaves_at,
        power_w=stay.power_w,
        wanted_wh=stay.wanted_wh,
    )


def _with_quirk(plan: StationPlan, month: Month) -> StationPlan:
    match plan.quirk:
        case Quirk.OFFLINE:
            days = (*month.midnights[:-1:OUTAGE_EVERY_DAYS], month.last_day_at)
            lost, back = (timedelta(hours=hours) for hours in OUTAGE_HOURS)
            return replace(plan, outages=tuple((day + lost, day + back) for day in days))
        case Quirk.WRONG_CLOCK:
            return replace(plan, clock_error=WRONG_CLOCK, clock_wrong_from=month.last_day_at)
        case Quirk.ROLLOVER:
            nearly = ROLLOVER_MODULO_WH - 4_000
            return replace(plan, register_start_wh=nearly, register_modulo_wh=ROLLOVER_MODULO_WH)
        case Quirk.LOST_STOP:
            return replace(plan, visits=tuple(_with_lost_stop(plan.visits, month.last_day_at)))
        case Quirk.LATE_STOP:
            return replace(plan, boots=(*plan.boots, month.stop_comes_at - timedelta(minutes=2)))
        case _:
            return plan


def _with_lost_stop(visits: Sequence[Visit], since: datetime) -> Iterator[Visit]:
    """Yield *visits*; the first one at connector 1 *since* then never tells its stop."""
    first = next(v for v in visits if v.connector_id == 1 and v.arrives_at >= since)
    for visit in visits:
        yield replace(visit, stop_is_lost=True) if visit is first else visit
