"""A list as it is shown, as a file: each column by its key, moments in UTC, figures exact.

What stands smaller below a cell gets a column of its own, and so does the unit of its figures,
where the list says that it has some, or its first page has. What comes only later stands in the
cell itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from itertools import chain
from typing import Any, Final, NamedTuple

from litestar import Response
from litestar.exceptions import NotFoundException
from psycopg import Connection

from projections.console.addresses import AFTER, FORMAT, LIST
from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.listing import Cell, Listing
from projections.console.page import ConsolePage

SHEET_NAME_MAX: Final = 31
"""Of a workbook: programs refuse longer ones."""


class _Shape(NamedTuple):
    """The columns of a list: the key of each, and whether it has units, and notes."""

    keys: Sequence[str]
    has_unit: Sequence[bool]
    has_note: Sequence[bool]

    @property
    def heading(self) -> list[str]:
        """Return what stands over the file's columns."""
        found = []
        for key, unit, note in zip(*self, strict=True):
            found += [key, *([f"{key}_unit"] * unit), *([f"{key}_note"] * note)]
        return found


def asked_file(page: ConsolePage, listings: Iterable[Listing]) -> Response[Any] | None:
    """Return the one of a page's lists that its address wants as a file; None: it wants none.

    Raises:
        NotFoundException: If it wants one that there is not, or as nothing that a file can be.
    """
    kind, wanted = page.address.of(FORMAT), page.address.of(LIST)
    if not kind:
        return None
    found = [each for each in listings if each.file and each.file == wanted]
    if not found:
        raise NotFoundException(detail="this page has no such list")
    return listing_file(kind, found[0].file, found[:1])


def listing_file(kind: str, name: str, pages: Iterable[Listing]) -> Response[Any]:
    """Return a list with all its *pages* as a file; the first says which columns it has.

    Raises:
        NotFoundException: If *kind* is neither csv nor xlsx.
    """
    following = iter(pages)
    first = next(following)
    shape = _shape(first)
    rows = (_cells(shape, row) for each in chain([first], following) for row in each.rows)
    if kind == "csv":
        return csv_file(name, shape.heading, rows)
    if kind == "xlsx":
        return xlsx_file(name, name[:SHEET_NAME_MAX], shape.heading, rows)
    raise NotFoundException(detail="a list is exported as csv or xlsx")


def every_page(
    page: ConsolePage, make: Callable[[ConsolePage, Connection[Any]], Listing]
) -> Iterator[Listing]:
    """Yield a list page by page from its beginning on, all of one moment; *make* makes one."""
    query = {name: text for name, text in page.address.query.items() if name != AFTER}
    with page.console.exporting() as connection:
        after: str | None = ""
        while after is not None:
            address = page.address._replace(query={**query, AFTER: after})
            listing = make(page._replace(address=address), connection)
            yield listing
            after = listing.next_after or None


def _shape(listing: Listing) -> _Shape:
    columns = [*enumerate(listing.columns)]
    return _Shape(
        keys=[each.key for _, each in columns],
        has_unit=[each.units or any(row[at].unit for row in listing.rows) for at, each in columns],
        has_note=[each.notes or any(row[at].note for row in listing.rows) for at, each in columns],
    )


def _cells(shape: _Shape, row: Sequence[Cell]) -> Cells:
    found: list[Any] = []
    for cell, has_unit, has_note in zip(row, shape.has_unit, shape.has_note, strict=True):
        unit, note = "" if has_unit else cell.unit, "" if has_note else cell.note
        found += [_value(cell, unit, note), *_beside(cell, has_unit, has_note)]
    return found


def _value(cell: Cell, unit: str, note: str) -> Any:  # noqa: ANN401 - a text or a number
    """Return what stands in a cell, with the unit and the note that have no column of their own."""
    if cell.exact is not None and not unit and not note:
        return cell.exact
    text = cell.at.astimezone(UTC).isoformat() if cell.at else cell.text
    if cell.exact is not None:
        text = f"{cell.exact:f} {unit}".strip()
    return f"{text} ({note})" if note else text


def _beside(cell: Cell, has_unit: bool, has_note: bool) -> Iterator[str]:  # noqa: FBT001 - columns
    if has_unit:
        yield cell.unit
    if has_note:
        yield cell.note
