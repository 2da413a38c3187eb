"""Step size for all sessions at once; the rule is that of `tariffs.kernel.steps`."""

from __future__ import annotations

import numpy as np

from tariffs.bulk.columns import Flags, Integers
from tariffs.bulk.grants import PriceList
from tariffs.bulk.sums import Sums, sums
from tariffs.bulk.volumes import Volumes
from tariffs.model.tariff import Dimension


def step_energy(prices: PriceList, energy: Volumes, sums_: Sums) -> None:
    """Round the priced energy of each session up, at its last component's price."""
    _step(prices, energy, prices.priced(Dimension.ENERGY), sums_)


def step_time(prices: PriceList, time: Volumes, sums_: Sums) -> None:
    """Round priced parking up, or charging time where there is none; reservations by themselves."""
    _step(prices, time, prices.priced(Dimension.RESERVATION_TIME), sums_)
    parking = prices.priced(Dimension.PARKING_TIME)
    parks: Flags | None = None
    if parking.any():
        totals = _step(prices, time, parking, sums_)
        parks = totals > 0
    _step(prices, time, prices.priced(Dimension.TIME), sums_, unless=parks)


def _step(
    prices: PriceList,
    volumes: Volumes,
    priced: Integers,
    sums_: Sums,
    *,
    unless: Flags | None = None,
) -> Integers:
    """Add what the step adds for the *priced* components; return their volume per session."""
    if not priced.any():
        return np.zeros(len(volumes.firsts), dtype=np.int64)
    counted = priced[volumes.component]
    counted *= volumes.units
    totals = sums(counted, volumes.firsts)
    steps = prices.steps()
    sizes = np.unique(steps[priced == 1])
    if len(sizes) == 1:
        added = -totals % int(sizes[0])
        if unless is not None:
            added[unless] = 0
        rows = np.flatnonzero(added)
        if len(rows):
            last = _last_components(counted, volumes, rows)
            sums_.add_some(rows, added[rows], last)
        return totals
    rows = np.flatnonzero(totals if unless is None else totals * ~unless)
    if len(rows):
        last = _last_components(counted, volumes, rows)
        sums_.add_some(rows, -totals[rows] % steps[last], last)
    return totals


def _last_components(counted: Integers, volumes: Volumes, rows: Integers) -> Integers:
    """Return the component of the last volume of each of *rows* that counts."""
    if len(counted) == len(volumes.firsts):
        return volumes.component[rows]
    ranks = np.where(counted > 0, np.arange(len(counted)), -1)
    return volumes.component[np.maximum.reduceat(ranks, volumes.firsts)[rows]]
