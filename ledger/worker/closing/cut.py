"""A session as it was at a moment that it ran over: what it drew and did until then."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from ledger.sessions.session import ChargingSession, SessionPoint

_MICROSECOND: Final = timedelta(microseconds=1)
_OF_A_WH: Final = 1_000
"""What lies between two readings is known to the mWh."""


def cut_at(session: ChargingSession, at: datetime) -> ChargingSession:
    """Return *session* as an open one whose last sign came *at* a moment, or before that.

    What it drew between the readings on either side is spread evenly, as the kernel does.
    """
    ends_at = session.ended_at or session.provisional_ended_at
    if ends_at is None or ends_at <= at:
        return session
    kept = [point for point in session.points if point.at <= at]
    later = next((point for point in session.points if point.at > at), None)
    if kept and later is not None and kept[-1].at < at:
        kept.append(_between(kept[-1], later, at))
    return msgspec.structs.replace(
        session,
        ended_at=None,
        provisional_ended_at=at,
        energy_wh=kept[-1].energy_wh if kept else session.energy_wh,
        meter_stop_wh=None,
        points=tuple(kept),
        spans=tuple(span for span in session.spans if span.starts_at < at) or session.spans[:1],
    )


def _between(before: SessionPoint, after: SessionPoint, at: datetime) -> SessionPoint:
    part = Fraction((at - before.at) // _MICROSECOND, (after.at - before.at) // _MICROSECOND)
    drawn = Fraction(after.energy_wh - before.energy_wh) * part
    added = Decimal(int(drawn * _OF_A_WH)).scaleb(-3)
    return msgspec.structs.replace(
        before, at=at, energy_wh=before.energy_wh + added, register_wh=None
    )
