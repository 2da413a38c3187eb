"""A session whose start never came, as if what was heard of it first were its start.

It bills nothing: such a session is held for a person. It is what its driver can be shown meanwhile.
A session is at least what was heard of it, so he is promised no less than he will owe; comes the
start after all, or does a person decide otherwise, what he was told is held against that.
"""

from __future__ import annotations

from ledger.facts.station_facts import SessionStarted, SessionUpdated, StationFact
from ledger.facts.station_traits import StationTraits
from ledger.sessions.segments import register_of, rough_time, source_of
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import NOTHING, TransactionTold, told


def heard_session(
    station_id: str, reference: str, heard: TransactionTold, traits: StationTraits
) -> ChargingSession | None:
    """Return the session that was *heard* of under a reference, from its first event on.

    None where it has a start, numbers nothing, or tells of several sessions.
    """
    numbered = [fact for fact in heard.updates if fact.seq_no is not None]
    if heard.starts or not numbered:
        return None
    in_time = sorted(numbered, key=lambda fact: (rough_time(fact, traits), source_of(fact)))
    begun = _as_start(reference, in_time)
    facts: tuple[StationFact, ...] = (begun, *in_time[1:], *heard.ends, *heard.reports)
    fold = fold_station(station_id, told(facts, NOTHING), traits)
    sessions = fold.sessions(reference)
    return sessions[0] if len(sessions) == 1 else None


def _as_start(reference: str, in_time: list[SessionUpdated]) -> SessionStarted:
    """Return the first of some events as a start; its register is the first that any tells."""
    first = in_time[0]
    registers = (register_of(fact) for fact in in_time)
    return SessionStarted(
        station_id=first.station_id,
        position=first.position,
        line=first.line,
        received_at=first.received_at,
        oddities=first.oddities,
        transaction_ref=reference,
        evse_id=first.evse_id,
        connector_id=first.connector_id,
        token_uid=first.token_uid,
        occurred_at=first.occurred_at,
        meter_start_wh=next((each for each in registers if each is not None), None),
        readings=first.readings,
        charging_state=first.charging_state,
        seq_no=first.seq_no,
        offline=first.offline,
        signed=first.signed,
        authorization=first.authorization,
        quote=first.quote,
    )
