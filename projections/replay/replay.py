"""Replay: read the log again from its start and compare every consequence, byte for byte.

Decisions, rated lines and journal entries are made again in a scratch schema by the same worker;
invoices are rendered again from the decisions made again. What was chosen (a number, a date, a
person's release) is taken from where it was recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection, sql

from projections.replay.allowances import allowance_sums
from projections.replay.decisions import compare_decisions
from projections.replay.invoices import InvoiceComparison
from projections.replay.movements import ENTRY_IDS, compare_movements
from projections.replay.payouts import compare_payouts
from projections.replay.refilling import Progress, Refill
from projections.replay.settlements import compare_settlements

SHOWN_MAX: Final = 20
BOOKS: Final = "books"

REACHED: LiteralString = "SELECT partition, next_position FROM books.worker_position"
STALE: LiteralString = """
SELECT nspname FROM pg_namespace WHERE nspname ~ '^replay_[0-9]+$' AND NOT EXISTS (
    SELECT FROM pg_stat_activity WHERE 'replay_' || pid = nspname
)
"""
LATER: LiteralString = """
SELECT session_id, revision FROM {schema}.session_decision AS decision
JOIN replay_until AS until USING (partition) WHERE decision.position >= until.position
"""
DECISIONS: LiteralString = """
SELECT * FROM {schema}.session_decision AS decision WHERE NOT EXISTS (
    SELECT FROM replay_until AS until
    WHERE until.partition = decision.partition AND decision.position >= until.position
)
"""
JOURNAL_ENTRIES: LiteralString = """
SELECT entry_id, legal_entity, booked_at, period, original_period, session_id, revision
FROM {schema}.journal_entry
WHERE entry_id !~ '^(invoice|credit|prepaid|settled|accrued|accrued_reversed|settlement.*):'
AND entry_id !~ {movements}
AND (session_id IS NULL OR (session_id, revision) NOT IN ({later}))
"""
POSTINGS: LiteralString = """
SELECT * FROM {schema}.posting
WHERE entry_id !~ '^(invoice|credit|prepaid|settled|accrued|accrued_reversed|settlement.*):'
AND entry_id !~ {movements}
AND entry_id NOT IN (
    SELECT entry_id FROM {schema}.journal_entry WHERE (session_id, revision) IN ({later})
)
"""
ACCRUALS: LiteralString = """
SELECT accrued.session_id, accrued.month, coalesce(entry_id, '') AS entry_id, accrued.partition,
       accrued.position, accrued.legal_entity, accrued.until, accrued.currency, net_minor, zones,
       booked_at, period, original_period, accounts, amounts
FROM {schema}.accrued_session AS accrued
JOIN replay_until AS until USING (partition)
LEFT JOIN {schema}.journal_entry AS entry ON entry.entry_id IN (
    concat('accrued:', accrued.session_id, ':', accrued.month),
    concat('accrued_reversed:', accrued.session_id, ':', accrued.month)
) WHERE accrued.position < until.position
"""
MARKS: LiteralString = """
SELECT mark.* FROM {schema}.period_mark AS mark JOIN replay_until AS until USING (partition)
WHERE mark.position < until.position
"""
ASIDES: LiteralString = """
SELECT aside.partition, aside.position, line, station_id, set_aside_at, reason, why,
       CASE WHEN taken_at < until.position THEN taken_at END AS taken_at
