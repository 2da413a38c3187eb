"""How pages are made of templates: "room/name.html.j2" is a file of that room's `templates/`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import jinja2

from projections.console.console_words import ROOT
from projections.console.statics import static_address

SHELL: Final = "shell"
"""The room of what all pages share: the console's own folder."""


@cache
def environment() -> jinja2.Environment:
    """Return what renders every page: escaped, and strict about what is not there."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.globals["static"] = static_address
    made.filters["utc"] = _utc
    return made


def template_files() -> dict[str, Path]:
    """Return every template by its name."""
    shell = {f"{SHELL}/{file.name}": file for file in ROOT.glob("templates/*.j2")}
    rooms = {f"{file.parts[-3]}/{file.name}": file for file in ROOT.glob("*/templates/*.j2")}
    return shell | rooms


def _source(name: str) -> tuple[str, str, Callable[[], bool]] | None:
    room, _, file = name.partition("/")
    folder = ROOT if room == SHELL else ROOT / room
    path = folder / "templates" / file
    if not path.is_file():
        return None
    return path.read_text("utf-8"), str(path), lambda: True


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
