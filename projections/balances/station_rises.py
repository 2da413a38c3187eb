"""What the registers of one station rose by, and whose it is: rise by rise, each at its moment.

`projections.balances.station_energy` says what is counted, and adds it up by day. A count may begin
where an earlier one ended (`CarriedSession`): with the last session at each place, whose start and
stop the registers' walk and the row of sessions go on from. What it had is not to be counted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import (
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StationFact,
)
from ledger.facts.station_traits import StationTraits
from ledger.meter.checks import is_coarse
from ledger.meter.evidence import MeterEvidence, gather_evidence
from ledger.meter.measure import BEFORE_START
from ledger.meter.series import PowerLimit, RegisterReading, rise_between
from ledger.sessions.segments import Source, place_of, source_of
from ledger.sessions.session import ChargingSession
from projections.balances.covered import CoveredRegister, RegisterStretch
from projections.balances.readings_ahead import ReadingsAhead, RunningTimes
from projections.balances.register_walk import Rank, RegisterTold, register_rises, told_at

_ZERO: Final = Decimal(0)
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_NO_PLACE: Final = (None, 0)
"""Place 0 is the sum of the others (quirk 19), and no place is no register."""

Place = int | None
"""The EVSE, or the connector where there are no EVSEs."""


class RegisterRise(NamedTuple):
    """A part of the balance rose at a moment, in Wh.

    `session_id`: whose it is alone, whatever the register of its place was counted to; None: what
    the register of `place` told.
    """

    part: Literal["metered_wh", "taken_wh", "unattributed_wh", "shared_wh"]
    at: datetime
    energy_wh: Decimal
    place: Place
    session_id: str | None = None


class CarriedSession(msgspec.Struct, frozen=True, array_like=True):
    """Start and stop of the last session at a place that an earlier count had."""

    place: Place
    start: RegisterReading
    stop: RegisterReading


class Block(NamedTuple):
    """The register readings of one session, or one reading outside of all, in their order."""

    starts_at: datetime
    ends_at: datetime
    readings: Sequence[RegisterReading]
    limit: PowerLimit
    session: ChargingSession | None = None
    is_carried: bool = False

    @property
    def is_session(self) -> bool:
        """Whether these are a session's."""
        return self.session is not None or self.is_carried


