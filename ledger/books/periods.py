"""Accounting periods: which month's books an entry stands in, once months of a legal entity close.

A month closes by a mark in each partition of the log (`ledger.log.envelope.PeriodMark`), so whether
it is closed for a decision hangs on nothing but where that stands:

    record 7 rates a session of March    -> March's books
    record 8 marks that March is closed
    record 9 corrects that session       -> April's books, and names March as its original month

What documents post has no place in a partition; they count as booked before or after a mark by
the order in which they are booked (`booked_position`), under partition -1.

Months close in their order and open again in the opposite one, so what is closed is always all up
to some month: also a month before it in which nothing was ever booked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from enum import StrEnum
from operator import itemgetter
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.journal import JournalEntry

NO_MONTH: Final = ""
"""Up to which the books of a legal entity are closed that closed nothing."""
_DECEMBER: Final = 12
_MARKS: LiteralString = """
SELECT legal_entity, number, month, act, position FROM period_mark
WHERE partition = %s ORDER BY legal_entity, number
"""
_LOCK_BOOKED: LiteralString = "SELECT notification_id FROM booked_position FOR UPDATE"
_STORE: LiteralString = """
INSERT INTO period_mark (partition, legal_entity, number, month, act, position)
VALUES (%s, %s, %s, %s, %s, %s)
"""


class MarkAct(StrEnum):
    """What a mark does with its month."""

    CLOSE = "close"
    OPEN = "open"


class MonthMark(NamedTuple):
    """From `position` on the books are closed up to and with `month`, or open from it on."""

    legal_entity: str
    number: int
    month: str
    act: MarkAct
    position: int


class ClosedMonths:
    """Which months are closed in one partition, and from which position on."""

    def __init__(self, marks: Iterable[MonthMark] = ()) -> None:
        """Take *marks* into account, of each legal entity in the order of their numbers."""
        self._steps: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._numbers: dict[str, int] = {}
        self._of_months: dict[tuple[str, str], int] = {}
        for mark in marks:
            self.take(mark)

    def take(self, mark: MonthMark) -> bool:
        """Take *mark* into account; say whether it is new: marks come in the order of numbers."""
        if mark.number <= self.last_number(mark.legal_entity):
            return False
        steps = self._steps[mark.legal_entity]
        through = steps[-1][1] if steps else NO_MONTH
        if mark.act is MarkAct.CLOSE:
            through = max(through, mark.month)
        elif mark.month <= through:
            through = month_before(mark.month)
        steps.append((mark.position, through))
        self._numbers[mark.legal_entity] = mark.number
        self._of_months[mark.legal_entity, mark.month] = mark.number
        return True

    def last_number(self, legal_entity: str) -> int:
        """Return the number of a legal entity's last mark, 0 before the first."""
        return self._numbers.get(legal_entity, 0)

    def last_number_of(self, legal_entity: str, month: str) -> int:
        """Return the number of the last mark of a month, 0 before the first."""
        return self._of_months.get((legal_entity, month), 0)

    def through(self, legal_entity: str, position: int | None = None) -> str:
        """Return up to which month the books are closed at *position*, or by all marks."""
        steps = self._steps.get(legal_entity, ())
        if position is None:
            return steps[-1][1] if steps else NO_MONTH
        index = bisect_right(steps, position, key=itemgetter(0))
        return steps[index - 1][1] if index else NO_MONTH

    def booked(self, entry: JournalEntry, position: int) -> JournalEntry:
        """Return *entry* in the month that it is about, or the first one after it that is open.

        *position*: where what it follows from was decided.
        """
        if not self._steps:
            return entry
        period = self.month_for(entry.legal_entity, entry.original_period, position)
        return entry if period == entry.original_period else replace(entry, period=period)

    def month_for(self, legal_entity: str, month: str, position: int | None = None) -> str:
        """Return *month*, or the first one after it that is open; *position* as in `through`."""
        through = self.through(legal_entity, position)
        return month if month > through else month_after(through)


def load_marks(connection: Connection[Any], partition: int) -> list[MonthMark]:
    """Return the marks of *partition*, of each legal entity in the order of their numbers."""
    rows = connection.execute(_MARKS, (partition,)).fetchall()
    return [
        MonthMark(entity, number, month, MarkAct(act), position)
        for entity, number, month, act, position in rows
    ]


def store_marks(connection: Connection[Any], partition: int, marks: Sequence[MonthMark]) -> None:
    """Append *marks* to those of *partition*, within the caller's transaction.

    The database refuses a second mark of a legal entity with the same number.
    """
    for mark in marks:
        row = (mark.legal_entity, mark.number, mark.month, mark.act.value, mark.position)
        connection.execute(_STORE, (partition, *row))


def lock_documents(connection: Connection[Any]) -> int:
    """Let nobody book a document until the caller's transaction is over; return up to where all is.

    Who closes or opens months holds it too, so that one at a time does.
    """
    [(notification_id,)] = connection.execute(_LOCK_BOOKED).fetchall()
    return int(notification_id)


def month_begins(month: str, calendar: tzinfo) -> datetime:
    """Return when *month* begins in *calendar*; it ends when the month after it begins."""
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=calendar)


def month_after(month: str) -> str:
    """Return the month after *month* ("2026-12": "2027-01")."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04d}-01" if number == _DECEMBER else f"{year:04d}-{number + 1:02d}"


def month_before(month: str) -> str:
    """Return the month before *month* ("2027-01": "2026-12")."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04d}-{_DECEMBER}" if number == 1 else f"{year:04d}-{number - 1:02d}"
