"""A session folded from all that is known of it by now, whatever its state.

    open or waiting -> what goes on at its station, as the worker folds it
    any other       -> the facts around it alone, as they are settled (`projections.energy`)

What it costs hangs on what was told around the session, not on its station's history.
"""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.facts.station_facts import StopAttested
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import UNFINISHED
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import settled, told
from ledger.worker.session_rows import RECENT
from ledger.worker.station_now import station_now
from projections.energy.part_count import settled_parts
from projections.energy.tables import StationTables
from projections.sessions import SessionSummary
from projections.stations.history import station_history

_PLACE: LiteralString = """
SELECT transaction_ref, first_fact_at, last_fact_at, heard_at FROM session WHERE session_id = %s
"""


def folded_session(
    connection: Connection[Any],
    declarations: Declarations,
    session: SessionSummary,
    news: StopAttested | None = None,
) -> ChargingSession | None:
    """Return *session* as all facts make it; None: by all that is known there is no such one.

    *news*: what a decided or held one would be folded with beside them.
    """
    [(reference, first, last, heard_at)] = connection.execute(
        _PLACE, (session.session_id,)
    ).fetchall()
    if session.state in UNFINISHED:
        now = station_now(connection, declarations, session.station_id, heard_at - RECENT)
        return now.sessions.get(session.session_id)
    tables = StationTables(connection, session.station_id)
    begins = min(first, session.begun_at)
    ends = max(last, session.ended_at or last)
    carried, rows = tables.rows_around(begins, ends)
    so_far = told([fact for row in rows for fact in row.facts])
    if carried is not None:
        so_far = settled(so_far, settled_parts(carried))
    traits = declarations.traits(session.station_id, heard_at)
    fold = fold_station(session.station_id, so_far, traits)
    found = {each.session_id: each for each in fold.sessions(reference)}.get(session.session_id)
    if found is None or found.energy_wh != session.energy_wh:
        # What is settled around it does not come to what was decided: its whole history does.
        history = station_history(connection, declarations, session.station_id)
        if news is None:
            return history.sessions.get(session.session_id)
        so_far, traits = told(history.facts), history.traits
    if news is None:
        return found
    fold = fold_station(session.station_id, told([news], so_far), traits)
    return {each.session_id: each for each in fold.sessions(reference)}.get(session.session_id)
