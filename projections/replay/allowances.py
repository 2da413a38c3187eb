"""Shared grants in a replay: what each session found used is the sum of what came before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

from psycopg import Connection

from projections.replay.comparison import Comparison

SUMS: LiteralString = """
SELECT key || ' ' || period || ' ' || number, number, session_id,
       trim_scale(before_wh), trim_scale(before_seconds), before_minor, before_uses,
       row_number() OVER chain,
       trim_scale(coalesce(sum(used_wh) OVER earlier, 0)),
       trim_scale(coalesce(sum(used_seconds) OVER earlier, 0)),
       coalesce(sum(used_minor) OVER earlier, 0)::bigint,
       coalesce(sum(used_uses) OVER earlier, 0)::bigint
FROM books.allowance_use
WINDOW chain AS (PARTITION BY key, period ORDER BY number),
       earlier AS (PARTITION BY key, period ORDER BY number
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
"""


def allowance_sums(connection: Connection[Any]) -> Iterator[Comparison]:
    """Yield what each session found used beside the sum of what the sessions before it used."""
    for row in connection.execute(SUMS):
        name, number, session_id = row[:3]
        kept = f"{session_id}: {number} {' '.join(map(str, row[3:7]))}"
        again = f"{session_id}: {row[7]} {' '.join(map(str, row[8:]))}"
        yield Comparison("allowance sum", name, kept, again)
