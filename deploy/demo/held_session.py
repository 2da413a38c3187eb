"""The person of the demo's story, who decides about a session that was held."""

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


def release_lost_stop(dsn: str, log: EventLog, station_id: str, *, at: datetime) -> str:
    """Release the held session of *station_id* on its readings; return its id.

    It is what `wattledger sessions release` does beside a running system.

    Raises:
        NothingHeldError: If there is none.
    """
    with connect(dsn) as connection:
        waiting = [
            each.session.session_id
            for each in held_sessions(connection)
            if each.session.station_id == station_id
        ]
        if len(waiting) != 1:
            raise NothingHeldError(station_id, at)
        choice = Choice(
            received_at=at,
            station=station_id,
            session_id=waiting[0],
            choice="release",
            by=BY,
            reason=REASON,
        )
        done = choose(connection, waiting[0], choice=choice, log=log, work_off=None)
        return done.session_id
