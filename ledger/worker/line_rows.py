"""Rows about lines that are no facts: those set aside, and codes that were shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from psycopg import Connection


def store_set_aside(
    connection: Connection[Any], partition: int, counts: Counter[tuple[str, str]]
) -> None:
    """Add *counts* of lines, by station and reason, to those set aside before."""
    with connection.cursor() as cursor:
        if counts:
            cursor.executemany(
                "INSERT INTO set_aside (partition, station_id, reason, lines)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT (partition, station_id, reason)"
                " DO UPDATE SET lines = set_aside.lines + excluded.lines",
                [(partition, *key, lines) for key, lines in sorted(counts.items())],
            )


def store_validations(connection: Connection[Any], rows: Sequence[tuple[object, ...]]) -> None:
    """Write who validated which session with what code, at which line."""
    with connection.cursor() as cursor:
        if rows:
            cursor.executemany(
                "INSERT INTO validation (partition, position, line, session_id, station_id, code,"
                " validated_by, validated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )
