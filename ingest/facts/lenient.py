"""Reading what stations write, exactly where possible, leniently where not. Nothing raises.

Each reader returns the value, or None, and notes what was odd as a flag of `ledger.facts.flags`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from ledger.facts.flags import Flag

Oddities = set[str]
"""Flags noted while one frame is read."""

# What nearly every station sends, read without a further look.
_PLAIN: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?", re.ASCII)
_COMMA: Final = re.compile(r"-?[0-9]+,[0-9]+", re.ASCII)
_GROUPED: Final = re.compile(r"-?[1-9][0-9]{0,2},[0-9]{3}", re.ASCII)
# No digit can be taken by two parts of it: a million of them would be shared out in every way.
_NUMBER: Final = re.compile(
    r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII
)
_DIGITS_MAX: Final = 28
_MAGNITUDE_MAX: Final = 15
_FINEST_WH: Final = Decimal("1e-14")
_ENERGY_MAGNITUDE_MAX: Final = 11
_INT_MAX: Final = 10 ** (_MAGNITUDE_MAX + 1)
_TIME_CHARACTERS_MIN: Final = 16
# What RFC 3339 and ISO 8601 know and `datetime` does not: a leap second, and midnight as an end.
_LEAP: Final = re.compile(r"([T ][0-9]{2}:?[0-9]{2}:?)60", re.ASCII)
_DAY_END: Final = re.compile(r"([T ])24(:?00(?::?00(?:\.0+)?)?)(?![0-9:.])", re.ASCII)
_FRACTION: Final = re.compile(r"([0-9]{2}:[0-9]{2}:[0-9]{2})[.,]([0-9]+)", re.ASCII)
_INT64_MAX: Final = 2**63
FARTHEST_YEAR: Final = 2200
"""From here on a time is no station's: arithmetic with it would leave the calendar."""
# A backslash or a whole surrogate pair; or half of a pair alone, which no text can hold.
_HALF: Final = re.compile(
    r"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def exact_number(number: str) -> Decimal | str:
    """Return a JSON number; one beyond every exponent stays the text that it is."""
    try:
        return Decimal(number)
    except InvalidOperation:
        return number


_UNTYPED: Final = msgspec.json.Decoder(float_hook=exact_number)


def read_number(raw: object, oddities: Oddities) -> Decimal | None:
    """Return *raw* (text or a JSON number) as an exact Decimal; None when it is no finite number.

    Digits beyond 28 or a magnitude beyond 10^15 are no meter's; they are refused, not rounded.
    """
    if type(raw) is str:
        if _PLAIN.fullmatch(raw):
            return Decimal(raw)
        text = raw.strip().strip('"').strip()
        if text != raw:
            oddities.add(Flag.VALUE_ODD)
        if _COMMA.fullmatch(text):
            oddities.add(Flag.DECIMAL_COMMA)
            text = text.replace(",", ".")
    elif type(raw) is int and abs(raw) < _INT_MAX:
        return Decimal(raw)
    elif isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        text = str(raw)
    else:
        text = ""
    value = None
    if _NUMBER.fullmatch(text):
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = None
    if value is None or not _is_sane(value):
        oddities.add(Flag.VALUE_UNREADABLE)
        return None
    return shift(value, 0)


def note_grouping(raw: object, oddities: Oddities) -> None:
    """Note where a comma in watt-hours may as well group thousands: 1,000 is 1 Wh, or 1 kWh."""
    if isinstance(raw, str) and _GROUPED.fullmatch(raw.strip().strip('"').strip()):
        oddities.add(Flag.COMMA_AMBIGUOUS)


def shift(value: Decimal, power: int) -> Decimal:
    """Return *value* times 10 to the *power*, exactly and written out: no context rounds it."""
    sign, digits, exponent = value.as_tuple()
    tens = (exponent if isinstance(exponent, int) else 0) + power
    return Decimal((sign, digits + (0,) * tens, 0) if tens > 0 else (sign, digits, tens))


def energy_of(value_wh: Decimal, oddities: Oddities) -> Decimal | None:
    """Return an energy as it is reckoned with, None when no register goes so far.

    None has more than twelve digits before the point. Beyond the fourteenth after it stands only
    the noise of a binary number, which is cut off: so what a session's register shows is never
    rounded to the 28 digits of a decimal, and comes to what the balance comes to.
    """
    if value_wh.adjusted() > _ENERGY_MAGNITUDE_MAX:
        oddities.add(Flag.VALUE_UNREADABLE)
        return None
    cut = value_wh.quantize(_FINEST_WH, ROUND_DOWN)
    return value_wh if value_wh == cut else cut


def _is_sane(value: Decimal) -> bool:
    if not value.is_finite():
        return False
    digits, exponent = len(value.as_tuple().digits), value.as_tuple().exponent
    return (
        digits <= _DIGITS_MAX
        and value.adjusted() <= _MAGNITUDE_MAX
        and isinstance(exponent, int)
        and exponent >= -_DIGITS_MAX
    )


def read_time(raw: object, oddities: Oddities) -> datetime | None:
    """Return *raw* as a moment in UTC, naive when it names no zone, None when it is no time."""
    if raw is None:
        return None
    text = raw.strip() if isinstance(raw, str) else ""
    if len(text) >= _TIME_CHARACTERS_MIN:  # a date alone is no moment
        try:
            try:
                at = datetime.fromisoformat(text)
            except ValueError:
                at = _mended_time(text.upper())
            if at.year < FARTHEST_YEAR:
                return at if at.tzinfo is None or at.tzinfo is UTC else at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    oddities.add(Flag.TIME_UNREADABLE)
    return None


def _mended_time(text: str) -> datetime:
    """Return the moment in *text*, which is no time as `datetime` reads it.

    Raises:
        ValueError: If it is none as anybody writes it either.
    """
    text = _FRACTION.sub(_micros, text)
    if (leap := _LEAP.sub(r"\g<1>59", text)) != text:
        return datetime.fromisoformat(leap) + timedelta(seconds=1)
    if (day := _DAY_END.sub(r"\g<1>00\g<2>", text)) != text:
        return datetime.fromisoformat(day) + timedelta(days=1)
    return datetime.fromisoformat(text)


def _micros(match: re.Match[str]) -> str:
    return f"{match[1]}.{match[2][:6]:0<6}"


def read_int(raw: object, _oddities: Oddities | None = None) -> int | None:
    """Return *raw* as an integer where it is one in any notation, else None."""
    if type(raw) is int:  # and no bool
        return raw
    if isinstance(raw, str):
        raw = raw.strip()
        if not re.fullmatch(r"-?[0-9]{1,20}", raw, re.ASCII):
            return None
        return int(raw)
    if isinstance(raw, Decimal) and raw.is_finite():
        # Compared, not calculated with: a context refuses 1e1000000.
        return int(raw) if -_INT64_MAX <= raw <= _INT64_MAX and raw == int(raw) else None
    return None


def read_text(raw: object, _oddities: Oddities | None = None) -> str | None:
    """Return *raw* as text; numbers keep their digits, everything else is None."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        return str(raw)
    return None


def read_list(raw: object) -> list[Any]:
    """Return *raw* as a list: a lone object becomes its only item."""
    if isinstance(raw, list):
        return raw
    return [raw] if isinstance(raw, dict) else []


def read_object(raw: object) -> dict[str, Any]:
    """Return *raw* as an object, empty when it is none."""
    return raw if isinstance(raw, dict) else {}


def has_odd_text(text: str) -> bool:
    """Say whether the JSON in *text* may hold U+0000, or half of a surrogate pair alone."""
    if "\\" not in text:  # nearly always, and one character is looked for ten times as fast as two
        return False
    return "\\u0000" in text or any(not at[1] for at in _HALF.finditer(text))


def storable(text: str) -> str:
    """Return *text* with U+0000 written out: no table and no index can hold it."""
    return text.replace("\0", "\\u0000")


def read_json(text: str) -> object:
    """Return the JSON in *text* with exact decimals, None when it is none. NaN becomes text."""
    try:
        return _UNTYPED.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        pass
    # What the codec mends: a byte order mark, a trailing NUL, a bare NaN. Such a frame was
    # acknowledged. Half of a surrogate pair was not, but stands in the log too, and its fact must
    # be one that can be kept.
    text = _HALF.sub(lambda found: found[1] or f"\\{found[0]}", text.strip("\ufeff\0 \t\r\n"))
    try:
        return json.loads(text, parse_float=exact_number, parse_constant=str)
    except (ValueError, RecursionError):
        return None
