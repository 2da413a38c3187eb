"""Sampled values as they come over the wire, in the two shapes that OCPP has for them."""

from __future__ import annotations

from typing import Any, Final, Generic, Self, TypeVar

import msgspec

from ingest.facts.lenient import Oddities, read_int, read_list, read_object, read_text
from ledger.facts.flags import Flag

_SIGNED: Final = "SignedData"
_ABSENT: Final = msgspec.Raw()
_NOTHING: Final = frozenset({None, "null"})


Measured = tuple[str | None, str | None, int, str | None]
"""What was measured: value, unit, the power of ten that the value is multiplied with, signed form.

No value: signed data stands in its place. No unit: the measurand's default.
"""


class Sample(msgspec.Struct, rename="camel", gc=False, kw_only=True):
    """A sampled value; words are as sent, None where not sent. Two shapes add how much it was."""

    context: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None

    def measured(self) -> Measured:
        """Return what was measured."""
        raise NotImplementedError

    @classmethod
    def read(cls, sent: dict[str, Any], oddities: Oddities) -> Self:
        """Return what can be read of a sampled value that breaks its schema."""
        raise NotImplementedError


class TextSample(Sample, rename="camel", gc=False, kw_only=True):
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
        return cls(
            value=value or "",
            unit=read_text(sent.get("unit")),
            format=read_text(sent.get("format")),
            **_words(sent),
        )


class Unit(msgspec.Struct, gc=False):
    """2.0.1: a unit and the power of ten that the value is to be multiplied with."""

    unit: str | None = None
    multiplier: int = 0


class NumberSample(Sample, rename="camel", gc=False, kw_only=True):
    """2.0.1: the value is a number, its unit and its signed form are objects beside it."""

    raw_value: msgspec.Raw = msgspec.field(name="value")
    unit_of_measure: Unit | None = None
    signed_meter_value: msgspec.Raw = _ABSENT

    def measured(self) -> Measured:
        """Return what was measured: the number's own text, in its quotes where it came in some."""
        unit, signed = self.unit_of_measure, None
        if self.signed_meter_value is not _ABSENT:
            signed = _written(self.signed_meter_value)
        return (
            _written(self.raw_value),
            None if unit is None else unit.unit,
            0 if unit is None else unit.multiplier,
            None if signed in _NOTHING else signed,
        )

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
            unit_of_measure=Unit(name, read_int(unit.get("multiplier")) or 0),
            signed_meter_value=(
                _ABSENT if signed is None else msgspec.Raw(msgspec.json.encode(signed))
            ),
            **_words(sent),
        )


S = TypeVar("S", bound=Sample)


class MeterValue(msgspec.Struct, Generic[S], rename="camel", gc=False):
    """Sampled values of one moment."""

    timestamp: str
    sampled_value: list[S]


def lenient_meter_values(raw: object, shape: type[S], oddities: Oddities) -> list[MeterValue[S]]:
    """Return what can be read of meter values that break their schema."""
    return [
        MeterValue(
            timestamp=read_text(sent.get("timestamp")) or "",
            sampled_value=[
                shape.read(read_object(sample), oddities)
                for sample in read_list(sent.get("sampledValue"))
            ],
        )
        for sent in map(read_object, read_list(raw))
    ]


def _words(sent: dict[str, Any]) -> dict[str, str | None]:
    return {
        name: read_text(sent.get(name)) for name in ("context", "measurand", "phase", "location")
    }


def _written(raw: msgspec.Raw) -> str:
    return bytes(raw).decode("utf-8", "replace")
