"""Prepaid balances of a customer, and what moved them: from the journal alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

_BALANCES: LiteralString = """
SELECT legal_entity, currencies[1] AS currency, -sum(amounts[1])::bigint AS balance_minor,
       count(*) AS entries
FROM journal_entry WHERE accounts[1] = 'prepayments' AND parties[1] = %s
GROUP BY legal_entity, currencies[1] ORDER BY legal_entity, currency
"""
_MOVEMENTS: LiteralString = """
SELECT legal_entity, currencies[1] AS currency, booked_at, entry_id AS entry,
       -amounts[1] AS amount_minor
FROM journal_entry WHERE accounts[1] = 'prepayments' AND parties[1] = %s
ORDER BY booked_at DESC, entry_id DESC LIMIT %s
"""


class PrepaidBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What a legal entity owes a customer who paid in advance, in whole minor units."""

    legal_entity: str
    currency: str
    balance_minor: int
    entries: int


class PrepaidMovement(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the journal that moved a balance: money that came is positive.

    `entry` is its cause: "prepaid:LEGAL ENTITY/REFERENCE", or "settled:NUMBER" of a document.
    """

    legal_entity: str
    currency: str
    booked_at: datetime
    entry: str
    amount_minor: int


def prepaid_balances(connection: Connection[Any], customer: str) -> list[PrepaidBalance]:
    """Return the balances of *customer*, a subject id: one for each legal entity and currency."""
    with connection.cursor(row_factory=class_row(PrepaidBalance)) as cursor:
        return cursor.execute(_BALANCES, (customer,)).fetchall()


def prepaid_movements(
    connection: Connection[Any], customer: str, *, limit: int
) -> list[PrepaidMovement]:
    """Return what moved the balances of *customer*, a subject id, the newest first."""
    with connection.cursor(row_factory=class_row(PrepaidMovement)) as cursor:
        return cursor.execute(_MOVEMENTS, (customer, limit)).fetchall()
