"""Entries of one legal entity's journal, by the page: as they were booked, from a key on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.desk.closing.legal_entity import calendar_of
from projections.journal.days import BookDays
from projections.journal.entries import COLUMNS, BookedEntry, as_booked

_OF: LiteralString = "FROM journal_entry WHERE legal_entity = %(legal_entity)s"
_PERIOD: LiteralString = " AND period = %(period)s"
_ACCOUNT: LiteralString = " AND %(account)s = ANY (accounts)"
_UNTIL: LiteralString = """
 AND booked_at <= %(last_at)s AND (booked_at, entry_id COLLATE "C") <= (%(last_at)s, %(last)s)
"""
_BEGIN: LiteralString = " AND booked_at >= %(begin)s"
_END: LiteralString = " AND booked_at < %(end)s"
_AFTER: LiteralString = """
 AND booked_at >= %(at)s AND (booked_at, entry_id COLLATE "C") > (%(at)s, %(after)s)
"""
_IN_ORDER: LiteralString = ' ORDER BY booked_at, entry_id COLLATE "C"'
_ORDER: LiteralString = _IN_ORDER + " LIMIT %(limit)s"
_LAST: LiteralString = _IN_ORDER + " OFFSET %(looked)s - 1 LIMIT 1"
LOOKED_MAX: Final = 20_000
"""So many entries at most are looked through for those of an account: no index has these."""


class EntryWish(NamedTuple):
    """Which entries of a legal entity: booked from a day on and before another, in its calendar.

    `period`: only what stands in that month's books ("2026-03"), whenever it was booked; `account`:
    only what has a posting on it, for which `LOOKED_MAX` entries are looked through at a time.
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


class FoundEntries(NamedTuple):
    """Entries of a page; `looked_until`: behind which entry nobody has looked yet."""

    entries: Sequence[BookedEntry]
    looked_until: BehindEntry | None = None


def find_entries(
    connection: Connection[Any],
    declarations: Declarations,
    wish: EntryWish,
    *,
    limit: int,
    behind: BehindEntry | None = None,
) -> FoundEntries:
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
    query: LiteralString = _OF
    for value, clause in (
        (wish.period, _PERIOD),
        (begin, _BEGIN),
        (end, _END),
        (at, _AFTER),
    ):
        if value is not None:
            query += clause
    asked: dict[str, object] = {
        "legal_entity": wish.legal_entity,
        "period": wish.period,
        "account": wish.account,
        "begin": begin,
        "end": end,
        "at": at,
        "after": after,
        "limit": limit,
    }
    last = None
    if wish.account is not None:
        last = _last_looked_at(connection, query, asked)
        query += _ACCOUNT
    if last is not None:
        query += _UNTIL
        asked |= {"last_at": last.booked_at, "last": last.entry}
    rows = connection.execute(COLUMNS + query + _ORDER, asked).fetchall()
    days = BookDays(wish.first, wish.after, wish.legal_entity, {wish.legal_entity: zone})
    return FoundEntries(as_booked(connection, rows, days), last)


def _last_looked_at(
    connection: Connection[Any], query: LiteralString, asked: Mapping[str, object]
) -> BehindEntry | None:
    """Return the last entry that is looked at; None: all of them are."""
    text: LiteralString = "SELECT booked_at, entry_id " + query + _LAST
    row = connection.execute(text, {**asked, "looked": LOOKED_MAX}).fetchone()
    return None if row is None else BehindEntry(*row)
