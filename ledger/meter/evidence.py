"""What the facts of one session say about energy and power, before any judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from itertools import chain

import msgspec

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import (
    Measurand,
    ReadingContext,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
    StopAttested,
    happened_at,
)
from ledger.meter.series import RegisterReading


class PowerReading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Total active power at an effective time; below 0 the vehicle gives energy back."""

    at: datetime
    power_w: Decimal


class MeterEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Register values by role, ordered by time and content; no value twice.

    `declared_start` and `declared_stop` are the values that the start and stop messages carry
    as their own; `begins` and `ends` are readings whose context says so. `intervals` add up, of
    which `last_intervals` are told of the stop, and `told_again` are those that tell the same
    energy for another reason. `spread_wh` is the most
    that two values of one moment differ by, `phase_gap_wh` by how much the phases rose otherwise
    than the total told beside them, `exported` what registers of energy given back show,
    `exported_wh` by how much their total rose; None: nothing showed it.
    """

    declared_start: tuple[RegisterReading, ...] = ()
    declared_stop: tuple[RegisterReading, ...] = ()
    begins: tuple[RegisterReading, ...] = ()
    ends: tuple[RegisterReading, ...] = ()
    samples: tuple[RegisterReading, ...] = ()
    intervals: tuple[RegisterReading, ...] = ()
    last_intervals: tuple[RegisterReading, ...] = ()
    told_again: tuple[RegisterReading, ...] = ()
    powers: tuple[PowerReading, ...] = ()
    spread_wh: Decimal = Decimal(0)
    phase_gap_wh: Decimal = Decimal(0)
    exported: tuple[Decimal, ...] = ()
    exported_wh: Decimal | None = None
    flags: frozenset[str] = frozenset()

    @property
    def has_register(self) -> bool:
        """True when any register value exists."""
        return bool(
            self.declared_start or self.declared_stop or self.begins or self.ends or self.samples
        )

    @property
    def moments(self) -> Iterator[datetime]:
        """When readings were taken between start and stop."""
        yield from (each.at for each in self.samples)
        yield from (each.at for each in self.powers)

    @property
    def is_export_only(self) -> bool:
        """True when readings show energy given back alone, and start and stop may be of that."""
        if not self.exported or self.begins or self.ends or self.samples or self.intervals:
            return False
        if not (self.declared_start and self.declared_stop):
            return True
        is_rising = self.declared_stop[-1].value_wh > self.declared_start[0].value_wh
        return not is_rising or self.exported[-1] > self.exported[0]


class _Instant(msgspec.Struct, gc=False):
    """The values of one measurand at one moment by phase, and the frame that told of it first."""

    phases: dict[str | None, Decimal]
    fact: SessionFact


_Told = tuple[datetime, str | None, Decimal, SessionFact]
"""When something was read, of which phase (None: the total), its value, the frame that tells it."""


class _Roles(msgspec.Struct):
    """What was told of one measurand by why it was read: at the start, the stop, or else.

    In the order of the log.
    """

    begins: list[_Told] = []
    ends: list[_Told] = []
    others: list[_Told] = []


class _Powers:
    """Power by moment: the total, else the sum of its phases."""

    __slots__ = ("_by_phase", "_whole")

    def __init__(self) -> None:
        self._whole: dict[datetime, Decimal] = {}
        self._by_phase: dict[datetime, dict[str | None, Decimal]] = {}

    def add(self, at: datetime, phase: str | None, value: Decimal) -> None:
        if phase is None:
            self._whole[at] = value
        else:
            self._by_phase.setdefault(at, {})[phase] = value

    def totals(self) -> dict[datetime, Decimal]:
        return {at: _sum(told) for at, told in self._by_phase.items()} | self._whole


# Names of their own: to look up an enum's member takes longer than to compare it.
_BEGIN, _END = ReadingContext.BEGIN, ReadingContext.END
_CLOCK, _PERIODIC = ReadingContext.CLOCK, ReadingContext.PERIODIC
_POWER, _REGISTER = Measurand.POWER_W, Measurand.ENERGY_REGISTER_WH
_POWER_OUT = Measurand.POWER_EXPORT_W
_INTERVAL, _EXPORT = Measurand.ENERGY_INTERVAL_WH, Measurand.ENERGY_EXPORT_WH
_ZERO, _ALIKE_WH = Decimal(0), Decimal(30)


def gather_evidence(
    facts: Iterable[SessionFact], clock: SessionClock, *, factor: Decimal | None = None
) -> MeterEvidence:
    """Return the evidence in *facts* (each frame once, in log order).

    Args:
        facts: Of one session.
        clock: Gives effective times.
        factor: What register values are multiplied with, where the station's unit is known wrong.
    """
    return evidence_of(((happened_at(fact, clock), fact) for fact in facts), clock, factor=factor)


def evidence_of(
    timed: Iterable[tuple[datetime, SessionFact]],
    clock: SessionClock,
    *,
    factor: Decimal | None = None,
) -> MeterEvidence:
    """Return what `gather_evidence` does, of facts that stand behind their effective times."""
    gathering = _Gathering(clock, factor)
    for at, fact in timed:
        gathering.add(fact, at)
    return gathering.evidence()


class _Gathering:
    """Collects readings fact by fact."""

    def __init__(self, clock: SessionClock, factor: Decimal | None) -> None:
        self._clock, self._factor = clock, factor
        self._starts: list[RegisterReading] = []
        self._stops: list[RegisterReading] = []
        self._registers, self._intervals, self._aligned = _Roles(), _Roles(), _Roles()
        self._powers, self._powers_out = _Powers(), _Powers()
        self._spread_wh = Decimal(0)
        self._beyond_phases: list[Decimal] = []
        self._exported: list[Decimal] = []
        self._exported_in_all: list[Decimal] = []
        self._flags: set[str] = set()
        self._is_elsewhere: set[bool] = set()
        self._is_sampled = False

    def add(self, fact: SessionFact, at: datetime) -> None:
        """Add what *fact*, which happened *at* a moment, says."""
        told_at = fact.occurred_at
        if type(fact) is not SessionUpdated:
            self._add_own(fact, at)
        for reading in fact.readings:
            taken_at = reading.occurred_at or fact.occurred_at
            if taken_at is not told_at and taken_at != told_at:
                told_at, at = taken_at, self._clock.effective(taken_at, fact.received_at)
            measurand, value = reading.measurand, reading.value
            if measurand is _REGISTER or measurand is _INTERVAL:
                if value < _ZERO:
                    self._flags.add(Flag.READING_NEGATIVE)
                    continue
                # Why else a register was read (clock, trigger) makes it no better and no worse.
                context = reading.context
                roles = self._registers if measurand is _REGISTER else self._roles_of(context)
                series = roles.begins if context is _BEGIN else roles.others
                series = roles.ends if context is _END else series
                series.append((at, reading.phase, value, fact))
            elif measurand is _POWER:
                self._powers.add(at, reading.phase, value)
            elif measurand is _POWER_OUT:
                self._powers_out.add(at, reading.phase, value)
            elif measurand is _EXPORT:
                self._exported.append(value)
                if reading.phase is None:
                    self._exported_in_all.append(value)

    def _roles_of(self, context: ReadingContext) -> _Roles:
        """Return where an interval belongs: it goes on from the last one of the same reason."""
        self._is_sampled = self._is_sampled or context is _PERIODIC
        return self._aligned if context is _CLOCK else self._intervals

    def _add_own(self, fact: SessionFact, at: datetime) -> None:
        """Add the register that a start or a stop carries as its own, and where it was read."""
        if any(reading.measurand is _REGISTER for reading in fact.readings):
            self._is_elsewhere.add(Flag.LOCATION_NOT_OUTLET in fact.oddities)
        if isinstance(fact, SessionStarted) and fact.meter_start_wh is not None:
            self._starts.append(self._register(at, fact.meter_start_wh, fact))
        elif isinstance(fact, SessionEnded) and fact.meter_stop_wh is not None:
            if type(fact) is StopAttested:  # in Wh, whatever unit the station is wrong in
                value = fact.meter_stop_wh
                self._stops.append(RegisterReading(at, value, fact.position, fact.line))
            else:
                self._stops.append(self._register(at, fact.meter_stop_wh, fact))

    def _register(self, at: datetime, value: Decimal, fact: SessionFact) -> RegisterReading:
        factored = value if self._factor is None else value * self._factor
        return RegisterReading(at, factored, fact.position, fact.line)

    def evidence(self) -> MeterEvidence:
        """Return everything added, ordered."""
        begins, ends, samples = self._totals(self._registers)
        others, last_intervals, told_again = self._interval_series()
        beyond = self._beyond_phases or [_ZERO]
        gap = max(beyond) - min(beyond)
        told = (self._starts, self._stops, begins, ends, samples)
        if self._factor is not None and any(told):
            self._flags.add(Flag.UNIT_OVERRIDDEN)
        # Two places have two registers, whose difference is no energy.
        if len(self._is_elsewhere) > 1 and not (self._starts and self._stops):
            self._flags.add(Flag.REGISTERS_OF_TWO_PLACES)
        if Flag.PHASES_SUMMED in self._flags or Flag.SINGLE_PHASE_REGISTER in self._flags:
            self._compare_ends()
        total = self._exported_in_all
        exported_wh = max(total) - min(total) if total else None
        if exported_wh:
            self._flags.add(Flag.ENERGY_EXPORTED)
        powers = self._powers.totals()
        for at, given in self._powers_out.totals().items():
            powers[at] = powers.get(at, _ZERO) - given
        evidence = MeterEvidence(
            declared_start=_ordered(self._starts, self._flags),
            declared_stop=_ordered(self._stops, self._flags),
            begins=_ordered(begins, self._flags),
            ends=_ordered(ends, self._flags),
            samples=_ordered(samples, self._flags),
            intervals=_ordered([*others, *last_intervals], self._flags),
            last_intervals=_ordered(last_intervals, self._flags),
            told_again=_ordered(told_again, self._flags),
            powers=tuple([PowerReading(at, powers[at]) for at in sorted(powers)]),
            spread_wh=self._spread_wh * (self._factor or 1),
            phase_gap_wh=gap * (self._factor or 1),
            exported=tuple(sorted(set(self._exported))),
            exported_wh=exported_wh,
            flags=frozenset(self._flags),
        )
        if not evidence.is_export_only:
            return evidence
        return msgspec.structs.replace(evidence, flags=evidence.flags | {Flag.EXPORT_ONLY})

    def _compare_ends(self) -> None:
        """Flag a register that is a total at one end and of phases at the other.

        That is two registers, unless both were told of one moment and are the same.
        """
        roles = self._registers
        by_phase = set()
        for declared, series in ((self._starts, roles.begins), (self._stops, roles.ends)):
            if declared or series:
                by_phase.add(not declared and all(phase for _, phase, _, _ in series))
        if len(by_phase) > 1 and not any(abs(each) <= _ALIKE_WH for each in self._beyond_phases):
            self._flags.add(Flag.PHASES_AGAINST_TOTAL)

    def _interval_series(self) -> tuple[list[RegisterReading], ...]:
        """Return intervals that add up, those of the stop, and what tells the same once more.

        Who sends them by the clock, too, tells it twice; what is told of start and stop goes on
        from those that were sampled, or else from those by the clock.
        """
        begins, ends, sampled = self._totals(self._intervals)
        aligned = [*chain(*self._totals(self._aligned))]
        if aligned and not self._is_sampled:
            sampled, aligned = aligned, sampled
        return [*begins, *sampled], ends, aligned

    def _totals(self, roles: _Roles) -> list[list[RegisterReading]]:
        """Return each instant's total by role: the unphased value, else the sum of all phases.

        A phase that is missing at an instant makes the instant unusable. Where the measurand has
        one phase only, that phase is the total. Where totals come, phases are details.
        """
        every = (roles.begins, roles.ends, roles.others)
        if not any(every):
            return [[], [], []]
        phases = {phase for series in every for _, phase, _, _ in series if phase}
        return [self._totals_of(series, phases) if series else [] for series in every]

    def _totals_of(
        self, series: Sequence[_Told], phases: AbstractSet[str]
    ) -> list[RegisterReading]:
        once = {at: (value, fact) for at, phase, value, fact in series if phase is None}
        if len(once) == len(series):  # nearly always: totals, each of a moment of its own
            return [self._register(at, value, fact) for at, (value, fact) in once.items()]
        instants = self._instants(series)
        totals = []
        is_totalled = bool(phases) and any(None in each.phases for each in instants.values())
        for at, instant in instants.items():
            value = instant.phases.get(None)
            if value is not None and phases and phases <= instant.phases.keys():
                self._beyond_phases.append(value - _sum(instant.phases))
            if value is None:
                if is_totalled:
                    continue  # a detail beside the total
                if not phases <= instant.phases.keys():
                    self._flags.add(Flag.PHASES_INCOMPLETE)
                    continue
                several = len(phases) > 1
                self._flags.add(Flag.PHASES_SUMMED if several else Flag.SINGLE_PHASE_REGISTER)
                value = _sum(instant.phases)
            totals.append(self._register(at, value, instant.fact))
        return totals

    def _instants(self, series: Iterable[_Told]) -> dict[datetime, _Instant]:
        """Return what was told of each moment; of two values the lower, in whatever order."""
        instants: dict[datetime, _Instant] = {}
        for at, phase, value, fact in series:
            phases = instants.setdefault(at, _Instant({}, fact)).phases
            known = phases.setdefault(phase, value)
            if known != value:
                phases[phase] = min(known, value)
                self._spread_wh = max(self._spread_wh, abs(known - value))
        return instants


def _sum(phases: Mapping[str | None, Decimal]) -> Decimal:
    return sum((value for phase, value in phases.items() if phase), _ZERO)


def _ordered(readings: Sequence[RegisterReading], flags: set[str]) -> tuple[RegisterReading, ...]:
    """Return *readings* by time then content; a repetition counts once, a negative never."""
    distinct: list[RegisterReading] = []
    if not readings:
        return ()
    last: RegisterReading | None = None
    # A repetition stands under its first line, which an invoice is then explained by.
    for reading in sorted(readings):
        if reading.value_wh < _ZERO:
            flags.add(Flag.READING_NEGATIVE)
        elif last is None or reading.at != last.at or reading.value_wh != last.value_wh:
            distinct.append(reading)
            last = reading
    return tuple(distinct)
