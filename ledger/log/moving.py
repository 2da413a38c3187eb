"""Where the log is since it was copied: one of its stores goes on, the other one is past.

A line that went to the old store after a copy would be in no bill, and the old settings would be
enough for that. So the database, which goes on to hold the books wherever the log is, knows which
store has it. Whoever begins with other settings is refused; and the old log in PostgreSQL itself
refuses records, for a process elsewhere may have begun before.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.log.copying import CopyRefusedError
from ledger.log.event_log import LogError
from ledger.log.postgres import HAS_RECORDS, LOCK, RECORDS

_MOVED: LiteralString = "SELECT store, topic FROM moved_log"
_MOVE: LiteralString = """
INSERT INTO moved_log (store, topic) VALUES (%(store)s, %(topic)s)
ON CONFLICT ((true)) DO UPDATE SET store = %(store)s, topic = %(topic)s, moved_at = now()
"""


class LogStore(NamedTuple):
    """A store that may have the log; the topic of one in Kafka, else None."""

    name: str
    topic: str | None = None

    def __str__(self) -> str:
        return "PostgreSQL" if self.topic is None else f"Kafka's topic {self.topic}"

    @property
    def settings(self) -> str:
        """What to set for it."""
        topic = "" if self.topic is None else f' and kafka_topic = "{self.topic}"'
        return f'log = "{self.name}"{topic}'


POSTGRES: Final = LogStore("postgres")


class LogElsewhereError(LogError):
    """The settings name a store that has not the log, or only what it once was."""

    def __init__(self, chosen: LogStore, found: LogStore) -> None:
        self.chosen, self.found = chosen, found
        move = f"wattledger log copy --from {found.name} --to {chosen.name}"
        way = f", or move it first: {move}" if found.name != chosen.name else ""
        super().__init__(f"the event log is in {found}, not in {chosen}: set {found.settings}{way}")


def store_in_use(connection: Connection[Any]) -> LogStore | None:
    """Return where the log is by all that the database knows; None if it may be anywhere.

    The *connection* finds the tables of `inputs`.
    """
    for name, topic in connection.execute(_MOVED).fetchall():
        return LogStore(name, topic)
    ((has_records,),) = connection.execute(HAS_RECORDS).fetchall()
    return POSTGRES if has_records else None


def check_store(connection: Connection[Any], chosen: LogStore) -> None:
    """Refuse settings that would go on with another log.

    Raises:
        LogElsewhereError: If the log is in another store.
    """
    found = store_in_use(connection)
    if found is not None and found != chosen:
        raise LogElsewhereError(chosen, found)


def move_log(connection: Connection[Any], to: LogStore, *, records: int) -> None:
    """Note that the log is in *to* from now on, as a verified copy of so many *records*.

    Raises:
        CopyRefusedError: If somebody wrote to the log in PostgreSQL since; nothing is noted then.
    """
    with connection.transaction():
        # Whoever appends is waited for, and whoever comes later sees what was written here.
        connection.execute(LOCK)
        ((found,),) = connection.execute(RECORDS).fetchall()
        if found != records:
            message = (
                "something wrote to the log after it was copied: stop whatever does, and copy again"
            )
            raise CopyRefusedError(message)
        connection.execute(_MOVE, to._asdict() | {"store": to.name})
