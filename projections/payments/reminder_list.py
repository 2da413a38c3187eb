"""Who was reminded of what, and what came of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

_LIST: LiteralString = """
SELECT invoice, level, reminder.legal_entity, reminder.customer, reminder.currency,
    reminder.due_on, reminder.decided_at, coalesce(open.open_minor, 0) AS open_minor,
    delivery.way, delivery.state AS delivery
FROM reminder
LEFT JOIN open_invoice AS open ON open.number = invoice
LEFT JOIN document_delivery AS delivery
    ON delivery.number = invoice AND delivery.reminder = level
WHERE NOT %(is_open)s OR open.open_minor > 0
ORDER BY reminder.decided_at DESC, invoice, level DESC LIMIT %(limit)s
"""


class ListedReminder(msgspec.Struct, frozen=True, kw_only=True):
    """A reminder; `open_minor` is open of the invoice now. `customer` is a subject id.

    `way` and `delivery` are how it went and how far that is, None: there is no way to its payer.
    """

    invoice: str
    level: int
    legal_entity: str
    customer: str
    currency: str
    due_on: date
    decided_at: datetime
    open_minor: int
    way: str | None
    delivery: str | None


def list_reminders(
    connection: Connection[Any], *, limit: int, only_open: bool = False
) -> list[ListedReminder]:
    """Return reminders, the newest first; *only_open*: of invoices that are open still."""
    asked = {"limit": limit, "is_open": only_open}
    with connection.cursor(row_factory=class_row(ListedReminder)) as cursor:
        return cursor.execute(_LIST, asked).fetchall()
