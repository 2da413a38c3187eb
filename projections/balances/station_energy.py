"""The energy balance of one station: what its registers say, day by day, and whose it is.

Three things are counted, each by itself:

* metered: what the register of each place rose by, told by anybody (`register_walk`);
* what sessions and the gaps between them took of it, from reading to reading, without those that
  the fold set aside with a flag; what two sessions both have of one register is counted once;
* what the fold says that each session drew.

The first less the second is `dropped_wh`. So metered = dropped + sessions + unattributed holds to
the Wh, or the fold is wrong. A rise belongs to the site-local day of the later reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import (
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.facts.station_traits import StationTraits, zone_of
from ledger.meter.checks import is_coarse
from ledger.meter.evidence import MeterEvidence, gather_evidence
from ledger.meter.measure import BEFORE_START
from ledger.meter.series import PowerLimit, RegisterReading, rise_between
from ledger.sessions.segments import Source, place_of, source_of
from ledger.sessions.session import ChargingSession
from projections.balances.covered import CoveredRegister, RegisterStretch
from projections.balances.readings_ahead import ReadingsAhead, RunningTimes
from projections.balances.register_walk import Rank, RegisterTold, register_rises, told_at
from tariffs.quantities import EXACT

_ZERO: Final = Decimal(0)
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_NO_PLACE: Final = (None, 0)
"""Place 0 is the sum of the others (quirk 19), and no place is no register."""


@dataclass(slots=True, kw_only=True)
class DayEnergy:
    """One site-local day of a station; energies in Wh.

    `sessions` holds what the fold gave to each session, `shared` the part of it that another
    session has of the same register, `metered_wh` what the registers rose by. `taken_wh` is
    what sessions and gaps took of that by the readings that were used.
    """

    day: date
    metered_wh: Decimal = _ZERO
    taken_wh: Decimal = _ZERO
    unattributed_wh: Decimal = _ZERO
    sessions: dict[str, Decimal] = field(default_factory=dict)
    shared: dict[str, Decimal] = field(default_factory=dict)

    @property
    def dropped_wh(self) -> Decimal:
        """What the register rose by and the fold set aside; below 0: what it added."""
        return EXACT.subtract(self.metered_wh, self.taken_wh)

    @property
    def difference_wh(self) -> Decimal:
        """What is metered but neither dropped, a session's nor nobody's: 0, or the fold is wrong.

        What several sessions have counts once.
        """
        with localcontext(EXACT):
            drawn = sum(self.sessions.values(), _ZERO) - sum(self.shared.values(), _ZERO)
            return self.metered_wh - self.dropped_wh - self.unattributed_wh - drawn


class _Block(NamedTuple):
    """The register readings of one session, or one reading outside of all, in their order."""

    starts_at: datetime
    ends_at: datetime
    readings: Sequence[RegisterReading]
    limit: PowerLimit
    session: ChargingSession | None = None


def station_energy(
    facts: Iterable[StationFact],
    sessions: Iterable[ChargingSession],
    traits: StationTraits,
    *,
    first: Collection[str] = (),
) -> list[DayEnergy]:
    """Return the balance of one station by day, oldest first.

    Args:
        facts: Every fact of the station.
        sessions: Every session folded from them.
        traits: Of the station; the days are those of its time zone.
        first: Sessions that have their part of a register before others do.
    """
    facts = list(facts)
    boots = sorted(fact.received_at for fact in facts if isinstance(fact, StationBooted))
    # A day may have more rises of a wild register than 28 digits can add up.
    with localcontext(EXACT):
        return _Balance(sessions, traits, boots, first).days(facts)


def session_days(session: ChargingSession, time_zone: str) -> dict[date, Decimal]:
    """Return the energy of *session* by day: each rise belongs to the day of its later point."""
    zone = zone_of(time_zone)
    days: defaultdict[date, Decimal] = defaultdict(Decimal)
    for earlier, later in pairwise(session.points):
        days[later.at.astimezone(zone).date()] += later.energy_wh - earlier.energy_wh
    return dict(days)


class _Balance:
    """Collects rises into days."""

    def __init__(
        self,
        sessions: Iterable[ChargingSession],
        traits: StationTraits,
        boots: Sequence[datetime],
        first: Collection[str],
    ) -> None:
        self._traits, self._zone = traits, zone_of(traits.time_zone)
        self._limit, self._boots, self._first = PowerLimit(traits.max_power_w), boots, first
        self._days: dict[date, DayEnergy] = {}
        self._sessions = [session for session in sessions if session.started_at is not None]
        self._told: defaultdict[int | None, list[RegisterTold]] = defaultdict(list)
        self._owner: dict[Source, ChargingSession] = {}
        for session in self._sessions:
            self._owner.update(dict.fromkeys(session.frames, session))

    def days(self, facts: Iterable[StationFact]) -> list[DayEnergy]:
        """Return all days with any energy."""
        owned, loose = self._sort_facts(facts)
        blocks: defaultdict[int | None, list[_Block]] = defaultdict(list)
        for session in self._sessions:
            told = owned.get(session.session_id, [])
            self._tell(session, told)
            blocks[_place(session)] += self._session_blocks(session, told)
        for place, found in loose.items():
            clock = SessionClock(
                zone=self._traits.time_zone, commissioned_on=self._traits.commissioned_on
            )
            evidence = self._evidence(found, clock)
            readings = [*_starts(evidence), *evidence.samples, *_stops(evidence)]
            self._told[place] += [told_at(r.at, Rank.BEFORE, r) for r in readings]
            blocks[place] += self._lone_blocks(readings)
        for place, told_there in self._told.items():
            if place not in _NO_PLACE:
                for at, rise in register_rises(told_there, self._limit, self._boots):
                    self._day_of(at).metered_wh += rise
        for found_blocks in blocks.values():
            self._add_timeline(found_blocks)
        for session in self._sessions:
            for day, energy_wh in session_days(session, self._traits.time_zone).items():
                self._day(day).sessions[session.session_id] = energy_wh
        return [self._days[day] for day in sorted(self._days)]

    def _sort_facts(
        self, facts: Iterable[StationFact]
    ) -> tuple[dict[str, list[SessionFact]], dict[int | None, list[SessionFact]]]:
        """Return the facts of each session, and at each connector those of none."""
        owned: defaultdict[str, list[SessionFact]] = defaultdict(list)
        loose: defaultdict[int | None, list[SessionFact]] = defaultdict(list)
        for fact in sorted(facts, key=lambda fact: (fact.position, fact.line)):
            if not isinstance(fact, SessionStarted | SessionUpdated | SessionEnded):
                continue
            owner = self._owner.get(source_of(fact))
            if owner is None:
                if place_of(fact) not in _NO_PLACE:
                    loose[place_of(fact)].append(fact)
            else:
                owned[owner.session_id].append(fact)
        return owned, loose

    def _evidence(self, facts: Iterable[SessionFact], clock: SessionClock) -> MeterEvidence:
        return gather_evidence(facts, clock, factor=self._traits.register_factor)

    def _tell(self, session: ChargingSession, facts: Sequence[SessionFact]) -> None:
        """Note each register value in *facts*: of start and stop at their moments."""
        evidence = self._evidence(facts, session.clock)
        start, end = session.started_at or _BEGINNING, session.ended_at
        unused = set(session.unused_frames)
        told = self._told[_place(session)]
        told += [told_at(start, Rank.START, r, is_anchor=True) for r in _starts(evidence)]
        for reading in evidence.samples:
            told.append(told_at(reading.at, _rank(start, reading.at), reading))
        for reading in _stops(evidence):
            is_unused = end is None or (reading.position, reading.line) in unused
            at = reading.at if end is None or is_unused else end
            told.append(told_at(at, _rank(start, at), reading, is_anchor=True))
        if not evidence.has_register:
            for reading in evidence.intervals:
                self._day_of(reading.at).metered_wh += reading.value_wh

    def _session_blocks(
        self, session: ChargingSession, facts: Iterable[SessionFact]
    ) -> list[_Block]:
        """Return the readings of *session* as one block, and those around it one by one."""
        unused = set(session.unused_frames)
        used_facts = [fact for fact in facts if source_of(fact) not in unused]
        evidence = self._evidence(used_facts, session.clock)
        start, end = session.started_at or _BEGINNING, session.ended_at
        until = end or session.provisional_ended_at
        if not evidence.has_register:
            self._add_intervals(evidence, start, until)
            return []
        base = _ZERO
        if Flag.REGISTER_SESSION_RELATIVE in session.flags:
            base = session.meter_start_wh or _ZERO
        used = _without(evidence.samples, session.dropped)
        samples = [r for r in used if _is_within(r.at, start, until)]
        begins = _without(_starts(evidence), session.refused_starts)
        ends = _without(_stops(evidence), session.refused_stops)
        around = [r for r in used if not _is_within(r.at, start, until)]
        if not begins:  # the reading just before the start may stand in for it
            near = [r for r in around if start - BEFORE_START <= r.at < start]
            begins = [r for r in near[-1:] if r.value_wh == session.meter_start_wh]
            around = [r for r in around if r not in begins]
        last = end or max((r.at for r in samples), default=start)
        # As the meter does: what start and stop say counts at their moments, whenever it was read.
        readings = [
            *(replace(r, at=start) for r in begins),
            *(replace(r, value_wh=r.value_wh + base) for r in samples),
            *(replace(r, at=last) for r in ends if end is not None),
        ]
        limit = PowerLimit(self._traits.max_power_w, coarse=is_coarse(evidence))
        blocks = [_Block(start, last, readings, limit, session)] if readings else []
        # A register that counts from the start says nothing comparable outside the session.
        return blocks + ([] if base else self._lone_blocks(around))

    def _lone_blocks(self, readings: Iterable[RegisterReading]) -> list[_Block]:
        return [_Block(r.at, r.at, (r,), self._limit) for r in readings]

    def _add_intervals(
        self, evidence: MeterEvidence, start: datetime, until: datetime | None
    ) -> None:
        for reading in evidence.intervals:
            if start < reading.at and (until is None or reading.at <= until):
                self._day_of(reading.at).taken_wh += reading.value_wh

    def _add_timeline(self, blocks: list[_Block]) -> None:
        """Add the rises of one connector's register, session by session and between them."""
        # A lone reading at the moment of a start goes first: what rose up to it is nobody's.
        blocks.sort(key=lambda block: (block.starts_at, block.session is not None, block.ends_at))
        sessions = [block for block in blocks if block.session]
        running = RunningTimes((block.starts_at, block.ends_at) for block in sessions)
        ahead = ReadingsAhead([block.readings for block in blocks])
        previous: RegisterReading | None = None
        until = _BEGINNING
        for block in blocks:
            first = block.readings[0]
            ahead.go_on()
            # A reading without a session while one runs is that session's own count.
            if not block.session and (
                running.is_at(block.starts_at) or _is_dip(previous, first, ahead)
            ):
                continue
            # Of two sessions at once the later one's start lies inside the other's rise.
            if previous and (block.starts_at >= until or first.value_wh >= previous.value_wh):
                rise = rise_between(previous, first, self._limit).energy_wh
                day = self._day_of(first.at)
                day.taken_wh += rise
                day.unattributed_wh += rise
            for earlier, later in pairwise(block.readings):
                rise = rise_between(earlier, later, block.limit, self._boots).energy_wh
                self._day_of(later.at).taken_wh += rise
            if block.ends_at >= until:
                previous, until = block.readings[-1], block.ends_at
        self._share([block for block in sessions if _is_shared(block)])

    def _share(self, blocks: list[_Block]) -> None:
        """Note what of each session in *blocks* another one has before it."""
        for together in _together(blocks):
            covered = CoveredRegister()
            for block in sorted(together, key=self._turn):
                rises = [
                    (later.at, RegisterStretch(earlier.value_wh, later.value_wh))
                    for earlier, later in pairwise(block.readings)
                    if later.value_wh > earlier.value_wh
                ]
                found = covered.cover([stretch for _, stretch in rises])
                for (at, _), shared in zip(rises, found, strict=True):
                    day = self._day_of(at)
                    day.taken_wh -= shared
                    if block.session is not None and shared:
                        known = day.shared.get(block.session.session_id, _ZERO)
                        day.shared[block.session.session_id] = known + shared

    def _turn(self, block: _Block) -> bool:
        return block.session is None or block.session.session_id not in self._first

    def _day(self, day: date) -> DayEnergy:
        return self._days.setdefault(day, DayEnergy(day=day))

    def _day_of(self, at: datetime) -> DayEnergy:
        return self._day(at.astimezone(self._zone).date())


