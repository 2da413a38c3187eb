"""Count the energy of a part of a station's history: since it was settled last, or all of it.

It is what `projections.balances.station_energy` says of the whole, less what was counted before
(tests/projections/energy/test_part_count.py), or it says that it reaches back: something bears on
what is settled, which then has to be counted again from further back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.facts.station_clock import FARTHEST, in_utc
from ledger.facts.station_facts import (
    ConnectorStatusChanged,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.facts.station_traits import StationTraits
from ledger.sessions.loose_frames import Window
from ledger.sessions.segments import Source, is_without_id, moments_of, rough_time, source_of
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import StationFold, fold_station
from ledger.sessions.told import Settled, settled, told
from projections.balances.covered import CoveredRegister
from projections.balances.station_energy import DayEnergy, by_day
from projections.balances.station_rises import (
    Place,
    RegisterRise,
    StationRises,
    is_shared,
    together_at,
)
from projections.energy.carried import Carried, FactRow
from projections.errors import ProjectionError


class ReachesBackError(ProjectionError):
    """Something bears on what was settled: it is to be counted from further back."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Span(NamedTuple):
    """From when to when something was told or was going on; `until` None: it still is.

    `reference`: of which transaction. `session_id`: it is this session's.
    """

    since: datetime
    until: datetime | None
    reference: str
    session_id: str | None = None


class PartCount(NamedTuple):
    """What a part of a station's history comes to: all since it was `carried`."""

    traits: StationTraits
    carried: Carried | None
    rows: Sequence[FactRow]
    fold: StationFold
    rises: StationRises
    spans: list[Span]

    @property
    def news(self) -> Iterator[tuple[FactRow, StationFact]]:
        """The facts that are not settled yet, each with its row."""
        for row in self.rows:
            for fact in row.facts:
                if self.carried is None or fact.received_at > self.carried.at:
                    yield row, fact

    def over_at(self, at: datetime) -> set[str]:
        """Return the sessions that were over *at* a moment of rest."""
        return {
            span.session_id
            for span in self.spans
            if span.session_id is not None and span.until is not None and span.until <= at
        }

    def days(self, later: Carried | None = None) -> tuple[list[DayEnergy], list[DayEnergy]]:
        """Return what is counted by day: what *later* had settled, and what it had not."""
        over = set[str]() if later is None else self.over_at(later.at)
        ends = {} if later is None else {each.place: each.stop.at for each in later.places}
        done, left = list[RegisterRise](), list[RegisterRise]()
        for rise in self.rises.rises:
            if rise.session_id is not None:
                is_done = rise.session_id in over
            else:
                is_done = rise.place in ends and rise.at <= ends[rise.place]
            (done if is_done else left).append(rise)
        sessions = self.rises.sessions
        zone = self.traits.time_zone
        return (
            by_day(done, (each for each in sessions if each.session_id in over), zone),
            by_day(left, (each for each in sessions if each.session_id not in over), zone),
        )


def count_part(
    station_id: str,
    rows: Sequence[FactRow],
    traits: StationTraits,
    *,
    carried: Carried | None = None,
    first: Collection[str] = (),
) -> PartCount:
    """Count what *rows* tell.

    Args:
        station_id: Whose they are.
        rows: All since it was *carried*; what names no transaction from `Carried.read_since` on.
        traits: Of the station.
        carried: What was settled before; None: nothing.
        first: Sessions that have their part of a register before others do.

    Raises:
        ReachesBackError: If something of it bears on what is settled.
    """
    facts = [fact for row in rows for fact in row.facts]
    known = told(facts)
    if carried is not None:
        _look_back(facts, traits, carried)
        known = settled(known, settled_parts(carried))
    fold = fold_station(station_id, known, traits)
    taken = set[Source]() if carried is None else _taken_back(fold, carried)
    sessions = [
        session for reference in fold.transactions() for session in fold.sessions(reference)
    ]
    boots = {fact.received_at for fact in facts if isinstance(fact, StationBooted)}
    rises = StationRises(
        sessions,
        traits,
        sorted(boots if carried is None else boots | {*carried.boots}),
        first=first,
        carried=() if carried is None else carried.places,
    )
    rises.count(fact for fact in facts if not _is_taken(fact, taken))
    counted = PartCount(traits, carried, rows, fold, rises, list(_spans(facts, fold, traits)))
    if carried is not None:
        _look_back_from(counted, carried)
    return counted


