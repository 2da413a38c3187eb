"""Rows of sessions for tests that ask what a row alone decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.sessions.session import ChargingSession
from ledger.sessions.states import SessionState
from ledger.worker.session_rows import SessionRow
from tests.charging_day import at


def row(
    name: str = "A",
    state: SessionState = SessionState.RATED,
    *,
    begins: float = 0,
    ends: float | None = 30,
    heard: tuple[float, float] | None = None,
    **more: Any,  # noqa: ANN401 - any column
) -> SessionRow:
    """Return the row of a session from minute *begins* to *ends*, *heard* of then (first, last)."""
    first, last = heard or (begins, begins if ends is None else ends)
    columns: dict[str, Any] = {
        "session_id": f"ST-1/{name}",
        "partition": 0,
        "station_id": "ST-1",
        "transaction_ref": name,
        "state": state,
        "evse_id": 1,
        "connector_id": 1,
        "token_uid": "anna-1",
        "started_at": at(begins),
        "ended_at": None if ends is None else at(ends),
        "first_fact_at": at(first),
        "last_fact_at": at(last),
        "heard_at": at(last),
    }
    return SessionRow(**(columns | more))


def folded(
    name: str = "B",
    *,
    begins: float | None = 0,
    ends: float | None = 30,
    **more: Any,  # noqa: ANN401 - any field
) -> ChargingSession:
    """Return a session from minute *begins* to *ends*, heard of as it happened."""
    first: datetime = at(0 if begins is None else begins)
    plain = ChargingSession(
        session_id=f"ST-1/{name}",
        station_id="ST-1",
        transaction_ref=name,
        evse_id=1,
        connector_id=1,
        token_uid="anna-1",
        started_at=None if begins is None else first,
        ended_at=None if ends is None else at(ends),
        first_received_at=first,
        last_received_at=first if ends is None else at(ends),
    )
    return msgspec.structs.replace(plain, **more)
