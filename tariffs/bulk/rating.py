"""Bulk re-rating: what millions of sessions cost, bit-equal to the kernel, in 64-bit integers.

Sessions come in columns, a chunk at a time. What cannot be decided in 64 bits, or what the tables
do not know (power and current, grants, price limits over several tax rates ...), goes to the
scalar kernel, session by session, and is counted. No float is used and nothing can wrap: every
tariff comes with the bounds within which its numbers fit (`tariffs.bulk.tariff`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from tariffs.bulk.cells import Cells, cells_of, charging_starts
from tariffs.bulk.columns import Flags, Integers, SessionColumns
from tariffs.bulk.limits import owed
from tariffs.bulk.registers import Registers
from tariffs.bulk.scale import Scale
from tariffs.bulk.steps import Volumes, step_energy, step_time
from tariffs.bulk.sums import Sums
from tariffs.bulk.tariff import STATES, BulkTariff
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import price_session
from tariffs.model.policy import DEFAULT, PricingPolicy
from tariffs.model.restrictions import Bands

CHUNK: Final = 16_384
_MINOR_MAX: Final = 2**61


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkTotals:
    """What each session costs, in minor units.

    `by_kernel` are those that the scalar kernel priced; `refused` (by row) those that nothing can
    price, with the reason: their amounts are 0. `exact` holds the unrounded totals, before and
    after taxes, of the rows that were asked for, rated in bulk and not changed by a price limit.
    """

    before_minor: Integers
    tax_minor: Integers
    by_kernel: Flags
    refused: dict[int, str]
    exact: dict[int, tuple[Fraction, Fraction]]

    @property
    def after_minor(self) -> Integers:
        """Return what is owed, taxes included."""
        return self.before_minor + self.tax_minor


def bulk_tariff(compiled: CompiledTariff, *, policy: PricingPolicy = DEFAULT) -> BulkTariff:
    """Make *compiled* ready for bulk rating; do it once per version."""
    return BulkTariff(compiled, policy)


def rate_columns(
    columns: SessionColumns, tariff: BulkTariff, *, exact_rows: range = range(0)
) -> BulkTotals:
    """Rate all sessions of *columns*, in order; equal to `price_session` on each of them."""
    parts = []
    for first in range(0, len(columns), CHUNK):
        rows = columns.rows(first, min(first + CHUNK, len(columns)))
        wanted = range(
            max(0, exact_rows.start - first), max(0, min(len(rows), exact_rows.stop - first))
        )
        parts.append((first, _rate_chunk(rows, tariff, wanted)))
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return BulkTotals(
            before_minor=none, tax_minor=none, by_kernel=none > 0, refused={}, exact={}
        )
    return BulkTotals(
        before_minor=np.concatenate([part.before_minor for _, part in parts]),
        tax_minor=np.concatenate([part.tax_minor for _, part in parts]),
        by_kernel=np.concatenate([part.by_kernel for _, part in parts]),
        refused={first + row: why for first, part in parts for row, why in part.refused.items()},
        exact={first + row: both for first, part in parts for row, both in part.exact.items()},
    )


def _rate_chunk(columns: SessionColumns, tariff: BulkTariff, exact_rows: range) -> BulkTotals:
    hard = _hard(columns, tariff)
    if hard.all():
        before = np.zeros(len(columns), dtype=np.int64)
        totals = BulkTotals(
            before_minor=before,
            tax_minor=before.copy(),
            by_kernel=hard,
            refused={},
            exact={},
        )
    elif hard.any():
        totals = _without(columns, tariff, hard, exact_rows)
    else:
        totals = _rated(columns, tariff, hard, exact_rows)
    for row in np.flatnonzero(hard).tolist():
        _by_kernel(columns, tariff, totals, row)
    return totals


def _without(
    columns: SessionColumns, tariff: BulkTariff, hard: Flags, exact_rows: range
) -> BulkTotals:
    """Rate the sessions that are not *hard*; the columns of the others must not be looked at."""
    easy = np.flatnonzero(~hard)
    rows = columns.only(easy)
    later = np.zeros(len(easy), dtype=np.bool_)
    found = {int(row): i for i, row in enumerate(easy) if row in exact_rows}
    part = _rated(rows, tariff, later, range(len(easy)) if found else range(0))
    before, tax = np.zeros(len(hard), dtype=np.int64), np.zeros(len(hard), dtype=np.int64)
    before[easy], tax[easy] = part.before_minor, part.tax_minor
    hard[easy] = later
    return BulkTotals(
        before_minor=before,
        tax_minor=tax,
        by_kernel=hard,
        refused={},
        exact={row: part.exact[i] for row, i in found.items() if i in part.exact},
    )


def _by_kernel(columns: SessionColumns, tariff: BulkTariff, totals: BulkTotals, row: int) -> None:
    totals.exact.pop(row, None)
    try:
        priced = price_session(columns.usage(row), tariff.compiled, policy=tariff.policy)
    except TariffError as error:
        totals.refused[row] = str(error)
        totals.before_minor[row] = totals.tax_minor[row] = 0
        return
    if max(abs(priced.before_minor), abs(priced.tax_minor)) > _MINOR_MAX:
        totals.refused[row] = "it would cost more than 64 bits hold"
        totals.before_minor[row] = totals.tax_minor[row] = 0
        return
    totals.before_minor[row], totals.tax_minor[row] = priced.before_minor, priced.tax_minor


def _hard(columns: SessionColumns, tariff: BulkTariff) -> Flags:
    """Tell which sessions the kernel must price."""
    everyone = np.ones(len(columns), dtype=np.bool_)
    if tariff.refusal() is not None:
        return everyone
    hard = ~everyone
    if tariff.compiled.clock_restricted:
        hard |= ~tariff.clocks.table(columns).covers(columns)
    if not tariff.has_tables():
        return everyone
    largest = tariff.scales()[-1]
    lasting = columns.ends_us - columns.starts_us
    hard |= (lasting <= 0) | (lasting > largest.duration_us_max)
    hard |= columns.energy_units() > largest.energy_units_max
    hard[list(columns.whole)] = True
    if tariff.has_grants:
        hard |= columns.group >= 0
    return hard


def _rated(
    columns: SessionColumns, tariff: BulkTariff, hard: Flags, exact_rows: range
) -> BulkTotals:
    """Rate a chunk; sessions that turn out not to fit become *hard*."""
    registers = Registers(columns, hard)
    cells = _cells(columns, tariff, registers)
    flat, energy, timed = tariff.selections()
    scale = _scale_for(columns, tariff)
    sums = Sums(scale, len(columns))
    firsts = cells.firsts()
    _add_flats(flat, cells, firsts, sums)
    energy_volumes = _energy_volumes(columns, cells, firsts, energy, registers)
    energy_volumes.cost(sums)
    step_energy(tariff, energy_volumes, sums)
    if timed.any():
        time = Volumes(
            units=cells.ends_us() - cells.starts_us, component=timed[cells.key], firsts=firsts
        )
        time.cost(sums)
        step_time(tariff, time, sums)
    result = owed(tariff, scale, sums, hard)
    return BulkTotals(
        before_minor=result.before,
        tax_minor=result.after - result.before,
        by_kernel=hard,
        refused={},
        exact=_exact(tariff, scale, sums, result.limited, exact_rows),
    )


def _exact(
    tariff: BulkTariff, scale: Scale, sums: Sums, limited: Flags, rows: range
) -> dict[int, tuple[Fraction, Fraction]]:
    if not rows:
        return {}
    before, after = sums.amounts()
    one = scale.unit * 10**tariff.compiled.exponent
    return {
        row: (Fraction(before.numerator(row), one), Fraction(after.numerator(row), one))
        for row in rows
        if not limited[row]
    }


def _scale_for(columns: SessionColumns, tariff: BulkTariff) -> Scale:
    """Return the faster scale that all sessions fit into (the last always does)."""
    energy = int(columns.energy_units().max())
    lasting = int((columns.ends_us - columns.starts_us).max())
    scales = tariff.scales()
    fitting = (
        scale
        for scale in scales
        if energy <= scale.energy_units_max and lasting <= scale.duration_us_max
    )
    return next(fitting, scales[-1])


def _cells(columns: SessionColumns, tariff: BulkTariff, registers: Registers) -> Cells:
    """Cut the sessions and number what decides which components hold in each cell."""
    compiled = tariff.compiled
    cells = cells_of(columns, compiled.grace_us)
    begins = charging_starts(columns) if tariff.durations else columns.starts_us
    durations = [begins + threshold for threshold in tariff.durations]
    energies = registers.reached(tariff.energies) if tariff.energies else []
    for instants in (*durations, *energies):
        cells.cut(instants[cells.session])
    if compiled.clock_restricted:
        cells.cut_by_clock(tariff.clocks.table(columns), columns.zone)
    banded = ((compiled.bands.duration, durations), (compiled.bands.energy, energies))
    for bands, reached in banded:
        if bands is not None:
            cells.key = cells.key * len(bands.masks) + _band(bands, cells, reached)
    cells.key = cells.key * STATES + cells.state
    return cells


def _band(bands: Bands, cells: Cells, instants: list[Integers]) -> Integers:
    band = np.zeros(len(cells.session), dtype=np.int64)
    for reached in instants:
        band += cells.starts_us >= reached[cells.session]
    return np.minimum(band, len(bands.masks) - 1)


def _add_flats(flat: Integers, cells: Cells, firsts: Integers, sums: Sums) -> None:
    """Add each FLAT once to every session in which it holds at any time."""
    for component in np.unique(flat).tolist():
        if not component:
            continue
        held = (flat[cells.key] == component).astype(np.int64)
        rows = np.flatnonzero(np.maximum.reduceat(held, firsts))
        ones = np.ones(len(rows), dtype=np.int64)
        sums.add_some(rows, ones, np.full(len(rows), component, dtype=np.int64))


def _energy_volumes(
    columns: SessionColumns, cells: Cells, firsts: Integers, energy: Integers, registers: Registers
) -> Volumes:
    """Return the energy of each run of cells in which one component prices energy."""
    component = energy[cells.key]
    is_first = np.zeros(len(component), dtype=np.bool_)
    is_first[firsts] = True
    begins = is_first.copy()
    begins[1:] |= component[1:] != component[:-1]
    runs = np.flatnonzero(begins)
    inner = np.flatnonzero(~is_first[runs])
    run_firsts = np.flatnonzero(is_first[runs])
    totals = columns.energy_units()
    if not len(inner):
        return Volumes(units=totals, component=component[runs], firsts=run_firsts)
    registers_at = np.zeros(len(runs) + 1, dtype=np.int64)
    rows = runs[inner]
    registers_at[inner] = registers.at(cells.session[rows], cells.starts_us[rows])
    ends = registers_at[1:].copy()
    ends[np.append(run_firsts[1:], len(runs)) - 1] = totals
    return Volumes(units=ends - registers_at[:-1], component=component[runs], firsts=run_firsts)
