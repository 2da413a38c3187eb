"""Payouts in a replay: booked again from their lines; what is left of movements, reckoned again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

from psycopg import Connection, sql

from ledger.payments.movement import MoneyKind, MoneyMovement
from ledger.payments.payouts.kept import KeptPayout, booked_again, kept_payouts
from ledger.payments.payouts.unmatched import STANDING
from ledger.payments.recording import find_movement
from projections.replay.comparison import Comparison

_LEFT: LiteralString = """
SELECT number, kept.left_minor, again.left_minor
FROM (
    SELECT number, amount_minor - coalesce((
        SELECT sum(booked_minor) FROM payout_line WHERE payout_line.movement = movement.number
    ), 0)::bigint AS left_minor
    FROM movement
    WHERE source NOT LIKE 'bank:%' AND kind NOT IN ('paid_out', 'banked', 'matched')
) AS again FULL JOIN movement_at_provider AS kept USING (number)
WHERE coalesce(kept.left_minor, 0) <> 0 OR coalesce(again.left_minor, 0) <> 0
ORDER BY number
"""
_UNMATCHED: LiteralString = f"""
SELECT number, kept.left_minor, again.left_minor
FROM (
    SELECT number, left_minor FROM ({STANDING}) AS standing JOIN movement USING (number)
    WHERE source NOT LIKE 'bank:%'
) AS again FULL JOIN unmatched_money AS kept USING (number) ORDER BY number
"""  # noqa: S608 - our own


def compare_payouts(connection: Connection[Any]) -> Iterator[Comparison]:
    """Yield what was booked of each payout beside what its lines say, and what is in none.

    *connection* is in no transaction; for this one its tables are those of the books.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(sql.SQL("SET LOCAL search_path = books, inputs"))
        yield from compared_payouts(connection)


def compared_payouts(connection: Connection[Any]) -> Iterator[Comparison]:
    """Yield the same within the caller's transaction."""
    for kept in kept_payouts(connection):
        sums, again = booked_again(connection, kept)
        counted = sums.lines, sums.difference_minor(kept.payout)
        said = kept.lines, kept.difference_minor
        yield Comparison("payout", kept.payout.id, str(said), str(counted))
        for movement in again:
            was = _was(connection, kept, movement)
            yield Comparison("paid out", movement.entry_id, was, _told(movement))
    for number, left, reckoned in connection.execute(_LEFT).fetchall():
        yield Comparison("money at a provider", str(number), _or_none(left), _or_none(reckoned))
    for number, left, reckoned in connection.execute(_UNMATCHED).fetchall():
        yield Comparison("unmatched money", str(number), _or_none(left), _or_none(reckoned))


def _was(connection: Connection[Any], kept: KeptPayout, again: MoneyMovement) -> str | None:
    provider = kept.booker.provider
    found = find_movement(connection, provider, MoneyKind.PAID_OUT, again.reference)
    return None if found is None else _told(found)


def _told(movement: MoneyMovement) -> str:
    return str((movement.currency, movement.amount_minor, movement.allotments))


def _or_none(minor: int | None) -> str | None:
    return str(minor) if minor else None
