"""A week of a tariff as one HTML page that needs nothing else: tables, a plot, no script."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from tariffs.calendar.circumstances import footnotes, start_note, telling
from tariffs.calendar.english import ENGLISH
from tariffs.calendar.plot import busiest_day, day_plot
from tariffs.calendar.table import HOUR, CellState, PriceCell, PriceTable, price_table
from tariffs.calendar.week import Fee, WeekCalendar
from tariffs.calendar.words import (
    DAY_NAMES,
    amount_text,
    element_text,
    note_text,
    price_text,
)
from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.tariff import PriceLimit, Tariff, TaxIncluded
from tariffs.phrases.printable import html_text

# Background and text of free and of the six shades: each pair has a contrast of 4.5 or more.
PALETTE: Final = (
    ("#f4f5f6", "#4a5560"),
    ("#e0f1ec", "#10231f"),
    ("#b9dfd8", "#10231f"),
    ("#86c6c4", "#10231f"),
    ("#58a8b8", "#0b1a20"),
    ("#2c6f93", "#ffffff"),
    ("#1d3f6e", "#ffffff"),
)
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #17212b; --soft: #5a6672; --page: #ffffff;
  --line: #d5dade; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf1; --soft: #a9b4be; --page: #12181e;
  --line: #36414b; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p.lead { color: var(--soft); margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
.wrap { overflow-x: auto; }
table { border-collapse: separate; border-spacing: 2px; width: 100%; table-layout: fixed;
  font-variant-numeric: tabular-nums; font-size: .85rem; min-width: 34rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th { font-weight: 600; color: var(--soft); padding: .2rem .3rem; }
th[scope=row] { text-align: right; font-weight: 400; }
td { text-align: center; padding: .2rem .1rem; border-radius: 3px; }
td.within { outline: 2px solid var(--ink); outline-offset: -2px; }
td.none { color: var(--soft); }
.quarter th, .quarter td { padding-top: .05rem; padding-bottom: .05rem; }
ul.scale { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem;
  font-size: .85rem; margin: .5rem 0; }
ul.scale li { padding: .1rem .6rem; border-radius: 3px; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .9rem; }
@media print { body { max-width: none; } .wrap { overflow: visible; }
  td, li { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_SHADES: Final = "".join(
    f".p{number} {{ background: {back}; color: {ink}; }}\n"
    for number, (back, ink) in enumerate(PALETTE)
)


def calendar_html(
    compiled: CompiledTariff, base: WeekCalendar, *, plot_day: date | None = None
) -> str:
    """Return the page of *base*: a table a fee, the prices of one day as plots, notes.

    *plot_day* is one of the days of *base*; by default the one with the most changes.
    """
    tariff = base.tariff
    title = html_text(tariff.name or tariff.id)
    last = base.days[-1].isoformat()
    body: list[str] = [
        f"<h1>{title}</h1>",
        f'<p class="lead">{base.first_day.isoformat()} to {last}, {html_text(base.time_zone)}</p>',
        _facts(tariff),
    ]
    shown = {fee: telling(compiled, base, fee) for fee in base.fees}
    for fee, (calendar, band) in shown.items():
        body += fee_section(calendar, fee, "" if band is None else ENGLISH.words(band.said))
    day = busiest_day(base) if plot_day is None else plot_day
    body += _plots({fee: calendar for fee, (calendar, _) in shown.items()}, day)
    body += _notes(compiled, base)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}: prices of the week</title>",
            f"<style>{_STYLE}{_SHADES}</style></head>",
            "<body><main>",
            *body,
            "</main></body></html>",
            "",
        ]
    )


def _facts(tariff: Tariff) -> str:
    facts = [("Tariff", tariff.id), ("Prices", _taxes(tariff))]
    if tariff.start_date_time is not None:
        facts.append(("Valid from", f"{tariff.start_date_time:%Y-%m-%d %H:%M} UTC"))
    if tariff.end_date_time is not None:
        facts.append(("Valid until", f"{tariff.end_date_time:%Y-%m-%d %H:%M} UTC"))
    for name, limit in (("At least", tariff.min_price), ("At most", tariff.max_price)):
        if limit is not None:
            facts.append((name, f"{limit_text(limit, tariff.currency)} a session"))
    rows = "".join(f"<dt>{html_text(name)}</dt><dd>{html_text(text)}</dd>" for name, text in facts)
    return f"<dl>{rows}</dl>"


def _taxes(tariff: Tariff) -> str:
    match tariff.tax_included:
        case TaxIncluded.YES:
            return f"in {tariff.currency}, taxes included"
        case TaxIncluded.NO:
            return f"in {tariff.currency}, before taxes"
        case TaxIncluded.NOT_APPLICABLE:
            return f"in {tariff.currency}, no taxes apply"


def limit_text(limit: PriceLimit, currency: str) -> str:
    """Return a price limit in words."""
    text = f"{amount_text(limit.before_taxes, currency)} {currency} before taxes"
    if limit.after_taxes is None:
        return text
    return f"{text}, {amount_text(limit.after_taxes, currency)} {currency} after taxes"


def fee_section(calendar: WeekCalendar, fee: Fee, when: str = "") -> Iterator[str]:
    """Yield the heading and the table of one fee; a sentence where it never changes."""
    currency = calendar.tariff.currency
    yield f"<section><h2>{html_text(fee.value)}{html_text(when and f', {when}')}</h2>"
    constant = calendar.constant(fee)
    if constant is not None:
        price = html_text(price_text(constant.price, fee, currency))
        yield f"<p>{price} at all times.</p></section>"
        return
    table = price_table(calendar, fee)
    yield _legend(table)
    name = fee.name.lower()
    yield (
        f'<div class="wrap" role="region" tabindex="0" aria-labelledby="c-{name}">'
        f"<table{'' if table.minutes == HOUR else ' class=quarter'}>"
        f'<caption id="c-{name}">{html_text(fee.value)} in {html_text(currency)}{fee.unit}, '
        "by local time and day</caption><thead><tr>"
        '<th scope="col">From</th>'
    )
    for day in table.days:
        yield f'<th scope="col">{DAY_NAMES[day.weekday()]}<br>{day:%d.%m.}</th>'
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = "".join(map(_cell, row.cells))
        yield f'<tr><th scope="row">{row.starts_at}</th>{cells}</tr>'
    yield "</tbody></table></div></section>"


def _cell(cell: PriceCell) -> str:
    match cell.state:
        case CellState.MISSING:
            return '<td class="none">no such hour</td>'
        case CellState.INVALID:
            return '<td class="none">not valid</td>'
        case CellState.PRICED:
            within = " within" if cell.changes_within else ""
            texts = ("free" if price is None else price for price in cell.prices)
            return f'<td class="p{cell.shade}{within}">{" then ".join(texts)}</td>'


def _legend(table: PriceTable) -> str:
    unit = f"{html_text(table.currency)}{table.fee.unit}"
    items = [
        f'<li class="p{shade}">{"free" if texts is None else " to ".join(texts) + " " + unit}</li>'
        for shade, texts in table.legend
    ]
    return f'<ul class="scale" aria-label="Colour scale">{"".join(items)}</ul>'


def _plots(calendars: dict[Fee, WeekCalendar], day: date) -> Iterator[str]:
    changing = {fee: c for fee, c in calendars.items() if c.constant(fee) is None}
    if not changing:
        return
    yield f"<section><h2>{day:%A}, {day.isoformat()}, hour by hour</h2>"
    for fee, calendar in changing.items():
        caption = f"{fee.value} over the day"
        yield f"<figure>{day_plot(calendar, fee, day)}<figcaption>{caption}</figcaption></figure>"
    yield "</section>"


def _notes(compiled: CompiledTariff, base: WeekCalendar) -> Iterator[str]:
    tariff = base.tariff
    notes = (start_note(base.circumstances), *footnotes(compiled, base))
    yield "<section><h2>Notes</h2><ul>"
    yield from (f"<li>{html_text(note_text(note))}</li>" for note in notes)
    yield "</ul></section><section><h2>Elements, in order; the first that applies counts</h2><ol>"
    for element in tariff.elements:
        name = "" if element.name is None else f"<strong>{html_text(element.name)}</strong>: "
        yield f"<li>{name}{html_text(element_text(element, tariff))}</li>"
    yield "</ol></section>"
