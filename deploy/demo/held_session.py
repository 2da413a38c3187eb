"""The person of the demo's story, who decides about sessions that were held."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from deploy.errors import DeployError
from ledger.database import connect
from ledger.desk.choices import choose
from ledger.log.envelope import Choice
from ledger.log.event_log import EventLog
from projections.sessions import held_sessions

BY: Final = "mara"
REASON: Final = "the driver confirms the end; the last reading is good enough"


class NothingHeldError(DeployError):
    """The story wants a held session, and there is none."""

    def __init__(self, station_id: str, at: datetime) -> None:
        super().__init__(f"no session of {station_id} is held at {at:%Y-%m-%d %H:%M} UTC")


def release_lost_stops(dsn: str, log: EventLog, station_id: str, *, at: datetime) -> None:
    """Release the held sessions of *station_id* on their readings.

    It is what `wattledger sessions release` does beside a running system.

    Raises:
        NothingHeldError: If there is none.
    """
    with connect(dsn) as connection:
        waiting = sorted(
            each.session.session_id
            for each in held_sessions(connection)
            if each.session.station_id == station_id
        )
        if not waiting:
            raise NothingHeldError(station_id, at)
        for session_id in waiting:
            choice = Choice(
                received_at=at,
                station=station_id,
                session_id=session_id,
                choice="release",
                by=BY,
                reason=REASON,
            )
            choose(connection, session_id, choice=choice, log=log, work_off=None)
