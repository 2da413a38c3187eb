"""Events of a provider, kept for ever: each is taken once, however often it comes, in any order.

A webhook brings one, a look at what webhooks may have lost many. Either way the objects that they
tell of are due in the same transaction: who looks at them asks the provider how they are now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.payments.provider import EventNotice

# Objects in their order: who tells of the same ones meanwhile waits, and nobody for ever.
_NOTE: LiteralString = """
WITH told AS (
    INSERT INTO provider_event (provider, event_id, kind, object_id, created_at, received_at)
    SELECT %(provider)s, event_id, kind, object_id, created_at, %(now)s
    FROM unnest(%(ids)s::text[], %(kinds)s::text[], %(objects)s::text[], %(created)s::timestamptz[])
        AS event (event_id, kind, object_id, created_at)
    ORDER BY event_id
    ON CONFLICT DO NOTHING RETURNING kind, object_id
), due AS (
    INSERT INTO provider_object_due AS known (provider, object_id, kind, next_at)
    SELECT %(provider)s, object_id, min(kind), %(now)s FROM told
    WHERE kind <> '' GROUP BY object_id ORDER BY object_id
    ON CONFLICT (provider, object_id) DO UPDATE
    SET told = known.told + 1, attempts = 0, reason = '',
        next_at = least(known.next_at, excluded.next_at)
)
SELECT count(*) FROM told
"""
_POSITION: LiteralString = "SELECT read_until FROM provider_position WHERE provider = %s"
_MOVE: LiteralString = """
INSERT INTO provider_position AS known (provider, read_until) VALUES (%s, %s)
ON CONFLICT (provider) DO UPDATE SET read_until = greatest(known.read_until, excluded.read_until)
"""


def note_events(
    connection: Connection[Any], provider: str, notices: Sequence[EventNotice], now: datetime
) -> int:
    """Keep *notices*, and have the objects looked at that they tell of; return how many were new.

    All or nothing. Those that no object of ours stands behind are kept too, as told.
    """
    asked = {
        "provider": provider,
        "now": now,
        "ids": [each.event_id for each in notices],
        "kinds": [each.kind.value if each.kind else "" for each in notices],
        "objects": [each.object_id for each in notices],
        "created": [each.created_at for each in notices],
    }
    with connection.transaction():
        [(new,)] = connection.execute(_NOTE, asked).fetchall()
    return int(new)


def events_read_until(connection: Connection[Any], provider: str) -> datetime | None:
    """Return until when the provider's events were asked for, without a gap; None: never."""
    row = connection.execute(_POSITION, (provider,)).fetchone()
    return row[0] if row else None


def note_events_read(connection: Connection[Any], provider: str, until: datetime) -> None:
    """Note that all events made until then were asked for and kept."""
    connection.execute(_MOVE, (provider, until))


class RefusedEventError(LedgerError):
    """What came as an event is not taken; `reason` says why, to us and to nobody else."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"what came as a provider's event is not taken: {reason}")
        self.reason = reason
