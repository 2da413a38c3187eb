"""Reminders on their way: by the way by which the invoice came, while it is open."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection

from ledger.database import connect
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.master_data.customers import Delivery
from ledger.payments.reminding.deciding import decide_reminders
from projections.documents.delivery.parcel import DueReminder

LOOK_SECONDS: Final = 900.0
PUT_DOWN_WITHIN_DAYS: Final = 30
_LOGGER: Final = logging.getLogger(__name__)
# A document that is not rendered yet has its reminder put down once it is.
_TO_PUT_DOWN: LiteralString = """
SELECT DISTINCT ON (invoice) invoice, level, reminder.customer FROM reminder
JOIN rendered_document ON rendered_document.number = invoice
JOIN open_invoice ON open_invoice.number = invoice AND open_invoice.open_minor > 0
WHERE decided_at > %(now)s - %(days)s * interval '1 day' AND decided_at <= %(now)s
AND NOT EXISTS (SELECT FROM document_delivery AS delivery
    WHERE delivery.number = invoice AND delivery.reminder >= level)
ORDER BY invoice, level DESC
"""
_PUT_DOWN: LiteralString = """
INSERT INTO document_delivery (number, way, reminder) VALUES (%s, %s, %s)
ON CONFLICT (number, way, reminder) DO NOTHING
"""
_OPEN: LiteralString = """
SELECT level, open_invoice.open_minor, open_invoice.currency, reminder.due_on
FROM reminder JOIN open_invoice ON open_invoice.number = invoice
WHERE invoice = %s AND level = %s AND open_invoice.open_minor > 0
"""


def put_down_reminders(connection: Connection[Any], declared: Declarations, now: datetime) -> int:
    """Decide who is reminded, and put down how each reminder reaches its reader; return how many.

    Who fetches documents gets none: the work list shows that it was decided.
    """
    decide_reminders(connection, declared, now)
    put = 0
    asked = {"now": now, "days": PUT_DOWN_WITHIN_DAYS}
    for invoice, level, subject in connection.execute(_TO_PUT_DOWN, asked).fetchall():
        customer = declared.last_customer(subject, now)
        if customer is not None and customer.delivery is not Delivery.NONE:
            row = (invoice, customer.delivery.value, level)
            put += connection.execute(_PUT_DOWN, row).rowcount
    return put


def due_reminder(connection: Connection[Any], number: str, level: int) -> DueReminder | None:
    """Return what is still open of an invoice that is reminded of; None: nothing is."""
    row = connection.execute(_OPEN, (number, level)).fetchone()
    return None if row is None else DueReminder(*row)


def remind_until(dsn: str, stop: threading.Event, clock: Callable[[], datetime]) -> None:
    """Have payers reminded until *stop* is set, whatever the database does."""
    while not stop.is_set():
        try:
            with connect(dsn) as connection:
                put = put_down_reminders(connection, load_declarations(connection), clock())
            if put:
                _LOGGER.info("%s reminders are on their way", put)
        except psycopg.Error as error:
            _LOGGER.warning("no reminders now: %s", type(error).__name__)
        stop.wait(LOOK_SECONDS)
