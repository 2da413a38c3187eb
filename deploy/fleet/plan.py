"""Who charges where and when: the fleet's day, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from deploy.fleet.day import Protocol, Quirk, StationDay, Visit

OUTAGE_HOURS = (9.2, 13.4)
ROLLOVER_MODULO_WH = 100_000_000
WRONG_CLOCK = timedelta(minutes=47)
POWERS_W = (3_680, 7_360, 11_040, 22_080)
LAST_ARRIVAL_HOURS = 22.6

QUIRKS: dict[int, Quirk] = {
    0: Quirk.OFFLINE,
    1: Quirk.DUPLICATES,
    2: Quirk.LOST_STOP,
    3: Quirk.OFFLINE,
    4: Quirk.ROLLOVER,
    6: Quirk.WRONG_CLOCK,
    8: Quirk.DUPLICATES,
}
"""Which station of the fleet has which quirk: even ones speak 1.6, odd ones 2.0.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A station as declared, and the tokens of those who charge there."""

    station_id: str
    password: str
    connectors: int
    power_w_max: int
    token_uids: Sequence[str]


@dataclass(slots=True)
class Drivers:
    """The tokens in use: nobody charges at two places at once."""

    free_at: dict[str, datetime] = field(default_factory=dict)

    def pick(self, tokens: Sequence[str], at: datetime, dice: random.Random) -> str | None:
        """Return a token that is free *at* that moment, or None."""
        free = [uid for uid in tokens if self.free_at.get(uid, at) <= at]
        return dice.choice(free) if free else None


def plan_day(
    places: Sequence[Place], *, midnight: datetime, ends_at: datetime, seed: int
) -> list[StationDay]:
    """Return each station's day from *midnight* on; visits end before *ends_at*."""
    drivers = Drivers()
    days = []
    for index, place in enumerate(places):
        dice = random.Random(f"{seed}/{place.station_id}")  # noqa: S311 - a simulation, not a secret
        quirk = QUIRKS.get(index)
        visits: list[Visit] = []
        for connector_id in range(1, place.connectors + 1):
            visits += _visits(place, connector_id, midnight, drivers, dice)
        day = StationDay(
            station_id=place.station_id,
            password=place.password,
            protocol=Protocol.OCPP201 if index % 2 else Protocol.OCPP16,
            visits=tuple(
                replace(visit, number=index * 100 + number) for number, visit in enumerate(visits)
            ),
            boots_at=midnight + timedelta(minutes=2, seconds=15 * index),
            ends_at=ends_at,
            quirk=quirk,
            register_start_wh=dice.randrange(100_000, 9_000_000),
        )
        days.append(_with_quirk(day, midnight))
    return days


def _visits(
    place: Place, connector_id: int, midnight: datetime, drivers: Drivers, dice: random.Random
) -> list[Visit]:
    visits = []
    hours = dice.uniform(0.6, 5)
    while hours < LAST_ARRIVAL_HOURS:
        arrives_at = midnight + timedelta(seconds=int(hours * 3600))
        power_w = min(dice.choice(POWERS_W), place.power_w_max)
        wanted_wh = dice.randrange(4_000, 30_000)
        full_hours = wanted_wh / power_w * 1.15
        idles = dice.random() < 0.4  # noqa: PLR2004 - two of five leave their car plugged in
        share = dice.uniform(0.5, 0.95)
        stay_hours = full_hours + dice.uniform(0.4, 2) if idles else full_hours * share
        stay_hours = min(max(stay_hours, 0.3), 24.9 - hours)
        leaves_at = arrives_at + timedelta(seconds=int(stay_hours * 3600))
        token = drivers.pick(place.token_uids, arrives_at, dice)
        if token is not None:
            drivers.free_at[token] = leaves_at + timedelta(minutes=5)
            visits.append(
                Visit(
                    number=0,
                    connector_id=connector_id,
                    token_uid=token,
                    arrives_at=arrives_at,
                    leaves_at=leaves_at,
                    power_w=power_w,
                    wanted_wh=wanted_wh,
                )
            )
        hours += stay_hours + dice.uniform(0.4, 2.2)
    return visits


def _with_quirk(day: StationDay, midnight: datetime) -> StationDay:
    match day.quirk:
        case Quirk.OFFLINE:
            lost, back = (midnight + timedelta(hours=hours) for hours in OUTAGE_HOURS)
            return replace(day, outage=(lost, back))
        case Quirk.WRONG_CLOCK:
            return replace(day, clock_error=WRONG_CLOCK)
        case Quirk.ROLLOVER:
            nearly = ROLLOVER_MODULO_WH - 4_000
            return replace(day, register_start_wh=nearly, register_modulo_wh=ROLLOVER_MODULO_WH)
        case Quirk.LOST_STOP:
            first = next(n for n, visit in enumerate(day.visits) if visit.connector_id == 1)
            visits = [
                replace(visit, stop_is_lost=number == first)
                for number, visit in enumerate(day.visits)
            ]
            return replace(day, visits=tuple(visits))
        case _:
            return day
