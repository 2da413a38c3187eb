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

_OPEN: LiteralString = """
SELECT invoice.number, invoice.legal_entity, invoice.customer, invoice.currency,
    invoice.issued_on, invoice.due_minor, entry.party, entry.account,
    coalesce((SELECT sum(note.due_minor) FROM issued_invoice AS note
              WHERE note.credits = invoice.number), 0)::bigint AS credited_minor,
    coalesce((SELECT sum(amounts[1]) FROM journal_entry WHERE entry_id IN (
        SELECT 'settled:' || invoice.number
        UNION ALL SELECT 'settled:' || note.number FROM issued_invoice AS note
        WHERE note.credits = invoice.number)), 0)::bigint AS settled_minor,
    coalesce((SELECT sum(minor) FROM allotment
              WHERE document = invoice.number), 0)::bigint AS paid_minor
FROM issued_invoice AS invoice
LEFT JOIN LATERAL (
    SELECT accounts[place] AS account, parties[place] AS party
    FROM journal_entry, generate_subscripts(accounts, 1) AS place
    WHERE entry_id = 'invoice:' || invoice.number AND accounts[place] IN
        ('receivable:invoiced', 'receivable:partner:invoiced')
    ORDER BY place LIMIT 1
) AS entry ON true
WHERE invoice.number = ANY (%s) AND invoice.credits IS NULL
ORDER BY invoice.number
"""


class OpenItem(NamedTuple):
    """An invoice, and what became of it; in minor units. `customer`: a subject id, None: a bearer.

    `account` and `party` are where its receivable stands (None: it asks for nothing). `credited`:
    what credit notes take back of it; `settled` was taken from a prepaid balance, `paid` is what
    movements allot to it.
    """

    number: str
    legal_entity: str
    customer: str | None
    currency: str
    issued_on: date
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
        return cursor.execute(_OPEN, (list(numbers),)).fetchall()


def open_item(connection: Connection[Any], number: str) -> OpenItem | None:
    """Return how an invoice stands; None where there is none of that number."""
    found = open_items(connection, [number])
    return found[0] if found else None
