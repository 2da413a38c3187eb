"""The journal as a workbook (XLSX), whose amounts are numbers as spreadsheets have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from projections.errors import ProjectionError
from projections.journal.chart import NO_CHART, Chart
from projections.journal.columns import AMOUNTS, COLUMNS, rows_of
from projections.journal.entries import BookedEntry
from tariffs.phrases.printable import printable

ROWS_MAX: Final = 1_048_576
"""What a sheet holds, with its heading."""
DIGITS_MAX: Final = 15
_NAME_MAX: Final = 31
"""Of the name of a sheet, in units of UTF-16."""
_NO_NAME: Final = re.compile(r"[\[\]:*?/\\]")
_MADE: Final = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""When each workbook says that it was made, so that the same books are the same bytes."""
_WIDTHS: Final = (11, 25, 40, 8, 14, 36, 8, 24, 14, 24, 9, 20, 9, 14, 14)


def write_workbook(
    path: Path,
    entries: Iterable[BookedEntry],
    chart: Chart = NO_CHART,
    *,
    rows_max: int = ROWS_MAX,
) -> None:
    """Write *entries* to *path*, a row for each posting, with the heading at most *rows_max*.

    An amount of more digits than a spreadsheet keeps is written as text.

    Raises:
        TooManyRowsError: If a sheet cannot hold them.
        OSError: If *path* cannot be written.
    """
    rows = (cells for entry in entries for cells in rows_of(entry, chart))
    write_sheet(path, WorkbookSheet("Journal", COLUMNS, _WIDTHS, max(AMOUNTS), rows_max), rows)


class WorkbookSheet(NamedTuple):
    """A sheet: its title and heading, how wide its columns are, up to which of them one filters."""

    title: str
    heading: Sequence[str]
    widths: Sequence[int]
    last_filter: int
    rows_max: int = ROWS_MAX


def write_sheet(path: Path, sheet: WorkbookSheet, rows: Iterable[Sequence[str | Decimal]]) -> None:
    """Write *rows* to *path*: texts `printable` and as texts, and amounts as numbers.

    An amount of more digits than a spreadsheet keeps is written as text.

    Raises:
        TooManyRowsError: If the sheet cannot hold them.
        OSError: If *path* cannot be written.
    """
    import xlsxwriter  # noqa: PLC0415 - only who wants one waits for it

    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"title": sheet.title, "created": _MADE})
    made = book.add_worksheet(_name_of(sheet.title))
    money = {places: book.add_format({"num_format": _places(places)}) for places in range(5)}
    for column, width in enumerate(sheet.widths):
        made.set_column(column, column, width)
    made.freeze_panes(1, 0)
    made.write_row(0, 0, sheet.heading, book.add_format({"bold": True}))
    row = 0
    try:
        for cells in rows:
            row += 1
            if row >= sheet.rows_max:
                raise TooManyRowsError(sheet.rows_max)
            for column, cell in enumerate(cells):
                if not isinstance(cell, Decimal):
                    # No formula and no link, whatever it says; cut where a cell ends.
                    made.write_string(row, column, printable(cell))
                elif len(cell.as_tuple().digits) > DIGITS_MAX:
                    made.write_string(row, column, f"{cell:f}")
                else:
                    places = max(0, -int(cell.as_tuple().exponent))
                    made.write_number(row, column, cell, money.get(places))
    finally:
        made.autofilter(0, 0, max(row, 1), sheet.last_filter)
        try:
            book.close()
        except xlsxwriter.exceptions.FileCreateError as error:
            raise OSError(str(error)) from error


def _name_of(title: str) -> str:
    """Return *title* as a sheet can be called: no longer, without signs that address cells."""
    units = _NO_NAME.sub(" ", title).encode("utf-16-le", "replace")[: 2 * _NAME_MAX]
    return units.decode("utf-16-le", "ignore").strip(" '") or "1"


def _places(places: int) -> str:
    return "#,##0" + ("." + "0" * places if places else "")


class TooManyRowsError(ProjectionError):
    """A sheet cannot hold all that is asked for."""

    def __init__(self, rows_max: int = ROWS_MAX) -> None:
        super().__init__(
            f"a sheet holds {rows_max:,} rows: choose fewer days (--from and --to), or csv"
        )
        self.rows_max = rows_max
