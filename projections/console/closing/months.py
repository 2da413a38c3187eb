"""The months of the books: which are open, and who closed the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException

from ledger.declared.declarations import Declarations
from ledger.desk.closing.legal_entity import calendar_of
from ledger.periods.periods import AccountingPeriods
from ledger.periods.record import PeriodState
from ledger.users.roles import Permission
from projections.closing.month_list import (
    ENTRIES_MAX,
    MonthKey,
    MonthRow,
    month_keys,
    month_rows,
)
from projections.console.addresses import AFTER, FORMAT
from projections.console.entry import needs
from projections.console.exports.exporting import csv_file, xlsx_file
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage

PAGE_MONTHS: Final = 24
STATES: Final = {
    PeriodState.OPEN: "open",
    PeriodState.SOFT_CLOSED: "soft-closed",
    PeriodState.CLOSED: "closed",
    PeriodState.REOPENING: "somebody asks to open it again",
}
"""How far a month is, in English."""
_TONES: Final = {PeriodState.CLOSED: "good", PeriodState.REOPENING: "warn"}
_WHO: Final = ("soft_closed_by", "closed_by", "closed_at")
_COLUMNS: Final = (
    Column("month", "Month"),
    Column("legal_entity", "Legal entity"),
    Column("state", "State"),
    Column("entries", "Entries", is_figure=True),
    Column("soft_closed_by", "Soft-closed by"),
    Column("closed_by", "Closed by"),
    Column("closed_at", "Closed at"),
)


class MonthsController(Controller):
    """The list of months."""

    path = "/months"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def months(self, page: ThisPage) -> Response[Any]:
        """Show the months of the legal entities that this person may see."""
        reach = page.user.reach(Permission.SEE_BOOKS)
        after = _key(page.address.of(AFTER))
        with (
            page.console.reading() as connection,
            AccountingPeriods(page.console.dsn) as periods,
        ):
            declarations = page.console.newest.of(connection)
            keys = month_keys(connection, reach.covers)
            keys = [key for key in keys if after is None or key < after]
            if form := page.address.of(FORMAT):
                return _file(form, month_rows(connection, periods, keys))
            shown = month_rows(connection, periods, keys[:PAGE_MONTHS])
        listing = Listing(
            page.text("Months of the books"),
            _COLUMNS,
            [_row(page, declarations, each) for each in shown],
            page.address,
            page.text("Nothing is booked yet: months come with the first session that is rated."),
            next_after=_text(shown[-1].key) if len(keys) > PAGE_MONTHS else "",
            exports=True,
        )
        return page.show("closing/months.html.j2", listing=listing)


def month_address(legal_entity: str, month: str) -> str:
    """Return where a month is shown."""
    return f"/console/months/{quote(legal_entity, safe='')}/{month}"


def entries_text(count: int) -> str:
    """Return a count that ends at ENTRIES_MAX, as it is shown."""
    return f"{ENTRIES_MAX:,}+" if count > ENTRIES_MAX else f"{count:,}"


def journal_address(legal_entity: str, month: str) -> str:
    """Return where the entries of a month are listed."""
    query = urlencode({"legal_entity": legal_entity, "period": month})
    return f"/console/journal?{query}"


def _row(page: ConsolePage, declarations: Declarations, row: MonthRow) -> list[Cell]:
    (month, legal_entity), record = row.key, row.record
    state = PeriodState(record.state)
    close = record.closes[-1] if record.is_closed else None
    zone = calendar_of(declarations, legal_entity) if close else ZoneInfo("UTC")
    return [
        Cell(page.words.language.month(month), month_address(legal_entity, month)),
        Cell(legal_entity),
        Cell(page.text(STATES[state]), tone=_TONES.get(state, "")),
        Cell(entries_text(row.entries), journal_address(legal_entity, month)),
        Cell(record.soft_closed_by),
        Cell(close.by if close else ""),
        Cell(at=close.at, zone=zone) if close else Cell(),
    ]


def _file(form: str, months: Sequence[MonthRow]) -> Response[Any]:
    heading = ("month", "legal_entity", "state", "entries", *_WHO)
    rows = [_exported(each) for each in months]
    match form:
        case "csv":
            return csv_file("months", heading, rows)
        case "xlsx":
            return xlsx_file("months", "Months", heading, rows)
        case _:
            raise NotFoundException(detail="months are exported as csv or xlsx")


def _exported(row: MonthRow) -> tuple[str, ...]:
    (month, legal_entity), record = row.key, row.record
    close = record.closes[-1] if record.is_closed else None
    who = (record.soft_closed_by, close.by if close else "", close.at.isoformat() if close else "")
    return (month, legal_entity, record.state, entries_text(row.entries), *who)


def _key(text: str) -> MonthKey | None:
    month, _, legal_entity = text.partition("/")
    return MonthKey(month, legal_entity) if month else None


def _text(key: MonthKey) -> str:
    return f"{key.month}/{key.legal_entity}"
