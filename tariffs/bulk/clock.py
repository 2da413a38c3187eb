"""Which elements the wall clock allows, as a table to look up for many instants at once.

The instants come from `tariffs.model.periods.WallClock`, day by day, so that both kernels share one
reading of daylight saving time. A coarse grid over time points near each answer; a few
comparisons find it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tariffs.bulk.columns import Flags, Integers, SessionColumns
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.periods import DAY_US
from tariffs.zones import zone

# 2^30 microseconds: 18 minutes, so that a cell of the grid rarely holds two boundaries.
_GRID_BITS: Final = 30
# Eight years: a table costs memory for each day and zone, and one odd date must not stretch it.
_DAYS_MAX: Final = 3_000
# One session of months under a tariff by the quarter-hour would be cut into thousands of cells.
_CHANGES_MAX: Final = 512
_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTable:
    """The wall clock of some zones over some days.

    `at_us[k]` is where stretch k begins, in which the elements of mask number `mask_ids[k]` may
    apply; each zone's stretches end with one that never begins. `grid[zone_at[z] + cell]` is the
    stretch that holds where the cell begins; no cell holds more than `steps` boundaries, no day
    more than `changes_a_day`.
    """

    first_us: int
    end_us: int
    at_us: Integers
    mask_ids: Integers
    grid: Integers
    zone_at: Integers
    steps: int
    changes_a_day: int

    def covers(self, columns: SessionColumns) -> Flags:
        """Tell which sessions lie within the table and are cut into not too many cells."""
        inside = (columns.starts_us >= self.first_us) & (columns.ends_us <= self.end_us)
        longest = (_CHANGES_MAX // max(self.changes_a_day, 1)) * DAY_US
        return inside & (columns.ends_us - columns.starts_us <= longest)

    def stretch_at(self, zone: Integers | int, instants: Integers) -> Integers:
        """Return the stretch that holds at each of *instants* in its *zone*."""
        cells = (instants - self.first_us) >> _GRID_BITS
        cells += self.zone_at[zone]
        found: Integers = self.grid[cells]
        for _ in range(self.steps):
            found += self.at_us[found + 1] <= instants
        return found


class ClockTables:
    """Makes and keeps the tables of one tariff; masks are numbered once for all of them."""

    def __init__(self, compiled: CompiledTariff) -> None:
        self._compiled = compiled
        self.masks: list[int] = []
        self._tables: dict[tuple[str, ...], ClockTable] = {}

    def table(self, columns: SessionColumns) -> ClockTable:
        """Return a table for the zones of *columns* that covers their time, if it can be."""
        first = int(columns.starts_us.min()) // DAY_US
        last = int(columns.ends_us.max()) // DAY_US
        if last - first > _DAYS_MAX:
            # Around most of them; who lies outside is not covered and goes to the kernel.
            middle = int(np.median(columns.starts_us)) // DAY_US
            first, last = middle - _DAYS_MAX // 2, middle + _DAYS_MAX // 2
        known = self._tables.get(columns.zones)
        if known is not None:
            if first * DAY_US >= known.first_us and (last + 1) * DAY_US <= known.end_us:
                return known
            joint = min(first, known.first_us // DAY_US), max(last, known.end_us // DAY_US - 1)
            if joint[1] - joint[0] <= _DAYS_MAX:
                # History goes on: grow by more than one chunk needs.
                ahead = (joint[1] - joint[0]) // 4 if last > known.end_us // DAY_US - 1 else 0
                first, last = joint[0], min(joint[1] + ahead, joint[0] + _DAYS_MAX)
        table = self._tables[columns.zones] = self._made(columns.zones, first, last)
        return table

    def _made(self, zones: tuple[str, ...], first: int, last: int) -> ClockTable:
        start, end = first * DAY_US, (last + 1) * DAY_US
        at_us: list[int] = []
        mask_ids: list[int] = []
        grids: list[Integers] = []
        edges = np.arange(start, end, 1 << _GRID_BITS, dtype=np.int64)
        steps = a_day = 0
        for name in zones:
            zone_first = len(at_us)
            self._add_stretches(name, range(first, last + 1), at_us, mask_ids)
            instants = np.array(at_us[zone_first:], dtype=np.int64)
            at_us.append(_NEVER)
            mask_ids.append(mask_ids[-1])
            found = np.searchsorted(instants, edges, side="right").astype(np.int64) - 1
            after = np.append(found[1:], len(instants) - 1)
            steps = max(steps, int((after - found).max()))
            a_day = max(a_day, int(np.bincount((instants - start) // DAY_US).max()))
            grids.append(found + zone_first)
        return ClockTable(
            first_us=start,
            end_us=end,
            at_us=np.array(at_us, dtype=np.int64),
            mask_ids=np.array(mask_ids, dtype=np.int64),
            grid=np.concatenate(grids),
            zone_at=np.arange(len(zones), dtype=np.int64) * len(edges),
            steps=steps,
            changes_a_day=a_day,
        )

    def _add_stretches(self, name: str, days: range, at_us: list[int], mask_ids: list[int]) -> None:
        """Append where the mask changes on *days* in the zone *name*, the first included."""
        clock = self._compiled.clock(zone(name))
        last: int | None = None
        for day in days:
            for at, mask in clock.changes(day):
                if mask != last:
                    at_us.append(at)
                    mask_ids.append(self._number(mask))
                    last = mask

    def _number(self, mask: int) -> int:
        if mask not in self.masks:
            self.masks.append(mask)
        return self.masks.index(mask)
