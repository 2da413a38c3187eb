"""The journal as a workbook (XLSX), whose amounts are numbers as spreadsheets have them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from projections.errors import ProjectionError
from projections.journal.chart import NO_CHART, Chart
from projections.journal.columns import AMOUNTS, COLUMNS, rows_of
from projections.journal.entries import BookedEntry

ROWS_MAX: Final = 1_048_576
"""What a sheet holds, with its heading."""
DIGITS_MAX: Final = 15
_MADE: Final = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""When each workbook says that it was made, so that the same books are the same bytes."""
_WIDTHS: Final = (11, 25, 40, 8, 14, 36, 8, 24, 14, 24, 9, 20, 9, 14, 14)


def write_workbook(path: Path, entries: Iterable[BookedEntry], chart: Chart = NO_CHART) -> None:
    """Write *entries* to *path*, a row for each posting.

    An amount of more digits than a spreadsheet keeps is written as text.

    Raises:
        TooManyRowsError: If a sheet cannot hold them.
        OSError: If *path* cannot be written.
    """
    import xlsxwriter  # noqa: PLC0415 - only who wants one waits for it

    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    book = xlsxwriter.Workbook(str(path), options)
    book.set_properties({"title": "Journal", "created": _MADE})
    sheet = book.add_worksheet("Journal")
    money = {places: book.add_format({"num_format": _places(places)}) for places in range(5)}
    for column, width in enumerate(_WIDTHS):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, COLUMNS, book.add_format({"bold": True}))
    row = 0
    try:
        for entry in entries:
            for cells in rows_of(entry, chart):
                row += 1
                if row >= ROWS_MAX:
                    raise TooManyRowsError
                for column, cell in enumerate(cells):
                    if not isinstance(cell, Decimal):
                        # No formula and no link, whatever it says; cut where a cell ends.
                        sheet.write_string(row, column, cell)
                    elif len(cell.as_tuple().digits) > DIGITS_MAX:
                        sheet.write_string(row, column, f"{cell:f}")
                    else:
                        places = max(0, -int(cell.as_tuple().exponent))
                        sheet.write_number(row, column, cell, money.get(places))
    finally:
        sheet.autofilter(0, 0, max(row, 1), max(AMOUNTS))
        try:
            book.close()
        except xlsxwriter.exceptions.FileCreateError as error:
            raise OSError(str(error)) from error


def _places(places: int) -> str:
    return "#,##0" + ("." + "0" * places if places else "")


class TooManyRowsError(ProjectionError):
    """A sheet cannot hold the journal."""

    def __init__(self) -> None:
        super().__init__(
            f"a sheet holds {ROWS_MAX:,} rows: choose fewer days with --from and --to, or csv"
        )
