"""What the facts of one session say about energy and power, before any judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import (
    Measurand,
    Reading,
    ReadingContext,
    SessionEnded,
    SessionFact,
    SessionStarted,
)
from ledger.meter.series import RegisterReading


class PowerReading(NamedTuple):
    """Total active power at an effective time."""

    at: datetime
    power_w: Decimal


class MeterEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Register values by role, ordered by time and content; no value twice.

    `declared_start` and `declared_stop` are the values that the start and stop messages carry
    as their own; `begins` and `ends` are readings whose context says so. `spread_wh` is the most
    that two values of one moment differ by, `exported` what registers of energy given back show.
    """

    declared_start: tuple[RegisterReading, ...] = ()
    declared_stop: tuple[RegisterReading, ...] = ()
    begins: tuple[RegisterReading, ...] = ()
    ends: tuple[RegisterReading, ...] = ()
    samples: tuple[RegisterReading, ...] = ()
    intervals: tuple[RegisterReading, ...] = ()
    powers: tuple[PowerReading, ...] = ()
    spread_wh: Decimal = Decimal(0)
    exported: tuple[Decimal, ...] = ()
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


class _Instant(NamedTuple):
    """The values of one measurand at one moment by phase, and the frame that told of it first."""

    phases: dict[str | None, Decimal]
    fact: SessionFact


_Key = tuple[ReadingContext, datetime]
_BEGIN, _END, _PERIODIC = ReadingContext.BEGIN, ReadingContext.END, ReadingContext.PERIODIC
_ZERO = Decimal(0)


def gather_evidence(
    facts: Iterable[SessionFact], clock: SessionClock, *, factor: Decimal | None = None
) -> MeterEvidence:
    """Return the evidence in *facts* (each frame once, in log order).

    Args:
        facts: Of one session.
        clock: Gives effective times.
        factor: What register values are multiplied with, where the station's unit is known wrong.
    """
    gathering = _Gathering(clock, factor)
    for fact in facts:
        gathering.add(fact)
    return gathering.evidence()