FROM {schema}.line_set_aside AS aside JOIN replay_until AS until USING (partition)
WHERE set_aside_at < until.position
"""
COUNT: LiteralString = """
SELECT count(*), count(*) FILTER (WHERE kept::text IS DISTINCT FROM again::text)
FROM ({kept}) AS kept FULL JOIN ({again}) AS again USING ({key})
"""
SHOW: LiteralString = """
SELECT concat_ws(' ', {key}), kept::text, again::text
FROM ({kept}) AS kept FULL JOIN ({again}) AS again USING ({key})
WHERE kept::text IS DISTINCT FROM again::text ORDER BY {key} LIMIT {limit}
"""
TABLES: Final[Mapping[str, tuple[LiteralString, tuple[str, ...]]]] = {
    "rated line": (
        "SELECT * FROM {schema}.rated_line WHERE (session_id, revision) NOT IN ({later})",
        ("session_id", "revision", "component", "starts_at"),
    ),
    "allowance use": (
        "SELECT * FROM {schema}.allowance_use WHERE (session_id, revision) NOT IN ({later})",
        ("key", "period", "number"),
    ),
    "journal entry": (JOURNAL_ENTRIES, ("entry_id",)),
    "posting": (POSTINGS, ("entry_id", "posting")),
    "accrual": (ACCRUALS, ("session_id", "month", "entry_id")),
    "period mark": (MARKS, ("partition", "legal_entity", "number")),
    "line set aside": (ASIDES, ("partition", "position", "line", "station_id", "set_aside_at")),
}
"""What is compared by name: its rows of a schema, and their key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDifference:
    """Something that came out otherwise: None where it is missing."""

    what: str
    key: str
    kept: str | None
    again: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What a replay found. `shown` are the first differences of each kind."""

    lines: int
    compared: int
    differences: int
    compared_by_kind: dict[str, int]
    shown: tuple[ReplayDifference, ...]

    @property
    def is_identical(self) -> bool:
        """Whether everything came out as it was recorded."""
        return self.differences == 0


def check_replay(
    dsn: str,
    refill: Refill,
    *,
    new_schema: Callable[[Connection[Any], str], object],
    progress: Progress | None = None,
) -> ReplayReport:
    """Replay the log up to where the books are, and compare.

    Args:
        dsn: The database with `inputs`, `books` and `decisions`; it may be in use.
        refill: Works the log off, here or elsewhere.
        new_schema: Makes the tables of the books in a schema of the given name.
        progress: Told after every transaction how far the replay is.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE TEMP TABLE replay_until (partition integer PRIMARY KEY, position bigint)"
        )
        # Fixed before the replay begins: the worker beside it goes on.
        connection.execute("INSERT INTO replay_until " + REACHED)
        until: dict[int, int] = dict(
            connection.execute("SELECT partition, position FROM replay_until").fetchall()
        )
        with _scratch(connection, new_schema) as schema:
            lines = refill(until=until, schema=schema, progress=progress)
            return _compare(connection, dsn, schema, lines)


@contextmanager
def _scratch(
    connection: Connection[Any], new_schema: Callable[[Connection[Any], str], object]
) -> Iterator[str]:
    """Make a schema that goes when this is over; drop what killed replays left behind."""
    # A killed replay drops nothing; its schema bears the process id of a backend that is gone.
    for (stale,) in connection.execute(STALE).fetchall():
        _drop(connection, stale)
    schema = f"replay_{connection.info.backend_pid}"
    _drop(connection, schema)
    new_schema(connection, schema)
    try:
        yield schema
    finally:
        _drop(connection, schema)


def _drop(connection: Connection[Any], schema: str) -> None:
    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
    connection.execute(drop)


def _compare(connection: Connection[Any], dsn: str, schema: str, lines: int) -> ReplayReport:
    compared: dict[str, int] = {}
    differences, shown = 0, list[ReplayDifference]()
    for what, (rows, key) in TABLES.items():
        parts = {
            "kept": _rows(rows, BOOKS),
            "again": _rows(rows, schema),
            "key": sql.SQL(", ").join(map(sql.Identifier, key)),
            "limit": sql.Literal(SHOWN_MAX),
        }
        counted = connection.execute(sql.SQL(COUNT).format(**parts)).fetchall()
        compared[what], found = counted[0]
        differences += found
        if found:
            for name, kept, again in connection.execute(sql.SQL(SHOW).format(**parts)):
                shown.append(ReplayDifference(what=what, key=name, kept=kept, again=again))
    with InvoiceComparison(dsn, schema) as invoices:
        decisions = compare_decisions(
            connection, kept=_rows(DECISIONS, BOOKS), again=_rows(DECISIONS, schema)
        )
        different: Counter[str] = Counter()
        for what, name, kept, again in chain(
            decisions,
            allowance_sums(connection),
            compare_settlements(connection),
            compare_movements(connection),
            compare_payouts(connection),
            invoices.compare(),
        ):
            compared[what] = compared.get(what, 0) + 1
            if kept != again:
                different[what] += 1
                if different[what] <= SHOWN_MAX:
                    shown.append(ReplayDifference(what=what, key=name, kept=kept, again=again))
        differences += different.total()
    return ReplayReport(
        lines=lines,
        compared=sum(compared.values()),
        differences=differences,
        compared_by_kind=compared,
        shown=tuple(shown),
    )


def _rows(rows: LiteralString, schema: str) -> sql.Composed:
    name = sql.Identifier(schema)
    later = sql.SQL(LATER).format(schema=name)
    return sql.SQL(rows).format(schema=name, later=later, movements=sql.Literal(ENTRY_IDS))
