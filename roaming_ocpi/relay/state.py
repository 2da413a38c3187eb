"""What waits for a partner, what it refused, and how it goes with it: for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

SHOWN_MAX: Final = 20
LOOKED_AT_MAX: Final = 10_000
"""Attempts, the latest, whose notes are counted."""

_COUNTS: LiteralString = """
SELECT state, count(*) FROM outgoing WHERE party = %s GROUP BY state
"""
_CAME: LiteralString = """
SELECT came_of_it, count(DISTINCT (kind, subject)) FROM outgoing_attempt
WHERE party = %s AND came_of_it IN ('delivered', 'known', 'nowhere', 'withheld')
AND kind <> 'session' GROUP BY came_of_it
"""
_SINCE: LiteralString = """
SELECT min(put_at) FROM outgoing WHERE party = %s AND state <> 'dead'
"""
_STANDING: LiteralString = """
SELECT failures, reason, nullif(next_at, '-infinity') FROM outgoing_party WHERE party = %s
"""
_DEAD: LiteralString = """
SELECT kind, subject, lane, attempts, reason, number FROM outgoing
WHERE party = %s AND state = 'dead' ORDER BY id LIMIT %s
"""
_NOTED: LiteralString = """
SELECT note, kind, count(*), max(at) FROM (
    SELECT kind, at, notes FROM outgoing_attempt WHERE party = %s ORDER BY number DESC LIMIT %s
) AS latest, unnest(notes) AS note
GROUP BY note, kind ORDER BY note, kind
"""


class SentNote(NamedTuple):
    """What could not be said to the partner, or was odd about its answers, of so many messages."""

    code: str
    kind: str
    times: int
    last_at: datetime


class DeadLetter(NamedTuple):
    """A message that the partner refused; `session_id` is ours."""

    kind: str
    subject: str
    session_id: str
    attempts: int
    reason: str
    number: int


class OutboxState(NamedTuple):
    """How it goes with what we send to a partner.

    `waiting` are all messages that are to be sent, the oldest since `waiting_since`; `dead` those
    that were refused, of which the first are in `dead_letters`. `cdrs` counts CDRs and credits by
    what came of them. `failures`: so often in a row nothing was taken, for `reason`; it is tried
    again at `next_at`. `noted` is of the latest attempts.
    """

    waiting: int
    dead: int
    cdrs: Mapping[str, int]
    waiting_since: datetime | None = None
    failures: int = 0
    reason: str = ""
    next_at: datetime | None = None
    dead_letters: Sequence[DeadLetter] = ()
    noted: Sequence[SentNote] = ()


def outbox_state(connection: Connection[Any], party: str) -> OutboxState:
    """Return how it goes with what we send to *party*."""
    counts = dict(connection.execute(_COUNTS, (party,)).fetchall())
    dead = counts.pop("dead", 0)
    failures, reason, next_at = connection.execute(_STANDING, (party,)).fetchone() or (0, "", None)
    [(since,)] = connection.execute(_SINCE, (party,)).fetchall()
    letters = [DeadLetter(*row) for row in connection.execute(_DEAD, (party, SHOWN_MAX))]
    return OutboxState(
        waiting=sum(counts.values()),
        dead=dead,
        cdrs=dict(connection.execute(_CAME, (party,)).fetchall()),
        waiting_since=since,
        failures=failures,
        reason=reason,
        next_at=next_at if failures else None,
        dead_letters=letters,
        noted=[SentNote(*row) for row in connection.execute(_NOTED, (party, LOOKED_AT_MAX))],
    )
