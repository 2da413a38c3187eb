"""A week of one fee as a heat-map for the terminal: plain characters, levels for colours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from typing import Final

import msgspec

from tariffs.calendar.circumstances import footnotes, start_note, telling
from tariffs.calendar.english import ENGLISH
from tariffs.calendar.scale import LEVELS_MAX, PriceScale, scale_of
from tariffs.calendar.week import Fee, Stretch, WeekCalendar
from tariffs.calendar.words import DAY_NAMES, note_text, price_text
from tariffs.kernel.compiled import CompiledTariff

# Free, then six heights that also a terminal without colours tells apart.
SHADES: Final = ("\N{MIDDLE DOT}", *"▁▂▃▅▆█")
MISSING: Final = " "
CHANGES_WITHIN: Final = "*"
_DAY_WIDTH: Final = 11
_DAY_MINUTES: Final = 24 * 60


class ShadedText(msgspec.Struct, frozen=True):
    """A run of characters; `shade` 0 (free) to 6 (dearest) is what a colour may say again."""

    text: str
    shade: int | None = None


Line = tuple[ShadedText, ...]


def calendar_text(compiled: CompiledTariff, base: WeekCalendar) -> tuple[Line, ...]:
    """Return all fees of *base* with their legends, and what holds later in a session."""
    tariff = base.tariff
    title = tariff.id if tariff.name is None else f"{tariff.name} ({tariff.id})"
    lines: list[Line] = [
        (ShadedText(f"{title}, week of {base.first_day.isoformat()}, {base.time_zone}"),),
        (ShadedText(note_text(start_note(base.circumstances))),),
    ]
    for fee in base.fees:
        shown, band = telling(compiled, base, fee)
        lines += [(), *fee_lines(shown, fee, "" if band is None else ENGLISH.words(band.said))]
    notes = footnotes(compiled, base)
    if notes:
        lines += [(), *((ShadedText(f"* {note_text(note)}"),) for note in notes)]
    return tuple(lines)


def fee_lines(calendar: WeekCalendar, fee: Fee, when: str = "") -> Iterator[Line]:
    """Yield the heat-map of one fee: a heading, the hours, a line a day, the legend."""
    scale = scale_of(calendar, fee)
    currency = calendar.tariff.currency
    constant = calendar.constant(fee)
    if constant is not None:
        qualified = f"{fee.value}{when and f', {when}'}"
        yield (
            ShadedText(f"{qualified}: {price_text(constant.price, fee, currency)} at all times"),
        )
        return
    per_hour = 4 if calendar.slot_minutes(fee) == 15 else 2  # noqa: PLR2004 - quarters
    yield (ShadedText(f"{fee.value}{when and f', {when}'}, {currency}{fee.unit}"),)
    hours = "".join(f"{hour:02d}".ljust(3 * per_hour) for hour in range(0, 24, 3))
    yield (ShadedText(" " * _DAY_WIDTH + hours.rstrip()),)
    for day in calendar.days:
        name = f"{DAY_NAMES[day.weekday()]} {day:%d.%m.}".ljust(_DAY_WIDTH)
        cells = [
            _shaded(calendar.cell(fee, day, time(m // 60, m % 60), 60 // per_hour), scale)
            for m in range(0, _DAY_MINUTES, 60 // per_hour)
        ]
        yield (ShadedText(name), *_runs(cells))
    yield tuple(_legend(scale, calendar, fee))


def _shaded(stretches: tuple[Stretch, ...], scale: PriceScale) -> ShadedText:
    if not stretches or not stretches[0].valid:
        return ShadedText(MISSING)
    shades = {scale.shade(scale.level_of(s)) for s in stretches}
    if len(shades) > 1:
        return ShadedText(CHANGES_WITHIN, max(shades))
    shade = shades.pop()
    return ShadedText(SHADES[shade], shade)


def _runs(cells: list[ShadedText]) -> Iterator[ShadedText]:
    held: ShadedText | None = None
    for cell in cells:
        if held is not None and held.shade == cell.shade:
            held = ShadedText(held.text + cell.text, held.shade)
            continue
        if held is not None:
            yield held
        held = cell
    if held is not None:
        yield held


def _legend(scale: PriceScale, calendar: WeekCalendar, fee: Fee) -> Iterator[ShadedText]:
    yield ShadedText(" " * _DAY_WIDTH)
    cells = [
        _shaded(calendar.cell(fee, day, time(m // 60, m % 60), 15), scale)
        for day in calendar.days
        for m in range(0, _DAY_MINUTES, 15)
    ]
    seen = {cell.text for cell in cells}
    if SHADES[0] in seen:
        yield ShadedText(f"{SHADES[0]} free  ", 0)
    for level, prices in scale.legend(calendar.tariff.currency):
        shade = scale.shade(level)
        yield ShadedText(SHADES[min(shade, LEVELS_MAX)], shade)
        yield ShadedText(f" {' to '.join(prices)}  ")
    if CHANGES_WITHIN in seen:
        yield ShadedText(f"{CHANGES_WITHIN} changes within  ")
    if MISSING in seen:
        yield ShadedText("blank: no such hour, or the tariff does not hold")
