"""When drivers of a roaming partner come: where a connector is free and nobody in the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from deploy.fleet.month import Month
from deploy.fleet.planning import (
    BETWEEN_VISITS,
    LATE_STOP_STATION,
    METER_EVERY_IN_HISTORY,
    StationBrief,
)
from deploy.fleet.station_plan import StationPlan, Visit

_FRIDAY: Final = 4
_NOON: Final = timedelta(hours=12)
LATE_STOP_DAYS: Final = timedelta(days=2, hours=12)
"""After the midnight of the day on which it was lost: its CDR went out the day before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerStay:
    """What a partner's driver wants, from which day of 30 on, and from which hours on."""

    day: int
    arrives: tuple[float, ...]
    hours: float
    power_w: int
    wanted_wh: int


STAYS: Final = (
    # Until after the end of the peak: two prices.
    PartnerStay(day=4, arrives=(18.9,), hours=2.4, power_w=11_040, wanted_wh=28_000),
    # Full within the hour, and left plugged in by day: an idle fee.
    PartnerStay(day=8, arrives=(10.5,), hours=3.6, power_w=22_080, wanted_wh=14_000),
    PartnerStay(day=16, arrives=(8.25,), hours=1.2, power_w=22_080, wanted_wh=40_000),
    PartnerStay(day=20, arrives=(19.25,), hours=1.7, power_w=22_080, wanted_wh=30_000),
    PartnerStay(day=25, arrives=(6.1,), hours=3.1, power_w=11_040, wanted_wh=20_000),
)
LAST_DAY_STAY: Final = PartnerStay(
    day=30, arrives=tuple(range(7, 21)), hours=1.5, power_w=11_040, wanted_wh=24_000
)
"""Over a real WebSocket: whether the driver may charge is asked while the station waits."""
LATE_STOP_STAY: Final = PartnerStay(
    day=11, arrives=(13.3,), hours=2.1, power_w=7_360, wanted_wh=40_000
)
"""At the station that loses its stops that day: this one comes two days later."""


def with_partner_visits(
    plans: Sequence[StationPlan], briefs: Sequence[StationBrief], month: Month
) -> list[StationPlan]:
    """Return *plans* with the visits of the partner's drivers, each with a token of its own.

    They come only to stations without a quirk, whose briefs name them; a stay that finds no
    connector free all that time is left out.
    """
    found = list(plans)
    uids = briefs[LATE_STOP_STATION].partner_uids
    for uid, stay in zip(uids, (LATE_STOP_STAY, *STAYS, LAST_DAY_STAY), strict=False):
        place = next(_places(found, briefs, month, uid, stay), None)
        if place is None:
            continue
        index, visit = place
        number = 1000 * index + len(found[index].visits)
        added = (*found[index].visits, replace(visit, number=number))
        found[index] = replace(found[index], visits=added)
    return found


def _places(
    plans: Sequence[StationPlan],
    briefs: Sequence[StationBrief],
    month: Month,
    uid: str,
    stay: PartnerStay,
) -> Iterator[tuple[int, Visit]]:
    """Yield where and when *stay* may be, by the station's place, the best first."""
    if stay is LATE_STOP_STAY:
        visit = _visit(uid, stay, month.stop_lost_on, stay.arrives[0], connector_id=2)
        comes_at = month.stop_lost_on + LATE_STOP_DAYS
        yield LATE_STOP_STATION, replace(visit, stop_is_lost=True, stop_comes_at=comes_at)
        return
    for midnight in _days(month, stay):
        for index, (plan, brief) in enumerate(zip(plans, briefs, strict=True)):
            if plan.quirk is not None or uid not in brief.partner_uids:
                continue
            for hours in stay.arrives:
                for connector_id in range(1, brief.connectors + 1):
                    visit = _visit(uid, stay, midnight, hours, connector_id=connector_id)
                    if _is_free(plan, visit):
                        yield index, visit


def _days(month: Month, stay: PartnerStay) -> Sequence[datetime]:
    """Return the midnights of working days on which the stay may be, the first ones first."""
    if stay is LAST_DAY_STAY:
        return [month.last_day_at]
    days = month.midnights[:-1]
    since = len(days) * stay.day // 30
    return [each for each in days[since:] if (each + _NOON).weekday() <= _FRIDAY]


def _visit(
    uid: str, stay: PartnerStay, midnight: datetime, hours: float, *, connector_id: int
) -> Visit:
    arrives_at = midnight + timedelta(minutes=round(hours * 60))
    return Visit(
        number=0,
        connector_id=connector_id,
        token_uid=uid,
        arrives_at=arrives_at,
        leaves_at=arrives_at + timedelta(minutes=round(stay.hours * 60)),
        power_w=stay.power_w,
        wanted_wh=stay.wanted_wh,
        meter_every=METER_EVERY_IN_HISTORY,
    )


def _is_free(plan: StationPlan, visit: Visit) -> bool:
    """Say whether nobody else is at the connector then, nor shortly before or after."""
    return all(
        other.leaves_at + BETWEEN_VISITS < visit.arrives_at
        or visit.leaves_at + BETWEEN_VISITS < other.arrives_at
        for other in plan.visits
        if other.connector_id == visit.connector_id
    )
