"""The charging periods of our own session: cut wherever its price, or what it does, changes.

The kernel's runs say where another component took over, the usage where charging, parking or a
reservation began. Energy at a cut is what the run that begins there says; where only time cuts,
it lies on the line between two readings, as everywhere in the kernel.

10 kWh are drawn evenly from 21:30 to 22:30, at another price from 22:00 on; parked until 23:00:

    21:30  5 kWh, charging    22:00  5 kWh, charging    22:30  0 kWh, parking

Source: OCPI 2.3.0, mod_cdrs, ChargingPeriod.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from tariffs.kernel.compiled import State
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.timeline import Timeline, timeline_of
from tariffs.model.tariff import Dimension
from tariffs.model.usage import Activity, moment_of
from tariffs.quantities import decimal_of_ratio
from tariffs.taxes.taxes import ENERGY_UNITS_PER_WH

_ACTIVITIES: Final = {
    State.CHARGING: Activity.CHARGING,
    State.PARKING: Activity.PARKING,
    State.RESERVATION: Activity.RESERVATION,
    State.RESERVATION_EXPIRED: Activity.RESERVATION,
}


class CutPeriod(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From `starts_at` until the next one, or the end: what it drew, and what the vehicle did."""

    starts_at: datetime
    energy_wh: Decimal
    activity: Activity


def cut_periods(priced: PricedSession) -> tuple[CutPeriod, ...]:
    """Return the periods of a session that the kernel priced from its usage; at least one.

    Their energies add up to the session's.
    """
    timeline = timeline_of(priced.usage, 0)
    start, end = timeline.start_us, timeline.end_us
    registers = {start: 0}
    cuts, register = {start}, 0
    for run in priced.runs:
        if run.adjustment is None and run.component.dimension is not Dimension.SESSION:
            cuts.add(run.starts_us)
            if run.component.dimension is Dimension.ENERGY:
                registers[run.starts_us] = register
                register += run.volume
    cuts.update(at for at, _ in timeline.changes)
    instants = sorted(at for at in cuts if start <= at < end) or [start]
    totals = _totals(instants, registers, timeline)
    states = _states(instants, timeline)
    return tuple(
        CutPeriod(moment_of(at), decimal_of_ratio(until - begun, ENERGY_UNITS_PER_WH), activity)
        for at, (begun, until), activity in zip(instants, pairwise(totals), states, strict=True)
    )


def _totals(instants: list[int], registers: dict[int, int], timeline: Timeline) -> list[int]:
    """Return the register at each instant and at the end; it never falls."""
    totals: list[int] = []
    last = 0
    for at in instants:
        known = registers.get(at)
        last = max(last, timeline.register_at(at) if known is None else known)
        totals.append(last)
    totals.append(timeline.total)
    # Where a threshold was reached, the register is that from there on, not the line's.
    for index in range(len(totals) - 2, -1, -1):
        totals[index] = min(totals[index], totals[index + 1])
    # A session of no length has its energy in its one period.
    totals[0] = 0
    return totals


def _states(instants: list[int], timeline: Timeline) -> list[Activity]:
    if not timeline.changes:
        return [_ACTIVITIES[timeline.state]] * len(instants)
    begins = [at for at, _ in timeline.changes]
    states = [timeline.state, *(to for _, to in timeline.changes)]
    return [_ACTIVITIES[states[bisect_right(begins, at)]] for at in instants]
