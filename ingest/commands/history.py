"""The calls that a station was sent last, with their answers."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection

from ingest.commands.asking import COMMAND_COLUMNS, command_of
from ingest.commands.outcome import CommandOutcome, outcome_of
from ledger.persons.store import KEYS

_LATEST: LiteralString = (
    "SELECT " + COMMAND_COLUMNS + " FROM station_command WHERE station_id = %s"  # noqa: S608 - ours
    " ORDER BY asked_at DESC, id LIMIT %s"
)


def latest_commands(
    connection: Connection[Any], station_id: str, *, limit: int
) -> list[CommandOutcome]:
    """Return the calls to a station, as it is declared, that were asked for last."""
    rows = connection.execute(_LATEST, (station_id, limit)).fetchall()
    commands = [command_of(row) for row in rows]
    sealed = [e for c in commands for e in (*c.frame.sealed, *c.frame.reply_sealed)]
    subjects = sorted({each.subject for each in sealed})
    keys: dict[str, bytes] = dict(connection.execute(KEYS, (subjects,)).fetchall())
    return [outcome_of(each, keys) for each in commands]
