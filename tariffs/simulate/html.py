"""The result of a back-test as one HTML page that needs nothing else: tables and a chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tariffs.phrases.printable import html_text
from tariffs.simulate.simulation import BilledChange, SimulationResult
from tariffs.simulate.tables import ResultTable, amount_of, percent_of, result_tables, sentences

_WIDTH: Final = 760
_HEIGHT: Final = 260
_LEFT: Final = 90
_TOP: Final = 30
_BOTTOM: Final = 220
_BARS_MAX: Final = 36
_LABELS_MAX: Final = 12
_GRID_LINES: Final = 4
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #17212b; --soft: #5a6672; --page: #ffffff;
  --line: #d5dade; --old: #8a97a3; --new: #1f6f8f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf1; --soft: #a9b4be; --page: #12181e;
  --line: #36414b; --old: #7c8894; --new: #6bb3dd; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
p { margin: .3rem 0; white-space: pre-line; } p.lead { font-size: 1.15rem; }
.wrap { overflow-x: auto; margin: 1.5rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { padding: .2rem .5rem; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--soft); font-weight: 600; }
.right { text-align: right; white-space: nowrap; }
svg { width: 100%; height: auto; } figure { margin: 1.5rem 0; }
figcaption { color: var(--soft); font-size: .9rem; }
svg text { fill: var(--soft); } svg .old { fill: var(--old); } svg .new { fill: var(--new); }
svg line { stroke: var(--line); }
@media print { body { max-width: none; } .wrap { overflow: visible; } }
"""


def simulation_html(result: SimulationResult, title: str, *, top: int = 20) -> str:
    """Return the page: the total in a sentence, a chart by month, all tables."""
    total = result.total
    lead = (
        f"{total.sessions:,} sessions: {amount_of(total.old_minor, result.currency)} become"
        f" {amount_of(total.new_minor, result.currency)} {result.currency}, taxes included"
        f" ({amount_of(total.difference_minor, result.currency, signed=True)},"
        f" {percent_of(total)} %)."
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html_text(title)}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{html_text(title)}</h1><p class="lead">{html_text(lead)}</p>',
        f"<p>{chr(10).join(map(html_text, sentences(result)))}</p>",
        *_chart(sorted(result.months.values(), key=lambda change: change.name), result),
    ]
    parts += [line for table in result_tables(result, top=top) for line in _table(table)]
    return "\n".join([*parts, "</body></html>", ""])


def _table(table: ResultTable) -> Iterator[str]:
    sides = list(table.columns.values())
    yield f'<div class="wrap"><table><caption>{html_text(table.title)}</caption><thead><tr>'
    for heading, side in table.columns.items():
        yield f'<th scope="col" class="{side}">{html_text(heading)}</th>'
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = zip(row, sides, strict=True)
        yield "<tr>" + "".join(f'<td class="{s}">{html_text(c)}</td>' for c, s in cells) + "</tr>"
    if not table.rows:
        yield f'<tr><td colspan="{len(sides)}">none</td></tr>'
    yield "</tbody></table></div>"


def _chart(months: Sequence[BilledChange], result: SimulationResult) -> Iterator[str]:
    """Yield a bar chart of the last months, old beside new."""
    months = months[-_BARS_MAX:]
    if not months:
        return
    highest = _round_top(max(1, *(m.old_minor for m in months), *(m.new_minor for m in months)))
    described = "; ".join(
        f"{m.name}: {amount_of(m.old_minor, result.currency)} to"
        f" {amount_of(m.new_minor, result.currency)}"
        for m in months
    )
    yield f'<figure><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    yield 'role="img" aria-labelledby="chart-title chart-words" font-size="12">'
    yield f'<title id="chart-title">Revenue by month, old and new, {result.currency}</title>'
    yield f'<desc id="chart-words">{html_text(described)}</desc>'
    yield from _grid(highest, result.currency)
    slot = (_WIDTH - _LEFT) * 100 // len(months)
    for number, month in enumerate(months):
        x = _LEFT * 100 + slot * number
        yield _bar("old", x + slot // 10, slot * 4 // 10, month.old_minor, highest)
        yield _bar("new", x + slot // 2, slot * 4 // 10, month.new_minor, highest)
        if number % (len(months) // _LABELS_MAX + 1) == 0:
            middle = _hundredths(x + slot // 2)
            yield f'<text x="{middle}" y="{_BOTTOM + 18}" text-anchor="middle">{month.name}</text>'
    yield f'<rect class="old" x="{_LEFT}" y="6" width="12" height="12"/>'
    yield f'<text x="{_LEFT + 18}" y="16">old</text>'
    yield f'<rect class="new" x="{_LEFT + 60}" y="6" width="12" height="12"/>'
    yield f'<text x="{_LEFT + 78}" y="16">new</text>'
    yield f"</svg><figcaption>Revenue by month (UTC), {result.currency}, taxes included."
    yield "</figcaption></figure>"


def _round_top(highest: int) -> int:
    """Return the least value of four round steps that *highest* does not reach over."""
    power = 1
    while power * 10 * _GRID_LINES < highest:
        power *= 10
    step = next(step for step in (1, 2, 5, 10) if step * power * _GRID_LINES >= highest)
    return step * power * _GRID_LINES


def _grid(highest: int, currency: str) -> Iterator[str]:
    for line in range(_GRID_LINES + 1):
        y = _BOTTOM - (_BOTTOM - _TOP) * line // _GRID_LINES
        amount = amount_of(highest * line // _GRID_LINES, currency)
        yield f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{amount}</text>'


def _bar(kind: str, x: int, width: int, minor: int, highest: int) -> str:
    """Return one bar; *x* and *width* in hundredths."""
    height = (_BOTTOM - _TOP) * 100 * max(minor, 0) // highest
    return (
        f'<rect class="{kind}" x="{_hundredths(x)}" y="{_hundredths(_BOTTOM * 100 - height)}"'
        f' width="{_hundredths(width)}" height="{_hundredths(height)}"/>'
    )


def _hundredths(value: int) -> str:
    return f"{value // 100}.{value % 100:02}"
