"""Frames without a valid transaction id: whose are they?

They are reconciled inside their own station by connector, time window and meter. Exactly one
candidate takes the frame, with a flag; otherwise it stays in quarantine. A foreign id alone never
closes a session. Source: OCPP 1.6 errata 3.18 (transactionId -1).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.facts.station_facts import Measurand, SessionEnded, SessionFact, SessionUpdated
from ledger.facts.station_traits import StationTraits
from ledger.facts.token_uid import canonical_token
from ledger.meter.series import PowerLimit
from ledger.sessions.segments import Segment, is_normative, place_of, rough_time
from ledger.sessions.session_end import SAME_STOP, stop_value_of

_SLACK: Final = timedelta(seconds=60)


class Window(NamedTuple):
    """A session's place in its station's history, by its own frames only."""

    stream: str
    place: int | None
    starts_at: datetime
    ends_at: datetime | None
    next_start_at: datetime | None
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    token_uid: str | None

    @property
    def closes_at(self) -> datetime | None:
        """When the session was over at the latest; None while it may still go on."""
        return self.ends_at or self.next_start_at


def windows_of(segments: Iterable[Segment], traits: StationTraits) -> list[Window]:
    """Return the windows of those *segments* of one stream that have a start, without next ones."""
    windows: list[Window] = []
    for segment in segments:
        if not segment.starts:
            continue
        start = min(segment.starts, key=lambda fact: rough_time(fact, traits))
        end = min(segment.ends, key=lambda fact: rough_time(fact, traits), default=None)
        place = place_of(start)
        if place is None:
            places = (place_of(fact) for fact in segment.facts)
            place = next((place for place in places if place is not None), None)
        windows.append(
            Window(
                stream=segment.transaction_ref,
                place=place,
                starts_at=rough_time(start, traits),
                ends_at=rough_time(end, traits) if end else None,
                next_start_at=None,
                meter_start_wh=start.meter_start_wh,
                meter_stop_wh=stop_value_of(end) if end else None,
                token_uid=canonical_token(start.token_uid, ignored=traits.token_ignored),
            )
        )
    return windows


Orphan = SessionUpdated | SessionEnded


class Claim(NamedTuple):
    """A frame without a valid id, and what of it decides whose it is."""

    orphan: Orphan
    reference: str
    place: int | None
    at: datetime
    value: Decimal | None


def claim_of(orphan: Orphan, traits: StationTraits) -> Claim:
    """Return what *orphan* claims."""
    return Claim(
        orphan=orphan,
        reference=orphan.transaction_ref or "",
        place=place_of(orphan),
        at=rough_time(orphan, traits),
        value=_register_of(orphan),
    )


def fits(claim: Claim, window: Window, traits: StationTraits) -> bool:
    """Return True when the frame may belong to the session of *window*; place 0 is the station."""
    orphan, at, value = claim.orphan, claim.at, claim.value
    is_elsewhere = claim.place is not None and claim.place != window.place
    if claim.place == 0 or is_elsewhere or at < window.starts_at - _SLACK:
        return False
    if isinstance(orphan, SessionEnded):
        if window.ends_at is not None:  # it has its stop: this may only be the same stop again
            return abs(at - window.ends_at) <= SAME_STOP and value == window.meter_stop_wh
        if not _may_end(orphan, value, window, traits):
            return False
    if window.closes_at is not None and at > window.closes_at:
        return False
    return _meter_fits(orphan, at, value, window, traits)


def _may_end(
    end: SessionEnded, value: Decimal | None, window: Window, traits: StationTraits
) -> bool:
    """Return False for another token's stop, and for a foreign one that names no register."""
    token = canonical_token(end.token_uid, ignored=traits.token_ignored)
    if token and window.token_uid and token != window.token_uid:
        return False
    return value is not None or is_normative(end.transaction_ref)


def _meter_fits(
    orphan: Orphan, at: datetime, value: Decimal | None, window: Window, traits: StationTraits
) -> bool:
    """Return True unless the register contradicts the session's start."""
    start = window.meter_start_wh
    if value is None or start is None:
        return True
    most = PowerLimit(traits.max_power_w).energy_max_wh(window.starts_at, at)
    if start <= value <= start + most:
        return True
    # readings may count from the session's start; a stop never does
    return isinstance(orphan, SessionUpdated) and value <= most


def _register_of(fact: SessionFact) -> Decimal | None:
    if isinstance(fact, SessionEnded):
        return stop_value_of(fact)
    for reading in fact.readings:
        if reading.measurand is Measurand.ENERGY_REGISTER_WH and reading.phase is None:
            return reading.value
    return None
