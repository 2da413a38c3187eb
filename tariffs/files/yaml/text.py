"""Values as YAML text that `tariffs.files.yaml.fields` reads back exactly."""

from __future__ import annotations

from datetime import time
from typing import Final

_HOUR: Final = 3600
_MINUTE: Final = 60
_BYTE_MAX: Final = 0xFF
_PLANE_MAX: Final = 0xFFFF


def quoted(text: str) -> str:
    """Return *text* in double quotes; what YAML would change is escaped."""
    return f'"{"".join(_escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    if code <= _BYTE_MAX:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _PLANE_MAX else f"\\U{code:08x}"


def clock(moment: time) -> str:
    """Return 21:00, or 21:00:30."""
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def duration(seconds: int) -> str:
    """Return 2 h, 15 min or 90 s."""
    if seconds and seconds % _HOUR == 0:
        return f"{seconds // _HOUR} h"
    if seconds and seconds % _MINUTE == 0:
        return f"{seconds // _MINUTE} min"
    return f"{seconds} s"
