"""`wattledger journal`: what was booked, to look at or as a file for other books."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Group, Parameter

from deploy.commands.closing.gathering import month_of
from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.text_files import read_text
from deploy.errors import DeployError
from deploy.output import print_file, print_json, print_rows, say
from deploy.progress_bar import ShowProgress, progress_bar
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

    from ledger.declared.declarations import Declarations
    from projections.journal.chart import Chart
    from projections.journal.days import BookDays
    from projections.journal.entries import BookedEntry

_ONE_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_SHOWN_EACH: Final = 1_000
_WHICH: Final = Group("Which entries", sort_key=4)
COLUMNS: Final = {
    "day": "left",
    "entry": "left",
    "account": "left",
    "party": "left",
    "debit": "right",
    "credit": "right",
}


class JournalFormat(StrEnum):
    """What other books read."""

    CSV = "csv"
    BEANCOUNT = "beancount"
    XLSX = "xlsx"


class OutputMissingError(DeployError):
    """A workbook is no text that a terminal could show."""

    def __init__(self) -> None:
        super().__init__("--format xlsx needs --output FILE")


class FormatMissingError(DeployError):
    """A file was asked for, of no known kind."""

    def __init__(self, output: Path) -> None:
        kinds = ", ".join(JournalFormat)
        super().__init__(f"say --format: {output} ends with none of {kinds}")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WhichEntries:
    """Which entries."""

    since: Annotated[date | None, Parameter(name="--from", group=_WHICH)] = None
    """First day."""

    until: Annotated[date | None, Parameter(name="--to", group=_WHICH)] = None
    """The day after the last."""

    period: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Only what stands in the books of this month ("2026-03"), whenever it was booked."""

    legal_entity: Annotated[str | None, Parameter(group=_WHICH)] = None
    """Only this one's books."""

    def days(self, declarations: Declarations) -> BookDays:
        """Return them as the books are asked for them."""
        from projections.journal.days import book_days

        return book_days(
            declarations,
            first=self.since,
            after=self.until,
            legal_entity=self.legal_entity,
            period=None if self.period is None else month_of(self.period),
        )


_ALL_ENTRIES: Final = WhichEntries()


def journal(
    *,
    which: WhichEntries = _ALL_ENTRIES,
    format: JournalFormat | None = None,  # noqa: A002 - the option's name
    output: Path | None = None,
    accounts: Path | None = None,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show what was booked, or write it for other books: CSV, XLSX, beancount.

    The same books are the same bytes. Days are those of the legal entity's own calendar.

    Args:
        which: Which entries.
        format: csv (amounts as exact text), beancount, or xlsx; else what the file's name ends
            with. Without --output it is printed.
        output: The file to write; one that is there is replaced once the new one is whole.
        accounts: A chart of accounts (books.yaml) in place of what was declared of it.
        limit: Show at most so many entries; files have all of them.
        folder: Where.
    """
    from ledger.declared.store import load_declarations
    from projections.journal.chart import declared_chart
    from projections.journal.entries import booked_accounts, booked_entries

    kind = _format(format, output)
    chart = None if accounts is None else _chart(accounts)
    with opened(folder.settings()) as connection, connection.transaction():
        connection.execute(_ONE_SNAPSHOT)
        declarations = load_declarations(connection)
        days = which.days(declarations)
        chart = declared_chart(declarations) if chart is None else chart
        if accounts is not None or kind is not None:
            chart.check(booked_accounts(connection, days))
        if output is not None and kind is not None:
            count = _write(connection, days, kind, output, chart)
            say(f"{count} entries written to {output}")
        elif kind is not None:
            for line in _lines(connection, days, kind, booked_entries(connection, days), chart):
                print_file(line)
        else:
            _show(list(islice(booked_entries(connection, days), limit + 1)), limit, folder)
    return 0


def _format(said: JournalFormat | None, output: Path | None) -> JournalFormat | None:
    if said is None and output is not None:
        ending = output.suffix.removeprefix(".")
        if ending not in list(JournalFormat):
            raise FormatMissingError(output)
        return JournalFormat(ending)
    if said is JournalFormat.XLSX and output is None:
        raise OutputMissingError
    return said


def _chart(path: Path) -> Chart:
    from projections.journal.chart import chart_of_file

    chart, problems = chart_of_file(read_text(path), str(path))
    if chart is None:
        raise DeployError("\n".join(map(str, problems)))
    return chart


def _lines(
    connection: Connection[Any],
    days: BookDays,
    kind: JournalFormat,
    entries: Iterable[BookedEntry],
    chart: Chart,
) -> Iterator[str]:
    from projections.journal.beancount_text import beancount_lines
    from projections.journal.csv_lines import csv_lines
    from projections.journal.entries import accounts_of

    if kind is JournalFormat.CSV:
        return csv_lines(entries, chart)
    return beancount_lines(entries, accounts_of(connection, days), chart)


def _write(
    connection: Connection[Any],
    days: BookDays,
    kind: JournalFormat,
    output: Path,
    chart: Chart,
) -> int:
    """Write a file beside *output* and put it there once it is whole; return its entries."""
    from projections.journal.entries import booked_entries, entry_count
    from projections.journal.workbook import write_workbook

    total = entry_count(connection, days)
    with progress_bar("writing", is_shown=True) as show, _replacing(output) as made:
        entries = _told(booked_entries(connection, days), total, show)
        if kind is JournalFormat.XLSX:
            write_workbook(made, entries, chart)
        else:
            with made.open("w", encoding="utf-8", newline="") as file:
                file.writelines(_lines(connection, days, kind, entries, chart))
    return total


def _told(entries: Iterable[BookedEntry], total: int, show: ShowProgress) -> Iterator[BookedEntry]:
    for done, entry in enumerate(entries):
        if done % _SHOWN_EACH == 0:
            show(done, total, f"{done:,} entries")
        yield entry


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    try:
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as folder:
            made = Path(folder) / "made"
            yield made
            made.replace(output)
    except OSError as error:
        message = f"cannot write {output}: {error.strerror or error}"
        raise DeployError(message) from error


def _show(entries: list[BookedEntry], limit: int, folder: ReadingFolder) -> None:
    shown = entries[:limit]
    if folder.json:
        print_json(shown)
        return
    rows = [
        (
            entry.booked_on if number == 0 else "",
            entry.entry if number == 0 else "",
            leg.account,
            leg.party,
            f"{leg.amount:,f} {leg.currency}" if leg.amount_minor > 0 else "",
            f"{-leg.amount:,f} {leg.currency}" if leg.amount_minor < 0 else "",
        )
        for entry in shown
        for number, leg in enumerate(entry.postings)
    ]
    print_rows("Journal", COLUMNS, rows)
    if len(entries) > limit:
        say(f"the first {limit} entries: --limit shows more, --output FILE.csv has all of them")
