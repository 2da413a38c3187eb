"""What is filtered, as a file: CSV line by line, however much, and a workbook within limits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, Final

from litestar import Response
from litestar.response import Stream as PieceByPiece

from projections.journal.csv_lines import csv_line
from projections.journal.workbook import WorkbookSheet, write_sheet

XLSX_ROWS_MAX: Final = 100_001
"""Of a workbook made while somebody waits, with its heading."""
_WIDTH: Final = 18
_CHUNK: Final = 64_000
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEADERS: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
Cells = Sequence[str | Decimal]


class CutFileError(RuntimeError):
    """A file could not be made to its end: what was sent of it is cut off."""


def csv_file(name: str, heading: Cells, rows: Iterable[Cells]) -> Response[Any]:
    """Return rows as CSV (RFC 4180), sent while they are read.

    A text that a spreadsheet would compute has an apostrophe before it. What raises before the
    first rows are there is raised here.
    """
    return text_file(f"{name}.csv", "text/csv", map(csv_line, chain([heading], rows)))


def text_file(name: str, media_type: str, lines: Iterable[str]) -> Response[Any]:
    """Return *lines* as a file called *name*, sent while they are read."""
    chunks = _chunks(lines)
    first = next(chunks, b"")
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return PieceByPiece(chain([first], _to_its_end(chunks)), media_type=media_type, headers=headers)


def xlsx_file(
    name: str, title: str, heading: Sequence[str], rows: Iterable[Cells]
) -> Response[Any]:
    """Return rows as a workbook.

    Raises:
        TooManyRowsError: If there are more than `XLSX_ROWS_MAX`.
    """
    sheet = WorkbookSheet(title, heading, [_WIDTH] * len(heading), len(heading) - 1, XLSX_ROWS_MAX)
    with tempfile.TemporaryDirectory(prefix="wattledger-export-") as folder:
        path = Path(folder) / "made.xlsx"
        write_sheet(path, sheet, rows)
        return workbook_file(name, path)


def workbook_file(name: str, path: Path) -> Response[Any]:
    """Return a workbook that was written to *path*."""
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}.xlsx"'}
    return Response(path.read_bytes(), media_type=_XLSX, headers=headers)


def _chunks(lines: Iterable[str]) -> Iterator[bytes]:
    waiting: list[str] = []
    length = 0
    for line in lines:
        waiting.append(line)
        length += len(line)
        if length >= _CHUNK:
            yield "".join(waiting).encode()
            waiting, length = [], 0
    yield "".join(waiting).encode()


def _to_its_end(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except ValueError as error:
        # The library takes it for the end, and the file would end as if it were whole.
        raise CutFileError from error
