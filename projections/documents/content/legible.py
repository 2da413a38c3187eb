"""Text that a page can show: what no font has is told by its number, as an escape is."""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

import msgspec

from projections.documents.pages.fonts import characters
from tariffs.phrases.printable import printable

_PICTURES: Final = frozenset({"code", "curve", "logo"})
"""Fields of a sheet that are no text; what text is in them was made legible before."""
_STAND_INS: Final = {0x2009: "\u202f", 0x2010: "-", 0x2011: "-"}
"""Of a thin space and of hyphens the font has others that look the same."""


def legible(text: str) -> str:
    r"""Return *text* in one line of characters that the pages' font has; others as `\u6f22`.

    Names are refused when they are declared; stations, partners and people who gave a reason may
    have written anything, and their documents are made all the same.
    """
    known = characters()
    shown = printable(text).translate(_STAND_INS)
    if all(map(known.__contains__, map(ord, shown))):
        return shown
    # Of a letter with its accent behind it the font may have only both together.
    shown = normalize("NFC", shown)
    return "".join(each if ord(each) in known else _escaped(each) for each in shown)


def legible_content(sheet: msgspec.Struct) -> dict[str, object]:
    """Return a *sheet* as plain dictionaries and lists, each text `legible`."""
    fields: dict[str, object] = msgspec.to_builtins(sheet)
    return _legible_fields(fields)


def _legible(value: object) -> object:
    match value:
        case str():
            return legible(value)
        case dict():
            return _legible_fields(value)
        case list() | tuple():
            return [_legible(each) for each in value]
        case _:
            return value


def _legible_fields(fields: dict[str, object]) -> dict[str, object]:
    return {name: each if name in _PICTURES else _legible(each) for name, each in fields.items()}


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
