"""Entries of one legal entity's journal, by the page: as they were booked, from a key on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.desk.closing.legal_entity import calendar_of
from projections.journal.days import BookDays
from projections.journal.entries import COLUMNS, BookedEntry, as_booked

_OF: LiteralString = "FROM journal_entry WHERE legal_entity = %(legal_entity)s"
_PERIOD: LiteralString = " AND period = %(period)s"
_ACCOUNT: LiteralString = " AND %(account)s = ANY (accounts)"
_BEGIN: LiteralString = " AND booked_at >= %(begin)s"
_END: LiteralString = " AND booked_at < %(end)s"
_AFTER: LiteralString = """
 AND booked_at >= %(at)s AND (booked_at, entry_id COLLATE "C") > (%(at)s, %(after)s)
"""
_ORDER: LiteralString = ' ORDER BY booked_at, entry_id COLLATE "C" LIMIT %(limit)s'


class EntryWish(NamedTuple):
    """Which entries of a legal entity: booked from a day on and before another, in its calendar.

    `period`: only what stands in that month's books ("2026-03"), whenever it was booked; `account`:
    only what has a posting on it, which all entries of that time are looked through for.
    """

    legal_entity: str
    first: date | None = None
    after: date | None = None
    period: str | None = None
    account: str | None = None


class BehindEntry(NamedTuple):
    """Where a list goes on: behind this entry, which was booked then."""

    booked_at: datetime
    entry: str


def find_entries(
    connection: Connection[Any],
    declarations: Declarations,
    wish: EntryWish,
    *,
    limit: int,
    behind: BehindEntry | None = None,
) -> Sequence[BookedEntry]:
    """Return entries of *wish* by when they were booked; those *behind* one, if it is given.

    Raises:
        UndeclaredEntityError: If the legal entity was never declared.
    """
    zone = calendar_of(declarations, wish.legal_entity)
    begin, end = (
        None if day is None else datetime.combine(day, time(), zone)
        for day in (wish.first, wish.after)
    )
    at, after = behind or (None, None)
    query: LiteralString = COLUMNS + _OF
    for value, clause in (
        (wish.period, _PERIOD),
        (wish.account, _ACCOUNT),
        (begin, _BEGIN),
        (end, _END),
        (at, _AFTER),
    ):
        if value is not None:
            query += clause
    asked = {
        "legal_entity": wish.legal_entity,
        "period": wish.period,
        "account": wish.account,
        "begin": begin,
        "end": end,
        "at": at,
        "after": after,
        "limit": limit,
    }
    rows = connection.execute(query + _ORDER, asked).fetchall()
    days = BookDays(wish.first, wish.after, wish.legal_entity, {wish.legal_entity: zone})
    return as_booked(connection, rows, days)
