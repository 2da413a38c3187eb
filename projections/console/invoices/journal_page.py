"""The screen "Journal": what was booked in a period, and all of it as a file for other books."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from litestar import Controller, Response, get

from ledger.declared.declarations import Declarations, Kind
from ledger.users.roles import Permission
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.exports.exporting import XLSX_ROWS_MAX, text_file, workbook_file
from projections.console.invoices.finding import UnreadableFilterError
from projections.console.links import invoice_link, session_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.finding.entries import (
    LOOKED_MAX,
    BehindEntry,
    EntryWish,
    FoundEntries,
    find_entries,
)
from projections.journal.beancount_text import beancount_lines
from projections.journal.chart import declared_chart
from projections.journal.csv_lines import csv_lines
from projections.journal.days import BookDays, book_days
from projections.journal.entries import (
    BookedEntry,
    accounts_of,
    booked_accounts,
    booked_entries,
)
from projections.journal.workbook import write_workbook

ENTRIES: Final = 50
_BETWEEN: Final = "~"
_DOCUMENTS: Final = ("invoice", "credit", "settled")
_KINDS: Final = ("csv", "xlsx", "beancount")
COLUMNS: Final = (
    Column("day", "Day"),
    Column("entry", "Entry"),
    Column("account", "Account"),
    Column("party", "Party"),
    Column("debit", "Debit", is_figure=True),
    Column("credit", "Booked as credit", is_figure=True),
    Column("period", "Month of the books"),
)


class JournalEntriesPage(Controller):
    """The entries of a period."""

    path = "/journal"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show what was booked, or hand it out as a file."""
        kind = page.address.of(FORMAT)
        if kind:
            return _exported(page, kind)
        trouble, found = "", FoundEntries(())
        with page.console.reading() as connection:
            declared = page.console.newest.of(connection)
            entities = entities_within(page, declared)
            try:
                wish = wish_of(page, entities)
                behind = _behind(page)
                found = find_entries(connection, declared, wish, limit=ENTRIES + 1, behind=behind)
            except UnreadableFilterError as error:
                trouble = page.told(error)
        return page.show(
            "invoices/journal.html.j2",
            status=400 if trouble else 200,
            trouble=trouble,
            listing=_listing(page, found),
            entities=[(each, each) for each in entities],
        )


def entities_within(page: ConsolePage, declared: Declarations) -> list[str]:
    """Return the legal entities whose books this person sees."""
    reach = page.user.reach(Permission.SEE_BOOKS)
    return [each for each in sorted(declared.keys(Kind.LEGAL_ENTITY)) if reach.covers(each)]


def wish_of(page: ConsolePage, entities: Sequence[str]) -> EntryWish:
    """Return which entries are asked for: of one of *entities*, the first where none is named.

    Raises:
        UnreadableFilterError: If that cannot be read, or is out of reach.
    """
    address = page.address
    entity = address.of("legal_entity") or next(iter(entities), "")
    if entity not in entities:
        raise UnreadableFilterError(page.text("There is no such legal entity."))
    period = address.of("period")
    if period:
        _day(page, f"{period}-01", period)
    last = _day(page, address.of("to"))
    after = None if last is None or last == date.max else last + timedelta(days=1)
    account = address.of("account") or None
    if account and not period:
        raise UnreadableFilterError(page.text("An account is shown month by month: say which."))
    return EntryWish(entity, _day(page, address.of("from")), after, period or None, account)


def _exported(page: ConsolePage, kind: str) -> Response[Any]:
    if kind not in _KINDS:
        message = page.text("{value} is no format: csv, xlsx or beancount", value=kind[:20])
        raise UnreadableFilterError(message)
    if kind == "xlsx":
        return _workbook(page)
    media_type = "text/csv" if kind == "csv" else "text/plain"
    return text_file(f"journal.{kind}", media_type, _lines(page, kind))


