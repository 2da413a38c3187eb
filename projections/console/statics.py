"""Styles and scripts: ours, and htmx out of its package; by addresses that change as they do."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

_OURS: Final = Path(__file__).parent / "static"
_KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HTMX: Final = "static/django_htmx/htmx-2.min.js"
NAMES: Final = ("console.css", "console.js", "htmx.js", "icon.svg")


class StaticFile(NamedTuple):
    """What a browser gets, and keeps as long as its address stays."""

    content: bytes
    media_type: str
    version: str


class NoHtmxError(RuntimeError):
    """The package that brings htmx is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "htmx is missing: pip install --no-deps --require-hashes -r requirements/browser.txt"
        )


@cache
def static_file(name: str) -> StaticFile:
    """Return one of `NAMES`.

    Raises:
        KeyError: If there is no such file.
    """
    if name not in NAMES:
        raise KeyError(name)
    content = (_htmx() if name == "htmx.js" else _OURS / name).read_bytes()
    media_type = _KINDS[Path(name).suffix]
    return StaticFile(content, media_type, sha256(content).hexdigest()[:12])


def static_address(name: str) -> str:
    """Return where a browser gets it."""
    return f"/console/static/{name}?v={static_file(name).version}"


def _htmx() -> Path:
    # Only the file is read: the package's own code wants a framework that we do not have.
    found = find_spec("django_htmx")
    if found is None or not found.submodule_search_locations:
        raise NoHtmxError
    return Path(found.submodule_search_locations[0]) / _HTMX
