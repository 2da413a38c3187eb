"""Disputes in the database, and the movements by which the money in dispute came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.payments.movement import MoneyKind, MoneyMovement
from ledger.payments.provider import DisputeState
from ledger.payments.recording import movements, movements_about

_RECEIVED: LiteralString = """
SELECT number FROM movement
WHERE source = %s AND kind = 'received' AND reference = ANY (%s) ORDER BY number LIMIT 1
"""
_SIBLINGS: LiteralString = """
SELECT dispute_id FROM dispute WHERE intent_id = %s AND provider = %s AND dispute_id <> %s
ORDER BY dispute_id
"""
# Of two looks at once the older one may come last: a dispute does not go back, nor a sum.
_KEEP: LiteralString = """
INSERT INTO dispute AS known (provider, dispute_id, intent_id, legal_entity, status, currency,
    amount_minor, taken_minor, fee_minor, given_back_minor, reason, received, created_at, seen_at,
    payer)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (provider, dispute_id) DO UPDATE SET
    status = CASE WHEN known.status IN ('won', 'lost') AND excluded.status IN ('inquiry', 'open')
        OR known.status = 'open' AND excluded.status = 'inquiry'
        THEN known.status ELSE excluded.status END,
    amount_minor = excluded.amount_minor, reason = excluded.reason,
    taken_minor = greatest(known.taken_minor, excluded.taken_minor),
    fee_minor = greatest(known.fee_minor, excluded.fee_minor),
    given_back_minor = greatest(known.given_back_minor, excluded.given_back_minor),
    received = coalesce(excluded.received, known.received),
    payer = coalesce(nullif(excluded.payer, ''), known.payer),
    seen_at = greatest(known.seen_at, excluded.seen_at)
"""


def movement_received(
    connection: Connection[Any], provider: str, references: Sequence[str]
) -> MoneyMovement | None:
    """Return the movement by which money came that has one of these *references*."""
    row = connection.execute(_RECEIVED, (provider, list(references))).fetchone()
    return None if row is None else movements(connection, [row[0]])[0]


def moved_on(connection: Connection[Any], received: MoneyMovement | None) -> list[MoneyMovement]:
    """Return by what money that came counts for other documents than those it came for."""
    if received is None or not received.about:
        return []
    about = movements_about(connection, received.about)
    return [
        each for each in about if each.kind is MoneyKind.MATCHED and each.source == received.source
    ]


def movements_of_siblings(
    connection: Connection[Any], provider: str, state: DisputeState
) -> list[MoneyMovement]:
    """Return what was booked of the other disputes of the same payment."""
    asked = (state.intent_id, provider, state.id)
    others = connection.execute(_SIBLINGS, asked).fetchall()
    return [each for (other,) in others for each in movements_about(connection, other)]


def keep_dispute(
    connection: Connection[Any],
    provider: str,
    legal_entity: str,
    state: DisputeState,
    received: MoneyMovement | None,
    now: datetime,
) -> None:
    """Keep how it stands with a dispute."""
    parties = [each.party for each in received.allotments if each.party] if received else []
    row = (
        *(provider, state.id, state.intent_id, legal_entity, state.status.value, state.currency),
        *(state.amount_minor, state.taken_minor, state.fee_minor, state.given_back_minor),
        *(state.reason, received.number if received else None, state.created_at, now),
        min(parties, default=""),
    )
    connection.execute(_KEEP, row)
