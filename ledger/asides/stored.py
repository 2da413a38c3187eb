"""The table of lines that were set aside: a consequence of the log, as decisions are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection, sql

from ledger.asides.aside import Aside, AsideStep

_RECORDED: LiteralString = """
SELECT position, line, station_id, set_aside_at, reason, why FROM {schema}.line_set_aside
WHERE partition = %s ORDER BY set_aside_at, position, line, station_id
"""
_STALLED: LiteralString = """
SELECT station_id FROM line_set_aside WHERE partition = %s AND reason = %s AND taken_at IS NULL
"""
_OPEN: LiteralString = """
SELECT station_id, reason FROM line_set_aside
WHERE partition = %s AND position = %s AND line = %s AND taken_at IS NULL
ORDER BY set_aside_at, station_id
"""
_TAKE: LiteralString = """
UPDATE line_set_aside SET taken_at = %s
WHERE partition = %s AND position = %s AND line = %s AND station_id = %s AND taken_at IS NULL
"""
_STORE: LiteralString = """
INSERT INTO line_set_aside (partition, position, line, station_id, set_aside_at, reason, why)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_LISTED: LiteralString = """
SELECT partition, position, line, station_id, reason, why, set_aside_at, taken_at
FROM line_set_aside WHERE (%(all)s OR taken_at IS NULL)
AND (%(station)s::text IS NULL OR station_id = %(station)s)
ORDER BY partition, set_aside_at, position, line, station_id LIMIT %(limit)s
"""
_COUNTED: LiteralString = """
INSERT INTO set_aside (partition, station_id, reason, lines) VALUES (%s, %s, %s, %s)
ON CONFLICT (partition, station_id, reason) DO UPDATE SET lines = set_aside.lines + excluded.lines
"""
_COUNT: LiteralString = "SELECT count(*) FROM line_set_aside WHERE taken_at IS NULL"


class Taken(NamedTuple):
    """A line that is taken again at the record `at`."""

    position: int
    line: int
    station_id: str
    at: int


@dataclass(frozen=True, slots=True)
class ListedAside:
    """A line that was set aside, as people see it; `taken_at` None: it still is."""

    partition: int
    position: int
    line: int
    station_id: str
    reason: str
    why: str
    set_aside_at: int
    taken_at: int | None


def recorded_asides(
    connection: Connection[Any], partition: int, *, schema: str
) -> dict[int, list[Aside]]:
    """Return what was set aside at which record, as *schema* has it: a replay does the same."""
    found: defaultdict[int, list[Aside]] = defaultdict(list)
    query = sql.SQL(_RECORDED).format(schema=sql.Identifier(schema))
    for position, line, station_id, at, reason, why in connection.execute(query, (partition,)):
        found[at].append(Aside(position, line, station_id, at, AsideStep(reason), why))
    return dict(found)


def stalled_stations(connection: Connection[Any], partition: int) -> set[str]:
    """Return the stations whose sessions no tick decides, until that is taken again."""
    rows = connection.execute(_STALLED, (partition, AsideStep.TIME_OUT))
    return {station_id for (station_id,) in rows}


def open_asides(
    connection: Connection[Any], partition: int, position: int, line: int
) -> list[tuple[str, AsideStep]]:
    """Return for which stations, and why, a line is set aside and was not taken again."""
    rows = connection.execute(_OPEN, (partition, position, line))
    return [(station_id, AsideStep(reason)) for station_id, reason in rows]


def store_asides(
    connection: Connection[Any], partition: int, asides: Sequence[Aside], taken: Iterable[Taken]
) -> None:
    """Write which lines were *taken* again, and which were set aside."""
    if not asides and not taken:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            _TAKE,
            [(each.at, partition, each.position, each.line, each.station_id) for each in taken],
        )
        cursor.executemany(
            _STORE,
            [
                (partition, each.position, each.line, each.station_id, each.at, each.step, each.why)
                for each in asides
            ],
        )


def store_counts(
    connection: Connection[Any], partition: int, counts: Counter[tuple[str, str]]
) -> None:
    """Add *counts* of lines, by station and reason, to those set aside before."""
    if not counts:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            _COUNTED,
            [(partition, *key, lines) for key, lines in sorted(counts.items())],
        )


def listed_asides(
    connection: Connection[Any],
    *,
    station_id: str | None = None,
    limit: int | None = None,
    is_all: bool = False,
) -> list[ListedAside]:
    """Return the lines that are set aside; *is_all*: also those that were taken again."""
    parameters = {"all": is_all, "station": station_id, "limit": limit}
    return [ListedAside(*row) for row in connection.execute(_LISTED, parameters)]


def count_asides(connection: Connection[Any]) -> int:
    """Return how many lines are set aside."""
    ((count,),) = connection.execute(_COUNT).fetchall()
    return int(count)
