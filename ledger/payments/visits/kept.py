"""The rows of visits: added once, moved step by step from where somebody saw them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from ledger.payments.visits.visit import MOVES, OVER, CardVisit, VisitEvent, VisitState

LISTED: Final = 100
_COLUMNS: LiteralString = """
SELECT visit.number, provider, legal_entity, visit.station_id, visit.evse_id, token_uid,
    secret_digest, currency, amount_minor, tariff, wanted_at, wanted_by, state, place, reason,
    until, intent_id, held_minor, held_at, call_id, called, shown_at, taken_minor
FROM visit JOIN visit_state AS now ON now.number = visit.number
"""
_ADD: LiteralString = """
INSERT INTO visit (provider, legal_entity, station_id, evse_id, token_uid, secret_digest, currency,
    amount_minor, tariff, wanted_at, wanted_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING number
"""
_BEGIN: LiteralString = """
INSERT INTO visit_state (number, state, station_id, evse_id, until) VALUES (%s, %s, %s, %s, %s)
"""
_STEP: LiteralString = """
INSERT INTO visit_step (number, place, state, reason, taken_at) VALUES (%s, %s, %s, %s, %s)
"""
_MOVE: LiteralString = """
UPDATE visit_state SET state = %(state)s, place = place + 1, reason = %(reason)s, until = %(until)s
WHERE number = %(number)s AND place = %(place)s
"""
_NOTE_HOLD: LiteralString = """
UPDATE visit_state SET intent_id = %(intent)s, held_minor = %(held)s,
    held_at = CASE WHEN %(held)s > 0 THEN coalesce(held_at, %(now)s) ELSE held_at END
WHERE number = %(number)s
"""
_NOTE_REASON: LiteralString = "UPDATE visit_state SET reason = %s WHERE number = %s"
_NOTE_UNTIL: LiteralString = """
UPDATE visit_state SET until = %s WHERE number = %s AND place = %s
"""
_NOTE_CALL: LiteralString = """
UPDATE visit_state SET call_id = %s, called = %s WHERE number = %s AND place = %s
"""
_NOTE_TAKEN: LiteralString = """
UPDATE visit_state SET taken_minor = %s, held_minor = 0 WHERE number = %s
"""
_STEPS: LiteralString = """
SELECT state, reason, taken_at FROM visit_step WHERE number = %s ORDER BY place
"""


def add_visit(connection: Connection[Any], visit: CardVisit, *, until: datetime) -> CardVisit:
    """Keep a new visit, within the caller's transaction; return it with its number."""
    row = visit[1:12]
    [(number,)] = connection.execute(_ADD, row).fetchall()
    begun = visit.state.value, visit.station_id, visit.evse_id, until
    connection.execute(_BEGIN, (number, *begun))
    connection.execute(_STEP, (number, 1, visit.state.value, "", visit.wanted_at))
    return visit._replace(number=number, until=until)


def find_visit(connection: Connection[Any], number: int) -> CardVisit | None:
    """Return a visit, None where there is none of that number."""
    found = _visits(connection, _COLUMNS + "WHERE visit.number = %s", (number,))
    return found[0] if found else None


def lock_visit(connection: Connection[Any], number: int) -> CardVisit | None:
    """Return a visit that nobody else moves before the caller's transaction ends."""
    query = _COLUMNS + "WHERE visit.number = %s FOR UPDATE OF now"
    found = _visits(connection, query, (number,))
    return found[0] if found else None


def visit_of_token(connection: Connection[Any], token_uid: str) -> CardVisit | None:
    """Return the visit whose token has this subject id, None where it is of none."""
    found = _visits(connection, _COLUMNS + "WHERE token_uid = %s", (token_uid,))
    return found[0] if found else None


def live_visits(
    connection: Connection[Any], states: Iterable[VisitState] = (), *, after: int = 0
) -> Iterator[list[CardVisit]]:
    """Yield the visits that are not over, of *states* if any are named, in their order by pages.

    Those after number *after*.
    """
    wanted = [each.value for each in states] or [each for each in VisitState if each not in OVER]
    query = (
        _COLUMNS
        + """WHERE state NOT IN ('captured', 'released', 'failed') AND state = ANY (%s)
        AND now.number > %s ORDER BY now.number LIMIT 1000"""
    )
    while page := _visits(connection, query, (wanted, after)):
        after = page[-1].number
        yield page


def listed_visits(
    connection: Connection[Any],
    *,
    states: Sequence[VisitState] = (),
    before: int | None = None,
    limit: int = LISTED,
) -> list[CardVisit]:
    """Return visits, the newest first; those before number *before*."""
    query = (
        _COLUMNS
        + """WHERE (%s::bigint IS NULL OR visit.number < %s) AND (%s = '{}' OR state = ANY (%s))
        ORDER BY visit.number DESC LIMIT %s"""
    )
    wanted = [each.value for each in states]
    return _visits(connection, query, (before, before, wanted, wanted, limit))


def steps_of(connection: Connection[Any], number: int) -> list[tuple[str, str, datetime]]:
    """Return the steps that a visit took: state, reason, when."""
    return connection.cursor(row_factory=tuple_row).execute(_STEPS, (number,)).fetchall()


def move_visit(
    connection: Connection[Any],
    visit: CardVisit,
    event: VisitEvent,
    *,
    now: datetime,
    reason: str = "",
    until: datetime | None = None,
) -> CardVisit | None:
    """Move *visit* on by *event*, within the caller's transaction; return it as it is then.

    None: that is no move from where it is, or somebody moved it meanwhile.
    """
    state = MOVES.get((visit.state, event))
    if state is None:
        return None
    moved = {
        "number": visit.number,
        "place": visit.place,
        "state": state.value,
        "reason": reason,
        "until": until,
    }
    if not connection.execute(_MOVE, moved).rowcount:
        return None
    connection.execute(_STEP, (visit.number, visit.place + 1, state.value, reason, now))
    return visit._replace(state=state, place=visit.place + 1, reason=reason, until=until)


def note_hold(
    connection: Connection[Any], visit: CardVisit, intent_id: str, held_minor: int, *, now: datetime
) -> CardVisit:
    """Note what the provider holds for a visit."""
    noted = {"number": visit.number, "intent": intent_id, "held": held_minor, "now": now}
    connection.execute(_NOTE_HOLD, noted)
    return visit._replace(intent_id=intent_id, held_minor=held_minor)


def note_reason(connection: Connection[Any], visit: CardVisit, reason: str) -> CardVisit:
    """Note what is to be said of a visit where it is."""
    connection.execute(_NOTE_REASON, (reason, visit.number))
    return visit._replace(reason=reason)


def note_until(connection: Connection[Any], visit: CardVisit, until: datetime) -> None:
    """Note until when whoever a visit waits for is waited for, where it is."""
    connection.execute(_NOTE_UNTIL, (until, visit.number, visit.place))


def note_call(connection: Connection[Any], visit: CardVisit, called: str | None) -> None:
    """Note what came of the call that starts a visit; None: it is about to be made."""
    connection.execute(_NOTE_CALL, (visit.starting_call, called, visit.number, visit.place))


def note_taken(connection: Connection[Any], visit: CardVisit, taken_minor: int) -> None:
    """Note what was taken of a visit: nothing of it is held any more."""
    connection.execute(_NOTE_TAKEN, (taken_minor, visit.number))


def digest_of(secret: str) -> bytes:
    """Return what is kept of a visit's secret."""
    return hashlib.sha256(secret.encode()).digest()


def is_secret_of(visit: CardVisit, secret: str) -> bool:
    """Whether *secret* is that of *visit*, in the same time whatever it is."""
    return hmac.compare_digest(bytes(visit.secret_digest), digest_of(secret))


def _visits(
    connection: Connection[Any], query: LiteralString, asked: Sequence[object]
) -> list[CardVisit]:
    with connection.cursor(row_factory=class_row(CardVisit)) as cursor:
        return [
            each._replace(state=VisitState(each.state)) for each in cursor.execute(query, asked)
        ]
