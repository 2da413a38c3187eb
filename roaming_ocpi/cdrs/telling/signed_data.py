"""Signed readings of a station as a CDR carries them, for the verifier, exactly as they came.

Source: OCPI 2.2.1, mod_cdrs, SignedData and SignedValue classes; OCMF 1.0, chapter 4 (the form of a
signed record); OCPP 2.0.1, SignedMeterValueType.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ledger.facts.station_facts import ReadingContext, SignedReading
from tariffs.kernel.priced import Note

SIGNED_MAX: Final = 5_000
PLAIN_MAX: Final = 512
METER_ID_MAX: Final = 255
_METHOD_MAX: Final = 36
_OCMF: Final = "OCMF"
_UNKNOWN: Final = "unknown"
_NATURES: Final = {ReadingContext.BEGIN: "Start", ReadingContext.END: "End"}


class _SignedMeterValue(msgspec.Struct, rename="camel"):
    """What stations of 2.x send beside a value."""

    signed_meter_data: str
    encoding_method: str = _UNKNOWN
    public_key: str = ""


class _SigningMeter(msgspec.Struct):
    """What of an OCMF payload names the meter."""

    serial: str = msgspec.field(name="MS", default="")


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
_METER: Final = msgspec.json.Decoder(_SigningMeter)
_DECODER: Final = msgspec.json.Decoder(_SignedMeterValue)


def signed_data(readings: Sequence[SignedReading], notes: list[Note]) -> dict[str, Any] | None:
    """Return the SignedData of *readings*; None where there are none."""
    method, key = "", ""
    values = []
    for reading in readings:
        encoding, text, public_key = _opened(reading.text)
        if len(text) > SIGNED_MAX:
            message = f"a signed reading of {len(text)} characters has no room in a CDR"
            notes.append(Note("signed_too_long", message, "signed_data"))
            continue
        method, key = method or encoding, key or public_key
        values.append(
            {
                "nature": _NATURES.get(reading.context, "Intermediate"),
                "plain_data": _plain(text)[:PLAIN_MAX],
                "signed_data": text,
            }
        )
    if not values:
        return None
    said: dict[str, Any] = {"encoding_method": method[:_METHOD_MAX] or _UNKNOWN}
    if key and len(key) <= PLAIN_MAX:
        said["public_key"] = key
    return {**said, "signed_values": values}


def meter_serial(readings: Sequence[SignedReading]) -> str | None:
    """Return the serial number of the meter that signed *readings*.

    None: they do not say it, or not the same one, or not so that it fits. Nothing else that we
    keep of a station names its meter. Source: OCMF 1.0, 4.1 (MS); OCPI 2.2.1, mod_cdrs, meter_id.
    """
    said = {_serial(_plain(_opened(each.text)[1])) for each in readings}
    if len(said) != 1:
        return None
    [serial] = said
    return serial


def _serial(plain: str) -> str | None:
    try:
        serial = _METER.decode(plain).serial
    except _UNREADABLE:
        return None
    fits = 0 < len(serial) <= METER_ID_MAX and serial.isprintable()
    return serial if fits else None


def _opened(text: str) -> tuple[str, str, str]:
    """Return how a reading is encoded, what is signed, and the public key, where one came."""
    if text.startswith("{"):
        try:
            found = _DECODER.decode(text)
        except _UNREADABLE:
            return _UNKNOWN, text, ""
        return found.encoding_method or _UNKNOWN, found.signed_meter_data, found.public_key
    return (_OCMF if text.startswith(f"{_OCMF}|") else _UNKNOWN), text, ""


def _plain(text: str) -> str:
    """Return what of a signed record can be read: of OCMF its payload."""
    parts = text.split("|")
    return parts[1] if parts[0] == _OCMF and len(parts) > 1 else text
