"""The journal as CSV (RFC 4180): a line for each posting, amounts as exact text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from projections.journal.chart import NO_CHART, Chart
from projections.journal.columns import COLUMNS, rows_of
from projections.journal.entries import BookedEntry
from tariffs.phrases.printable import csv_text


def csv_lines(entries: Iterable[BookedEntry], chart: Chart = NO_CHART) -> Iterator[str]:
    """Yield the heading and the lines of *entries*, each with its end, as `csv_line` does."""
    yield csv_line(COLUMNS)
    for entry in entries:
        yield "".join(map(csv_line, rows_of(entry, chart)))


def csv_line(cells: Sequence[str | Decimal]) -> str:
    """Return a line with its end; a text stands there as `csv_text` has it, never as a formula."""
    written = io.StringIO()
    csv.writer(written).writerow(map(_cell, cells))
    return written.getvalue()


def _cell(cell: str | Decimal) -> str:
    return f"{cell:f}" if isinstance(cell, Decimal) else csv_text(cell)
