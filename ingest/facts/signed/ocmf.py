"""OCMF, the signed record of most meters, read for what it says of registers. Never raises.

What is signed is kept to the byte for the verifier; whether a signature holds, a verifier says.
Here is read what anybody reads in it, so that it can be held against what was told plainly:

    OCMF|{"MS":"M-1","RD":[{"TM":"2026-03-02T08:00:00,000+0000 S","TX":"B","RV":1.000,
          "RI":"1-0:1.8.0","RU":"kWh","ST":"G"},{"TM":"2026-03-02T09:00:00,000+0000 S","TX":"E",
          "RV":6.000}]}|{"SD":"3045..."}
        -> meter M-1, begin 1,000 Wh, end 6,000 Wh: what a reading leaves out is as before it

Plain, in base64 or in hex, alone or within the JSON object that stations put around it. Other
formats are not read, and nothing is said of them. Source: OCMF 1.0, chapters 3 and 4.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ingest.facts.lenient import Oddities, energy_of, read_number, read_text, read_time, shift
from ledger.facts.station_facts import ReadingContext
from ledger.log.envelope import SignedRecord, SignedRegister, SignedStage

READINGS_MAX: Final = 200
"""Readings of one record that are read; no transaction has so many tariff changes."""
_MARK: Final = "OCMF|"
_MARK_BYTES: Final = _MARK.encode()
_INHERITED: Final = ("TM", "TX", "RI", "RU", "ST")
# Energy taken in: all of it, net of losses, of the mains or the device; 2, C0 to C3 are given back.
_IMPORT: Final = re.compile(r"(?:[^:]{0,12}:)?0*(?:1|98|[Bb][0-3])\.0*8\.", re.ASCII)
_POWERS: Final = {"wh": 0, "kwh": 3, "mwh": 6}
_STAGES: Final[Mapping[str, SignedStage]] = {
    "B": "begin",
    **dict.fromkeys(("E", "L", "R", "A", "P"), "end"),
}
_BY_CONTEXT: Final[Mapping[ReadingContext, SignedStage]] = {
    ReadingContext.BEGIN: "begin",
    ReadingContext.END: "end",
}
_WORD_MAX: Final = 64
_BROKEN: Final = SignedRecord(is_broken=True)
_JSON: Final = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def read_record(text: str, context: ReadingContext) -> SignedRecord:
    """Return what the signed *text* says; of another format than OCMF: nothing."""
    plain = _opened(_unwrapped(text))
    if plain is None:
        return SignedRecord()
    try:
        payload, _ = _JSON.raw_decode(plain, len(_MARK))
    except (ValueError, RecursionError):
        return _BROKEN
    readings = payload.get("RD") if isinstance(payload, dict) else None
    if not isinstance(readings, list) or not 0 < len(readings) <= READINGS_MAX:
        return _BROKEN
    return _record(payload, readings, context)


def _unwrapped(text: str) -> str:
    """Return the signed text within the JSON object around it, or *text*."""
    if not text.lstrip().startswith("{"):
        return text.strip()
    try:
        said = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    within = said.get("signedMeterData") if isinstance(said, dict) else None
    return within.strip() if isinstance(within, str) else text


def _opened(text: str) -> str | None:
    """Return the record in *text*, None where it is none."""
    if text.startswith(_MARK):
        return text
    for opened in (_of_base64(text), _of_hex(text)):
        if opened.startswith(_MARK_BYTES):
            return opened.decode("utf-8", "replace")
    return None


def _of_base64(text: str) -> bytes:
    """Return what *text* says; one that was cut, what is left of it."""
    squeezed = "".join(text.split()).rstrip("=")
    whole = squeezed if len(squeezed) % 4 != 1 else squeezed[:-1]
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return b""


def _of_hex(text: str) -> bytes:
    squeezed = "".join(text.split())
    try:
        return bytes.fromhex(squeezed[: len(squeezed) // 2 * 2])
    except ValueError:
        return b""


def _record(payload: dict[str, Any], readings: list[Any], context: ReadingContext) -> SignedRecord:
    serial = read_text(payload.get("MS")) or ""
    registers: list[SignedRegister] = []
    known: dict[str, Any] = {}
    is_broken = False
    for each in readings:
        if not isinstance(each, dict):
            is_broken = True
            continue
        known = {**{name: known.get(name) for name in _INHERITED}, **each}
        name, unit = _word(known, "RI"), _word(known, "RU").casefold()
        if (name and not _IMPORT.match(name)) or (unit and not unit.endswith("wh")):
            continue
        register = _register(known, name, unit, context)
        if register is None:
            is_broken = True
        else:
            registers.append(register)
    return SignedRecord(
        registers=tuple(registers), meter=serial.strip()[:_WORD_MAX], is_broken=is_broken
    )


def _register(
    known: Mapping[str, Any], name: str, unit: str, context: ReadingContext
) -> SignedRegister | None:
    """Return the register that a reading says, None where it cannot be read."""
    oddities: Oddities = set()
    value, power = read_number(known.get("RV"), oddities), _POWERS.get(unit)
    if value is None or power is None:
        return None
    value_wh = energy_of(shift(value, power), oddities)
    if value_wh is None:
        return None
    exponent = value.as_tuple().exponent
    step = Decimal(1).scaleb(power + (exponent if isinstance(exponent, int) else 0))
    faults, kind, status = _word(known, "EF"), _word(known, "TX"), _word(known, "ST")
    return SignedRegister(
        value_wh=value_wh,
        step_wh=max(step, Decimal(1)),
        stage=_STAGES.get(kind, "between") if kind else _BY_CONTEXT.get(context, "between"),
        at=None if "t" in faults else _synchronised(_word(known, "TM")),
        register=name,
        is_in_error="E" in faults or status not in ("", "G"),
    )


def _word(known: Mapping[str, Any], name: str) -> str:
    return (read_text(known.get(name)) or "").strip()[:_WORD_MAX]


def _synchronised(told: str) -> datetime | None:
    """Return a time of a clock that was set; others are for information, and stand in 1970."""
    moment, _, status = told.rpartition(" ")
    if status != "S":
        return None
    at = read_time(moment, set())
    return at if at is not None and at.tzinfo is not None else None
