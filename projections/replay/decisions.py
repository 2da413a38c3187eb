"""Decisions in a replay, each with its body as the JSON that was hashed, however it is packed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

from psycopg import Connection, sql

from ledger.rating.stored import PACKING
from projections.replay.comparison import Comparison

DECISIONS: LiteralString = """
SELECT concat_ws(' ', session_id, position), (to_jsonb(kept) - 'body')::text, kept.body,
       (to_jsonb(again) - 'body')::text, again.body
FROM ({kept}) AS kept FULL JOIN ({again}) AS again USING (session_id, position)
ORDER BY session_id, position
"""


def compare_decisions(
    connection: Connection[Any], *, kept: sql.Composed, again: sql.Composed
) -> Iterator[Comparison]:
    """Yield every decision of the rows *kept* beside what came out *again*."""
    query = sql.SQL(DECISIONS).format(kept=kept, again=again)
    # Page by page: all bodies of a large log are too much at once.
    with connection.transaction(), connection.cursor(name="decisions") as cursor:
        for key, *row in cursor.execute(query):
            yield Comparison("decision", key, _text(*row[:2]), _text(*row[2:]))


def _text(row: str | None, packed: bytes | None) -> str | None:
    if row is None or packed is None:
        return None
    try:
        return f"{row} {PACKING.unpack(packed).decode()}"
    except ValueError as error:
        return f"{row} {error}"
