"""The outbox as the relay works it off: ordered, claimed in portions, noted.

The relay alone gives messages their place, for it alone takes them away: whoever puts one cannot
see what is being put or taken at the same moment. In a lane an update of the session comes first,
then what was put first.

    new -> waiting  it is the first of its lane, or those before it are gone
    new -> behind   another of its lane is there
    waiting -> gone it arrived, or never will be sent; the next of its lane is waiting
    waiting -> dead it was refused; what is behind a CDR stays there, for a credit of a CDR that the
                    partner does not have would say nonsense. A session's update holds nothing up

Each transaction holds the lease: a relay that was taken over numbers, notes and moves nothing. What
it sent meanwhile is sent again by the next one, the same bytes under the same id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.database import array_text, copy_rows
from ledger.leases import Lease, hold_lease
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing

LEASE: Final = "roaming_relay"
LEASE_SECONDS: Final = 6.0
"""After how long another process sends in place of one that is gone without a word."""
_ORDERED_AT_ONCE: Final = 256

_BUSY: LiteralString = """
SELECT asked.party FROM unnest(%(parties)s::text[]) AS asked (party)
LEFT JOIN outgoing_party AS standing ON standing.party = asked.party
WHERE coalesce(standing.next_at <= %(now)s, true) AND (
    EXISTS (SELECT FROM outgoing AS one WHERE one.party = asked.party AND one.state = 'new')
    OR EXISTS (SELECT FROM outgoing AS one WHERE one.party = asked.party
               AND one.state = 'waiting' AND one.next_at <= %(now)s)
)
"""
# Whoever puts messages that wait already locks them in this order, too: nobody waits in a circle.
_LOCK: LiteralString = """
SELECT FROM outgoing WHERE id = ANY (%s::bigint[])
ORDER BY kind <> 'session', subject COLLATE "C" FOR UPDATE
"""
_NEW: LiteralString = """
SELECT id FROM outgoing WHERE party = %s AND state = 'new' ORDER BY id LIMIT %s
"""
_ORDER: LiteralString = """
UPDATE outgoing AS this SET state = CASE WHEN EXISTS (
    SELECT FROM outgoing AS earlier
    WHERE earlier.party = this.party AND earlier.lane = this.lane
    AND (earlier.kind <> 'session', earlier.id) < (this.kind <> 'session', this.id)
    AND NOT (earlier.state = 'dead' AND earlier.kind = 'session')
) THEN 'behind' ELSE 'waiting' END
WHERE this.id = ANY (%s::bigint[])
"""
_STANDING: LiteralString = """
INSERT INTO outgoing_party AS standing (party) VALUES (%s)
ON CONFLICT (party) DO UPDATE SET party = excluded.party
RETURNING next_number, failures, refusals
"""
# Before any message of the party, as `_STANDING` is: nobody waits in a circle.
_HOLD_STANDING: LiteralString = "SELECT FROM outgoing_party WHERE party = %s FOR UPDATE"
# Two of one lane wait where an update of its session came while a CDR was tried, or where the first
# was put by somebody whose commit came late.
_DUE: LiteralString = """
SELECT DISTINCT ON (lane)
       id, party, kind, subject, lane, version, number, attempts, failures, is_begun
FROM (
    SELECT * FROM outgoing WHERE party = %(party)s AND state = 'waiting' AND next_at <= %(now)s
    ORDER BY next_at, id LIMIT %(limit)s
) AS due
ORDER BY lane, kind <> 'session', id
"""
_BEGIN: LiteralString = """
UPDATE outgoing SET number = given.number, is_begun = true
FROM unnest(%s::bigint[], %s::bigint[]) AS given (id, number) WHERE outgoing.id = given.id
"""
_NUMBERED: LiteralString = "UPDATE outgoing_party SET next_number = %s WHERE party = %s"
_ATTEMPTS: LiteralString = """
COPY outgoing_attempt (party, number, attempt, kind, subject, at, came_of_it, http, status_code,
    reason, notes, sha256) FROM STDIN
"""
_GONE: LiteralString = """
DELETE FROM outgoing USING unnest(%s::bigint[], %s::bigint[]) AS sent (id, version)
WHERE outgoing.id = sent.id AND outgoing.version = sent.version
"""
# What was put again meanwhile is another message, with a number of its own.
_STAYS: LiteralString = """
UPDATE outgoing SET number = NULL, is_begun = false, attempts = 0, failures = 0, reason = '',
                    next_at = '-infinity', put_at = clock_timestamp()
WHERE id = ANY (%s::bigint[])
"""
_FAILED: LiteralString = """
UPDATE outgoing SET state = given.state, attempts = attempts + 1, failures = failures + 1,
                    next_at = given.next_at, reason = given.reason
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[])
    AS given (id, state, next_at, reason)
