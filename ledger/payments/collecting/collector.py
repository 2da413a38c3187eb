"""Who follows the books for collecting: what was issued is collected, what was credited given back.

    ISSUED, an invoice      -> a row, due on the day of its terms
    ISSUED, a credit note   -> what was paid too much by then is given back, or goes on to the
                               invoice that takes the place of what was credited (`replacing`)
    MOVED, money that came  -> the same, where more came than was open

The feed's position moves in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.books.feed import DESK_PARTITION, FIRST_NUMBER, DeskDecision, FeedEntry, read_feed
from ledger.books.following import ADVANCE, BEGIN, LOAD, PAGE
from ledger.declared.declarations import Declarations
from ledger.declared.store import NewestDeclarations
from ledger.payments.collecting.collecting import collect_due
from ledger.payments.collecting.collections import (
    WantedCollection,
    begin_collections,
    end_collections,
)
from ledger.payments.collecting.refunding import BY, RefundCause, decide_refunds
from ledger.payments.collecting.replacing import awaits_replacement, carry_over, replaced_by
from ledger.payments.movement import MoneyKind, MoneyMovement, documents_of
from ledger.payments.recording import movements, under_the_books
from tariffs.zones import zone

_OVERPAID: LiteralString = """
SELECT number FROM open_invoice WHERE number = ANY (%s) AND open_minor < 0
"""
FOLLOWER: Final = "collecting"
_ISSUED: LiteralString = """
SELECT open.number, open.legal_entity, open.customer, open.due_on
FROM open_invoice AS open
WHERE number = ANY (%s) AND customer IS NOT NULL AND open_minor > 0
    AND account = 'receivable:invoiced'
ORDER BY number
"""
_CREDITS: LiteralString = """
SELECT number, credits FROM issued_invoice
WHERE number = ANY (%s) AND credits IS NOT NULL ORDER BY number
"""


class InvoiceCollector:
    """Decides what is collected and given back; *connection* is the caller's, in no transaction."""

    def __init__(self, connection: Connection[Any], provider: str) -> None:
        self._connection, self._provider = connection, provider
        self._newest = NewestDeclarations()

    def run_once(self, now: datetime) -> int:
        """Take a page of the feed and decide what is due; return how much that was."""
        return self._follow(now) + collect_due(self._connection, self._provider, now)

    def _follow(self, now: datetime) -> int:
        connection, key = self._connection, (FOLLOWER, DESK_PARTITION)
        with connection.transaction():
            connection.execute(BEGIN, (*key, FIRST_NUMBER))
            [(number,)] = connection.execute(LOAD, key).fetchall()
            page = read_feed(connection, DESK_PARTITION, start=number, limit=PAGE)
            if not page:
                return 0
            with under_the_books(connection):
                self._take(page, now)
            connection.execute(ADVANCE, (number + len(page), *key))
        return len(page)

    def _take(self, page: Sequence[FeedEntry], now: datetime) -> None:
        issued = [each.subject for each in page if each.kind == DeskDecision.ISSUED]
        moved = [int(each.subject) for each in page if each.kind == DeskDecision.MOVED]
        if issued:
            self._take_issued(issued, now)
        if moved:
            self._take_moved(movements(self._connection, moved), now)

    def _take_issued(self, numbers: Sequence[str], now: datetime) -> None:
        declared = self._newest.of(self._connection)
        rows = self._connection.execute(_ISSUED, (list(numbers),)).fetchall()
        wanted = [
            WantedCollection(
                number,
                legal_entity,
                customer,
                _begins(declared, legal_entity, due_on, now),
            )
            for number, legal_entity, customer, due_on in rows
        ]
        begin_collections(self._connection, wanted)
        notes = self._connection.execute(_CREDITS, (list(numbers),)).fetchall()
        for note, invoice in notes:
            self._give_back(invoice, RefundCause(f"refund:{note}", note, BY), now)
        for invoice in replaced_by(self._connection, numbers):
            self._give_back(invoice, RefundCause(f"refund:replaced:{invoice}", "", BY), now)
        end_collections(self._connection, [invoice for _, invoice in notes])

    def _take_moved(self, found: Sequence[MoneyMovement], now: datetime) -> None:
        """Give back what came too much: of an invoice that was credited, or paid twice, by then."""
        about = documents_of(found)
        over = {number for (number,) in self._connection.execute(_OVERPAID, (about,))}
        for movement in found:
            if movement.kind is not MoneyKind.RECEIVED or movement.source != self._provider:
                continue
            for number in documents_of([movement]):
                if number in over:
                    cause = RefundCause(f"refund:moved:{movement.number}", "", BY)
                    self._give_back(number, cause, now)
        end_collections(self._connection, about)

    def _give_back(self, number: str, cause: RefundCause, now: datetime) -> None:
        """Give back what was paid too much for an invoice, and is not paid for what replaces it."""
        connection, provider = self._connection, self._provider
        if awaits_replacement(connection, number):
            return
        carry_over(connection, self._newest.of(connection), provider, number, now)
        decide_refunds(connection, provider, number, cause, now=now)


def _begins(declared: Declarations, legal_entity: str, day: date, now: datetime) -> datetime:
    """Return when *day* begins where *legal_entity* is."""
    seller = declared.legal_entity(legal_entity, now)
    calendar = zone(seller.time_zone) if seller else UTC
    return datetime.combine(day, time.min, calendar)
