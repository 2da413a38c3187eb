"""Logos: a picture in a data URI, that no document has to fetch anything for.

SVG (without scripts, styles that fetch, and anything from elsewhere) or PNG, of 64 kB at most.
Source: RFC 2397 (data URIs); SVG 1.1, sections 5 (references) and 18 (scripts); ISO/IEC 15948.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import Final
from xml.parsers import expat

from ledger.master_data.documents.drawing import SvgCost, png_fault

PICTURE_BYTES_MAX: Final = 64 * 1024
_SVG: Final = "data:image/svg+xml;base64,"
_PNG: Final = "data:image/png;base64,"
_PNG_BEGINS: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_PNG_ENDS: Final = b"IEND\xaeB`\x82"
_SVG_ROOT: Final = "http://www.w3.org/2000/svg svg"
_FORBIDDEN: Final = frozenset(
    {"script", "foreignobject", "iframe", "object", "embed", "audio", "video"}
)
_FETCHES: Final = re.compile(r"@import|url\(\s*['\"]?\s*(?!#)|javascript:", re.IGNORECASE)


def data_uri(picture: bytes) -> str:
    """Return *picture*, the bytes of an SVG or PNG file, as a data URI; `logo_fault` checks it."""
    kind = _PNG if picture.startswith(_PNG_BEGINS) else _SVG
    return kind + b64encode(picture).decode()


def logo_fault(uri: str) -> str | None:
    """Return why *uri* is no picture that may stand in documents, None if it is one."""
    kind = next((each for each in (_SVG, _PNG) if uri.startswith(each)), None)
    if kind is None:
        return f"expected a picture: {_SVG}... or {_PNG}..., or an SVG or PNG file"
    if len(uri) > len(kind) + 4 * (PICTURE_BYTES_MAX + 3) // 3:
        return f"the picture has more than {PICTURE_BYTES_MAX} bytes"
    try:
        picture = b64decode(uri[len(kind) :], validate=True)
    except (binascii.Error, ValueError):
        return "what follows base64, is not that"
    if len(picture) > PICTURE_BYTES_MAX:
        return f"the picture has more than {PICTURE_BYTES_MAX} bytes"
    if kind == _SVG:
        return _SvgLook().fault(picture)
    is_png = picture.startswith(_PNG_BEGINS) and picture.endswith(_PNG_ENDS)
    return png_fault(picture) if is_png else "the picture is no PNG, or not all of it"


class _SvgLook:
    """Looks through one picture for what may not be in it; the first thing is the fault."""

    def __init__(self) -> None:
        self._fault: str | None = None
        self._is_begun = False
        self._cost = SvgCost()
        # Entities never come to be: a document type is a fault, and ends the look.
        parser = self._parser = expat.ParserCreate(namespace_separator=" ")
        # In one piece, else a word could hide where it is cut.
        parser.buffer_text, parser.buffer_size = True, PICTURE_BYTES_MAX
        parser.StartElementHandler, parser.CharacterDataHandler = self._element, self._said
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction

    def fault(self, picture: bytes) -> str | None:
        """Return what is wrong with *picture*, None if nothing is."""
        try:
            self._parser.Parse(picture, True)
        except _FoundError:
            pass
        except expat.ExpatError as error:
            return self._fault or f"the picture is neither PNG nor well-formed SVG: {error}"
        return self._fault or self._cost.fault()

    def _found(self, fault: str | None) -> None:
        if fault is not None:
            self._fault = fault
            raise _FoundError

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        if not self._is_begun and name != _SVG_ROOT:
            self._found("the picture is no SVG: its first element is another one")
        self._is_begun = True
        local = name.rpartition(" ")[2]
        if local.lower() in _FORBIDDEN:
            self._found(f"the picture has an element {local}")
        said = [(each.rpartition(" ")[2].lower(), value) for each, value in attributes.items()]
        for attribute, value in said:
            self._attribute(attribute, value)
        self._found(self._cost.begin(local.lower(), said))

    def _end(self, _: str) -> None:
        self._cost.end()

    def _attribute(self, name: str, value: str) -> None:
        if name.startswith("on"):
            self._found(f"the picture has a script: {name}")
        if name in {"href", "src"} and not value.strip().startswith("#"):
            self._found("the picture refers to something outside of it")
        self._text(value)

    def _said(self, content: str) -> None:
        self._text(content)
        self._found(self._cost.text(content))

    def _text(self, content: str) -> None:
        if _FETCHES.search(content):
            self._found("the picture fetches something from elsewhere")

    def _doctype(self, *_: object) -> None:
        self._found("the picture has a document type, and so may have entities")

    def _instruction(self, *_: object) -> None:
        self._found("the picture has a processing instruction")


class _FoundError(Exception):
    """Ends a look."""
