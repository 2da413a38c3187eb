"""Frames without a valid transaction id: whose are they?

They are reconciled inside their own station by connector, time window and meter. Exactly one
candidate takes the frame, with a flag; otherwise it stays in quarantine. A foreign id alone never
closes a session. Source: OCPP 1.6 errata 3.18 (transactionId -1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.facts import Measurand, SessionEnded, SessionFact, SessionUpdated
from ledger.meter_series import PowerLimit
from ledger.segments import Segment, is_normative, place_of, rough_time
from ledger.session_end import SAME_STOP, stop_value_of
from ledger.station_traits import StationTraits
from ledger.token_uid import canonical_token

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


Orphan = SessionUpdated | SessionEnded


def windows_of(segments: Iterable[Segment], traits: StationTraits) -> list[Window]:
    """Return the windows of all *segments* that have a start, in order of their starts."""
    windows: list[Window] = []
    for segment in segments:
        if not segment.starts:
            continue
        start = min(segment.starts, key=lambda fact: rough_time(fact, traits))
        end = min(segment.ends, key=lambda fact: rough_time(fact, traits), default=None)
        places = [place_of(fact) for fact in segment.facts if place_of(fact) is not None]
        place = place_of(start)
        windows.append(
            Window(
                stream=segment.transaction_ref,
                place=place if place is not None else (places[0] if places else None),
                starts_at=rough_time(start, traits),
                ends_at=rough_time(end, traits) if end else None,
                next_start_at=None,
                meter_start_wh=start.meter_start_wh,
                meter_stop_wh=stop_value_of(end) if end else None,
                token_uid=canonical_token(start.token_uid, ignored=traits.token_ignored),
            )
        )
    windows.sort(key=lambda window: (window.starts_at, window.stream))
    return _with_next(windows)


def _with_next(windows: Sequence[Window]) -> list[Window]:
    """Return *windows* (ordered), each with the start of the next session at its place."""
    following: dict[int, datetime] = {}
    linked: list[Window] = []
    for window in reversed(windows):
        if window.place is None:
            linked.append(window)
            continue
        linked.append(window._replace(next_start_at=following.get(window.place)))
        following[window.place] = window.starts_at
    return linked[::-1]


def resolve(orphan: Orphan, windows: Sequence[Window], traits: StationTraits) -> str | None:
    """Return the stream that *orphan* belongs to, None when none or several could be meant."""
    place = place_of(orphan)
    if place == 0:
        return None
    at = rough_time(orphan, traits)
    value = _register_of(orphan)
    fitting = [
        window
        for window in windows
        if place in (None, window.place) and _fits(orphan, at, value, window, traits)
    ]
    streams = {window.stream for window in fitting}
    return streams.pop() if len(streams) == 1 and len(fitting) == 1 else None


def _fits(
    orphan: Orphan, at: datetime, value: Decimal | None, window: Window, traits: StationTraits
) -> bool:
    if at < window.starts_at - _SLACK:
        return False
    if isinstance(orphan, SessionEnded):
        if window.ends_at is not None:  # it has its stop: this may only be the same stop again
            return abs(at - window.ends_at) <= SAME_STOP and value == window.meter_stop_wh
        token = canonical_token(orphan.token_uid, ignored=traits.token_ignored)
        if token and window.token_uid and token != window.token_uid:
            return False
        if value is None and not is_normative(orphan.transaction_ref):
            return False
    if window.closes_at is not None and at > window.closes_at:
        return False
    return _meter_fits(orphan, at, value, window, traits)


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
