"""Who is reminded: decided once for each invoice and time, by the policy's `reminder_days`.

An invoice is reminded of from so many days after it was due, in its legal entity's calendar, while
it is open. Who is first looked at late is reminded once, as of the last of the days that passed. No
bearer is: nobody knows where. While money is being collected, or is to be tried again, nobody is;
nor where no bank statement was imported of late: who transferred it would be reminded all the same.

Nor is who contests it, nor who has as much with us: of invoices that were paid too much, or that a
credit note takes back after they were paid, and in advance. That counts for what was due first:

    paid 5.00, credited, billed anew as 4.00    -> not reminded of 4.00
    and 3.00 more are overdue since             -> reminded of these 3.00
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.declared.declarations import Declarations, Kind
from ledger.payments.recording import under_the_books
from tariffs.zones import zone

COLLECTED_WITHIN: Final = timedelta(days=2)
"""A collection that waits for longer than that beyond its time is made by nobody."""
STATEMENT_WITHIN: Final = timedelta(days=7)
_DECIDE: LiteralString = """
WITH due AS MATERIALIZED (
    SELECT number, passed.level, customer, currency, open_minor, due_on
    FROM open_invoice CROSS JOIN LATERAL (
        SELECT max(level)::integer AS level
        FROM unnest(%(days)s::integer[]) WITH ORDINALITY AS told (days, level)
        WHERE due_on + told.days <= %(today)s
    ) AS passed
    WHERE open_minor > 0 AND due_on <= %(latest)s AND legal_entity = %(legal_entity)s
        AND customer IS NOT NULL
        AND EXISTS (SELECT FROM bank_statement AS told WHERE told.legal_entity = %(legal_entity)s
            AND imported_at > %(seen)s AND imported_at <= %(now)s)
        AND NOT EXISTS (SELECT FROM reminder WHERE invoice = number AND level >= passed.level)
        AND NOT EXISTS (
            SELECT FROM collection WHERE collection.number = open_invoice.number
            AND (state = 'under_way' OR (state = 'waiting' AND next_at > %(given_up)s))
        )
), held AS MATERIALIZED (
    SELECT customer, currency, (
        SELECT coalesce(-sum(open_minor), 0) FROM open_invoice AS back
        WHERE back.customer = whose.customer AND back.legal_entity = %(legal_entity)s
            AND back.currency = whose.currency AND open_minor < 0
    ) + (
        SELECT coalesce(-sum(amount_minor), 0) FROM customer_sum AS prepaid
        WHERE prepaid.customer = whose.customer AND span = 'day'
            AND prepaid.legal_entity = %(legal_entity)s AND prepaid.currency = whose.currency
            AND account = 'prepayments'
    ) AS minor
    FROM (SELECT DISTINCT customer, currency FROM due) AS whose
), owed AS MATERIALIZED (
    SELECT number, sum(open_minor) OVER (
        PARTITION BY customer, currency ORDER BY due_on, number) AS minor
    FROM open_invoice JOIN held USING (customer, currency)
    WHERE legal_entity = %(legal_entity)s AND open_minor > 0 AND held.minor > 0
)
INSERT INTO reminder (invoice, level, legal_entity, customer, currency, open_minor, due_on,
    decided_at)
SELECT number, level, %(legal_entity)s, customer, currency, open_minor, due_on, %(now)s
FROM due JOIN held USING (customer, currency) LEFT JOIN owed USING (number)
WHERE (owed.minor IS NULL OR owed.minor > held.minor) AND NOT EXISTS (
    SELECT FROM invoiced_session AS stands JOIN session USING (session_id)
    WHERE stands.number = due.number AND 'disputed' = ANY (flags)
)
ORDER BY number
RETURNING invoice, level, legal_entity, customer, currency, open_minor, due_on, decided_at
"""


class Reminder(NamedTuple):
    """That a customer is reminded of an invoice, for the `level`th time; in minor units."""

    invoice: str
    level: int
    legal_entity: str
    customer: str
    currency: str
    open_minor: int
    due_on: date
    decided_at: datetime


def decide_reminders(
    connection: Connection[Any], declared: Declarations, now: datetime
) -> list[Reminder]:
    """Decide who is reminded by *now*, and return what is new."""
    days = declared.policy(now).reminder_days
    found: list[Reminder] = []
    if not days:
        return found
    for legal_entity in declared.keys(Kind.LEGAL_ENTITY):
        entity = declared.legal_entity(legal_entity, now)
        if entity is None:
            continue
        today = now.astimezone(zone(entity.time_zone)).date()
        asked = {
            "now": now,
            "today": today,
            "latest": today - timedelta(days=days[0]),
            "days": list(days),
            "legal_entity": legal_entity,
            "given_up": now - COLLECTED_WITHIN,
            "seen": now - STATEMENT_WITHIN,
        }
        # What is open holds while it is decided: nobody pays in between.
        with (
            under_the_books(connection),
            connection.cursor(row_factory=class_row(Reminder)) as cursor,
        ):
            found += cursor.execute(_DECIDE, asked).fetchall()
    return found
