"""Energy by a price series: each energy run becomes a run per interval, at that one's price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tariffs.adjustments.windows import Cutter
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.tally import Run
from tariffs.model.price_series import MissingPriceError, SeriesTable
from tariffs.model.tariff import Dimension
from tariffs.model.usage import SessionUsage, microseconds, moment_of


def price_by_series(
    runs: Sequence[Run], compiled: CompiledTariff, table: SeriesTable, usage: SessionUsage
) -> list[Run]:
    """Cut the runs of components that follow the series; neighbours at one price are one run.

    Raises:
        MissingPriceError: If energy was taken where the series has no price.
    """
    start, end = microseconds(usage.starts_at), microseconds(usage.ends_at)
    cutter = Cutter(usage, table.bounds(start, end))
    return [part for run in runs for part in _parts(run, compiled, table, cutter)]


def _parts(run: Run, compiled: CompiledTariff, table: SeriesTable, cutter: Cutter) -> Iterator[Run]:
    if run.component.dimension is not Dimension.ENERGY:
        yield run
        return
    # Asked also of runs that follow no series: the cutter counts the register along.
    parts = cutter.parts(run)
    if not run.component.follows_series:
        yield run
        return
    last: Run | None = None
    for starts, ends, volume in parts:
        # A gap in the series does no harm while nothing flows.
        if not volume:
            continue
        price = table.price_at(starts)
        if price is None:
            raise MissingPriceError(compiled.tariff.id, table.series.name, moment_of(starts))
        component = compiled.at_series_price(run.component, price)
        if last is not None and last.component is component:
            last.close(ends, last.volume + volume)
            continue
        if last is not None:
            yield last
        last = Run(component, starts, ends, volume, volume)
    if last is not None:
        yield last
