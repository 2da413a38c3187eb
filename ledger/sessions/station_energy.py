"""The energy balance of one station: what its registers say, day by day, and whose it is.

Metered energy is the rise of each connector's register from reading to reading, taken from the
facts alone, less readings that were set aside with a flag. A rise belongs to the site-local day of
the later reading. So metered = sessions + unattributed holds to the Wh, or the fold is wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import (
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StationFact,
)
from ledger.facts.station_traits import StationTraits, zone_of
from ledger.meter.evidence import MeterEvidence, gather_evidence
from ledger.meter.measure import BEFORE_START
from ledger.meter.series import PowerLimit, RegisterReading, rollover_rise
from ledger.sessions.segments import Source, place_of, source_of
from ledger.sessions.session import ChargingSession

_ZERO: Final = Decimal(0)


@dataclass(slots=True, kw_only=True)
class DayEnergy:
    """One site-local day of a station; energies in Wh.

    `sessions` holds what the fold gave to each session, `metered_wh` what the registers say.
    """

    day: date
    metered_wh: Decimal = _ZERO
    unattributed_wh: Decimal = _ZERO
    sessions: dict[str, Decimal] = field(default_factory=dict)

    @property
    def difference_wh(self) -> Decimal:
        """What is metered but neither a session's nor unattributed: 0, or the fold is wrong."""
        return self.metered_wh - self.unattributed_wh - sum(self.sessions.values(), _ZERO)


class _Block(NamedTuple):
    """The register readings of one session, or one reading outside of all, in their order."""

    starts_at: datetime
    ends_at: datetime
    readings: Sequence[RegisterReading]
    is_session: bool


def station_energy(
    facts: Iterable[StationFact], sessions: Iterable[ChargingSession], traits: StationTraits
) -> list[DayEnergy]:
    """Return the balance of one station by day, oldest first.

    Args:
        facts: Every fact of the station.
        sessions: Every session folded from them.
        traits: Of the station; the days are those of its time zone.
    """
    return _Balance(sessions, traits).days(facts)


def session_days(session: ChargingSession, time_zone: str) -> dict[date, Decimal]:
    """Return the energy of *session* by day: each rise belongs to the day of its later point."""
    zone = zone_of(time_zone)
    days: defaultdict[date, Decimal] = defaultdict(Decimal)
    for earlier, later in pairwise(session.points):
        days[later.at.astimezone(zone).date()] += later.energy_wh - earlier.energy_wh
    return dict(days)