class StationRises:
    """What the facts of one station come to: its `rises`, and what it was made of.

    `told` are the register's values by place, `blocks` the readings there by session, in order.
    """

    def __init__(
        self,
        sessions: Iterable[ChargingSession],
        traits: StationTraits,
        boots: Sequence[datetime],
        *,
        first: Collection[str] = (),
        carried: Iterable[CarriedSession] = (),
    ) -> None:
        """Count nothing yet; see `count`.

        Args:
            sessions: Every session of the facts to come.
            traits: Of the station.
            boots: When it booted, sorted.
            first: Sessions that have their part of a register before others do.
            carried: What an earlier count had.
        """
        self.rises: list[RegisterRise] = []
        self.told: defaultdict[Place, list[RegisterTold]] = defaultdict(list)
        self.blocks: defaultdict[Place, list[Block]] = defaultdict(list)
        self._traits, self._boots, self._first = traits, boots, first
        self.limit = PowerLimit(traits.max_power_w)
        self.sessions = [session for session in sessions if session.started_at is not None]
        self._owner: dict[Source, ChargingSession] = {}
        for session in self.sessions:
            self._owner.update(dict.fromkeys(session.frames, session))
        self.carried = {each.place: each for each in carried}
        self.last_told: dict[str, datetime] = {}
        """When each session's last register value is from, used or not."""
        self.loose: list[tuple[SessionFact, Place, datetime]] = []
        """What no session owns, with each register value's place and time."""

    def count(self, facts: Iterable[StationFact]) -> None:
        """Count the rises of *facts*, without those that an earlier count had."""
        owned, loose = self._sort_facts(facts)
        told, blocks, traits = self.told, self.blocks, self._traits
        for place, known in self.carried.items():
            start, stop = known.start, known.stop
            told[place] += [
                told_at(start.at, Rank.START, start, is_anchor=True),
                told_at(stop.at, _rank(start.at, stop.at), stop, is_anchor=True),
            ]
            ends = (start, stop)
            blocks[place].append(Block(start.at, stop.at, ends, self.limit, is_carried=True))
        for session in self.sessions:
            frames = owned.get(session.session_id, [])
            self._tell(session, frames)
            blocks[place_in(session)] += self._session_blocks(session, frames)
        for place, found in loose.items():
            clock = SessionClock(zone=traits.time_zone, commissioned_on=traits.commissioned_on)
            evidence = gather_evidence(found, clock, factor=traits.register_factor)
            told_here = [*_starts(evidence), *evidence.samples, *_stops(evidence)]
            readings = [each for each in told_here if not self.is_counted(place, each.at)]
            self._note_loose(place, found, readings)
            told[place] += [told_at(r.at, Rank.BEFORE, r) for r in readings]
            blocks[place] += self._lone_blocks(readings)
        for place, told_there in told.items():
            if place not in _NO_PLACE:
                for at, rise in register_rises(told_there, self.limit, self._boots):
                    self._add("metered_wh", at, rise, place)
        for place, found_blocks in blocks.items():
            self._add_timeline(place, found_blocks)

    def _note_loose(
        self, place: Place, facts: Iterable[SessionFact], readings: Iterable[RegisterReading]
    ) -> None:
        by_source = {source_of(fact): fact for fact in facts}
        self.loose += [(by_source[each.position, each.line], place, each.at) for each in readings]

    def is_counted(self, place: Place, at: datetime) -> bool:
        """Whether an earlier count had what *place* told up to *at*."""
        known = self.carried.get(place)
        return known is not None and at <= known.stop.at

    def _add(
        self,
        part: Literal["metered_wh", "taken_wh", "unattributed_wh"],
        at: datetime,
        energy_wh: Decimal,
        place: Place,
    ) -> None:
        if not self.is_counted(place, at):
            self.rises.append(RegisterRise(part, at, energy_wh, place))

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

    def _traits_of(self, session: ChargingSession) -> StationTraits:
        begins = session.window.starts_at if session.window else session.first_received_at
        return self._traits.held_at(begins)

    def _tell(self, session: ChargingSession, facts: Sequence[SessionFact]) -> None:
        """Note each register value in *facts*: of start and stop at their moments."""
        factor = self._traits_of(session).register_factor
        evidence = gather_evidence(facts, session.clock, factor=factor)
        start, end = session.started_at or _BEGINNING, session.ended_at
        unused = set(session.unused_frames)
        told, known = self.told[place_in(session)], session.session_id
        before = len(told)
        told += [told_at(start, Rank.START, r, is_anchor=True) for r in _starts(evidence)]
        for reading in evidence.samples:
            told.append(told_at(reading.at, _rank(start, reading.at), reading))
        for reading in _stops(evidence):
            is_unused = end is None or (reading.position, reading.line) in unused
            at = reading.at if end is None or is_unused else end
            told.append(told_at(at, _rank(start, at), reading, is_anchor=True))
        self.last_told[known] = max((each.at for each in told[before:]), default=start)
        if not evidence.has_register:
            for reading in evidence.intervals:
                self.rises.append(
                    RegisterRise("metered_wh", reading.at, reading.value_wh, None, known)
                )

    def _session_blocks(
        self, session: ChargingSession, facts: Iterable[SessionFact]
    ) -> list[Block]:
        """Return the readings of *session* as one block, and those around it one by one."""
        unused, traits = set(session.unused_frames), self._traits_of(session)
        used_facts = [fact for fact in facts if source_of(fact) not in unused]
        evidence = gather_evidence(used_facts, session.clock, factor=traits.register_factor)
        start, end = session.started_at or _BEGINNING, session.ended_at
        until = end or session.provisional_ended_at
        if not evidence.has_register:
            self._add_intervals(evidence, start, until, session.session_id)
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
        limit = PowerLimit(traits.max_power_w, coarse=is_coarse(evidence))
        blocks = [Block(start, last, readings, limit, session)] if readings else []
        # A register that counts from the start says nothing comparable outside the session.
        return blocks + ([] if base else self._lone_blocks(around))

    def _lone_blocks(self, readings: Iterable[RegisterReading]) -> list[Block]:
        return [Block(r.at, r.at, (r,), self.limit) for r in readings]

    def _add_intervals(
        self, evidence: MeterEvidence, start: datetime, until: datetime | None, known: str
    ) -> None:
        for reading in evidence.intervals:
            if start < reading.at and (until is None or reading.at <= until):
                self.rises.append(
                    RegisterRise("taken_wh", reading.at, reading.value_wh, None, known)
                )

    def _add_timeline(self, place: Place, blocks: list[Block]) -> None:
        """Add the rises of one connector's register, session by session and between them."""
        # A lone reading at the moment of a start goes first: what rose up to it is nobody's.
        blocks.sort(key=lambda block: (block.starts_at, block.is_session, block.ends_at))
        sessions = [block for block in blocks if block.is_session]
        running = RunningTimes((block.starts_at, block.ends_at) for block in sessions)
        previous: RegisterReading | None = None
        until = _BEGINNING
        for block, ahead in _looking_ahead(blocks):
            first = block.readings[0]
            # A reading without a session while one runs is that session's own count.
            if not block.is_session and (
                running.is_at(block.starts_at) or _is_dip(previous, first, ahead)
            ):
                continue
            # Of two sessions at once the later one's start lies inside the other's rise.
            if previous and (block.starts_at >= until or first.value_wh >= previous.value_wh):
                rise = rise_between(previous, first, self.limit).energy_wh
                self._add("taken_wh", first.at, rise, place)
                self._add("unattributed_wh", first.at, rise, place)
            for earlier, later in pairwise(block.readings):
                rise = rise_between(earlier, later, block.limit, self._boots).energy_wh
                self._add("taken_wh", later.at, rise, place)
            if block.ends_at >= until:
                previous, until = block.readings[-1], block.ends_at
        self._share(place, [block for block in sessions if is_shared(block)])

    def _share(self, place: Place, blocks: list[Block]) -> None:
        """Note what of each session in *blocks* another one has before it."""
        for together, _ in together_at(blocks):
            covered = CoveredRegister()
            for block in sorted(together, key=self._turn):
                rises = [
                    (later.at, RegisterStretch(earlier.value_wh, later.value_wh))
                    for earlier, later in pairwise(block.readings)
                    if later.value_wh > earlier.value_wh
                ]
                found = covered.cover([stretch for _, stretch in rises])
                for (at, _), shared in zip(rises, found, strict=True):
                    self._add("taken_wh", at, -shared, place)
                    if block.session is not None and shared:
                        known = block.session.session_id
                        self.rises.append(RegisterRise("shared_wh", at, shared, place, known))

    def _turn(self, block: Block) -> bool:
        return block.session is None or block.session.session_id not in self._first


