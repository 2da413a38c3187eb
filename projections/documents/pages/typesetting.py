"""The typesetter: one compiler a process, which knows our templates and the package's fonts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Final

import typst

from projections.documents.pages.fonts import font_folder, fonts_sha256
from projections.errors import ProjectionError

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STANDARD: Final = "a-3b"
_LARGE: Final = 200_000
"""Characters of a document of some 30 sessions, or of a statement with 1,000."""
_REMEMBERED: Final = 10
"""So many compilations typst keeps what it laid out: of a large document some 300 MB each."""
_turn: Final = Lock()


class UnsettableError(ProjectionError):
    """The typesetter refused a document: nothing was made."""

    def __init__(self, template: str, why: str) -> None:
        super().__init__(f"{template}: {why}")
        self.template, self.why = template, why


def typeset(template: str, inputs: Mapping[str, str], dated: date) -> bytes:
    """Return the PDF/A-3b that *template* makes of *inputs*, its texts; dated midnight UTC.

    The same inputs give the same bytes, whatever the machine, its clock, zone, locale and fonts.

    Raises:
        UnsettableError: If the typesetter, or the standard, refuses it.
    """
    is_large = sum(map(len, inputs.values())) > _LARGE
    with _turn:  # a compiler keeps what it is at work on
        try:
            made, warnings = _compiler().compile_with_warnings(
                input=_TEMPLATES / template,
                root=_TEMPLATES,
                format="pdf",
                sys_inputs=dict(inputs),
                pdf_standards=[_STANDARD],
                timestamp=datetime.combine(dated, time(), UTC),
                # Of a large document they would be ten times its bytes.
                pdf_tags=not is_large,
            )
        except typst.TypstError as error:
            raise UnsettableError(template, error.message) from error
        finally:
            if is_large:
                _forget()
    # A warning is a font that is not there, or a layout that did not come to rest.
    if warnings or not isinstance(made, bytes):
        raise UnsettableError(template, "; ".join(each.message for each in warnings))
    return made


def _forget() -> None:
    """Have the compiler forget what it remembers of the last document."""
    for _ in range(_REMEMBERED + 1):
        _compiler().compile(input=b"", root=_TEMPLATES, format="svg")


def versions() -> dict[str, str]:
    """Return what the bytes of a page hang on besides its document."""
    return {
        "typst": version("typst"),
        "segno": version("segno"),
        "fonts": fonts_sha256(),
        "templates": _templates_sha256(),
    }


@cache
def _templates_sha256() -> str:
    whole = sha256()
    for path in sorted(_TEMPLATES.glob("*.typ")):
        whole.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@cache
def _compiler() -> typst.Compiler:
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(font_folder())],
    )
    return typst.Compiler(root=_TEMPLATES, font_paths=fonts, ignore_system_fonts=True)