def settled_parts(carried: Carried) -> dict[str, Settled | None]:
    """Return what the fold has to know of settled transactions."""
    by_reference: defaultdict[str, list[Window]] = defaultdict(list)
    for window in carried.windows:
        by_reference[window.transaction_ref].append(window)
    return {reference: Settled(tuple(some)) for reference, some in by_reference.items()}


def moments(fact: StationFact, traits: StationTraits) -> Iterator[datetime]:
    """Yield every moment that *fact* tells of, its receipt among them."""
    yield fact.received_at
    match fact:
        case SessionStarted() | SessionUpdated() | SessionEnded():
            for at in moments_of(fact):
                if at is not None:
                    yield rough_time(fact, traits, occurred_at=at)
        case ConnectorStatusChanged() if fact.occurred_at is not None:
            at = in_utc(fact.occurred_at, traits.held_at(fact.received_at).zone, fact.received_at)
            if traits.commissioned_on <= at < FARTHEST:
                yield at


def shared_before(carried: Carried | None, place: Place) -> CoveredRegister | None:
    """Return what the last sessions have of a register that share a part of it."""
    for where, stretches in () if carried is None else carried.shared:
        if where == place:
            covered = CoveredRegister()
            covered.cover(stretches)
            return covered
    return None


def _look_back(facts: Iterable[StationFact], traits: StationTraits, carried: Carried) -> None:
    for fact in facts:
        reference = getattr(fact, "transaction_ref", None)
        if fact.received_at <= carried.at:
            if not is_without_id(reference):
                message = f"transaction {reference} was told of before"
                raise ReachesBackError(message)
        elif min(moments(fact, traits)) <= carried.at:
            message = f"a frame of {fact.received_at} is dated before {carried.at}"
            raise ReachesBackError(message)


def _taken_back(fold: StationFold, carried: Carried) -> set[Source]:
    """Return the frames that settled sessions took, all of which were counted with them."""
    keys = {(window.transaction_ref, window.starts_at): window for window in carried.windows}
    taken: set[Source] = set()
    for key, frames in fold.matched.taken.items():
        if key in keys:
            if any(each.frame.received_at > carried.at for each in frames):
                message = f"transaction {key[0]} takes a frame that came later"
                raise ReachesBackError(message)
            taken |= {source_of(each.frame) for each in frames}
    for key, window in keys.items():
        if fold.windows.by_key[key].is_overlapping and not window.is_overlapping:
            message = f"transaction {key[0]} shares a part of its register with a later one"
            raise ReachesBackError(message)
    return taken


def _look_back_from(counted: PartCount, carried: Carried) -> None:
    for span in counted.spans:
        if span.since <= carried.at:
            message = f"transaction {span.reference} began by {span.since}"
            raise ReachesBackError(message)
    for place, blocks in counted.rises.blocks.items():
        earlier = shared_before(carried, place)
        some = [block for block in blocks if is_shared(block)]
        if earlier is not None and some and together_at(some, earlier)[0][0]:
            message = f"place {place}: sessions share a part of the register with earlier ones"
            raise ReachesBackError(message)


def _is_taken(fact: StationFact, taken: Collection[Source]) -> bool:
    return bool(taken) and (fact.position, fact.line) in taken


def _spans(
    facts: Iterable[StationFact], fold: StationFold, traits: StationTraits
) -> Iterator[Span]:
    """Yield from when to when transactions were told of, and sessions went on."""
    by_reference: defaultdict[str, list[datetime]] = defaultdict(list)
    for fact in facts:
        reference = getattr(fact, "transaction_ref", None)
        if reference is not None and not is_without_id(reference):
            by_reference[reference] += moments(fact, traits)
    for reference, told_at in by_reference.items():
        yield Span(min(told_at), max(told_at), reference)
    for reference in fold.transactions():
        for session in fold.sessions(reference):
            if session.started_at is not None:
                yield _span(session, session.started_at, fold, by_reference.get(reference, []))


def _span(
    session: ChargingSession,
    started_at: datetime,
    fold: StationFold,
    told_at: Iterable[datetime],
) -> Span:
    """Return from when to when *session* went on, however its clock may be understood."""
    ats = [
        *told_at,
        started_at,
        session.first_received_at,
        session.last_received_at,
        *(point.at for point in session.points),
    ]
    window = session.window
    if window is not None:
        window = fold.windows.by_key[window.transaction_ref, window.starts_at]
        ats += [at for at in (session.ended_at, window.closes_at) if at is not None]
    is_over = session.is_ended or (window is not None and window.closes_at is not None)
    offset = abs(session.clock.offset)
    until = max(ats) + offset if is_over else None
    return Span(min(ats) - offset, until, session.transaction_ref, session.session_id)
