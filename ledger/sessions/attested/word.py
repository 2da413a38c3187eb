"""A stop that a person says: what it tells of a session, and whether the session is by it.

A meter whose last reading never came is read once more by somebody who stands before it, or shows
on a photo of the driver's; a stop that a wrong clock dated is dated by who saw the vehicle leave.
That is evidence like any other, but a person's: the session is flagged, and nothing about it is
decided any more without a person (`Flag.STOP_ATTESTED`).

    no stop, 3,000 Wh at 08:30, mara: ended at 09:00 with 5,000 Wh -> 5,000 Wh until 09:00
    the station's own stop comes later, at 09:00 with 5,000 Wh     -> nothing new
    or at 09:10 with 5,400 Wh                                      -> a person is asked again
    mara: ended at 08:00, or with 2,000 Wh                         -> the readings refute it
    mara: ended with 90,000 Wh, of 22 kW                           -> doubtful: said twice, or not

Tests: tests/ledger/worker/crediting/test_attested.py.
"""

from __future__ import annotations

from ledger.facts.flags import Flag
from ledger.facts.station_facts import StopAttested
from ledger.log.envelope import Choice
from ledger.sessions.session import ChargingSession

_OF_A_WORD = frozenset({Flag.STOP_ATTESTED})


def is_by_word(session: ChargingSession, fact: StopAttested) -> bool:
    """Whether *session* ends as *fact* says, to the second and the Wh."""
    if session.attested != fact or session.ended_at != fact.occurred_at:
        return False
    if session.started_at is None or Flag.STOP_BEFORE_START in session.flags:
        return False
    return fact.meter_stop_wh in (None, session.meter_stop_wh)


def stop_of(
    choice: Choice, of: tuple[str, int | None, int | None], source: tuple[int, int]
) -> StopAttested:
    """Return as a fact what a person attests of a stop.

    Args:
        choice: The person's, with what is attested.
        of: The session's transaction, EVSE and connector.
        source: Where the line of the choice stands: record, line.
    """
    said = choice.attested
    return StopAttested(
        station_id=choice.station,
        position=source[0],
        line=source[1],
        received_at=choice.received_at,
        transaction_ref=of[0],
        evse_id=of[1],
        connector_id=of[2],
        token_uid=None,
        occurred_at=said.ended_at if said else None,
        meter_stop_wh=said.meter_stop_wh if said else None,
        by=choice.by,
        why=choice.reason,
    )


def doubts_of(session: ChargingSession, before: ChargingSession) -> tuple[str, ...]:
    """Return what is doubtful about *session*, as a person attests it, and was not *before*."""
    return tuple(sorted({*session.blockers} - {*before.blockers} - _OF_A_WORD))
