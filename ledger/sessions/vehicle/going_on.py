"""An open session as it will be if it goes on as it does.

A station tells its register every few minutes, and takes seconds to obey: who must stop a session
in time looks ahead.

    10.0 kWh at 12:00, 10.5 kWh at 12:05, so 6 kW      until 12:06 -> 10.6 kWh, 1 minute more
    the vehicle parked since 12:05                     until 12:06 -> 10.5 kWh, 1 minute more
    only its start is known, the plug brings 22 kW     until 1 minute later -> 367 Wh
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from ledger.sessions.session import ChargingSession, SessionPoint
from tariffs.model.usage import Activity

_SECONDS_AN_HOUR: Final = 3600
_WH: Final = Decimal(1)


def gone_on(session: ChargingSession, until: datetime, declared_w: Decimal) -> ChargingSession:
    """Return an open *session* as it is if it goes on as it does, *until* then.

    Args:
        session: A session with a start that goes on.
        until: No earlier than its last sign, or it is returned as it is.
        declared_w: What its plug can bring, in watts: what is taken to flow while only one reading
            of its register is known.
    """
    last, energy_wh = session.provisional_ended_at, session.energy_wh
    if last is None or energy_wh is None or until <= last or not session.points:
        return session
    measured = [point for point in session.points if point.register_wh is not None]
    point = session.points[-1]
    # From its last reading on, which may be older than its last sign.
    seconds = Decimal((until - (measured or session.points)[-1].at).total_seconds())
    flows = _power_w(session, measured, declared_w)
    more_wh = (flows * seconds / _SECONDS_AN_HOUR).quantize(_WH)
    ahead = SessionPoint(until, energy_wh + more_wh, point.position, point.line)
    return replace(
        session,
        points=(*session.points, ahead),
        energy_wh=energy_wh + more_wh,
        provisional_ended_at=until,
    )


def _power_w(
    session: ChargingSession, measured: Sequence[SessionPoint], declared_w: Decimal
) -> Decimal:
    """Return what flows now, in watts."""
    if session.spans and session.spans[-1].activity is Activity.PARKING:
        return session.spans[-1].power_w
    later, *before = reversed(measured) if measured else session.points[-1:]
    earlier = next((point for point in before if point.at < later.at), None)
    if earlier is None:
        return declared_w
    seconds = Decimal((later.at - earlier.at).total_seconds())
    return max((later.energy_wh - earlier.energy_wh) * _SECONDS_AN_HOUR / seconds, Decimal(0))
