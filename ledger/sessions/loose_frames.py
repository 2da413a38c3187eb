"""Frames without a valid transaction id: whose are they?

They are matched inside their own station by place, time window, register and token. Exactly one
candidate takes the frame, with a flag; otherwise it stays unmatched. A foreign id alone never
closes a session: stations send 0, -1, ids of the day before and ids made of their clock (quirk 4),
and a server that believes them ends the session of somebody who still charges.

    session 1: connector 1 from 08:00, 1,000 Wh, token TAG-1, at most 22 kW
    stop without id at 09:00 with 6,000 Wh                    -> session 1
    the same by token TAG-2                                   -> unmatched: another's stop
    the same with 40,000 Wh                                   -> unmatched: 39 kWh in one hour
    session 1 ended at 09:00 with 6,000 Wh, told again 09:00:30 with id -1 -> the same stop
    told again at 09:05                                       -> unmatched
    and with session 2, connector 2 from 08:00, 7,000 Wh: stops without id at 09:00 with 6,000 Wh
        and at 09:01 with 12,000 Wh -> session 1 alone can have the first, so the second is 2's

Readings may count from the session's start (quirk 7) and then lie below its register; a stop never
does. The tests are those of quirks 2, 4, 5 and 19 (tests/quirks/test_quirks_identity.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from ledger.facts.flags import Flag
from ledger.facts.station_facts import Measurand, SessionEnded, SessionFact, SessionUpdated
from ledger.facts.station_traits import StationTraits
from ledger.meter.series import PowerLimit
from ledger.sessions.segments import Segment, Source, is_without_id, place_of, rough_time
from ledger.sessions.session_end import SAME_STOP, start_value_of, stop_value_of

# As BEFORE_START of the meter: such a reading may stand in for the one at the start.
SLACK: Final = timedelta(seconds=60)
STOP_FITS_MAX: Final = 16
"""So many windows that a stop fits are as good as all: nobody knows which is meant."""
_Key = TypeVar("_Key", bound=Hashable)


class Window(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a session lies in its station's history, by its own frames only.

    `begin_wh` is its register at the start, told by any reading of the start; `is_overlapping`
    says that another session at its place has a part of the same register.
    """

    transaction_ref: str
    place: int | None
    starts_at: datetime
    ends_at: datetime | None
    next_start_at: datetime | None
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    token_uid: str | None
    begin_wh: Decimal | None = None
    is_overlapping: bool = False

    @property
    def closes_at(self) -> datetime | None:
        """When the session was over at the latest; None while it may still go on."""
        return self.ends_at or self.next_start_at


def windows_of(segments: Iterable[Segment], traits: StationTraits) -> list[Window]:
    """Return the windows of those *segments* of one transaction that have a start, without next."""
    windows: list[Window] = []
    for segment in segments:
        if segment.starts_at is None:
            continue
        start = segment.starts[0]
        end = min(segment.ends, key=lambda fact: rough_time(fact, traits), default=None)
        place = place_of(start)
        if place is None:
            places = (place_of(fact) for fact in segment.facts)
            place = next((place for place in places if place is not None), None)
        windows.append(
            Window(
                transaction_ref=segment.transaction_ref,
                place=place,
                starts_at=segment.starts_at,
                ends_at=rough_time(end, traits) if end else None,
                next_start_at=None,
                meter_start_wh=start.meter_start_wh,
                meter_stop_wh=stop_value_of(end) if end else None,
                token_uid=start.token_uid,
                begin_wh=start_value_of(start),
            )
        )
    return windows


SessionFrame = SessionUpdated | SessionEnded


class LooseFrame(msgspec.Struct, frozen=True, gc=False):
    """A frame without a valid id, and what of it decides whose it is."""

    frame: SessionFrame
    reference: str
    place: int | None
    at: datetime
    value: Decimal | None


def loose_frame_of(frame: SessionFrame, traits: StationTraits) -> LooseFrame:
    """Return what *frame* claims."""
    return LooseFrame(
        frame=frame,
        reference=frame.transaction_ref or "",
        place=place_of(frame),
        at=rough_time(frame, traits),
        value=_register_of(frame),
    )


