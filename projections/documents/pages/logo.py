"""A seller's logo, as the typesetter takes it."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import unquote_to_bytes

import msgspec


def logo_inputs(uri: str | None) -> dict[str, str]:
    """Return the picture of a data URI: SVG as text, PNG as its bytes' numbers; None: no logo."""
    if not uri:
        return {}
    told, _, data = uri.partition(",")
    picture = b64decode(data) if told.endswith(";base64") else unquote_to_bytes(data)
    if told.startswith("data:image/png"):
        return {"logo-png": msgspec.json.encode(list(picture)).decode()}
    return {"logo-svg": picture.decode()}
