"""Prepaid balances in a replay: prepayments posted and documents settled again, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.accounts import owed_by_customer
from ledger.books.journal import JournalEntry
from ledger.books.periods import ClosedMonths
from ledger.books.prepayments import (
    LOST,
    PrepaidAccount,
    PrepaidStanding,
    Prepayment,
    prepayments,
    settlement,
)
from projections.replay.comparison import Comparison

_BOOKED: LiteralString = "SELECT notification_id FROM books.booked_position"
_KEPT: LiteralString = """
SELECT entry_id FROM books.journal_entry WHERE accounts[1] = 'prepayments'
"""
_ENTRY: LiteralString = """
SELECT legal_entity, booked_at, period, original_period, accounts, parties,
       currencies, amounts
FROM books.journal_entry
WHERE entry_id = %s
"""
# By the turn in the feed: what was lost after a note was booked is no matter of it.
_LOST_BEFORE: LiteralString = (
    "SELECT coalesce(-sum(lost.minor), 0)::bigint"  # noqa: S608 - our own
    + LOST
    + """
    AND (SELECT moved.number FROM books.feed_entry AS moved
         WHERE moved.kind = 'moved' AND moved.subject = movement.number::text)
      < (SELECT note.number FROM books.feed_entry AS note
         WHERE note.kind = 'issued' AND note.subject = %(note)s)
"""
)


class PrepaidComparison:
    """Walks through documents and prepayments as they came, and compares what each posted.

    What is booked after this was made is left to the next replay.
    """

    def __init__(self, connection: Connection[Any], closed: ClosedMonths) -> None:
        self._connection, self._closed = connection, closed
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            [(self._until,)] = connection.execute(_BOOKED).fetchall()
            self._waiting = deque(prepayments(connection))
            self._kept = {entry_id for (entry_id,) in connection.execute(_KEPT)}
        self._standings: dict[PrepaidAccount, PrepaidStanding] = {}
        self._settled: dict[str, int] = {}

    def document(
        self,
        notification_id: int,
        number: str,
        entry: JournalEntry | None,
        customer: str | None,
        credited: str | None,
    ) -> Iterator[Comparison]:
        """Yield what came before the document *number*, and what it is settled with.

        Args:
            notification_id: Its place in the order of booking.
            number: Its number.
            entry: What issuing it posts, made again.
            customer: Its buyer.
            credited: Of a credit note, its invoice.
        """
        if notification_id > self._until:
            return
        while self._waiting and self._waiting[0].booked_after < notification_id:
            yield self._received(self._waiting.popleft())
        owed = entry and customer and owed_by_customer(entry, customer)
        settled = None
        if entry and owed:
            account = PrepaidAccount(owed.party, entry.legal_entity, owed.currency)
            standing = self._standings.get(account, PrepaidStanding())
            before = self._settled_of(credited, number) if credited else None
            settled = settlement(entry, number, owed, standing, before)
            if settled is not None:
                settled = self._closed.booked(settled, notification_id)
                moved, invoice = settled.postings[0].amount_minor, credited or number
                self._settled[invoice] = self._settled.get(invoice, 0) + moved
                left = standing.balance_minor - moved
                self._standings[account] = standing._replace(balance_minor=left)
        if settled is not None or f"settled:{number}" in self._kept:
            yield self._comparison("settlement", f"settled:{number}", settled)

    def rest(self) -> Iterator[Comparison]:
        """Yield the prepayments that no document followed, and postings that nothing led to."""
        while self._waiting:
            yield self._received(self._waiting.popleft())
        for entry_id in sorted(self._kept):
            yield self._comparison("prepaid posting", entry_id, None)

    def _settled_of(self, invoice: str, note: str) -> int:
        """Return what *invoice* was settled with when credit note *note* was booked."""
        settled = self._settled.get(invoice, 0)
        if not settled:
            return 0
        asked = {"numbers": [invoice], "note": note}
        [(lost,)] = self._connection.execute(_LOST_BEFORE, asked).fetchall()
        return settled - int(lost)

    def _received(self, paid: Prepayment) -> Comparison:
        standing = self._standings.get(paid.account, PrepaidStanding())
        self._standings[paid.account] = PrepaidStanding(
            standing.balance_minor + paid.amount_minor, paid.received_at
        )
        entry = paid.entry()
        return self._comparison("prepayment", entry.entry_id, entry)

    def _comparison(self, what: str, entry_id: str, again: JournalEntry | None) -> Comparison:
        self._kept.discard(entry_id)
        kept = self._connection.execute(_ENTRY, (entry_id,)).fetchone()
        told = None if kept is None else (kept[0], kept[1].astimezone(UTC), *kept[2:])
        return Comparison(what, entry_id, str(told), str(_row(again)))


def _row(entry: JournalEntry | None) -> tuple[object, ...] | None:
    if entry is None:
        return None
    legs = entry.postings
    return (
        entry.legal_entity,
        entry.booked_at.astimezone(UTC),
        entry.period or entry.original_period,
        entry.original_period,
        [leg.account for leg in legs],
        [leg.party for leg in legs],
        [leg.currency for leg in legs],
        [leg.amount_minor for leg in legs],
    )
