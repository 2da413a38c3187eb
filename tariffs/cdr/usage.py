"""The usage behind a partner's CDR: what our own tariff prices, where we charge it on.

A CDR is checked period by period as it was sent (`tariffs.cdr.pricing`): its partner cut it where
the partner's price changes. Our price changes elsewhere. So for ours its periods are readings: the
registers at their bounds, on a line between them, as of any session of ours.

10 kWh from 21:30 to 22:30 in one period, 0.30 per kWh until 22:00 and 0.20 from then on:

    checked    10 x 0.30, and a note that the period spans a change of price
    charged on 5 x 0.30 + 5 x 0.20
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from tariffs.cdr.cdr import Cdr, ChargingPeriod
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.quantities import EXACT


def begins(cdr: Cdr) -> datetime:
    """Return where the session begins: a partner's first period may lie before his CDR."""
    first = cdr.periods[0].starts_at if cdr.periods else cdr.starts_at
    return min(first, cdr.starts_at)


def points_of(cdr: Cdr) -> tuple[UsagePoint, ...]:
    """Return the registers at the bounds of the periods, in Wh since the start."""
    points = [UsagePoint(begins(cdr), Decimal(0))]
    if cdr.periods and cdr.periods[0].starts_at > cdr.starts_at:
        # Nothing flowed in the gap: else the first period's energy would be spread over it.
        points.append(UsagePoint(cdr.periods[0].starts_at, Decimal(0)))
    total = Decimal(0)
    ends = [*(period.starts_at for period in cdr.periods[1:]), cdr.ends_at]
    for period, at in zip(cdr.periods, ends, strict=True):
        total = EXACT.add(total, EXACT.scaleb(period.energy or Decimal(0), 3))
        points.append(UsagePoint(at, total))
    return tuple(points)


def usage_of(cdr: Cdr, time_zone: str) -> SessionUsage:
    """Return what a *cdr* tells of its session, at a place in *time_zone*.

    A period that charged and parked (`has_mixed_times`) counts as charging as a whole.
    """
    return SessionUsage(
        starts_at=begins(cdr),
        ends_at=cdr.ends_at,
        time_zone=time_zone,
        points=points_of(cdr),
        spans=tuple(_spans(cdr)),
        reservation_expired=cdr.reservation_expired,
    )


def has_mixed_times(cdr: Cdr) -> bool:
    """Whether a period both charged and parked: when it parked, nobody can say."""
    return any(period.parking_time and (period.time or period.energy) for period in cdr.periods)


def _spans(cdr: Cdr) -> Iterator[UsageSpan]:
    last, since = None, begins(cdr)
    for period in cdr.periods:
        activity = _activity(period)
        if activity is not last:
            yield UsageSpan(period.starts_at if last else since, activity)
        last = activity


def _activity(period: ChargingPeriod) -> Activity:
    if period.reservation_time is not None:
        return Activity.RESERVATION
    if period.parking_time and not period.time and not period.energy:
        return Activity.PARKING
    return Activity.CHARGING