WHERE outgoing.id = given.id
"""
_UNTOUCHED: LiteralString = "UPDATE outgoing SET is_begun = false WHERE id = ANY (%s)"
_NEXT: LiteralString = """
UPDATE outgoing SET state = 'waiting'
FROM unnest(%s::text[]) AS left_lane (lane), LATERAL (
    SELECT id FROM outgoing AS rest WHERE rest.party = %s AND rest.lane = left_lane.lane
    AND NOT (rest.state = 'dead' AND rest.kind = 'session')
    ORDER BY rest.kind <> 'session', id LIMIT 1
) AS first
WHERE outgoing.id = first.id AND outgoing.state = 'behind'
"""
_STANDS: LiteralString = """
UPDATE outgoing_party SET failures = %s, refusals = %s, next_at = %s, reason = %s WHERE party = %s
"""


class MessageClaim(NamedTuple):
    """What is to be sent to a party now, one message a lane, and how it stood with the party."""

    messages: Sequence[Outgoing]
    failures: int
    refusals: int


class Noted(NamedTuple):
    """One attempt with what came of it; `pause`: after a failure, until the next one."""

    message: Outgoing
    outcome: AttemptOutcome
    at: datetime
    pause: timedelta = timedelta(0)


class PartnerStanding(NamedTuple):
    """How it goes with a party after a claim was worked off."""

    failures: int = 0
    refusals: int = 0
    pause: timedelta = timedelta(0)
    reason: str = ""


class ClaimNotes(NamedTuple):
    """What came of a claim: attempts, and messages that nobody tried to send."""

    attempts: Sequence[Noted]
    untouched: Sequence[Outgoing]
    standing: PartnerStanding


def busy_parties(
    connection: Connection[Any], parties: Sequence[str], now: datetime
) -> frozenset[str]:
    """Return those of *parties* for which something is to be done *now*."""
    rows = connection.execute(_BUSY, {"parties": list(parties), "now": now})
    return frozenset(party for (party,) in rows)


def claim(
    connection: Connection[Any], lease: Lease, party: str, *, now: datetime, limit: int
) -> MessageClaim:
    """Give what is new its place, and number what is sent next: at most *limit* messages.

    After a failure it is one alone, to see how the partner does.

    Raises:
        LeaseLostError: If another process took the lease.
    """
    asked = {"party": party, "now": now, "limit": limit}
    if len(connection.execute(_DUE, asked).fetchall()) < limit:
        _give_places(connection, lease, party)
    with connection.transaction():
        hold_lease(connection, lease, seconds=LEASE_SECONDS)
        [(number, failures, refusals)] = connection.execute(_STANDING, (party,)).fetchall()
        asked["limit"] = 1 if failures else limit
        rows = connection.execute(_DUE, asked).fetchall()
        connection.execute(_LOCK, (_numbers(row[0] for row in rows),))
        messages = []
        for row in sorted(rows):
            message = _message(row, number)
            messages.append(message)
            number += message.number == number
        if messages:
            numbers = _numbers(each.number for each in messages)
            connection.execute(_BEGIN, (_numbers(each.id for each in messages), numbers))
            connection.execute(_NUMBERED, (number, party))
    return MessageClaim(messages, failures, refusals)


def _give_places(connection: Connection[Any], lease: Lease, party: str) -> None:
    """Let some of what is new wait, first of its lane or behind."""
    with connection.transaction():
        hold_lease(connection, lease, seconds=LEASE_SECONDS)
        rows = connection.execute(_NEW, (party, _ORDERED_AT_ONCE)).fetchall()
        ids = [identity for (identity,) in rows]
        connection.execute(_LOCK, (_numbers(ids),))
        connection.execute(_ORDER, (_numbers(ids),))


def note(
    connection: Connection[Any], lease: Lease, party: str, notes: ClaimNotes, *, now: datetime
) -> None:
    """Note what came of a claim for *party*.

    Raises:
        LeaseLostError: If another process took the lease: nothing of it is noted.
    """
    done = [each.message for each in notes.attempts if each.outcome.is_done]
    noted = [*(each.message for each in notes.attempts), *notes.untouched]
    with connection.transaction():
        hold_lease(connection, lease, seconds=LEASE_SECONDS)
        connection.execute(_HOLD_STANDING, (party,))
        connection.execute(_LOCK, (_numbers(each.id for each in noted),))
        copy_rows(connection, _ATTEMPTS, [_attempt_row(each) for each in notes.attempts])
        ids = _numbers(each.id for each in done)
        gone = connection.execute(_GONE, (ids, _numbers(each.version for each in done)))
        if gone.rowcount < len(done):
            connection.execute(_STAYS, (ids,))
        if len(done) < len(notes.attempts):
            connection.execute(_FAILED, _failures(notes.attempts))
        if notes.untouched:
            connection.execute(_UNTOUCHED, ([each.id for each in notes.untouched],))
        lanes = {each.message.lane for each in notes.attempts}
        connection.execute(_NEXT, (array_text(sorted(lanes)), party))
        stands = notes.standing
        row = (stands.failures, stands.refusals, now + stands.pause, stands.reason, party)
        connection.execute(_STANDS, row)


def _message(row: tuple[Any, ...], number: int) -> Outgoing:
    """Return the message of a row of `_DUE`: with the number that it has, or else *number*."""
    identity, party, kind, subject, lane, version, given, attempts, failures, is_begun = row
    return Outgoing(
        id=identity,
        party=party,
        kind=MessageKind(kind),
        subject=subject,
        lane=lane,
        version=version,
        number=number if given is None else given,
        attempts=attempts,
        failures=failures,
        is_again=is_begun,
    )


def _numbers(numbers: Iterable[int]) -> str:
    """Return an array as PostgreSQL writes it, in a small part of psycopg's time."""
    return "{" + ",".join(map(str, numbers)) + "}"


def _attempt_row(noted: Noted) -> tuple[object, ...]:
    message, outcome = noted.message, noted.outcome
    return (
        message.party, message.number, message.attempts + 1, message.kind.value, message.subject,
        noted.at, outcome.came_of_it.value, outcome.http, outcome.status_code, outcome.reason,
        array_text(outcome.notes), outcome.sha256,
    )  # fmt: skip


def _failures(attempts: Sequence[Noted]) -> list[list[object]]:
    """Return the columns of what is to be sent again, or never by itself."""
    states: Mapping[Arrival, str] = {Arrival.FAILED: "waiting", Arrival.REFUSED: "dead"}
    failed = [each for each in attempts if not each.outcome.is_done]
    return [
        [each.message.id for each in failed],
        [states[each.outcome.came_of_it] for each in failed],
        [each.at + each.pause for each in failed],
        [each.outcome.reason for each in failed],
    ]
