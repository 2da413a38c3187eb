"""The journal as CSV (RFC 4180): a line for each posting, amounts as exact text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from projections.journal.chart import NO_CHART, Chart
from projections.journal.columns import COLUMNS, rows_of
from projections.journal.entries import BookedEntry

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula; a station may well choose it for its transaction."""


def csv_lines(entries: Iterable[BookedEntry], chart: Chart = NO_CHART) -> Iterator[str]:
    """Yield the heading and the lines of *entries*, each with its end.

    A text that a spreadsheet would compute has an apostrophe before it.
    """
    yield csv_line(COLUMNS)
    for entry in entries:
        yield "".join(map(csv_line, rows_of(entry, chart)))


def csv_line(cells: Sequence[str | Decimal]) -> str:
    """Return a line with its end; what a spreadsheet would compute has an apostrophe before it."""
    written = io.StringIO()
    csv.writer(written).writerow(map(_cell, cells))
    return written.getvalue()


def _cell(cell: str | Decimal) -> str:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