def place_in(session: ChargingSession) -> Place:
    """Return where *session* was."""
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


def is_shared(block: Block) -> bool:
    """Whether *block* is of a session that has a part of its register with another one."""
    return block.session is not None and Flag.REGISTER_SHARED in block.session.flags


def together_at(
    blocks: Iterable[Block], earlier: CoveredRegister | None = None
) -> list[tuple[list[Block], CoveredRegister]]:
    """Return those of *blocks* (by start) that have parts of one register together, and which.

    One that begins while an earlier one of them lasts, or within its rise, is of the same; of
    *earlier* ones, long over, it is within their rise.
    """
    found: list[tuple[list[Block], CoveredRegister]] = []
    until, rises = _BEGINNING, earlier or CoveredRegister()
    if earlier is not None:
        found.append(([], earlier))
    for block in blocks:
        low, high = block.readings[0].value_wh, block.readings[-1].value_wh
        if found and (block.starts_at < until or rises.is_within(low)):
            found[-1][0].append(block)
        else:
            until, rises = _BEGINNING, CoveredRegister()
            found.append(([block], rises))
        until = max(until, block.ends_at)
        rises.cover([RegisterStretch(low, high)])
    return found


def _looking_ahead(blocks: Sequence[Block]) -> Iterator[tuple[Block, ReadingsAhead]]:
    """Yield each of *blocks* with what is read after it, up to the end of the next session.

    No farther: what a register says years later proves nothing about a reading of today.
    """
    run: list[Block] = []
    for number, block in enumerate(blocks, 1):
        run.append(block)
        if block.is_session or number == len(blocks):
            ahead = ReadingsAhead([each.readings for each in run])
            for each in run:
                ahead.go_on()
                yield each, ahead
            run = []


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
