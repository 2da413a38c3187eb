"""What else of a station bears on its sessions: states, boots, an empty queue, neighbours.

A station that boots every minute, or tells a state with every frame, would have all of its sessions
folded again each time. So it is asked on which of them what it said can bear at all; where that is
not sure it does. A session from 08:00 to 09:00, its last frame received at 09:00:

    a boot at 08:30 bears, one at 09:10 too, one at 10:00 does not
    a state of 08:30 bears whenever it comes, one of 10:00 does not
    open since 08:00, last heard of at 08:30: the first boot after that bears, the next does not,
        nor does a state of 09:00, but the first one that says that the plug is free
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SKEW_MAX
from ledger.facts.station_facts import ConnectorStatusChanged
from ledger.facts.station_traits import StationTraits
from ledger.sessions.loose_frames import Window
from ledger.sessions.segments import Segment, Source, source_of
from ledger.sessions.session import ChargingSession
from ledger.sessions.told import StationTold
from ledger.sessions.vehicle.told_states import FREED, NO_STATES, ToldStates

_AROUND: Final[timedelta] = 2 * SKEW_MAX
"""A moment of a session lies up to SKEW_MAX after its receipt, a boot may be as far from it."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What else of the station bears on one session.

    `states` are its place's, `boots` when the station was heard to boot, in order, `queue_empty_at`
    when it last said that its queue is empty, `window` where the session lies and when the next one
    starts there; `attached` are the frames that came without a valid id and were given to this
    session, `foreign_ids` those of them that name a transaction which is none of ours;
    `is_told_again` says that its start looks as one that is told again beside it.
    """

    station_id: str
    traits: StationTraits
    states: ToldStates = NO_STATES
    boots: Sequence[datetime] = ()
    queue_empty_at: datetime | None = None
    window: Window | None = None
    attached: frozenset[Source] = frozenset()
    foreign_ids: frozenset[Source] = frozenset()
    has_foreign_connector: bool = False
    is_told_again: bool = False

    @property
    def next_start_at(self) -> datetime | None:
        """When the next session starts at its place."""
        return self.window.next_start_at if self.window else None

    @property
    def own_window(self) -> Window | None:
        """Where it lies by its own frames alone."""
        window = self.window
        return window and replace(window, next_start_at=None, is_overlapping=False)

    def has_booted(self, after: datetime, before: datetime | None) -> bool:
        """Whether the station booted between the two moments; None: ever after the first."""
        index = bisect_right(self.boots, after)
        return index < len(self.boots) and (before is None or self.boots[index] < before)


class SaidAround:
    """What a station said around its sessions, sorted once. It never changes."""

    __slots__ = ("_places", "_told", "boots", "queue_empty_at")

    def __init__(self, told: StationTold) -> None:
        self._told = told
        self._places: dict[int | None, ToldStates] = {}
        self.boots = sorted(boot.received_at for boot in told.boots)
        empty = (each.received_at for each in told.reports if not each.messages_in_queue)
        self.queue_empty_at = max(empty, default=None)

    def said(self, told: StationTold) -> SaidAround:
        """Return what *told* says: of what is the very same as before it is taken from here."""
        known = self._told
        is_same = known.statuses is told.statuses and known.boots is told.boots
        if is_same and known.reports is told.reports:
            return self
        now = SaidAround(told)
        for place, states in self._places.items():
            if known.statuses.get(place) is told.statuses.get(place):
                now._places[place] = states
        return now

    def states_of(self, place: int | None) -> ToldStates:
        """Return the states of *place*."""
        found = self._places.get(place)
        if found is None:
            statuses = self._told.statuses.get(place)
            found = self._places[place] = ToldStates(statuses) if statuses else NO_STATES
        return found


def flags_around(
    around: Surroundings, segment: Segment, sources: Collection[Source]
) -> Iterator[Flag]:
    """Yield what surrounds the session of *segment*, whose frames have these *sources*."""
    if around.attached.intersection(sources):
        yield Flag.RESOLVED_BY_CONTEXT
    if any(source_of(fact) in around.foreign_ids for fact in segment.ends):
        yield Flag.FOREIGN_STOP_ATTACHED
    if around.has_foreign_connector or segment.has_elsewhere:
        yield Flag.FOREIGN_CONNECTOR
    if segment.is_reused:
        yield Flag.ID_REUSED
    if segment.is_ambiguous:
        yield Flag.ID_AMBIGUOUS
    if around.window is not None and around.window.is_overlapping:
        yield Flag.REGISTER_SHARED
    if around.is_told_again:
        yield Flag.START_TOLD_AGAIN


def boot_bears(session: ChargingSession, boot: datetime, *, is_news: bool) -> bool:
    """Whether *session* may differ with *boot*; not *is_news*: without it."""
    if boot > session.last_received_at + _AROUND:
        is_open = session.started_at is not None and not session.is_ended
        return is_open and not (is_news and Flag.INTERRUPTED in session.flags)
    begins = session.first_received_at
    if session.started_at is not None:
        begins = min(begins, session.started_at)
    return boot >= begins - _AROUND


def state_bears(
    session: ChargingSession, state: ConnectorStatusChanged, known: ToldStates = NO_STATES
) -> bool:
    """Whether *session* may differ with *state* of its place, or without it.

    *known* are the states that it was folded with.
    """
    started_at = session.started_at
    if started_at is None:
        return False
    # It then is a witness of the session's clock.
    if session.first_received_at <= state.received_at <= session.last_received_at:
        return True
    at = session.clock.effective(state.occurred_at, state.received_at)
    if state.charging_state is None or at < started_at:
        return False
    if session.ended_at is not None:
        return at <= session.ended_at
    over = session.provisional_ended_at or at
    if at <= max(over, session.last_received_at + SKEW_MAX):
        return True
    # It was over when its plug was free first, after all that it told itself.
    return state.charging_state in FREED and not known.shown_by(
        session.clock, over, session.connector_id
    ).is_free_at(over)
