"""Payouts whose money is under way to our bank: `cash:clearing` has it until a statement shows it.

A payout's legs in `cash:clearing` bear its id as their document, and so does the leg of the bank's
line that it is matched with: their sum is what is still under way of it.

    paid out  -444  |  paid out and failed  -444 +444  |  paid out, and on a statement  -444 +444
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

_AWAITED: LiteralString = """
SELECT provider, payout_id, legal_entity, currency, amount_minor, created_at, arrives_on,
    under_way AS under_way_minor
FROM payout CROSS JOIN LATERAL (
    SELECT -coalesce(sum(minor), 0)::bigint AS under_way FROM allotment
    WHERE document = payout_id AND document <> '' AND account = 'cash:clearing'
) AS cleared
WHERE under_way <> 0
    AND (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
    AND (%(currency)s::text IS NULL OR currency = %(currency)s)
ORDER BY created_at, payout_id
"""


class AwaitedPayout(NamedTuple):
    """A payout of which the bank has said nothing yet, in minor units.

    `under_way_minor`: so much of it; below 0: the provider takes it from our account.
    """

    provider: str
    payout_id: str
    legal_entity: str
    currency: str
    amount_minor: int
    created_at: datetime
    arrives_on: date | None
    under_way_minor: int


def awaited_payouts(
    connection: Connection[Any], legal_entity: str | None = None, currency: str | None = None
) -> Sequence[AwaitedPayout]:
    """Return the payouts that are under way, the oldest first."""
    asked = {"legal_entity": legal_entity, "currency": currency}
    with connection.cursor(row_factory=class_row(AwaitedPayout)) as cursor:
        return cursor.execute(_AWAITED, asked).fetchall()
