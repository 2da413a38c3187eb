"""A seller's logo: whether it can be set, and how the typesetter takes it."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from datetime import date
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from projections.documents.pages.typesetting import UnsettableError, typeset

_ANY_DAY: Final = date(2026, 1, 1)


@lru_cache(maxsize=64)
def logo_problem(uri: str) -> str | None:
    """Return why a logo, a data URI of an SVG or PNG picture, cannot be set; None: it can.

    It may be broken, refer to another file, or have text in it that the pages' font has not.
    """
    try:
        typeset("logo.typ", _inputs(uri), _ANY_DAY)
    except UnsettableError as error:
        return error.why
    except (Base64Error, UnicodeDecodeError):
        return "it is no data URI of an SVG or PNG picture"
    return None


def logo_inputs(uri: str | None) -> dict[str, str]:
    """Return a logo as the typesetter takes it; nothing where there is none that can be set.

    An issued document names the logo of then: nobody could put it right any more.
    """
    return _inputs(uri) if uri and logo_problem(uri) is None else {}


def _inputs(uri: str) -> dict[str, str]:
    """Return the picture of a data URI: SVG as text, PNG as its bytes' numbers."""
    told, _, data = uri.partition(",")
    picture = b64decode(data) if told.endswith(";base64") else unquote_to_bytes(data)
    if told.startswith("data:image/png"):
        return {"logo-png": msgspec.json.encode(list(picture)).decode()}
    return {"logo-svg": picture.decode()}
