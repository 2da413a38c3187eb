"""Bulk re-rating: what millions of sessions cost, bit-equal to the kernel, in 64-bit integers.

A back-test prices a year of sessions under a tariff that is not yet in force. The kernel takes ten
microseconds and more for each, and most of that is Python. numpy adds columns of whole numbers
many times faster, but they have 64 bits and wrap without a word, and they know neither grants nor
reasons. A second implementation that is nearly right would make every back-test a guess. So bulk
rating answers only where it is certain to have the kernel's cents, and hands every other session
to the kernel itself (`by_kernel` names them).

The way of a chunk. Sessions stand side by side in columns; all are cut at once into cells, and
what decides which components hold in a cell (clock mask, duration, energy, state) is one number,
its key. A table by key gives the components, and volume x price is added per session. Components
of one tax share are one class with one sum, so that prices stay small.

Example 1, 0.49 per kWh with 19 % VAT and a grant for the group "staff". Three sessions of 10 kWh:

    nobody's                  4.90 and 0.93, in bulk
    of the group "staff"      2.45 and 0.47, in bulk, at half the price (`tariffs.bulk.grants`)
    paid in cash              4.90 and 0.93, by the kernel: columns say nothing of payments

Example 2, what fits. An amount in 1e-9 Wh x price must stay below 2^60, so that three of them and
a carry stay below 2^63. At 0.49 that holds up to 197 kWh a session with plain sums. A session of
5,000 kWh takes sums in two limbs (high x 1,000,000 + low), which hold for 1,152,921 kWh. A price
of 123,456,789.123456789123456789 fits no limb; all its sessions go to the kernel.

To the kernel go, among others: all sessions of a tariff that the tables do not know (power and
current, adjustments other than a grace and grants, a tax per kWh), or of a policy that is not the
default but for its mode of rounding or its lack of steps; sessions with more than the columns say,
of no length, of more than 60 days, or larger than the bounds; those with two grants of limited kWh
or minutes on one dimension; those that jump past thresholds at one moment, need a product that
would not fit, or meet a price limit under several tax rates. What the model learns later is unknown
to `_is_known` (`tariffs.bulk.tariff`) and goes there too, until somebody teaches the tables.

Why not floats: they hold no tenth, and cents differ by how sums are grouped. Why not wider
integers: numpy has none.

The one rule: equal to `price_session` on every session, or not answered here. Held by
tests/tariffs/bulk/test_bulk.py on tariffs and sessions by chance, 100,000 of them when slow tests
run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from tariffs.bulk.cells import Cells, cells_of, charging_starts
from tariffs.bulk.columns import Flags, Integers, SessionColumns
from tariffs.bulk.grants import Grants, PriceList, granted_rows, is_worthwhile, part
from tariffs.bulk.limits import owed
from tariffs.bulk.registers import Registers
from tariffs.bulk.scale import Scale
from tariffs.bulk.steps import step_energy, step_time
from tariffs.bulk.sums import Sums
from tariffs.bulk.tariff import STATES, BulkTariff
from tariffs.bulk.volumes import Volumes
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import price_session
from tariffs.model.policy import DEFAULT, PricingPolicy
from tariffs.model.restrictions import Bands

# Measured with bench/bulk.py's mix: 1,024 at a time are half as fast, all 200,000 at once a third
# slower. Between 8,192 and 32,768 it does not matter.
CHUNK: Final = 16_384
# Longer than any session, and what it is added to stays within 64 bits.
_LONGEST_US: Final = 2**61
# Before taxes and tax are added up, and the sum must be an int64 as well.
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
        totals = _nothing(hard)
    elif hard.any():
        totals = _without(columns, tariff, hard, exact_rows)
    else:
        totals = _by_grants(columns, tariff, hard, exact_rows)
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
    easier = _by_grants(rows, tariff, later, range(len(easy)) if found else range(0))
    totals = _nothing(hard)
    totals.before_minor[easy], totals.tax_minor[easy] = easier.before_minor, easier.tax_minor
    hard[easy] = later
    totals.exact.update({row: easier.exact[i] for row, i in found.items() if i in easier.exact})
    return totals


def _nothing(hard: Flags) -> BulkTotals:
    """Return totals that are still to be filled in."""
    none = np.zeros(len(hard), dtype=np.int64)
    return BulkTotals(
        before_minor=none, tax_minor=none.copy(), by_kernel=hard, refused={}, exact={}
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
    # After the clock's table: the masks that it finds decide how large the tables get.
    if not tariff.has_tables():
        return everyone
    largest = tariff.scales()[-1]
    lasting = columns.ends_us - columns.starts_us
    hard |= (lasting <= 0) | (lasting > largest.duration_us_max)
    hard |= columns.energy_units() > largest.energy_units_max
    hard[list(columns.whole)] = True
    return hard


def _by_grants(
    columns: SessionColumns, tariff: BulkTariff, hard: Flags, exact_rows: range
) -> BulkTotals:
    """Rate a chunk, the sessions of each set of grants at its prices."""
    sets = granted_rows(columns, tariff.compiled)
    if len(sets) == 1:
        [grants] = sets
        return _rated(columns, tariff, hard, exact_rows, grants)
    totals = _nothing(hard)
    for grants, rows in sets.items():
        if not is_worthwhile(rows, sets):
            hard[rows] = True
            continue
        later = np.zeros(len(rows), dtype=np.bool_)
        wanted = range(len(rows)) if exact_rows else range(0)
        some = _rated(columns.only(rows), tariff, later, wanted, grants)
        totals.before_minor[rows], totals.tax_minor[rows] = some.before_minor, some.tax_minor
        hard[rows] = later
        exact = {int(rows[i]): both for i, both in some.exact.items()}
        totals.exact.update({row: both for row, both in exact.items() if row in exact_rows})
    return totals


def _rated(
    columns: SessionColumns, tariff: BulkTariff, hard: Flags, exact_rows: range, grants: Grants
) -> BulkTotals:
    """Rate a chunk under *grants*; sessions that turn out not to fit become *hard*."""
    prices = tariff.prices(grants)
    if prices is None or not prices.scales:
        hard[:] = True
        return _nothing(hard)
    scale = _scale_for(columns, prices.scales)
    # Under grants its numbers may be larger than without.
    hard |= columns.energy_units() > scale.energy_units_max
    hard |= columns.ends_us - columns.starts_us > scale.duration_us_max
    registers, sums = Registers(columns, hard), Sums(scale, len(columns))
    waived = _add_up(columns, tariff, prices, registers, sums)
    result = owed(tariff, sums, hard, waived=waived)
    return BulkTotals(
        before_minor=result.before,
        tax_minor=result.after - result.before,
        by_kernel=hard,
        refused={},
        exact=_exact(tariff, scale, sums, result.limited, exact_rows),
    )


def _add_up(
    columns: SessionColumns,
    tariff: BulkTariff,
    prices: PriceList,
    registers: Registers,
    sums: Sums,
) -> Flags:
    """Add up what the sessions cost, and return to which of them something was granted."""
    cells = _cells(columns, tariff, registers)
    flat, energy, timed = tariff.selections()
    firsts = cells.firsts()
    _add_flats(flat, cells, firsts, sums)
    granted: Flags = np.logical_or.reduceat(prices.lowered[flat[cells.key]], firsts)
    fed = part(_energy_volumes(columns, cells, firsts, energy, registers), prices)
    fed.cost(sums)
    granted |= fed.touch(prices.lowered)
    step_energy(prices, fed, sums)
    if timed.any():
        lasting = cells.ends_us() - cells.starts_us
        time = part(Volumes(units=lasting, component=timed[cells.key], firsts=firsts), prices)
        time.cost(sums)
        granted |= time.touch(prices.lowered)
        step_time(prices, time, sums)
    return granted


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


def _scale_for(columns: SessionColumns, scales: Sequence[Scale]) -> Scale:
    """Return the faster scale that all sessions fit into, else the last."""
    energy = int(columns.energy_units().max())
    lasting = int((columns.ends_us - columns.starts_us).max())
    fitting = (
        scale
        for scale in scales
        if energy <= scale.energy_units_max and lasting <= scale.duration_us_max
    )
    return next(fitting, scales[-1])


def _cells(columns: SessionColumns, tariff: BulkTariff, registers: Registers) -> Cells:
    """Cut the sessions and number what decides which components hold in each cell."""
    compiled = tariff.compiled
    cells = cells_of(columns, min(compiled.grace_us, _LONGEST_US))
    begins = charging_starts(columns) if tariff.durations else columns.starts_us
    durations = [begins + min(threshold, _LONGEST_US) for threshold in tariff.durations]
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
