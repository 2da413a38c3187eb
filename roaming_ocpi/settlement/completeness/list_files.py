"""Lists of CDRs as files: CSV or lines of JSON, written and read line by line, in flat memory.

What a partner wrote is hostile until it is read: lines without end, repeated keys, NaN. Lines that
cannot be read are named, and stop nothing; what is no table at all ends there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, Final, TypeVar

import msgspec

from roaming_ocpi.settlement.completeness.listed_cdr import (
    COLUMNS,
    ListedCdr,
    UnfitRowError,
)
from tariffs.ocpi.documents import OcpiError, RepeatedKeys, decode_json
from tariffs.phrases.printable import csv_text

_T = TypeVar("_T")
LINE_MAX: Final = 100_000
"""Bytes of a line: no list has any like it."""
SHOWN_MAX: Final = 20
_BYTE_ORDER_MARK: Final = "\ufeff"
_NUMBERS: Final = frozenset({"energy_kwh", "net", "tax"})
_TEXTS: Final = frozenset({"cdr_id", "credits", "session_ref"})
_NEEDED: Final = "cdr_id"
_NO_TABLE: Final = (
    f"no heading {_NEEDED}: nothing of the file is read; it has columns between commas, or an "
    "object of JSON in each line"
)
_APOSTROPHE: Final = re.compile(r"'\s*[=+\-@']")
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class LineProblems:
    """What is wrong with lines of a file: how many, and the first of them as "line 7: why"."""

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[str] = []

    def add(self, line: int, why: str) -> None:
        """Take one into account."""
        self.count += 1
        if len(self.shown) < SHOWN_MAX:
            self.shown.append(f"line {line}: {why}")


def csv_list(cdrs: Iterable[ListedCdr]) -> Iterator[str]:
    """Yield a list as CSV (RFC 4180), line by line.

    A text that a spreadsheet would compute has an apostrophe before it, which reading takes off.
    """
    yield _csv_line(COLUMNS)
    for cdr in cdrs:
        texts = zip(COLUMNS, cdr.texts(), strict=True)
        yield _csv_line([_quoted(text) if name in _TEXTS else text for name, text in texts])


def json_list(cdrs: Iterable[ListedCdr]) -> Iterator[str]:
    """Yield a list as lines of JSON; numbers are exact, what is not said is left out."""
    for cdr in cdrs:
        said = {
            name: Decimal(text) if name in _NUMBERS else text
            for name, text in zip(COLUMNS, cdr.texts(), strict=True)
            if text
        }
        yield _ENCODER.encode(said).decode() + "\n"


def read_lines(
    file: BinaryIO, read: Callable[[dict[str, Any]], _T], problems: LineProblems
) -> Iterator[tuple[int, _T]]:
    """Yield what *read* makes of each line, and its number; the rest goes to *problems*.

    Numbers begin at 1. *file*: CSV with headings, or lines of JSON, as its first character says.
    """
    lines = _lines(file, problems)
    first = next(lines, None)
    if first is None:
        return
    lines = _again(first, lines)
    rows = _json_rows if first[1].lstrip().startswith("{") else _csv_rows
    for number, row in rows(lines, problems):
        try:
            yield number, read(row)
        except UnfitRowError as error:
            problems.add(number, str(error))


def _lines(file: BinaryIO, problems: LineProblems) -> Iterator[tuple[int, str]]:
    """Yield each line that has anything in it; one without end is passed over."""
    number = 0
    while line := file.readline(LINE_MAX + 1):
        number += 1
        if len(line) > LINE_MAX:
            problems.add(number, f"longer than {LINE_MAX:,} bytes")
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_MAX)
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError:
            problems.add(number, "not UTF-8")
            continue
        if number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if text.strip():
            yield number, text


def _again(first: _T, rest: Iterator[_T]) -> Iterator[_T]:
    yield first
    yield from rest


def _json_rows(
    lines: Iterable[tuple[int, str]], problems: LineProblems
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines:
        try:
            value = decode_json(line.encode())
        except OcpiError as error:
            problems.add(number, str(error))
            continue
        if isinstance(value, RepeatedKeys):
            problems.add(number, f"{', '.join(map(ascii, value.repeated[:3]))} stands twice")
        elif isinstance(value, dict):
            yield number, value
        else:
            problems.add(number, "not an object")


def _csv_rows(
    lines: Iterable[tuple[int, str]], problems: LineProblems
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield rows by their headings. A row is a line: no column of a list has a line feed in it."""
    names: list[str] | None = None
    for number, line in lines:
        try:
            [row] = csv.reader([line], strict=True)
        except (csv.Error, ValueError) as error:
            problems.add(number, f"not CSV: {error}")
            continue
        if names is None:
            names = [each.strip().lower() for each in row]
            if len(set(names)) != len(names):
                problems.add(number, "a heading stands twice: nothing of the file is read")
                return
            if _NEEDED not in names:
                problems.add(number, _NO_TABLE)
                return
        elif len(row) != len(names):
            problems.add(number, f"{len(row)} columns under {len(names)} headings")
        else:
            yield number, dict(zip(names, map(_unquoted, row), strict=True))


def _quoted(text: str) -> str:
    return f"'{text}" if text.startswith("'") else csv_text(text)


def _unquoted(cell: str) -> str:
    return cell[1:] if _APOSTROPHE.match(cell) else cell


def _csv_line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
