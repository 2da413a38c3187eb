"""Money that is named: a line of a bank's statement, a payout, what a provider calls a payment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.payments.movement import STRIPE

_OF_ENTITY: LiteralString = "(%(entities)s::text[] IS NULL OR legal_entity = ANY (%(entities)s))"
_NAMED: LiteralString = f"""
SELECT 'bank_line', line, line, source FROM bank_line WHERE line = %(name)s AND {_OF_ENTITY}
UNION ALL
SELECT 'payout', payout_id, payout_id, provider FROM payout
WHERE provider = %(provider)s AND payout_id = %(name)s AND {_OF_ENTITY}
"""  # noqa: S608 - our own
_MOVED: LiteralString = f"""
SELECT 'payment', number::text, reference, source FROM (
    SELECT * FROM movement WHERE reference = %(name)s
    UNION SELECT * FROM movement WHERE about = %(name)s AND about <> ''
) AS moved WHERE {_OF_ENTITY} ORDER BY number LIMIT %(limit)s
"""  # noqa: S608 - our own


class NamedMoney(NamedTuple):
    """What was found: a "bank_line", a "payout" or a "payment"; its key, what is shown of it."""

    kind: str
    key: str
    text: str
    source: str


def find_money(
    connection: Connection[Any], name: str, entities: Sequence[str] | None, *, limit: int
) -> Sequence[NamedMoney]:
    """Return the money that *name* names whole, of legal entities; None: of all.

    A line, or a payout, stands for the movements that it is booked by.
    """
    seen = None if entities is None else list(entities)
    asked = {"name": name, "entities": seen, "provider": STRIPE, "limit": limit}
    found = connection.execute(_NAMED, asked).fetchall()
    return [NamedMoney(*row) for row in found or connection.execute(_MOVED, asked).fetchall()]
