"""Books to ask questions of: the charging day, worked through and invoiced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import psycopg

from deploy.running.replay import replay_and_compare
from ingest.facts.translate import translate
from ledger.invoices.invoicer import Invoicer
from ledger.log.postgres import PostgresEventLog
from ledger.rating.stored import PACKING
from ledger.worker.worker import Worker
from projections.replay.refilling import Progress
from projections.replay.replay import ReplayReport
from tests.charging_day import PARTITIONS, Timed, charging_day, declare_fleet, write_log


def work(dsn: str) -> None:
    """Let the worker and the invoicing do all that there is to do."""
    partitions = range(PARTITIONS)
    with PostgresEventLog(dsn) as log:
        with Worker(
            dsn, log=log, partitions=partitions, translate=translate, group_records=2
        ) as worker:
            while worker.run_once():
                pass
        with closing(Invoicer(dsn, log)) as invoicer:
            invoicer.run_once()


def books_of_a_day(dsn: str, *more: Timed) -> str:
    """Write the charging day and *more* lines into the log and work it off."""
    write_log(dsn, charging_day(declare_fleet(dsn)))
    work(dsn)
    go_on(dsn, more)
    return dsn


def go_on(dsn: str, lines: Sequence[Timed]) -> None:
    """Append *lines* and work them off."""
    if lines:
        write_log(dsn, lines)
        work(dsn)


def replayed(dsn: str, progress: Progress | None = None) -> ReplayReport:
    """Replay the log and compare."""
    with PostgresEventLog(dsn) as log:
        return replay_and_compare(dsn, log, progress=progress)


def ask(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection that finds the books."""
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute("SET search_path = books, inputs, persons")
    return connection


def tamper(dsn: str, statement: str) -> None:
    """Change one row of the books, as only someone with the database in hand can."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica; SET search_path = books")
        changed = connection.execute(statement.encode())
        assert changed.rowcount == 1


def unpacked(body: object) -> bytes:
    """Return the JSON of a decision's *body* as the table holds it."""
    assert isinstance(body, bytes)
    return PACKING.unpack(body)


def tamper_with_decision(dsn: str, like: str, old: str, new: str) -> None:
    """Put *new* for *old* in the body of the one decision about a session *like* that."""
    with ask(dsn) as connection:
        [(packed,)] = connection.execute(
            "SELECT body FROM session_decision WHERE kind <> 'held' AND session_id LIKE %s", (like,)
        ).fetchall()
    body = unpacked(packed)
    changed = body.replace(old.encode(), new.encode())
    assert changed != body
    again = PACKING.pack(changed).hex()
    tamper(
        dsn,
        f"UPDATE session_decision SET body = '\\x{again}' WHERE kind <> 'held'"
        f" AND session_id LIKE '{like}'",
    )
