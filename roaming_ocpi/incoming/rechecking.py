"""All CDRs of partners judged again, from the log into tables beside the real ones, and compared.

What is compared is a copy of one moment: while it is judged again, more comes in and changes what
is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection, sql

from ledger.database import connect
from ledger.log.event_log import EventLog, FollowedLog, Record
from roaming_ocpi.incoming.published import AsRecorded
from roaming_ocpi.incoming.reading import PartnerReader

SCRATCH: Final = "judged_again"
BOOKS: Final = "books"
_NAMED_BY: Final = {
    "partner_cdr": "cdr_id",
    "partner_cdr_again": "cdr_key",
    "partner_session": "session_id",
    "partner_line_aside": "position",
}
"""The tables that are compared, and what names a row for people."""
_REACHED: LiteralString = "SELECT partition, next_position FROM {books}.partner_reading"
_COPY: LiteralString = "CREATE TABLE {scratch}.{kept} AS SELECT * FROM {books}.{table}"
_DIFFERENT: LiteralString = """
SELECT coalesce(kept.party, again.party), coalesce(kept.{key}, again.{key})::text
FROM {scratch}.{kept} AS kept FULL JOIN {scratch}.{table} AS again
    ON (kept.partition, kept.position, kept.line) = (again.partition, again.position, again.line)
WHERE kept IS DISTINCT FROM again ORDER BY 1, 2
"""
_COUNT: LiteralString = "SELECT count(*) FROM {scratch}.{kept}"


class DifferingVerdict(NamedTuple):
    """Something of a partner that comes out otherwise now, in which table."""

    party: str
    table: str
    id: str


class RecheckReport(NamedTuple):
    """How many CDRs were compared, and what differs."""

    compared: int
    different: tuple[DifferingVerdict, ...]


class _LogUpTo:
    """A log that ends, in each partition, where it was read to."""

    def __init__(self, log: FollowedLog, ends: Mapping[int, int]) -> None:
        self._log, self._ends = log, ends

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        """Return records as the log has them, up to the end."""
        left = self._ends.get(partition, 0) - start
        if left <= 0:
            return ()
        return self._log.read(partition, start, records=min(records, left), lines=lines)

    def wait(self, seconds: float) -> None:
        """Return at once: nothing more is to come."""


def judge_all_again(
    dsn: str, log: EventLog, *, new_schema: Callable[[Connection[Any], str], None]
) -> RecheckReport:
    """Judge all again; nothing that is there is changed.

    Args:
        dsn: The database.
        log: What is read, from its beginning.
        new_schema: Makes the tables of the books, empty, in a schema of this name.
    """
    with connect(dsn) as connection:
        _drop(connection)
        try:
            new_schema(connection, SCRATCH)
            ends = _copied(connection)
            reader = PartnerReader(
                dsn,
                log=_LogUpTo(log, ends),
                partitions=ends.keys(),
                published=AsRecorded(BOOKS),
                schema=SCRATCH,
            )
            with closing(reader):
                reader.run_to_end()
            return _compared(connection)
        finally:
            _drop(connection)


def _copied(connection: Connection[Any]) -> dict[int, int]:
    """Copy what is to be compared; return how far it was read, by partition."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for table in _NAMED_BY:
            connection.execute(_of(_COPY, table))
        return dict(connection.execute(_of(_REACHED)).fetchall())


def _compared(connection: Connection[Any]) -> RecheckReport:
    [(count,)] = connection.execute(_of(_COUNT, "partner_cdr")).fetchall()
    different = [
        DifferingVerdict(party, table, name)
        for table in _NAMED_BY
        for party, name in connection.execute(_of(_DIFFERENT, table))
    ]
    return RecheckReport(count, tuple(different))


def _of(query: LiteralString, table: str = "partner_cdr") -> sql.Composed:
    return sql.SQL(query).format(
        books=sql.Identifier(BOOKS),
        scratch=sql.Identifier(SCRATCH),
        table=sql.Identifier(table),
        kept=sql.Identifier(f"kept_{table}"),
        key=sql.Identifier(_NAMED_BY[table]),
    )


def _drop(connection: Connection[Any]) -> None:
    name = sql.Identifier(SCRATCH)
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
