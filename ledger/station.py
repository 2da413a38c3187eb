"""Everything one station said, kept as facts; sessions are folded from them on demand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from ledger.facts import (
    ConnectorStatusChanged,
    FrameSetAside,
    Measurand,
    QueueReported,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.orphans import Orphan, Window, resolve, windows_of
from ledger.segments import (
    Segment,
    Source,
    is_normative,
    place_of,
    rough_time,
    source_of,
    split_segments,
)
from ledger.session import ChargingSession
from ledger.session_fold import Surroundings, fold_session
from ledger.station_traits import StationTraits

_DAY = timedelta(days=1)

__all__ = ["Progress", "StationBook", "StationTraits"]


class Progress(NamedTuple):
    """Where an open session stands, without a fold: for lists that follow live sessions."""

    started_at: datetime | None
    token_uid: str | None
    place: int | None
    register_wh: Decimal | None
    meter_start_wh: Decimal | None
    received_at: datetime


class _Stream:
    """The facts that carry one transaction reference (and own it)."""

    __slots__ = ("facts", "has_end", "is_placed", "place", "starts")

    def __init__(self) -> None:
        self.facts: list[SessionFact | QueueReported] = []
        self.starts: list[SessionStarted] = []
        self.place: int | None = None
        self.is_placed = False
        self.has_end = False


class StationBook:
    """The facts of one station. Adding never raises; the order of adding does not matter."""

    def __init__(self, station_id: str, traits: StationTraits) -> None:
        self.station_id, self.traits = station_id, traits
        self.set_aside: dict[str, int] = {}
        self._streams: dict[str, _Stream] = {}
        self._statuses: dict[int | None, dict[Source, ConnectorStatusChanged]] = {}
        self._boots: dict[Source, StationBooted] = {}
        self._queue_empty: dict[Source, QueueReported] = {}
        self._loose: dict[Source, Orphan] = {}
        self._targets: dict[Source, str | None] = {}
        self._foreign_connector: set[str] = set()
        self._windows: list[Window] = []
        self._folded: dict[str, tuple[ChargingSession, ...]] = {}

    def add(self, facts: Iterable[StationFact]) -> set[str]:
        """Add *facts* and return the streams whose sessions may have changed."""
        touched: set[str] = set()
        slow: list[StationFact] = []
        streams = self._streams
        for fact in facts:
            if type(fact) is SessionUpdated:
                stream = streams.get(fact.transaction_ref or "")
                if stream is not None and stream.is_placed and fact.evse_id == stream.place:
                    stream.facts.append(fact)
                    touched.add(fact.transaction_ref or "")
                    continue
            slow.append(fact)
        if slow:
            self._add_slowly(slow, touched)
        for ref in touched:
            self._folded.pop(ref, None)
        return touched

    def sessions(self, stream: str) -> tuple[ChargingSession, ...]:
        """Return the sessions of *stream*, folded from the facts known, oldest first."""
        folded = self._folded.get(stream)
        if folded is None:
            folded = self._folded[stream] = tuple(
                fold_session(segment, self._around(segment, index, stream))
                for index, segment in enumerate(self._segments(stream))
                if segment.starts or segment.updates or segment.ends
            )
        return folded

    def has_end(self, stream: str) -> bool:
        """Return True when a stop is known for *stream*: only then can a decision be due."""
        found = self._streams.get(stream)
        if found is None or not found.starts or found.has_end:
            return True
        return any(
            target == stream and isinstance(self._loose[source], SessionEnded)
            for source, target in self._targets.items()
        )

    def progress(self, stream: str) -> Progress | None:
        """Return where the open session of *stream* stands; None where only a fold can tell."""
        found = self._streams.get(stream)
        if found is None or found.has_end or len(found.starts) != 1:
            return None
        start, last = found.starts[0], found.facts[-1]
        register = None
        if not isinstance(last, QueueReported):
            for reading in last.readings:
                if reading.measurand is Measurand.ENERGY_REGISTER_WH and reading.phase is None:
                    register = reading.value
        return Progress(
            rough_time(start, self.traits),
            start.token_uid,
            found.place,
            register,
            start.meter_start_wh,
            last.received_at,
        )

    def streams(self) -> tuple[str, ...]:
        """Return every stream with sessions or quarantined frames, sorted."""
        return tuple(sorted({*self._streams, *(f.transaction_ref or "" for f in self.orphans())}))

    def orphans(self) -> tuple[Orphan, ...]:
        """Return the quarantined frames: no session, or several, could have meant them."""
        return tuple(self._loose[s] for s, to in sorted(self._targets.items()) if to is None)

    def facts(self) -> list[StationFact]:
        """Return every fact kept, in log order."""
        own = [fact for stream in self._streams.values() for fact in stream.facts]
        statuses = [f for by_source in self._statuses.values() for f in by_source.values()]
        kept: list[StationFact] = [
            *own, *self._loose.values(), *statuses, *self._boots.values(),
            *self._queue_empty.values(),
        ]  # fmt: skip
        return sorted(kept, key=lambda fact: (fact.position, fact.line))

    def last_received_at(self, stream: str) -> datetime | None:
        """Return when the newest fact of *stream* was received."""
        found = self._streams.get(stream)
        return max((fact.received_at for fact in found.facts), default=None) if found else None

    def forget(self, stream: str) -> None:
        """Drop *stream* and what was attached to it. Rebuilding a book must forget the same."""
        self._streams.pop(stream, None)
        self._folded.pop(stream, None)
        self._foreign_connector.discard(stream)
        for source in [s for s, to in self._targets.items() if to == stream]:
            del self._targets[source], self._loose[source]
        for source in [s for s, f in self._loose.items() if (f.transaction_ref or "") == stream]:
            del self._targets[source], self._loose[source]
        self._windows = [window for window in self._windows if window.stream != stream]

    def forget_surroundings(self, before: datetime) -> None:
        """Drop statuses, boots and quarantined frames received before the moment."""
        for by_source in self._statuses.values():
            for source in [s for s, f in by_source.items() if f.received_at < before]:
                del by_source[source]
        for source in [s for s, f in self._boots.items() if f.received_at < before]:
            del self._boots[source]
        stale = [s for s, to in self._targets.items() if to is None]
        for source in stale:
            if self._loose[source].received_at < before:
                del self._loose[source], self._targets[source]

    def _add_slowly(self, facts: list[StationFact], touched: set[str]) -> None:
        """Add facts that may move the borders of sessions."""
        restructured = False
        fresh: list[Source] = []
        around: list[StationFact] = []
        for fact in facts:
            match fact:
                case SessionStarted():
                    self._own(fact.transaction_ref, fact, touched)
                    restructured = True
                case SessionUpdated() | SessionEnded():
                    if self._is_owned(fact):
                        self._own(fact.transaction_ref or "", fact, touched)
                        restructured = restructured or self._moves_borders(fact)
                    else:
                        self._loose[source_of(fact)] = fact
                        fresh.append(source_of(fact))
                case _:
                    around.append(fact)
        if restructured:
            self._restructure(touched)
        else:
            for source in fresh:
                self._retarget(source, touched)
        for fact in around:
            self._add_around(fact, touched)

    def _is_owned(self, fact: Orphan) -> bool:
        """Return True when the reference of *fact* is one that the station may use for it.

        A numbered event carries the station's own reference. Otherwise the reference must be one
        that we gave at a start, and the place must not contradict that start.
        """
        if not fact.transaction_ref:
            return False
        if fact.seq_no is not None:
            return True
        stream = self._streams.get(fact.transaction_ref)
        if stream is None or not stream.starts:
            return False
        place = place_of(fact)
        return place is None or stream.place in (None, place)

    def _moves_borders(self, fact: Orphan) -> bool:
        """Return True when a window changes with *fact*: a stop, or the first to name a place."""
        if isinstance(fact, SessionEnded):
            return True
        stream = self._streams[fact.transaction_ref or ""]
        return not stream.is_placed and place_of(fact) is not None

    def _own(self, ref: str, fact: SessionFact, touched: set[str]) -> None:
        stream = self._streams.setdefault(ref, _Stream())
        stream.facts.append(fact)
        if isinstance(fact, SessionStarted):
            stream.starts.append(fact)
            places = [place_of(start) for start in stream.starts]
            stream.place = min((place for place in places if place is not None), default=None)
            stream.is_placed = None not in places
        elif isinstance(fact, SessionEnded):
            stream.has_end = True
        touched.add(ref)

    def _restructure(self, touched: set[str]) -> None:
        """Sort everything anew after a start or a stop came."""
        for source, fact in list(self._loose.items()):
            ref = fact.transaction_ref or ""
            if self._is_owned(fact):
                del self._loose[source]
                guess = self._targets.pop(source, None)
                if guess is not None:
                    touched.add(guess)
                self._own(ref, fact, touched)
        before = {(w.stream, w.starts_at): w for w in self._windows}
        segments = [s for ref in self._streams for s in self._own_segments(ref)]
        self._windows = windows_of(segments, self.traits)
        touched |= {w.stream for w in self._windows if before.get((w.stream, w.starts_at)) != w}
        for source in self._loose:
            self._retarget(source, touched)

    def _retarget(self, source: Source, touched: set[str]) -> None:
        fact = self._loose[source]
        ref = fact.transaction_ref or ""
        target = resolve(fact, self._windows, self.traits)
        if ref in self._streams and place_of(fact) is not None and target != ref:
            self._foreign_connector.add(ref)
            touched.add(ref)
        if source in self._targets and self._targets[source] == target:
            return
        for stream in (self._targets.get(source), target):
            if stream is not None:
                touched.add(stream)
        touched.add(ref)
        self._targets[source] = target

    def _add_around(self, fact: StationFact, touched: set[str]) -> None:
        """Add a fact that belongs to no session by itself."""
        source = (fact.position, fact.line)
        match fact:
            case ConnectorStatusChanged():
                place = fact.evse_id if fact.evse_id is not None else fact.connector_id
                self._statuses.setdefault(place, {})[source] = fact
                near = [window for window in self._windows if window.place == place]
                touched |= _may_concern(near, fact.occurred_at, fact.received_at)
            case StationBooted():
                self._boots[source] = fact
                touched |= _may_concern(self._windows, None, fact.received_at)
            case QueueReported(transaction_ref=str(ref)) if ref:
                stream = self._streams.setdefault(ref, _Stream())
                stream.facts.append(fact)
                touched.add(ref)
            case QueueReported():
                self._queue_empty[source] = fact
                touched |= {window.stream for window in self._windows if window.ends_at}
            case FrameSetAside():
                self.set_aside[fact.reason] = self.set_aside.get(fact.reason, 0) + 1
            case _:
                pass

    def _own_segments(self, ref: str) -> list[Segment]:
        stream = self._streams.get(ref)
        return split_segments(ref, stream.facts, self.traits) if stream else []

    def _segments(self, stream: str) -> list[Segment]:
        """Return the sessions of *stream* with what was attached to them."""
        attached = [self._loose[s] for s, to in sorted(self._targets.items()) if to == stream]
        found = self._streams.get(stream)
        if found is not None and any(not isinstance(f, QueueReported) for f in found.facts):
            return split_segments(stream, [*found.facts, *attached], self.traits)
        return self._orphan_segments(stream)

    def _orphan_segments(self, stream: str) -> list[Segment]:
        """Return stops that nobody owns, each as a session of its own that a person must judge."""
        loose = [fact for fact in self.orphans() if (fact.transaction_ref or "") == stream]
        ends = [fact for fact in loose if isinstance(fact, SessionEnded)]
        if not ends:
            return []
        if not is_normative(stream):
            return split_segments(stream, loose, self.traits)
        by_content: dict[object, Segment] = {}
        for end in ends:
            content = (end.occurred_at, end.meter_stop_wh, place_of(end))
            segment = by_content.setdefault(content, Segment(transaction_ref=stream))
            segment.ends.append(end)
        return list(by_content.values())

    def _around(self, segment: Segment, index: int, stream: str) -> Surroundings:
        window = self._window_of(segment, index, stream)
        place = window.place if window else None
        attached = {s for s, to in self._targets.items() if to == stream}
        return Surroundings(
            station_id=self.station_id,
            traits=self.traits,
            statuses=list(self._statuses.get(place, {}).values()) if window else (),
            boots=list(self._boots.values()),
            queue_empty_at=tuple(
                report.received_at
                for report in self._queue_empty.values()
                if not report.messages_in_queue
            ),
            next_start_at=window.next_start_at if window else None,
            attached=frozenset(attached),
            foreign_ids=frozenset(
                s for s in attached if not is_normative(self._loose[s].transaction_ref)
            ),
            has_foreign_connector=stream in self._foreign_connector,
        )

    def _window_of(self, segment: Segment, index: int, stream: str) -> Window | None:
        if not segment.starts:
            return None
        own = [window for window in self._windows if window.stream == stream]
        return own[index] if index < len(own) else None


def _may_concern(
    windows: Iterable[Window], occurred_at: datetime | None, received_at: datetime
) -> set[str]:
    """Return the streams of sessions that something at that time may bear on; generously."""
    moments = [received_at]
    if occurred_at is not None:
        moments.append(occurred_at if occurred_at.tzinfo else occurred_at.replace(tzinfo=UTC))
    early = min(moments)
    return {w.stream for w in windows if w.ends_at is None or w.ends_at + _DAY >= early}