class _Balance:
    """Collects rises into days."""

    def __init__(self, sessions: Iterable[ChargingSession], traits: StationTraits) -> None:
        self._traits, self._zone = traits, zone_of(traits.time_zone)
        self._limit = PowerLimit(traits.max_power_w)
        self._days: dict[date, DayEnergy] = {}
        self._sessions = [session for session in sessions if session.started_at is not None]
        self._owner: dict[Source, ChargingSession] = {}
        for session in self._sessions:
            self._owner.update(dict.fromkeys(session.frames, session))

    def days(self, facts: Iterable[StationFact]) -> list[DayEnergy]:
        """Return all days with any energy."""
        owned, loose = self._sort_facts(facts)
        blocks: defaultdict[int | None, list[_Block]] = defaultdict(list)
        for session in self._sessions:
            blocks[_place(session)] += self._session_blocks(
                session, owned.get(session.session_id, ())
            )
        for place, found in loose.items():
            clock = SessionClock(
                zone=self._traits.time_zone, commissioned_on=self._traits.commissioned_on
            )
            evidence = self._evidence(found, clock)
            blocks[place] += _lone_blocks(_all(evidence))
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
                # Place 0 is the sum of the others (quirk 19), and no place is no register.
                if place_of(fact) not in (None, 0):
                    loose[place_of(fact)].append(fact)
            elif source_of(fact) not in owner.unused_frames:
                owned[owner.session_id].append(fact)
        return owned, loose

    def _evidence(self, facts: Iterable[SessionFact], clock: SessionClock) -> MeterEvidence:
        return gather_evidence(facts, clock, factor=self._traits.register_factor)

    def _session_blocks(
        self, session: ChargingSession, facts: Iterable[SessionFact]
    ) -> list[_Block]:
        """Return the readings of *session* as one block, and those around it one by one."""
        evidence = self._evidence(facts, session.clock)
        start, end = session.started_at or datetime.min.replace(tzinfo=UTC), session.ended_at
        if not evidence.has_register:
            self._add_intervals(evidence, start, end)
            return []
        base = _ZERO
        if Flag.REGISTER_SESSION_RELATIVE in session.flags:
            base = session.meter_start_wh or _ZERO
        used = [r for r in evidence.samples if r not in session.dropped]
        until = end or session.provisional_ended_at
        samples = [r for r in used if r.at >= start and (until is None or r.at <= until)]
        begins = [r for r in (*evidence.declared_start, *evidence.begins) if _is_used(r, session)]
        ends = [r for r in (*evidence.declared_stop, *evidence.ends) if _is_used(r, session)]
        around = [r for r in used if r not in samples]
        if not begins:  # the reading just before the start may stand in for it
            near = [r for r in around if start - BEFORE_START <= r.at < start]
            begins = [r for r in near[-1:] if r.value_wh == session.meter_start_wh]
            around = [r for r in around if r not in begins]
        last = end or max((r.at for r in samples), default=start)
        # As the meter does: what start and stop say counts at their moments, whenever it was read.
        readings = [
            *(r._replace(at=start) for r in begins),
            *(r._replace(value_wh=r.value_wh + base) for r in samples),
            *(r._replace(at=last) for r in ends if end is not None),
        ]
        blocks = [_Block(start, last, readings, is_session=True)] if readings else []
        # A register that counts from the start says nothing comparable outside the session.
        return blocks + ([] if base else _lone_blocks(around))

    def _add_intervals(
        self, evidence: MeterEvidence, start: datetime, end: datetime | None
    ) -> None:
        for reading in evidence.intervals:
            if start < reading.at and (end is None or reading.at <= end):
                self._day_of(reading.at).metered_wh += reading.value_wh

    def _add_timeline(self, blocks: list[_Block]) -> None:
        """Add the rises of one connector's register, session by session and between them."""
        # A lone reading at the moment of a start goes first: what rose up to it is nobody's.
        blocks.sort(key=lambda block: (block.starts_at, block.is_session, block.ends_at))
        sessions = [block for block in blocks if block.is_session]
        previous: RegisterReading | None = None
        for index, block in enumerate(blocks):
            first = block.readings[0]
            if not block.is_session and (
                _is_inside(block, sessions) or _is_dip(previous, first, blocks[index + 1 :])
            ):
                continue
            if previous is not None:
                rise = self._rise(previous, first)
                day = self._day_of(first.at)
                day.metered_wh += rise
                day.unattributed_wh += rise
            for earlier, later in pairwise(block.readings):
                self._day_of(later.at).metered_wh += self._rise(earlier, later)
            previous = block.readings[-1]

    def _rise(self, earlier: RegisterReading, later: RegisterReading) -> Decimal:
        """Return the energy between two readings; a register that begins anew adds nothing."""
        if later.value_wh >= earlier.value_wh:
            return later.value_wh - earlier.value_wh
        return rollover_rise(earlier, later, self._limit) or _ZERO

    def _day(self, day: date) -> DayEnergy:
        return self._days.setdefault(day, DayEnergy(day=day))

    def _day_of(self, at: datetime) -> DayEnergy:
        return self._day(at.astimezone(self._zone).date())


def _place(session: ChargingSession) -> int | None:
    return session.evse_id if session.evse_id is not None else session.connector_id


def _is_used(reading: RegisterReading, session: ChargingSession) -> bool:
    return reading not in session.dropped


def _all(evidence: MeterEvidence) -> list[RegisterReading]:
    return [
        *evidence.declared_start,
        *evidence.begins,
        *evidence.samples,
        *evidence.declared_stop,
        *evidence.ends,
    ]


def _lone_blocks(readings: Iterable[RegisterReading]) -> list[_Block]:
    return [_Block(r.at, r.at, (r,), is_session=False) for r in readings]


def _is_inside(block: _Block, sessions: Iterable[_Block]) -> bool:
    """Return True for a reading without a session while one runs: the session's own count."""
    return any(s.starts_at <= block.starts_at <= s.ends_at for s in sessions)


def _is_dip(
    previous: RegisterReading | None, reading: RegisterReading, following: Iterable[_Block]
) -> bool:
    """Return True when *reading* falls below *previous* or rises above what comes after it."""
    if previous is None:
        return False
    values = [r.value_wh for block in following for r in block.readings]
    if reading.value_wh < previous.value_wh:
        return any(value >= previous.value_wh for value in values)
    return any(previous.value_wh <= value < reading.value_wh for value in values)
