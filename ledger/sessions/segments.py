"""Which facts of one transaction reference belong to one session: references are reused."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ledger.facts.station_clock import FARTHEST, in_utc
from ledger.facts.station_facts import (
    NO_ID,
    QueueReported,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StationFact,
)
from ledger.facts.station_traits import StationTraits

SAME_START = timedelta(seconds=60)
"""Starts of one reference nearer than this are one start, told twice."""

Source = tuple[int, int]
"""A frame's (position, line)."""


@dataclass(slots=True, kw_only=True)
class Segment:
    """The facts of one session: each frame once.

    `starts_at` is about when it began, None without a start. Facts of its reference dated before
    `facts_from` belong to the session before it; None: it is the first one, and those are its own.
    """

    transaction_ref: str
    starts: list[SessionStarted] = field(default_factory=list)
    updates: list[SessionUpdated] = field(default_factory=list)
    ends: list[SessionEnded] = field(default_factory=list)
    queue: list[QueueReported] = field(default_factory=list)
    is_reused: bool = False
    starts_at: datetime | None = None
    facts_from: datetime | None = None

    def take(self, frames: Iterable[SessionUpdated | SessionEnded]) -> None:
        """Add *frames* that do not name it, each once."""
        for frame in frames:
            if isinstance(frame, SessionUpdated):
                self.updates.append(frame)
            else:
                self.ends.append(frame)
        self.updates.sort(key=source_of)
        self.ends.sort(key=source_of)

    @property
    def facts(self) -> list[SessionFact]:
        """All facts with readings, in log order."""
        return sorted([*self.starts, *self.updates, *self.ends], key=source_of)


def source_of(fact: SessionFact | QueueReported) -> Source:
    """Return where the frame of *fact* stands."""
    return fact.position, fact.line


def rough_time(
    fact: SessionFact, traits: StationTraits, *, occurred_at: datetime | None = None
) -> datetime:
    """Return about when *fact* happened: good enough to order sessions, before any clock is learnt.

    A time before the station was commissioned says nothing, nor one that no clock shows; then it is
    the time of receipt.
    """
    at = occurred_at or fact.occurred_at
    if at is None:
        return fact.received_at
    if at.tzinfo is not UTC:
        at = in_utc(at, traits.zone, fact.received_at)
    return at if traits.commissioned_on <= at < FARTHEST else fact.received_at


def is_without_id(transaction_ref: str | None) -> bool:
    """Return True when a frame names no transaction at all, rather than a foreign one."""
    return transaction_ref in {None, "", NO_ID}


def place_of(fact: SessionFact) -> int | None:
    """Return the EVSE (or the connector, where there are no EVSEs) that *fact* names."""
    return fact.evse_id if fact.evse_id is not None else fact.connector_id


def dated(fact: StationFact, traits: StationTraits) -> datetime:
    """Return the time by which *fact* is sorted into the sessions of its reference."""
    if isinstance(fact, SessionUpdated | SessionStarted | SessionEnded):
        return rough_time(fact, traits)
    return fact.received_at  # a report on the queue carries no time of the station


def split_segments(
    transaction_ref: str,
    facts: Iterable[SessionFact | QueueReported],
    traits: StationTraits,
    *,
    is_tail: bool = False,
) -> list[Segment]:
    """Return the sessions among the *facts* of one reference, oldest first.

    A start that lies more than a minute from the one before opens the next session; everything
    else belongs to the last start not later than it. Without a start all is one session.
    *is_tail*: earlier sessions of the reference are not among these, which begin with a start.
    """
    distinct: dict[tuple[Source, type], SessionFact | QueueReported] = {}
    for fact in facts:
        distinct[source_of(fact), type(fact)] = fact
    ordered = [distinct[key] for key in sorted(distinct, key=lambda key: (key[0], key[1].__name__))]
    starts = sorted(
        (rough_time(fact, traits), source_of(fact), fact)
        for fact in ordered
        if isinstance(fact, SessionStarted)
    )
    segments: list[Segment] = []
    bounds: list[datetime] = []
    for at, _, start in starts:
        if not segments or (at - bounds[-1] > SAME_START and not _is_repeat(start, segments[-1])):
            is_first = not segments and not is_tail
            segments.append(
                Segment(
                    transaction_ref=transaction_ref,
                    starts_at=at,
                    facts_from=None if is_first else at,
                )
            )
            bounds.append(at)
        segments[-1].starts.append(start)
    if not segments:
        segments, bounds = [Segment(transaction_ref=transaction_ref)], []
    for segment in segments:
        segment.is_reused = is_tail or len(segments) > 1
    for fact in ordered:
        if not isinstance(fact, SessionStarted):
            _sort_in(fact, segments, bounds, traits)
    return segments


def _is_repeat(start: SessionStarted, segment: Segment) -> bool:
    """Return True when *start* tells again, with the same device time, what began *segment*."""
    return any(
        start.occurred_at is not None
        and start.occurred_at == known.occurred_at
        and start.meter_start_wh == known.meter_start_wh
        for known in segment.starts
    )


def _sort_in(
    fact: SessionUpdated | SessionEnded | QueueReported,
    segments: list[Segment],
    bounds: list[datetime],
    traits: StationTraits,
) -> None:
    segment = segments[0]
    if len(segments) > 1:
        segment = segments[max(bisect_right(bounds, dated(fact, traits)) - 1, 0)]
    match fact:
        case SessionUpdated():
            segment.updates.append(fact)
        case SessionEnded():
            segment.ends.append(fact)
        case QueueReported():
            segment.queue.append(fact)