class _Gathering:
    """Collects readings fact by fact."""

    def __init__(self, clock: SessionClock, factor: Decimal | None) -> None:
        self._clock, self._factor = clock, factor
        self._starts: list[RegisterReading] = []
        self._stops: list[RegisterReading] = []
        self._registers: dict[_Key, _Instant] = {}
        self._intervals: dict[_Key, _Instant] = {}
        self._powers: dict[datetime, _Instant] = {}
        self._spread_wh = Decimal(0)
        self._exported: list[Decimal] = []
        self._flags: set[str] = set()

    def add(self, fact: SessionFact) -> None:
        """Add what *fact* says."""
        at = None
        if isinstance(fact, SessionStarted) and fact.meter_start_wh is not None:
            at = self._clock.effective(fact.occurred_at, fact.received_at)
            self._starts.append(self._register(at, fact.meter_start_wh, fact))
        elif isinstance(fact, SessionEnded) and fact.meter_stop_wh is not None:
            at = self._clock.effective(fact.occurred_at, fact.received_at)
            self._stops.append(self._register(at, fact.meter_stop_wh, fact))
        told_at: datetime | None = None
        for reading in fact.readings:
            # The readings of one moment mostly share its object.
            if at is None or reading.occurred_at is not told_at:
                told_at = reading.occurred_at
                at = self._clock.effective(told_at or fact.occurred_at, fact.received_at)
            self._add_reading(reading, at, fact)

    def _add_reading(self, reading: Reading, at: datetime, fact: SessionFact) -> None:
        measurand, value = reading.measurand, reading.value
        if measurand is Measurand.POWER_W:
            instant = self._powers.get(at)
            if instant is None:
                self._powers[at] = _Instant({reading.phase: value}, fact)
            else:
                instant.phases[reading.phase] = value
            return
        if measurand is Measurand.ENERGY_EXPORT_WH:
            self._exported.append(value)
            return
        if measurand is Measurand.ENERGY_REGISTER_WH:
            series = self._registers
        elif measurand is Measurand.ENERGY_INTERVAL_WH:
            series = self._intervals
        else:
            return
        if value < _ZERO:
            self._flags.add(Flag.READING_NEGATIVE)
            return
        # Why else a reading was taken (clock, trigger) makes it no better and no worse.
        context = reading.context if reading.context in (_BEGIN, _END) else _PERIODIC
        instant = series.get((context, at))
        if instant is None:
            series[context, at] = _Instant({reading.phase: value}, fact)
            return
        known = instant.phases.setdefault(reading.phase, value)
        if known != value:
            # two values for one moment: the lower one, whatever order they came in
            instant.phases[reading.phase] = min(known, value)
            self._spread_wh = max(self._spread_wh, abs(known - value))

    def _register(self, at: datetime, value: Decimal, fact: SessionFact) -> RegisterReading:
        factored = value if self._factor is None else value * self._factor
        return RegisterReading(at, factored, fact.position, fact.line)

    def evidence(self) -> MeterEvidence:
        """Return everything added, ordered."""
        registers = self._totals(self._registers)
        if self._factor is not None and (registers or self._starts or self._stops):
            self._flags.add(Flag.UNIT_OVERRIDDEN)
        powers = [
            PowerReading(at, phases[None] if None in phases else _sum(phases))
            for at, (phases, _) in sorted(self._powers.items())
        ]
        evidence = MeterEvidence(
            declared_start=_ordered(self._starts, self._flags),
            declared_stop=_ordered(self._stops, self._flags),
            begins=_ordered([r for c, r in registers if c is _BEGIN], self._flags),
            ends=_ordered([r for c, r in registers if c is _END], self._flags),
            samples=_ordered([r for c, r in registers if c not in (_BEGIN, _END)], self._flags),
            intervals=_ordered([r for _, r in self._totals(self._intervals)], self._flags),
            powers=tuple(powers),
            spread_wh=self._spread_wh * (1 if self._factor is None else self._factor),
            exported=tuple(sorted(set(self._exported))),
            flags=frozenset(self._flags),
        )
        if not evidence.is_export_only:
            return evidence
        return msgspec.structs.replace(evidence, flags=evidence.flags | {Flag.EXPORT_ONLY})

    def _totals(self, series: dict[_Key, _Instant]) -> list[tuple[ReadingContext, RegisterReading]]:
        """Return each instant's total: the unphased value, else the sum of all phases.

        A phase that is missing at an instant makes the instant unusable. Where the series has
        one phase only, that phase is the total. Where totals come, phases are details.
        """
        phases = {phase for told, _ in series.values() for phase in told if phase}
        totalled = {context for (context, _), (told, _) in series.items() if None in told}
        totals = []
        for (context, at), (told, fact) in series.items():
            value = told.get(None)
            if value is None:
                if context in totalled:
                    continue  # a detail beside the total
                if not phases <= told.keys():
                    self._flags.add(Flag.PHASES_INCOMPLETE)
                    continue
                several = len(phases) > 1
                self._flags.add(Flag.PHASES_SUMMED if several else Flag.SINGLE_PHASE_REGISTER)
                value = _sum(told)
            totals.append((context, self._register(at, value, fact)))
        return totals


def _sum(phases: Mapping[str | None, Decimal]) -> Decimal:
    return sum((value for phase, value in phases.items() if phase), _ZERO)


def _ordered(readings: list[RegisterReading], flags: set[str]) -> tuple[RegisterReading, ...]:
    """Return *readings* by time then content; a repetition counts once, a negative never."""
    distinct: list[RegisterReading] = []
    # A repetition stands under its first line, which an invoice is then explained by.
    for reading in sorted(readings):
        if reading.value_wh < _ZERO:
            flags.add(Flag.READING_NEGATIVE)
        elif not distinct or reading[:2] != distinct[-1][:2]:
            distinct.append(reading)
    return tuple(distinct)
