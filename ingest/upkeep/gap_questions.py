"""Asking stations for what is missing of their sessions: a sequence number, or the stop.

The edge asks once, when the stop comes; here is asked what that leaves open, and where none comes.
The answers are lines of the log like any other, and what follows from them is the fold's: a session
whose station holds more messages waits on, one whose station holds no stop is an estimate and held.
That it was asked is noted before, so a kill costs a question and never makes one too many.

    2.x: ended, number 3 is missing         GetTransactionStatus, again while it says "in my queue"
    2.x: no stop; the next session began,   GetTransactionStatus
    a boot came, or a quarter of silence_s
    1.6: the same                           TriggerMessage StatusNotification, then MeterValues
    5,000 stations at once                  two hundred a minute, those never asked first
    one with twenty such sessions           four a minute
    no answer, or an error                  five questions in all
    "it goes on", and nothing more comes    again after another quarter of silence_s

Source: OCPP 2.0.1 part 2, E14 and E15; part 6, TC_E_31; OCPP 1.6 edition 2, 5.17.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ingest.commands.typed import TypedCall, trigger
from ledger.facts.station_facts import NO_ID
from ledger.master_data.policies import Policy

QUESTIONS_AT_ONCE: Final = 200
AT_A_STATION: Final = 4
"""Of them: it gets one call at a time, and what a person asks it waits for these."""
UNANSWERED_MAX: Final = 5
OLD_MAX: Final = 2
"""Of a station of 1.6, which has no word for what it still holds: its state, and its meter."""
QUESTIONS_MAX: Final = 64
"""Of one session, as long as its station says each time that it holds more."""
PAUSE: Final = timedelta(minutes=1)
"""After its last fact, and after the first question; then twice as long each time."""
KEPT: Final = timedelta(days=30)
_OLD: Final = "ocpp1.6"
_REFERENCE_MAX: Final = 36

_DUE: LiteralString = """
SELECT session_id, station_id, protocol, transaction_ref, place, times
FROM (
SELECT missing.session_id, missing.station_id, protocol, transaction_ref, place,
       coalesce(times, 0) AS times, asked_at, last_fact_at, row_number() OVER (
           PARTITION BY missing.station_id
           ORDER BY asked_at NULLS FIRST, last_fact_at, missing.session_id) AS in_turn
FROM (
    SELECT session_id, station_id, transaction_ref, coalesce(evse_id, connector_id) AS place,
           last_fact_at, CASE
        WHEN ended_at IS NOT NULL THEN 'seq_gap' = ANY (flags)
        WHEN 'stop_not_held' = ANY (flags) THEN false
        ELSE 'stop_lost' = ANY (flags) OR EXISTS (
            SELECT FROM station_state AS told
            WHERE told.station_id = open.station_id AND booted_at > open.last_fact_at)
        END AS is_known,
        ended_at IS NULL AND NOT 'stop_not_held' = ANY (flags)
            AND last_fact_at <= %(at)s - %(silence)s AS is_silent
    FROM unfinished_session AS open WHERE last_fact_at <= %(at)s - %(pause)s
    UNION ALL
    SELECT session_id, station_id, transaction_ref, coalesce(evse_id, connector_id), last_fact_at,
           NOT 'stop_not_held' = ANY (flags), false
    FROM session WHERE state = 'held' AND flags && '{seq_gap,stop_lost}'
) AS missing
JOIN connected_station USING (station_id)
LEFT JOIN session_question AS asked USING (session_id)
WHERE (is_known OR is_silent) AND (asked.session_id IS NULL OR (
    first_at > %(at)s - %(ask)s
    AND asked_at + CASE WHEN is_known THEN least(%(pause)s * 2 ^ least(times, 10), %(wait)s / 2)
        ELSE %(silence)s END <= %(at)s
    AND (times < CASE protocol WHEN 'ocpp1.6' THEN %(old_max)s ELSE %(unanswered_max)s END
         OR (last_fact_at >= asked_at AND times < %(max)s AND protocol <> 'ocpp1.6'))
))
) AS due
WHERE in_turn <= %(at_a_station)s
ORDER BY asked_at NULLS FIRST, last_fact_at, session_id LIMIT %(limit)s
"""
_NOTE: LiteralString = """
INSERT INTO session_question AS known (session_id, times, first_at, asked_at)
SELECT session_id, 1, %s, %s FROM unnest(%s::text[]) AS asked (session_id)
ON CONFLICT (session_id) DO UPDATE SET times = known.times + 1, asked_at = excluded.asked_at
"""
_FORGET: LiteralString = "DELETE FROM session_question WHERE asked_at < %s"


class Gap(NamedTuple):
    """A session of which something is missing, at a station that is connected.

    `place` is its EVSE, of 1.6 the connector; `times`: so often its station was asked.
    """

    session_id: str
    station_id: str
    protocol: str
    transaction_ref: str
    place: int | None
    times: int


def take_gaps(connection: Connection[Any], policy: Policy, *, at: datetime) -> list[Gap]:
    """Return the sessions to ask about now, and note in the caller's transaction that it is done.

    Args:
        connection: To the books and the inputs.
        policy: For how long is asked, and what silence is.
        at: The present moment of the product's clock.
    """
    if not policy.ask_s:
        return []
    asked = {
        "at": at,
        "pause": PAUSE,
        "silence": timedelta(seconds=policy.silence_s) / 4,
        "wait": timedelta(seconds=policy.wait_s),
        "ask": timedelta(seconds=policy.ask_s),
        "unanswered_max": UNANSWERED_MAX,
        "old_max": OLD_MAX,
        "max": QUESTIONS_MAX,
        "limit": QUESTIONS_AT_ONCE,
        "at_a_station": AT_A_STATION,
    }
    found = [Gap(*row) for row in connection.execute(_DUE, asked).fetchall()]
    connection.execute(_NOTE, (at, at, [each.session_id for each in found]))
    connection.execute(_FORGET, (at - KEPT,))
    return found


def question_about(gap: Gap) -> TypedCall | None:
    """Return what to ask, None where the station's version has no words for it."""
    if gap.protocol == _OLD:
        wanted = "MeterValues" if gap.times % 2 else "StatusNotification"
        return trigger(_OLD, message=wanted, evse=gap.place or None)
    if gap.transaction_ref in ("", NO_ID) or len(gap.transaction_ref) > _REFERENCE_MAX:
        return None
    return TypedCall("GetTransactionStatus", {"transactionId": gap.transaction_ref})
