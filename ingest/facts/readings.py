"""Sampled values of any OCPP version to readings: measurand, unit, context, phase, location."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ingest.facts.lenient import (
    Oddities,
    energy_of,
    note_grouping,
    read_number,
    read_time,
    shift,
)
from ingest.facts.samples import POWER_MAX, MeterValue, Sample
from ledger.facts.flags import Flag
from ledger.facts.station_facts import Measurand, Reading, ReadingContext, SignedReading


class Billed(NamedTuple):
    """A measurand that billing needs, and the power of ten of each of its units.

    As the standard writes them, and in lower case: stations write them in any.
    """

    measurand: Measurand
    powers: Mapping[str, int]
    is_total_only: bool = False


_ENERGY: Final = {"Wh": 0, "kWh": 3, "wh": 0, "kwh": 3, "mwh": 6}
_POWER: Final = {"W": 0, "kW": 3, "w": 0, "kw": 3, "mw": 6}
_REGISTER: Final = Billed(Measurand.ENERGY_REGISTER_WH, _ENERGY)
_BILLED: Final[Mapping[str | None, Billed]] = {
    None: _REGISTER,  # what a sampled value measures that names nothing (1.6 and 2.0.1 alike)
    "Energy.Active.Import.Register": _REGISTER,
    "Energy.Active.Import.Interval": Billed(Measurand.ENERGY_INTERVAL_WH, _ENERGY),
    # Not billed, but a session that measured nothing else must say so.
    "Energy.Active.Export.Register": Billed(Measurand.ENERGY_EXPORT_WH, _ENERGY),
    "Power.Active.Import": Billed(Measurand.POWER_W, _POWER),
    # Nor this: but what a register rises by meanwhile flowed the other way.
    "Power.Active.Export": Billed(Measurand.POWER_EXPORT_W, _POWER),
    "Current.Import": Billed(Measurand.CURRENT_A, {"A": 0, "a": 0}, is_total_only=True),
    "Current.Offered": Billed(Measurand.CURRENT_OFFERED_A, {"A": 0, "a": 0}, is_total_only=True),
}
_OTHER: Final = frozenset(
    {
        "Current.Export", "Energy.Active.Export.Interval",
        "Energy.Reactive.Import.Register", "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval", "Energy.Reactive.Export.Interval",
        "Energy.Active.Net", "Energy.Reactive.Net", "Energy.Apparent.Net",
        "Energy.Apparent.Import", "Energy.Apparent.Export", "Frequency",
        "Power.Factor", "Power.Offered", "Power.Reactive.Import", "Power.Reactive.Export",
        "RPM", "SoC", "Temperature", "Voltage",
        # Since 2.1.
        "Current.Export.Minimum", "Current.Export.Offered", "Current.Import.Minimum",
        "Current.Import.Offered", "Display.BatteryEnergyCapacity", "Display.ChargingComplete",
        "Display.InletHot", "Display.MaximumSOC", "Display.MinimumSOC", "Display.PresentSOC",
        "Display.RemainingTimeToMaximumSOC", "Display.RemainingTimeToMinimumSOC",
        "Display.RemainingTimeToTargetSOC", "Display.TargetSOC",
        "Energy.Active.Import.CableLoss", "Energy.Active.Import.LocalGeneration.Register",
        "Energy.Active.Setpoint.Interval", "EnergyRequest.Bulk", "EnergyRequest.Maximum",
        "EnergyRequest.Maximum.V2X", "EnergyRequest.Minimum", "EnergyRequest.Minimum.V2X",
        "EnergyRequest.Target", "Power.Active.Residual", "Power.Active.Setpoint",
        "Power.Export.Minimum", "Power.Export.Offered", "Power.Import.Minimum",
        "Power.Import.Offered", "Voltage.Maximum", "Voltage.Minimum",
    }
)  # fmt: skip
_UNKNOWN: Final = Billed(Measurand.ENERGY_REGISTER_WH, {})
_MEASURED: Final[Mapping[str | None, Billed | None]] = {**dict.fromkeys(_OTHER), **_BILLED}
"""What billing has no use for is None."""
_CONTEXTS: Final[Mapping[str | None, ReadingContext]] = {
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
_OUTLET: Final = frozenset({None, "Outlet", "Cable"})
_ELSEWHERE: Final = frozenset({"Body", "EV", "Inlet", "Upstream"})
_PHASES: Final = frozenset({"L1", "L2", "L3", "L1-N", "L2-N", "L3-N"})
_LINE_TO_LINE: Final = frozenset({"L1-L2", "L2-L3", "L3-L1"})


Readings = tuple[tuple[Reading, ...], tuple[SignedReading, ...], datetime | None]
"""What meter values say: readings, signed readings, and the time of the last of them."""


def read_meter_values(meter_values: Iterable[MeterValue[Any]], oddities: Oddities) -> Readings:
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
            billed = _MEASURED.get(sample.measurand, _UNKNOWN)
            if billed is None or (billed.is_total_only and sample.phase is not None):
                continue
            if billed is _UNKNOWN:
                oddities.add(Flag.ENUM_UNKNOWN)
                continue
            reading = _read_sample(sample, billed, at, signed, oddities)
            if reading is None:
                continue
            if sample.location in _OUTLET:
                has_register = has_register or billed is _REGISTER
                readings.append(reading)
            else:
                if sample.location not in _ELSEWHERE:
                    oddities.add(Flag.ENUM_UNKNOWN)
                elsewhere.append(reading)
        if elsewhere and not has_register:
            oddities.add(Flag.LOCATION_NOT_OUTLET)
            readings += elsewhere
    return tuple(readings), tuple(signed), at


def _read_sample(
    sample: Sample,
    billed: Billed,
    at: datetime | None,
    signed: list[SignedReading],
    oddities: Oddities,
) -> Reading | None:
    """Return the reading in *sample*, None when it has none that can be used."""
    context = _CONTEXTS.get(sample.context)
    if context is None:
        oddities.add(Flag.ENUM_UNKNOWN)
        context = ReadingContext.OTHER
    text, unit, power, signed_text = sample.measured()
    if signed_text is not None:
        signed.append(SignedReading(at, context, signed_text))
    phase = sample.phase
    if phase is not None:
        phase = _read_phase(phase, oddities)
        if phase is None:
            return None
    value = None if text is None else read_number(text, oddities)
    if value is None:
        return None
    if oddities and billed.powers is _ENERGY and not power and _is_base(unit):
        note_grouping(text, oddities)
    value = _in_base_unit(value, unit, power, billed, oddities)
    return None if value is None else Reading(at, billed.measurand, value, context, phase)


def _is_base(unit: str | None) -> bool:
    return unit is None or unit.strip().lower() == "wh"


def _in_base_unit(
    value: Decimal, unit: str | None, power: int, billed: Billed, oddities: Oddities
) -> Decimal | None:
    """Return *value* times 10 to the *power* of *unit*, None where that cannot be used."""
    if unit is None:
        oddities.add(Flag.UNIT_MISSING)
    else:
        known = billed.powers.get(unit)
        if known is None:
            known = billed.powers.get(unit.strip().lower())
        if known is None:
            oddities.add(Flag.UNIT_UNKNOWN)
            return None
        power += known
    if power:
        if abs(power) > POWER_MAX:
            oddities.add(Flag.VALUE_UNREADABLE)
            return None
        value = shift(value, power)
    return energy_of(value, oddities) if billed.powers is _ENERGY else value


def _read_phase(phase: str, oddities: Oddities) -> str | None:
    """Return the conductor that *phase* names; None for what is measured between two, or in N."""
    if phase in _LINE_TO_LINE or phase == "N":
        return None
    if phase not in _PHASES:
        oddities.add(Flag.ENUM_UNKNOWN)
    # What is no conductor at all stays what it is: none is called "".
    return phase.removesuffix("-N") or phase
