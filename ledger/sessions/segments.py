"""One session's facts under a reference, and what each of them says of where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Final

from ledger.facts.station_clock import FARTHEST, Pair, in_utc
from ledger.facts.station_facts import (
    NO_ID,
    ConnectorStatusChanged,
    Measurand,
    QueueReported,
    ReadingContext,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StationFact,
)
from ledger.facts.station_traits import StationTraits

AN_INSTANT = timedelta(microseconds=1)
"""The least by which times of stations differ."""

Source = tuple[int, int]
"""A frame's (position, line)."""
# No function of ours: it is asked of each fact again and again, and takes half the time so.
source_of: Final[Callable[[SessionFact | QueueReported], Source]] = attrgetter("position", "line")
"""Where the frame of a fact stands."""


@dataclass(slots=True, kw_only=True)
class Segment:
    """The facts of one session: each frame once.

    `starts_at` is about when it began, None without a start; no two of one reference are equal.
    Facts of its reference dated before `facts_from` belong to sessions before it; None: none are.
    `is_ambiguous`: some of its facts may be another's. `has_elsewhere`: facts under its reference
    name a place where nothing was started. `stray` tells such facts, and those whose numbers began
    again, from other sessions without a start.
    """

    transaction_ref: str
    starts: list[SessionStarted] = field(default_factory=list)
    updates: list[SessionUpdated] = field(default_factory=list)
    ends: list[SessionEnded] = field(default_factory=list)
    queue: list[QueueReported] = field(default_factory=list)
    is_reused: bool = False
    is_ambiguous: bool = False
    has_elsewhere: bool = False
    stray: str = ""
    starts_at: datetime | None = None
    facts_from: datetime | None = None

    def take(self, frames: Iterable[SessionUpdated | SessionEnded]) -> None:
        """Add *frames* that do not name it, each once."""
        for frame in frames:
            self.add(frame)
        self.updates.sort(key=source_of)
        self.ends.sort(key=source_of)

    def add(self, fact: SessionFact | QueueReported) -> None:
        """Add *fact*."""
        match fact:
            case SessionUpdated():  # as most are
                self.updates.append(fact)
            case SessionStarted():
                self.starts.append(fact)
            case SessionEnded():
                self.ends.append(fact)
            case QueueReported():
                self.queue.append(fact)

    @property
    def is_empty(self) -> bool:
        """True where nothing but reports on the queue is known of it."""
        return not (self.starts or self.updates or self.ends)

    @property
    def facts(self) -> list[SessionFact]:
        """All facts with readings, in log order."""
        return sorted([*self.starts, *self.updates, *self.ends], key=source_of)


def rough_time(
    fact: SessionFact | ConnectorStatusChanged,
    traits: StationTraits,
    *,
    occurred_at: datetime | None = None,
) -> datetime:
    """Return about when *fact* happened: good enough to order sessions, before any clock is learnt.

    A time before the station was commissioned says nothing, nor one that no clock shows; then it is
    the time of receipt.
    """
    at = occurred_at or fact.occurred_at
    if at is None:
        return fact.received_at
    if at.tzinfo is not UTC:
        at = in_utc(at, traits.held_at(fact.received_at).zone, fact.received_at)
    return at if traits.commissioned_on <= at < FARTHEST else fact.received_at


def is_without_id(transaction_ref: str | None) -> bool:
    """Return True when a frame names no transaction at all, rather than a foreign one."""
    return transaction_ref in {None, "", NO_ID}


def place_of(fact: SessionFact) -> int | None:
    """Return the EVSE (or the connector, where there are no EVSEs) that *fact* names."""
    return fact.evse_id if fact.evse_id is not None else fact.connector_id


def dated(fact: StationFact, traits: StationTraits) -> datetime:
    """Return the time by which *fact* is sorted into the sessions of its reference.

    A stop goes before a start of the same moment: what ended there was begun before.
    """
    if isinstance(fact, SessionUpdated | SessionStarted | ConnectorStatusChanged):
        return rough_time(fact, traits)
    if isinstance(fact, SessionEnded):
        return rough_time(fact, traits) - AN_INSTANT
    return fact.received_at  # a report on the queue carries no time of the station


def moments_of(fact: SessionFact) -> list[datetime | None]:
    """Return the times that *fact* and its readings name; nearly always it is one."""
    at = fact.occurred_at
    return [at, *[each.occurred_at for each in fact.readings if each.occurred_at is not at]]


def naive_moments(facts: Iterable[SessionFact]) -> list[Pair]:
    """Return the times without a zone that *facts* and their readings name, with their receipt."""
    found: list[Pair] = []
    for fact in facts:
        at = fact.occurred_at
        if at is not None and at.tzinfo is None:
            found.append((at, fact.received_at))
        for reading in fact.readings:
            told = reading.occurred_at
            if told is not at and told is not None and told.tzinfo is None:
                found.append((told, fact.received_at))
    return found


def register_of(fact: SessionFact) -> Decimal | None:
    """Return the register that *fact* tells, None where it tells none.

    A start's and a stop's own comes before what was sampled; the highest is a stop's last.
    """
    if isinstance(fact, SessionStarted) and fact.meter_start_wh is not None:
        return fact.meter_start_wh
    if isinstance(fact, SessionEnded) and fact.meter_stop_wh is not None:
        return fact.meter_stop_wh
    found = [
        reading
        for reading in fact.readings
        if reading.measurand is Measurand.ENERGY_REGISTER_WH and reading.phase is None
    ]
    if isinstance(fact, SessionEnded):
        return max((reading.value for reading in found), default=None)
    if isinstance(fact, SessionStarted):
        found.sort(key=lambda reading: reading.context is not ReadingContext.BEGIN)
    return found[0].value if found else None
