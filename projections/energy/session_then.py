"""A session as it was folded when it was decided, from what was told around it alone.

The whole history of its station would say the same, and cost what all of it does: it is asked only
where what is settled around the session does not come to what was decided.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.rating.decisions import SessionRated
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import settled, told
from projections.energy.part_count import settled_parts
from projections.energy.tables import StationTables
from projections.stations.history import station_history


def session_then(
    connection: Connection[Any], declarations: Declarations, decision: SessionRated
) -> ChargingSession | None:
    """Return the session that *decision* rated, of the facts up to its record; None: none is left.

    *declarations* are those of its version.
    """
    found = _near(connection, declarations, decision)
    if found is not None and found.energy_wh == decision.energy_wh:
        return found
    history = station_history(
        connection, declarations, decision.station_id, until_position=decision.moment.position
    )
    return history.sessions.get(decision.session_id)


def _near(
    connection: Connection[Any], declarations: Declarations, decision: SessionRated
) -> ChargingSession | None:
    station_id, position = decision.station_id, decision.moment.position
    tables = StationTables(connection, station_id)
    known = {each.session_id: each for each in tables.sessions((), [decision.session_id])}
    heard_at = tables.last_heard_at(position)
    if decision.session_id not in known or heard_at is None:
        return None
    first, last = _bounds(decision, known[decision.session_id].last_fact_at)
    carried, rows = tables.rows_around(first, last)
    facts = [fact for row in rows for fact in row.facts if fact.position <= position]
    so_far = told(facts)
    if carried is not None:
        so_far = settled(so_far, settled_parts(carried))
    fold = fold_station(station_id, so_far, declarations.traits(station_id, heard_at))
    reference = known[decision.session_id].transaction_ref
    sessions = {each.session_id: each for each in fold.sessions(reference)}
    return sessions.get(decision.session_id)


def _bounds(decision: SessionRated, last_fact_at: datetime) -> tuple[datetime, datetime]:
    return decision.started_at, max(decision.ended_at, last_fact_at)
