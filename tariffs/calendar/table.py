"""The prices of a week as a table: a row for each hour, or each quarter, a column a day."""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from typing import Final

import msgspec

from tariffs.calendar.scale import FREE_LEVEL, PriceScale, scale_of
from tariffs.calendar.week import Fee, Stretch, WeekCalendar
from tariffs.calendar.words import amount_text, clock_text

HOUR: Final = 60
_DAY: Final = 24 * HOUR


class CellState(StrEnum):
    """What a cell is."""

    PRICED = "priced"
    MISSING = "missing"
    """The clock leaves this hour out."""
    INVALID = "invalid"
    """The tariff itself does not hold."""


class PriceCell(msgspec.Struct, frozen=True, kw_only=True):
    """What holds within a row's time of a day.

    `prices` in order of time, None for free; `shade`: 0 (free) to 6 (the dearest of the table).
    """

    state: CellState
    shade: int = 0
    prices: tuple[str | None, ...] = ()

    @property
    def changes_within(self) -> bool:
        """Whether there is more than one price."""
        return len(set(self.prices)) > 1


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row: from when by the clock on the wall."""

    starts_at: str
    cells: tuple[PriceCell, ...]


class PriceTable(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of one fee; `legend`: pairs of shade and prices, None for free.

    `minutes`: how long a row is, 15 where a price changes within an hour.
    """

    fee: Fee
    currency: str
    minutes: int
    days: tuple[date, ...]
    rows: tuple[PriceRow, ...]
    legend: tuple[tuple[int, tuple[str, ...] | None], ...]


def price_table(calendar: WeekCalendar, fee: Fee) -> PriceTable:
    """Return the table of *fee*."""
    scale, currency = scale_of(calendar, fee), calendar.tariff.currency
    minutes = calendar.slot_minutes(fee)
    starts = [time(minute // HOUR, minute % HOUR) for minute in range(0, _DAY, minutes)]
    return PriceTable(
        fee=fee,
        currency=currency,
        minutes=minutes,
        days=calendar.days,
        rows=tuple(
            PriceRow(
                starts_at=clock_text(start),
                cells=tuple(
                    _cell(calendar.cell(fee, day, start, minutes), scale, currency)
                    for day in calendar.days
                ),
            )
            for start in starts
        ),
        legend=_legend(scale, calendar, fee),
    )


def _cell(stretches: tuple[Stretch, ...], scale: PriceScale, currency: str) -> PriceCell:
    if not stretches:
        return PriceCell(state=CellState.MISSING)
    if not any(stretch.valid for stretch in stretches):
        return PriceCell(state=CellState.INVALID)
    return PriceCell(
        state=CellState.PRICED,
        shade=max(scale.shade(scale.level_of(stretch)) for stretch in stretches),
        prices=tuple(
            None if stretch.price is None else amount_text(stretch.price.price, currency)
            for stretch in stretches
        ),
    )


def _legend(
    scale: PriceScale, calendar: WeekCalendar, fee: Fee
) -> tuple[tuple[int, tuple[str, ...] | None], ...]:
    priced = (
        (scale.shade(level), texts) for level, texts in scale.legend(calendar.tariff.currency)
    )
    is_free = any(each.price is None and each.valid for each in calendar.stretches[fee])
    return ((FREE_LEVEL, None), *priced) if is_free else (*priced,)
