"""Sampled values as they come over the wire, in the two shapes that OCPP has for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, Self, TypeVar

import msgspec
from msgspec.json import encode

from ingest.facts.lenient import Oddities, read_int, read_list, read_object, read_text
from ledger.facts.flags import Flag

_SIGNED: Final = "SignedData"
_ABSENT: Final = msgspec.Raw()
POWER_MAX: Final = 15
"""The highest power of ten: a wild one would write a number of its own length."""
Measured = tuple[str | None, str | None, int, str | None]
"""What was measured: value, unit, the power of ten that the value is multiplied with, signed form.

No value: signed data stands in its place. No unit: the measurand's default.
"""


class SampleWords(msgspec.Struct, rename="camel", gc=False, kw_only=True):
    """A sampled value; words are as sent, None where not sent. A shape adds what was measured."""

    context: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None


class TextSample(SampleWords, rename="camel", gc=False, kw_only=True):
    """1.6: the value is text, and signed data stands in its place."""

    value: str
    unit: str | None = None
    format: str | None = None

    def measured(self) -> Measured:
        """Return what was measured."""
        if self.format == _SIGNED:
            return None, self.unit, 0, self.value
        return self.value, self.unit, 0, None

    @classmethod
    def read(cls, sent: dict[str, Any], oddities: Oddities) -> Self:
        """Return what can be read of a sampled value that breaks its schema."""
        value = read_text(sent.get("value"))
        if value is None:
            oddities.add(Flag.MALFORMED_FRAME)
        elif not isinstance(sent.get("value"), str):
            oddities.add(Flag.VALUE_ODD)
        return cls(value=value or "", **_words(sent, "unit", "format"))


class _Unit(msgspec.Struct, gc=False):
    unit: str | None = None
    multiplier: int = 0


_NO_UNIT: Final = _Unit()


class NumberSample(SampleWords, rename="camel", gc=False, kw_only=True):
    """2.0.1: the value is a number, its unit and its signed form are objects beside it."""

    raw_value: msgspec.Raw = msgspec.field(name="value")
    unit_of_measure: _Unit | None = None
    signed_meter_value: msgspec.Raw = _ABSENT

    def measured(self) -> Measured:
        """Return what was measured: the number's own text, in its quotes where it came in some."""
        unit, signed = self.unit_of_measure or _NO_UNIT, None
        if self.signed_meter_value is not _ABSENT:
            signed = _written(self.signed_meter_value)
        value = _written(self.raw_value)
        return value, unit.unit, unit.multiplier, None if signed == "null" else signed

    @classmethod
    def read(cls, sent: dict[str, Any], oddities: Oddities) -> Self:
        """Return what can be read of a sampled value that breaks its schema."""
        raw, unit = sent.get("value"), read_object(sent.get("unitOfMeasure"))
        if isinstance(raw, str):
            oddities.add(Flag.VALUE_ODD)
        name = read_text(unit.get("unit"))
        if name is None:  # seen: 1.6's field in a 2.0.1 frame
            name = read_text(sent.get("unit"))
        signed = sent.get("signedMeterValue")
        return cls(
            raw_value=msgspec.Raw((read_text(raw) or "").encode()),
            unit_of_measure=_Unit(name, _read_power(unit.get("multiplier"))),
            signed_meter_value=_ABSENT if signed is None else msgspec.Raw(encode(signed)),
            **_words(sent),
        )


Sample = TextSample | NumberSample
S = TypeVar("S", TextSample, NumberSample)


class MeterValue(msgspec.Struct, Generic[S], rename="camel", gc=False):
    """Sampled values of one moment."""

    timestamp: str
    sampled_value: list[S]


def has_more_readings(
    text: str, meter_values: Sequence[MeterValue[Any]], *, timestamps: int = 0
) -> bool:
    """Say whether *text* has more values and times than the *meter_values* read from it.

    Some stands twice then, or elsewhere (*timestamps*: outside of them). To look through each frame
    would take as long as to read it; these two are counted.
    """
    expected = timestamps
    for each in meter_values:
        expected += 1 + len(each.sampled_value)
    return text.count('"value"') + text.count('"timestamp"') != expected or "\\" in text


def lenient_meter_values(
    raw: object, shape: type[Sample], oddities: Oddities
) -> list[MeterValue[Any]]:
    """Return what can be read of meter values that break their schema."""
    if shape is TextSample and raw is not None and not isinstance(raw, list):
        oddities.add(Flag.MALFORMED_FRAME)
    found: list[MeterValue[Any]] = []
    for sent in map(read_object, read_list(raw)):
        samples = map(read_object, read_list(sent.get("sampledValue")))
        timestamp = read_text(sent.get("timestamp")) or ""
        found.append(MeterValue(timestamp, [shape.read(sample, oddities) for sample in samples]))
    return found


def _read_power(multiplier: object) -> int:
    """Return the power of ten; of what is none nobody knows how much it means."""
    power = 0 if multiplier is None else read_int(multiplier)
    return POWER_MAX + 1 if power is None else power


def _words(sent: dict[str, Any], *more: str) -> dict[str, str | None]:
    names = ("context", "measurand", "phase", "location", *more)
    return {name: read_text(sent.get(name)) for name in names}


def _written(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("utf-8", "replace")
