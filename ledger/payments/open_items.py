"""What is still to be paid of documents: by the books and nothing else.

invoice of 50.00, 20.00 of it settled from a prepaid balance      -> 30.00 open
30.00 received                                                    -> 0
a credit note of 12.00 over it                                    -> -12.00: to be given back
12.00 refunded                                                    -> 0
the 30.00 are disputed and lost                                   -> 30.00 open again
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.books.open_invoices import STANDING

_OPEN: LiteralString = STANDING + "ORDER BY invoice.number"


class OpenItem(NamedTuple):
    """An invoice, and what became of it; in minor units. `customer`: a subject id, None: a bearer.

    `due_on`: as its terms say, None: at once. `account` and `party` are where its receivable
    stands (None: it asks for nothing). `credited`: what credit notes take back of it; `settled`
    was taken from a prepaid balance, `paid` is what movements allot to it.
    """

    number: str
    legal_entity: str
    customer: str | None
    currency: str
    issued_on: date
    due_on: date | None
    due_minor: int
    party: str | None
    account: str | None
    credited_minor: int
    settled_minor: int
    paid_minor: int

    @property
    def open_minor(self) -> int:
        """What is still to be paid; below 0: what is to be given back."""
        owed = self.due_minor - self.credited_minor
        return owed - self.settled_minor - self.paid_minor


def open_items(connection: Connection[Any], numbers: Sequence[str]) -> list[OpenItem]:
    """Return how the invoices *numbers* stand, in the order of their numbers.

    What is no invoice, or not booked, is left out.
    """
    with connection.cursor(row_factory=class_row(OpenItem)) as cursor:
        return cursor.execute(_OPEN, {"numbers": list(numbers)}).fetchall()


def open_item(connection: Connection[Any], number: str) -> OpenItem | None:
    """Return how an invoice stands; None where there is none of that number."""
    found = open_items(connection, [number])
    return found[0] if found else None