def loose_frames_of(
    frames: Iterable[SessionFrame], traits: StationTraits, known: Iterable[LooseFrame] = ()
) -> tuple[LooseFrame, ...]:
    """Return what *frames* claim; of the very ones among *known* what was found then."""
    found = {id(each.frame): each for each in known}
    return tuple([found.get(id(frame)) or loose_frame_of(frame, traits) for frame in frames])


def fits(loose: LooseFrame, window: Window, limit: PowerLimit) -> bool:
    """Return True when the frame may belong to the session of *window*; place 0 is the station."""
    frame, at, value = loose.frame, loose.at, loose.value
    is_elsewhere = loose.place is not None and loose.place != window.place
    if loose.place == 0 or is_elsewhere or at < window.starts_at - SLACK:
        return False
    if isinstance(frame, SessionEnded):
        if at < window.starts_at:  # it is of who was there before, however soon the next one came
            return False
        if window.ends_at is not None:  # it has its stop: this may only be the same stop again
            return abs(at - window.ends_at) <= SAME_STOP and value == window.meter_stop_wh
        if not _may_end(frame, value, window):
            return False
    if window.closes_at is not None and at > window.closes_at:
        return False
    return _meter_fits(frame, at, value, window, limit)


def one_to_one(
    fitting: Mapping[Source, tuple[_Key, ...]], loose: Mapping[Source, LooseFrame]
) -> dict[Source, _Key | None]:
    """Return which window takes each frame that is *fitting* some; None: nobody knows.

    A session has one stop: where one without id fits it alone, others may be of the rest only.
    """
    takers = {source: keys[0] if len(keys) == 1 else None for source, keys in fitting.items()}
    several = {
        source: {*keys}
        for source, keys in fitting.items()
        if 1 < len(keys) < STOP_FITS_MAX and _is_stop_without_id(loose[source])
    }
    if not several:  # nearly always
        return takers
    wanted: dict[_Key, list[Source]] = {}
    for source, keys in several.items():
        for key in keys:
            wanted.setdefault(key, []).append(source)
    won = [(key, src) for src, key in takers.items() if key and _is_stop_without_id(loose[src])]
    while won:  # in rounds: what comes out hangs on no order
        lost = {
            (other, key)
            for key, source in won
            for other in wanted.get(key, ())
            if other in several and not _is_same_stop(loose[other], loose[source])
        }
        for source, key in lost:
            several[source].discard(key)
        single = [source for source in {each for each, _ in lost} if len(several[source]) <= 1]
        won = [(key, source) for source in single for key in several.pop(source)]
        takers |= {source: key for key, source in won}
    return takers


def _is_stop_without_id(loose: LooseFrame) -> bool:
    return isinstance(loose.frame, SessionEnded) and is_without_id(loose.frame.transaction_ref)


def _is_same_stop(one: LooseFrame, other: LooseFrame) -> bool:
    return abs(one.at - other.at) <= SAME_STOP and one.value == other.value


def flags_of_stop(window: Window) -> frozenset[Flag]:
    """Return what a stop that fits *window* makes of its session: it is its own, or told again."""
    told_again = {Flag.DUPLICATE_STOP} if window.ends_at is not None else set()
    return frozenset({Flag.RESOLVED_BY_CONTEXT, *told_again})


def _may_end(end: SessionEnded, value: Decimal | None, window: Window) -> bool:
    """Return False for another token's stop, and for a foreign one that names no register."""
    # With a valid id anybody may stop a session (quirk 6); without one it is a reason to doubt.
    if end.token_uid and window.token_uid and end.token_uid != window.token_uid:
        return False
    # An id of somebody else needs the register as a second witness.
    return value is not None or is_without_id(end.transaction_ref)


def _meter_fits(
    frame: SessionFrame, at: datetime, value: Decimal | None, window: Window, limit: PowerLimit
) -> bool:
    """Return True unless the register contradicts the session's start."""
    start = window.meter_start_wh
    if value is None or start is None:
        return True
    most = limit.energy_max_wh(window.starts_at, at)
    if start <= value <= start + most:
        return True
    # readings may count from the session's start; a stop never does
    return isinstance(frame, SessionUpdated) and value <= most


def _register_of(fact: SessionFact) -> Decimal | None:
    if isinstance(fact, SessionEnded):
        return stop_value_of(fact)
    for reading in fact.readings:
        if reading.measurand is Measurand.ENERGY_REGISTER_WH and reading.phase is None:
            return reading.value
    return None
