"""Where aggregates are kept: the schema `decisions`, on any connection string."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import psycopg
from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.postgres import (
    PostgresAggregateRecorder,
    PostgresApplicationRecorder,
    PostgresFactory,
)
from eventsourcing.utils import Environment, EnvType
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row, tuple_row

from ledger.database import TABLES

DECISIONS_SCHEMA: Final = "decisions"
_CREATE_SCHEMA: Final = "CREATE SCHEMA IF NOT EXISTS decisions"
_SETUP_LOCK: Final = 0x626F6F6B  # "book"
_SETTINGS: Final = {
    "IS_SNAPSHOTTING_ENABLED": "y",
    "POSTGRES_SCHEMA": DECISIONS_SCHEMA,
    "POSTGRES_POOL_SIZE": "1",
    "POSTGRES_MAX_OVERFLOW": "4",
    # The library's own database functions lose events for readers (stack notes): never on.
    "POSTGRES_ENABLE_DB_FUNCTIONS": "n",
    # Required by the library and replaced by the connection string in _Factory.
    "POSTGRES_DBNAME": "unused",
    "POSTGRES_HOST": "unused",
    "POSTGRES_USER": "unused",
    "POSTGRES_PASSWORD": "unused",
}


def last_event(connection: Connection[Any], name: str) -> int:
    """Return the number of the newest event of the application called *name*, 0 before its first.

    Whoever has read up to there spares opening the application.
    """
    table = sql.Identifier(DECISIONS_SCHEMA, f"{name}_events")
    there = connection.execute("SELECT to_regclass(%s)", (table.as_string(connection),)).fetchone()
    if there is None or there[0] is None:
        return 0
    newest = sql.SQL("SELECT coalesce(max(notification_id), 0) FROM {}").format(table)
    [(number,)] = connection.execute(newest).fetchall()
    return int(number)


def stored_events(connection: Connection[Any], name: str, aggregate_id: UUID) -> list[StoredEvent]:
    """Return all events of an aggregate of the application called *name*, in their order.

    Whoever only reads spares opening the application: connections of its own, and its tables made.
    """
    events = sql.SQL(
        "SELECT originator_version, topic, state FROM {} WHERE originator_id = %s"
        " ORDER BY originator_version"
    ).format(sql.Identifier(DECISIONS_SCHEMA, f"{name}_events"))
    return [
        StoredEvent(aggregate_id, version, topic, bytes(state))
        for version, topic, state in connection.execute(events, (aggregate_id,))
    ]


class _TypeMadeOnce(PostgresAggregateRecorder):
    """The library's recorder, which does not try to make a type that is there.

    The library does so at each opening and expects to fail: an ERROR in the database's log.
    """

    def create_table(self) -> None:
        """Make what is missing."""
        name = f"{DECISIONS_SCHEMA}.{self.stored_event_type_name}"
        with self.datastore.transaction(commit=False) as cursor:
            found = cursor.execute("SELECT to_regtype(%s) AS found", (name,)).fetchone()
        if found and found["found"]:
            self.sql_create_statements = [
                each for each in self.sql_create_statements if "CREATE TYPE" not in each.as_string()
            ]
        super().create_table()


class _Recorder(_TypeMadeOnce, PostgresApplicationRecorder):
    """The library's recorder without its pipeline.

    The pipeline hangs for ever once a save exceeds the socket's buffer (psycopg 3.3,
    Pipeline.sync); a plain transaction with the same statements does not.

    What must come with the events or not at all is written by a function, `within` of a save:
    it is given the connection, which finds the books' tables, in the transaction of the events.
    """

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int] | None:
        """Insert *stored_events* and return their notification ids, all or nothing."""
        within: Callable[[Connection[Any]], None] | None = kwargs.pop("within", None)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_stored_events(cursor, stored_events, **kwargs)
            ids = self._fetch_ids_after_insert_events(cursor, stored_events, **kwargs)
            if within is not None:
                with _plain(cursor.connection) as connection:
                    within(connection)
            return ids

    def settle(self) -> None:
        """Wait until each save that is under way is there, or undone."""
        # Each locks the table; that of a process which died ends as soon as the server sees it.
        with self.datastore.transaction() as cursor:
            self._lock_table(cursor)


@contextmanager
def _plain(connection: Connection[Any]) -> Iterator[Connection[Any]]:
    """Yield *connection*, in a transaction, as `ledger.database.connect` gives one."""
    made = connection.row_factory
    connection.execute("SELECT set_config('search_path', %s, true)", (TABLES,))
    connection.row_factory = tuple_row
    try:
        yield connection
    finally:
        connection.row_factory = made


class _Factory(PostgresFactory):
    """The library's factory, with any connection string (a socket's path, options, TLS)."""

    aggregate_recorder_class = _TypeMadeOnce
    application_recorder_class = _Recorder

    def __init__(self, dsn: str, env: Environment) -> None:
        super().__init__(env)
        self.datastore.pool.kwargs = {**conninfo_to_dict(dsn), "row_factory": dict_row}


class DecisionApplication(Application[UUID]):
    """Keeps its aggregates in the schema `decisions` of the database that *dsn* names.

    Several processes may do so at once. Close it after use.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        with psycopg.connect(dsn) as connection:
            # One process at a time makes the tables: IF NOT EXISTS alone can still collide.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SETUP_LOCK,))
            with psycopg.connect(dsn, autocommit=True) as schema_connection:
                schema_connection.execute(_CREATE_SCHEMA)
            super().__init__()

    def settle(self) -> None:
        """Wait until each save that is under way is there, or undone: also of who died in it."""
        assert isinstance(self.recorder, _Recorder), self.recorder
        self.recorder.settle()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return the library's settings: ours alone, whatever the process environment says."""
        return Environment(name, {**_SETTINGS, **(env or {})})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Return the library's PostgreSQL store, on our connection string."""
        return _Factory(self._dsn, env)
