"""Sampled values of any OCPP version to readings: measurand, unit, context, phase, location."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from ingest.facts.lenient import Oddities, read_number, read_time, shift
from ledger.facts.flags import Flag
from ledger.facts.station_facts import Measurand, Reading, ReadingContext, SignedReading

REGISTER: Final = "Energy.Active.Import.Register"
"""The measurand when a sampled value names none (1.6 and 2.0.1 alike)."""

BILLING: Final[Mapping[str | None, Measurand]] = {
    None: Measurand.ENERGY_REGISTER_WH,
    REGISTER: Measurand.ENERGY_REGISTER_WH,
    "Energy.Active.Import.Interval": Measurand.ENERGY_INTERVAL_WH,
    "Power.Active.Import": Measurand.POWER_W,
    "Current.Import": Measurand.CURRENT_A,
    "Current.Offered": Measurand.CURRENT_OFFERED_A,
}
_OTHER: Final = frozenset(
    {
        "Current.Export", "Energy.Active.Export.Register", "Energy.Active.Export.Interval",
        "Energy.Reactive.Import.Register", "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval", "Energy.Reactive.Export.Interval",
        "Energy.Active.Net", "Energy.Reactive.Net", "Energy.Apparent.Net",
        "Energy.Apparent.Import", "Energy.Apparent.Export", "Frequency", "Power.Active.Export",
        "Power.Factor", "Power.Offered", "Power.Reactive.Import", "Power.Reactive.Export",
        "RPM", "SoC", "Temperature", "Voltage",
    }
)  # fmt: skip
CONTEXTS: Final[Mapping[str | None, ReadingContext]] = {
    None: ReadingContext.PERIODIC,
    "Sample.Periodic": ReadingContext.PERIODIC,
    "Sample.Clock": ReadingContext.CLOCK,
    "Transaction.Begin": ReadingContext.BEGIN,
    "Transaction.End": ReadingContext.END,
    "Interruption.Begin": ReadingContext.OTHER,
    "Interruption.End": ReadingContext.OTHER,
    "Trigger": ReadingContext.OTHER,
    "Other": ReadingContext.OTHER,
}
_POWERS_OF_TEN: Final[Mapping[Measurand, Mapping[str, int]]] = {
    Measurand.ENERGY_REGISTER_WH: {"wh": 0, "kwh": 3, "mwh": 6},
    Measurand.ENERGY_INTERVAL_WH: {"wh": 0, "kwh": 3, "mwh": 6},
    Measurand.POWER_W: {"w": 0, "kw": 3, "mw": 6},
    Measurand.CURRENT_A: {"a": 0},
    Measurand.CURRENT_OFFERED_A: {"a": 0},
}
_TOTAL_ONLY: Final = frozenset({Measurand.CURRENT_A, Measurand.CURRENT_OFFERED_A})
_OUTLET: Final = frozenset({None, "Outlet", "Cable"})
_ELSEWHERE: Final = frozenset({"Body", "EV", "Inlet", "Upstream"})
_PHASES: Final = frozenset({"L1", "L2", "L3", "L1-N", "L2-N", "L3-N"})
_LINE_TO_LINE: Final = frozenset({"L1-L2", "L2-L3", "L3-L1"})
# A wild multiplier would write a number of its own length.
_POWER_MAX: Final = 15


class Sample(Protocol):
    """A sampled value as any version of OCPP has it; words are as sent, None where not sent."""

    @property
    def value(self) -> str | Decimal: ...  # noqa: D102 - the class docstring covers the fields
    @property
    def context(self) -> str | None: ...  # noqa: D102
    @property
    def measurand(self) -> str | None: ...  # noqa: D102
    @property
    def phase(self) -> str | None: ...  # noqa: D102
    @property
    def location(self) -> str | None: ...  # noqa: D102
    @property
    def unit_name(self) -> str | None:
        """The unit; None means the default of the measurand (Wh, W, A)."""

    @property
    def multiplier(self) -> int:
        """The power of ten that the value is to be multiplied with (2.0.1)."""

    @property
    def signed_text(self) -> str | None:
        """The signed meter value, as it came."""

    @property
    def is_numeric(self) -> bool:
        """False when the value is signed data instead of a number."""


class MeterValue(Protocol):
    """Sampled values of one moment."""

    @property
    def timestamp(self) -> str: ...  # noqa: D102
    @property
    def sampled_value(self) -> Sequence[Sample]: ...  # noqa: D102


class Readings(NamedTuple):
    """What meter values say; `last_at` is the time of the last of them."""

    readings: tuple[Reading, ...]
    signed: tuple[SignedReading, ...]
    last_at: datetime | None


def read_meter_values(meter_values: Iterable[MeterValue], oddities: Oddities) -> Readings:
    """Return the readings that billing needs; what is odd is added to *oddities*.

    A register measured elsewhere than at the outlet counts only where no other one is given.
    """
    readings: list[Reading] = []
    signed: list[SignedReading] = []
    at: datetime | None = None
    for meter_value in meter_values:
        at = read_time(meter_value.timestamp, oddities)
        elsewhere: list[Reading] = []
        has_register = False
        for sample in meter_value.sampled_value:
            kind = BILLING.get(sample.measurand)
            if kind is None:
                if sample.measurand not in _OTHER:
                    oddities.add(Flag.ENUM_UNKNOWN)
                continue
            if sample.phase is not None and kind in _TOTAL_ONLY:
                continue
            reading = _read_sample(sample, kind, at, signed, oddities)
            if reading is None:
                continue
            if sample.location in _OUTLET:
                has_register = has_register or kind is Measurand.ENERGY_REGISTER_WH
                readings.append(reading)
            else:
                if sample.location not in _ELSEWHERE:
                    oddities.add(Flag.ENUM_UNKNOWN)
                elsewhere.append(reading)
        if elsewhere and not has_register:
            oddities.add(Flag.LOCATION_NOT_OUTLET)
            readings += elsewhere
    return Readings(tuple(readings), tuple(signed), at)


def _read_sample(
    sample: Sample,
    kind: Measurand,
    at: datetime | None,
    signed: list[SignedReading],
    oddities: Oddities,
) -> Reading | None:
    """Return the reading in *sample*, None when it has none that can be used."""
    context = CONTEXTS.get(sample.context)
    if context is None:
        oddities.add(Flag.ENUM_UNKNOWN)
        context = ReadingContext.OTHER
    text = sample.signed_text
    if text is not None:
        signed.append(SignedReading(at, context, text))
    phase = sample.phase
    if phase is not None:
        phase = _read_phase(phase, oddities)
        if phase is None:
            return None
    value = read_number(sample.value, oddities) if sample.is_numeric else None
    if value is None:
        return None
    power = sample.multiplier
    unit = sample.unit_name
    if unit is None:
        oddities.add(Flag.UNIT_MISSING)
    else:
        known = _POWERS_OF_TEN[kind].get(unit.strip().lower())
        if known is None:
            oddities.add(Flag.UNIT_UNKNOWN)
            return None
        power += known
    if power:
        if abs(power) > _POWER_MAX:
            oddities.add(Flag.VALUE_UNREADABLE)
            return None
        value = shift(value, power)
    return Reading(at, kind, value, context, phase)


def _read_phase(phase: str, oddities: Oddities) -> str | None:
    """Return the conductor that *phase* names; None for what is measured between two, or in N."""
    if phase in _LINE_TO_LINE or phase == "N":
        return None
    if phase not in _PHASES:
        oddities.add(Flag.ENUM_UNKNOWN)
    return phase.removesuffix("-N")