def _lines(page: ConsolePage, kind: str) -> Iterator[str]:
    """Yield the file, as `wattledger journal` writes it."""
    with page.console.exporting() as connection:
        declared = page.console.newest.of(connection)
        wish, chart = wish_of(page, entities_within(page, declared)), declared_chart(declared)
        days = _days(declared, wish)
        chart.check(booked_accounts(connection, days))
        entries = _of_account(booked_entries(connection, days), wish)
        if kind == "csv":
            yield from csv_lines(entries, chart)
        else:
            yield from beancount_lines(entries, accounts_of(connection, days), chart)


def _workbook(page: ConsolePage) -> Response[Any]:
    with ExitStack() as exits:
        connection = exits.enter_context(page.console.exporting())
        folder = exits.enter_context(tempfile.TemporaryDirectory(prefix="wattledger-export-"))
        declared = page.console.newest.of(connection)
        wish, chart = wish_of(page, entities_within(page, declared)), declared_chart(declared)
        days = _days(declared, wish)
        chart.check(booked_accounts(connection, days))
        path = Path(folder) / "made.xlsx"
        entries = _of_account(booked_entries(connection, days), wish)
        write_workbook(path, entries, chart, rows_max=XLSX_ROWS_MAX)
        return workbook_file("journal", path)


def _of_account(entries: Iterator[BookedEntry], wish: EntryWish) -> Iterator[BookedEntry]:
    """Yield those with a posting on the account of *wish*, all where it names none."""
    for each in entries:
        if wish.account is None or any(leg.account == wish.account for leg in each.postings):
            yield each


def _days(declared: Declarations, wish: EntryWish) -> BookDays:
    return book_days(
        declared,
        first=wish.first,
        after=wish.after,
        legal_entity=wish.legal_entity,
        period=wish.period,
    )


def _day(page: ConsolePage, text: str, said: str = "") -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = page.text("{value} is no day or month: 2026-03-31", value=(said or text)[:40])
        raise UnreadableFilterError(message) from None


def _behind(page: ConsolePage) -> BehindEntry | None:
    said = page.address.of(AFTER)
    if not said:
        return None
    at, _, entry = said.partition(_BETWEEN)
    try:
        return BehindEntry(datetime.fromisoformat(at).astimezone(UTC), entry)
    except (ValueError, OverflowError):
        message = page.text("{value} is no place in this list: begin at its first page", value=said)
        raise UnreadableFilterError(message) from None


def _listing(page: ConsolePage, found: FoundEntries) -> Listing:
    shown, goes_on, total = found.entries[:ENTRIES], found.looked_until, ""
    if len(found.entries) > ENTRIES:
        goes_on = BehindEntry(shown[-1].booked_at, shown[-1].entry)
    elif goes_on is not None:
        count = page.words.language.number(Decimal(LOOKED_MAX))
        total = page.text(
            "{count} entries were looked through: the next page goes on from there", count=count
        )
    return Listing(
        caption=page.text("Journal entries in the order in which they were booked"),
        columns=COLUMNS,
        rows=[row for each in shown for row in _rows(page, each)],
        address=page.address,
        empty=total or page.text("Nothing was booked then: choose other days."),
        next_after=f"{goes_on.booked_at.isoformat()}{_BETWEEN}{goes_on.entry}" if goes_on else "",
        total=total,
    )


def _rows(page: ConsolePage, entry: BookedEntry) -> Iterator[Sequence[Cell]]:
    period = entry.period
    if entry.original_period != period:
        original = entry.original_period
        period = page.text("{month}, about {original}", month=period, original=original)
    for number, leg in enumerate(entry.postings):
        is_first = number == 0
        money = page.words.language.money(abs(leg.amount_minor), leg.currency)
        yield (
            Cell(page.words.language.day(entry.booked_on)) if is_first else Cell(),
            Cell(entry.entry, _cause(entry)) if is_first else Cell(),
            Cell(leg.account),
            Cell(leg.party),
            Cell(money if leg.amount_minor > 0 else ""),
            Cell(money if leg.amount_minor < 0 else ""),
            Cell(period) if is_first else Cell(),
        )


def _cause(entry: BookedEntry) -> str:
    """Return the page of what an entry follows from; "" where there is none."""
    if entry.session is not None:
        return session_link(entry.session)
    kind, _, number = entry.entry.partition(":")
    return invoice_link(number) if kind in _DOCUMENTS else ""
