"""Lists as pages show them: columns, rows of cells, and where the next rows are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

from projections.console.addresses import AFTER, FORMAT, LIST, SORT, PageAddress


class Column(NamedTuple):
    """A column: its title in English. `is_figure`: to the right; `sorts`: by its key.

    `units`, `notes`: a file has a column for those of its cells, whatever its first page has.
    """

    key: str
    title: str
    is_figure: bool = False
    sorts: bool = False
    units: bool = False
    notes: bool = False


class Cell(NamedTuple):
    """What stands in a row: `text` as it is shown, or a moment in a place's time zone.

    `href`: where it leads; `note`: smaller, below; `tone`: "good", "warn" or "bad", which the text
    says too, as colour alone tells nobody. `exact`: what a file has in place of the text, in no
    language, and in which `unit`.
    """

    text: str = ""
    href: str = ""
    note: str = ""
    tone: str = ""
    at: datetime | None = None
    zone: tzinfo | None = None
    exact: Decimal | None = None
    unit: str = ""


class Listing(NamedTuple):
    """A list: its caption for who does not see it, what it says where it is empty.

    `total`: the server's own sum over all that is filtered, in words; `next_after`: the key of the
    last row where more follow. `exports`: its page hands out all of the filter as a file; `file`:
    the name under which this list alone, which is on one page, is handed out; `by_itself`: how it
    is sorted where its address does not say it.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    address: PageAddress
    empty: str
    next_after: str = ""
    total: str = ""
    exports: bool = False
    file: str = ""
    by_itself: str = ""

    @property
    def next_page(self) -> str:
        """Return the address of what follows, "" where nothing does."""
        return self.address.with_(**{AFTER: self.next_after}) if self.next_after else ""

    def as_file(self, form: str) -> str:
        """Return where it is handed out as a file of that form."""
        return self.address.with_(**{FORMAT: form, LIST: self.file})

    def sorted_by(self, column: Column) -> str:
        """Return the address of this list by a column; the other way round where it is already."""
        key, is_down = self._sort
        turned = column.key == key and not is_down
        return self.address.with_(**{SORT: f"-{column.key}" if turned else column.key})

    def direction(self, column: Column) -> str:
        """Return how a column is sorted, in the words of aria-sort."""
        key, is_down = self._sort
        if column.key != key:
            return "none"
        return "descending" if is_down else "ascending"

    @property
    def _sort(self) -> tuple[str, bool]:
        said = self.address.of(SORT) or self.by_itself
        return said.removeprefix("-"), said.startswith("-")
