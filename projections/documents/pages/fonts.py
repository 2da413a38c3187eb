"""The pages' fonts: files of a pinned package, never the machine's, and the characters they have.

Source: OpenType 1.9.1, cmap (formats 4 and 12).
"""

from __future__ import annotations

import struct
import unicodedata
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from projections.errors import ProjectionError

FAMILY: Final = "Source Sans Pro"
_STYLES: Final = ("Regular", "Semibold")
"""The styles that the templates use: every character has to be in each of them."""
_FORMAT_4, _FORMAT_12, _LAST_OF_16_BITS = 4, 12, 0xFFFF


class FontsMissingError(ProjectionError):
    """The package of fonts is not installed: no page can be made."""

    def __init__(self) -> None:
        super().__init__("the package font-source-sans-pro is not installed: run `make setup`")


def font_folder() -> Path:
    """Return the folder of the package's font files.

    Raises:
        FontsMissingError: If there is none.
    """
    # Its module imports half of another package to say no more than this.
    found = find_spec("font_source_sans_pro")
    if found is None or found.origin is None:
        raise FontsMissingError
    return Path(found.origin).parent / "files"


def fonts_sha256() -> str:
    """Return the hash over all font files, by which a renderer's record names them."""
    whole = sha256()
    for path in sorted(font_folder().glob("*.[ot]tf")):
        whole.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@cache
def characters() -> frozenset[int]:
    """Return the code points that can be set in every style that pages use."""
    of_styles = (_mapped(font_folder() / f"SourceSansPro-{style}.otf") for style in _STYLES)
    return frozenset.intersection(*map(frozenset, of_styles))


def unprintable(text: str) -> str | None:
    """Return the first character of *text* that no font has, None where all can be set.

    An accent that stands after its letter is looked up together with it.
    """
    known = characters()
    return next(
        (each for each in unicodedata.normalize("NFC", text) if ord(each) not in known), None
    )


def _mapped(path: Path) -> set[int]:
    data = path.read_bytes()
    (tables,) = struct.unpack_from(">H", data, 4)
    for index in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, 12 + 16 * index)
        if tag == b"cmap":
            return _read_cmap(data, offset)
    return set()


def _read_cmap(data: bytes, start: int) -> set[int]:
    found: set[int] = set()
    (tables,) = struct.unpack_from(">H", data, start + 2)
    for index in range(tables):
        platform, _, offset = struct.unpack_from(">HHI", data, start + 4 + 8 * index)
        (form,) = struct.unpack_from(">H", data, start + offset)
        if platform == 1:  # Macintosh: not in Unicode
            continue
        if form == _FORMAT_4:
            found |= _segments(data, start + offset)
        elif form == _FORMAT_12:
            found |= _groups(data, start + offset)
    return found


def _segments(data: bytes, at: int) -> set[int]:
    """Return the code points of a subtable of format 4; one that maps to glyph 0 is in none."""
    (double,) = struct.unpack_from(">H", data, at + 6)
    count = double // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    starts = struct.unpack_from(f">{count}H", data, at + 16 + double)
    deltas = struct.unpack_from(f">{count}H", data, at + 16 + 2 * double)
    ranges_at = at + 16 + 3 * double
    ranges = struct.unpack_from(f">{count}H", data, ranges_at)
    found = set()
    for index, (first, last) in enumerate(zip(starts, ends, strict=True)):
        for code in range(first, last + 1):
            glyph = code
            if ranges[index]:
                place = ranges_at + 2 * index + ranges[index] + 2 * (code - first)
                (glyph,) = struct.unpack_from(">H", data, place)
                if glyph == 0:
                    continue
            if (glyph + deltas[index]) % 0x10000:
                found.add(code)
    return found - {_LAST_OF_16_BITS}


def _groups(data: bytes, at: int) -> set[int]:
    (count,) = struct.unpack_from(">I", data, at + 12)
    found: set[int] = set()
    for index in range(count):
        first, last, glyph = struct.unpack_from(">III", data, at + 16 + 12 * index)
        found |= {code for code in range(first, last + 1) if glyph + code - first}
    return found
