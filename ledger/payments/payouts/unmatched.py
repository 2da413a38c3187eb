"""Money that nobody knows what it is for, wherever it came: movements with the rest of each.

A movement brings money to `cash:unmatched`, or says that some is missing; who knows what it was for
takes it out by another one, `matched`, which is about the first. What is left of both is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

STANDING: LiteralString = """
WITH told AS (
    SELECT CASE WHEN kind <> 'matched' THEN number
        WHEN about ~ '^movement:[0-9]{1,18}$' THEN substr(about, 10)::bigint
        ELSE (SELECT first.number FROM movement AS first
              WHERE first.source = movement.source AND first.kind = 'banked'
                  AND first.reference = movement.about)
        END AS number, minor
    FROM allotment JOIN movement USING (number) WHERE account = 'cash:unmatched'
), standing AS (
    SELECT number, sum(minor)::bigint AS left_minor FROM told GROUP BY number
    HAVING sum(minor) <> 0
)
SELECT number, left_minor FROM standing
"""
"""Every movement of which something is unmatched, with the rest of it, from all there ever were."""
_COLUMNS: LiteralString = """
SELECT number, kind, movement.source, reference, movement.legal_entity, movement.currency,
    movement.happened_at, about, standing.left_minor
"""
_ORDERED: LiteralString = """
WHERE (%(number)s::bigint IS NULL OR number = %(number)s)
    AND (%(legal_entity)s::text IS NULL OR movement.legal_entity = %(legal_entity)s)
    AND (%(before)s::timestamptz IS NULL OR movement.happened_at < %(before)s)
ORDER BY number LIMIT %(limit)s
"""
_LEFT: LiteralString = (
    _COLUMNS + "FROM (" + STANDING + ") AS standing JOIN movement USING (number)" + _ORDERED
)
_AT_PROVIDERS: LiteralString = (
    _COLUMNS + "FROM unmatched_money AS standing JOIN movement USING (number)" + _ORDERED
)
ABOUT_MOVEMENT: Final = "movement:"
"""What a `matched` movement is about where that is no bank's line: this, and the first's number."""


class UnmatchedMovement(NamedTuple):
    """A movement of which `left_minor` is for nobody knows what.

    Above 0: money that is there; below 0: money that went, or is missing.
    """

    number: int
    kind: str
    source: str
    reference: str
    legal_entity: str
    currency: str
    happened_at: datetime
    about: str
    left_minor: int


def unmatched_money(
    connection: Connection[Any],
    *,
    number: int | None = None,
    legal_entity: str | None = None,
    before: datetime | None = None,
    at_providers: bool = False,
    limit: int | None = None,
) -> Sequence[UnmatchedMovement]:
    """Return what is unmatched of money moved *before*, the oldest first.

    `at_providers`: without what statements of banks show (`wattledger payments unmatched`).
    """
    asked = {
        "number": number,
        "legal_entity": legal_entity,
        "before": before,
        "limit": limit,
    }
    with connection.cursor(row_factory=class_row(UnmatchedMovement)) as cursor:
        return cursor.execute(_AT_PROVIDERS if at_providers else _LEFT, asked).fetchall()
