"""What is to be sent to partners: put into the outbox by whoever made it, in its transaction.

    a follower decides, and puts a row  -> the relay finds it, and gives it its place in its lane
                                           (`ordering`), a number and an attempt (`claiming`)

A row says only what is meant, never how it reads: what goes over the wire is made when it is sent,
in the version that is spoken then. Putting what waits already changes nothing but its version, so
that the relay knows that what it just sent was not the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.database import array_text


class MessageKind(StrEnum):
    """What a message is; a credit is the CDR that takes another back."""

    SESSION = "session"
    CDR = "cdr"
    CREDIT = "credit"
    INVOICE = "invoice"
    """Which CDRs an invoice of ours is about: its subject is the record's id."""


class WantedMessage(NamedTuple):
    """Something that *party* is to be told.

    `subject` is the CDR's id, or our id of the session; `lane` our id of the session: messages of
    one lane go one after the other.
    """

    party: str
    kind: MessageKind
    subject: str
    lane: str


class Outgoing(NamedTuple):
    """A message that is the first of its lane, and due.

    `attempts` are noted of it; `is_again`: it may have been sent before, noted or not. `version` is
    that of what is to be said now.
    """

    id: int
    party: str
    kind: MessageKind
    subject: str
    lane: str
    version: int
    number: int
    attempts: int
    failures: int
    is_again: bool


_PUT: LiteralString = """
INSERT INTO outgoing AS there (party, kind, subject, lane)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (party, kind, subject) DO UPDATE SET version = there.version + 1
"""
# In order of making: a CDR, then what takes it back, then what stands in its place.
_CATCH_UP: LiteralString = """
INSERT INTO outgoing (party, kind, subject, lane)
SELECT made.party, made.kind, made.cdr_id, made.session_id FROM roaming_cdr AS made
WHERE made.party = %(party)s AND made.ended_at >= %(since)s AND NOT EXISTS (
    SELECT FROM outgoing_attempt AS sent WHERE sent.party = made.party
    AND sent.kind = made.kind AND sent.subject = made.cdr_id
    AND sent.came_of_it IN ('delivered', 'known', 'withheld')
)
ORDER BY made.number
ON CONFLICT (party, kind, subject) DO NOTHING
"""
_ONE_AGAIN: LiteralString = """
INSERT INTO outgoing AS there (party, kind, subject, lane)
SELECT party, kind, cdr_id, session_id FROM roaming_cdr WHERE cdr_id = %s
ON CONFLICT (party, kind, subject) DO UPDATE
SET state = CASE there.state WHEN 'dead' THEN 'new' ELSE there.state END,
    put_at = CASE there.state WHEN 'dead' THEN excluded.put_at ELSE there.put_at END,
    failures = 0, next_at = '-infinity'
RETURNING party
"""
_PUT_BACK: LiteralString = """
UPDATE outgoing SET state = 'new', failures = 0, next_at = '-infinity', put_at = clock_timestamp()
WHERE party = %(party)s AND state = 'dead'
AND (%(only)s::text[] IS NULL OR kind = ANY (%(only)s) OR subject = ANY (%(only)s)
     OR lane = ANY (%(only)s))
"""
_AT_ONCE: LiteralString = """
UPDATE outgoing SET next_at = '-infinity', failures = 0
WHERE party = %s AND state = 'waiting' AND next_at > '-infinity'
"""
_ASK_AT_ONCE: LiteralString = """
UPDATE outgoing_party SET next_at = '-infinity', failures = 0, refusals = 0 WHERE party = %s
"""


def enqueue(
    connection: Connection[Any], party: str, kind: MessageKind, subject: str, *, lane: str
) -> None:
    """Put one message into the outbox, in the caller's transaction."""
    enqueue_all(connection, [WantedMessage(party, kind, subject, lane)])


def enqueue_all(connection: Connection[Any], wanted: Sequence[WantedMessage]) -> None:
    """Put messages into the outbox, in this order, in the caller's transaction.

    What waits there already stays where it is, and is sent as it is by then. Updates of sessions
    come first, by their ids: who locks what waits in one order never waits in a circle.
    """
    each = sorted(dict.fromkeys(wanted), key=_turn)
    if each:
        connection.execute(_PUT, [array_text(column) for column in zip(*each, strict=True)])


def _turn(wanted: WantedMessage) -> tuple[bool, str]:
    is_session = wanted.kind is MessageKind.SESSION
    return not is_session, wanted.subject if is_session else ""


def catch_up(connection: Connection[Any], party: str, since: datetime) -> int:
    """Put every CDR of a session that ended at *since* or later, unless the partner has it.

    Returns how many were put.
    """
    return connection.execute(_CATCH_UP, {"party": party, "since": since}).rowcount


def put_back(connection: Connection[Any], party: str, only: Sequence[str] | None = None) -> int:
    """Let what a partner refused be sent again; return how many messages those were.

    Args:
        connection: To the outbox.
        party: The partner.
        only: Kinds, ids of CDRs or of sessions to which it is confined; None: all.
    """
    asked = {"party": party, "only": None if only is None else list(only)}
    count = connection.execute(_PUT_BACK, asked).rowcount
    send_at_once(connection, party)
    return count


def send_at_once(connection: Connection[Any], party: str) -> None:
    """Let nothing for a partner wait for the end of its pause after a failure."""
    connection.execute(_ASK_AT_ONCE, (party,))
    connection.execute(_AT_ONCE, (party,))


def send_again(connection: Connection[Any], cdr_id: str) -> str | None:
    """Put one CDR, at once; return whose it is, None if there is none of that id."""
    with connection.transaction():
        row = connection.execute(_ONE_AGAIN, (cdr_id,)).fetchone()
        if row is None:
            return None
        connection.execute(_ASK_AT_ONCE, (row[0],))
    return str(row[0])
