"""Payouts and their lines in the database, and what of our movements the provider still has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.database import copy_rows
from ledger.payments.movement import MoneyKind
from ledger.payments.payouts.booking import Booker
from ledger.payments.payouts.matching import HeldMovement, MatchedLine
from ledger.payments.provider import PayoutState

_HELD: LiteralString = """
SELECT number, split_part(reference, '/', 1), kind, currency, left_minor
FROM movement_at_provider
WHERE source = %s AND legal_entity = %s AND split_part(reference, '/', 1) = ANY (%s)
ORDER BY number
"""
_IS_TAKEN: LiteralString = """
SELECT EXISTS (SELECT FROM payout WHERE provider = %s AND payout_id = %s)
"""
_KEEP: LiteralString = """
INSERT INTO payout (provider, payout_id, legal_entity, currency, amount_minor, created_at,
    arrives_on, lines, difference_minor, taken_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_LINES: LiteralString = (
    "COPY payout_line (provider, payout_id, line_id, kind, source_id, amount_minor, fee_minor,"
    " net_minor, created_at, rule, movement, booked_minor) FROM STDIN"
)
_TAKE: LiteralString = """
WITH taken AS (
    SELECT number, sum(booked_minor)::bigint AS booked
    FROM unnest(%(numbers)s::bigint[], %(booked)s::bigint[]) AS line (number, booked_minor)
    GROUP BY number
), gone AS (
    DELETE FROM movement_at_provider AS held USING taken
    WHERE held.number = taken.number AND left_minor = booked
)
UPDATE movement_at_provider AS held SET left_minor = left_minor - booked
FROM taken WHERE held.number = taken.number AND left_minor <> booked
"""


def held_movements(
    connection: Connection[Any], booker: Booker, object_ids: Sequence[str]
) -> list[HeldMovement]:
    """Return what the provider still has of the movements about *object_ids*."""
    asked = (booker.provider, booker.legal_entity, list(object_ids))
    return [
        HeldMovement(number, object_id, MoneyKind(kind), currency, left)
        for number, object_id, kind, currency, left in connection.execute(_HELD, asked)
    ]


def is_taken(connection: Connection[Any], provider: str, payout_id: str) -> bool:
    """Say whether a payout is booked already."""
    [(found,)] = connection.execute(_IS_TAKEN, (provider, payout_id)).fetchall()
    return bool(found)


def keep_payout(
    connection: Connection[Any],
    booker: Booker,
    payout: PayoutState,
    *,
    lines: int,
    difference_minor: int,
    now: datetime,
) -> None:
    """Keep a payout as it was taken, its lines' count and what they lack."""
    row = (
        booker.provider,
        payout.id,
        booker.legal_entity,
        payout.currency,
        payout.amount_minor,
        payout.created_at,
        payout.arrives_on,
        lines,
        difference_minor,
        now,
    )
    connection.execute(_KEEP, row)


def keep_lines(
    connection: Connection[Any],
    provider: str,
    payout_id: str,
    lines: Sequence[tuple[MatchedLine, int | None]],
) -> None:
    """Keep lines, each with the movement that was made of it, if one was.

    What they are worth is taken from what the provider has of the movements behind them.
    """
    rows = []
    for (line, rule, number, booked_minor, *_), made in lines:
        named = line.id, line.kind, line.source_id
        sums = line.amount_minor, line.fee_minor, line.net_minor
        behind = made if number is None else number
        how = (rule.value, behind, booked_minor)
        rows.append((provider, payout_id, *named, *sums, line.created_at, *how))
    copy_rows(connection, _LINES, rows)
    taken = [(each.number, each.booked_minor) for each, _ in lines if each.number is not None]
    asked = {"numbers": [number for number, _ in taken], "booked": [minor for _, minor in taken]}
    connection.execute(_TAKE, asked)