def _place(session: ChargingSession) -> int | None:
    return session.evse_id if session.evse_id is not None else session.connector_id


def _rank(start: datetime, at: datetime) -> Rank:
    return Rank.BEFORE if start < at else Rank.AFTER


def _is_within(at: datetime, start: datetime, end: datetime | None) -> bool:
    return start <= at and (end is None or at <= end)


def _starts(evidence: MeterEvidence) -> tuple[RegisterReading, ...]:
    return (*evidence.declared_start, *evidence.begins)


def _stops(evidence: MeterEvidence) -> tuple[RegisterReading, ...]:
    return (*evidence.declared_stop, *evidence.ends)


def _without(
    readings: Iterable[RegisterReading], refused: Iterable[RegisterReading]
) -> list[RegisterReading]:
    not_used = frozenset(refused)
    return [reading for reading in readings if reading not in not_used]


def _is_shared(block: _Block) -> bool:
    return block.session is not None and Flag.REGISTER_SHARED in block.session.flags


def _together(blocks: Iterable[_Block]) -> list[list[_Block]]:
    """Return those of *blocks* (by start) that have parts of one register together.

    One that begins while an earlier one of them lasts, or within its rise, is of the same.
    """
    found: list[list[_Block]] = []
    until, rises = _BEGINNING, CoveredRegister()
    for block in blocks:
        low, high = block.readings[0].value_wh, block.readings[-1].value_wh
        if found and (block.starts_at < until or rises.is_within(low)):
            found[-1].append(block)
        else:
            found.append([block])
            until, rises = _BEGINNING, CoveredRegister()
        until = max(until, block.ends_at)
        rises.cover([RegisterStretch(low, high)])
    return found


def _is_dip(
    previous: RegisterReading | None, reading: RegisterReading, ahead: ReadingsAhead
) -> bool:
    """Return True when *reading* falls below *previous* or rises above what comes after it."""
    if previous is None:
        return False
    again = ahead.lowest_from(previous.value_wh)
    if again is None:
        return False
    return reading.value_wh < previous.value_wh or again < reading.value_wh
