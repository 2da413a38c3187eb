"""What a replay compares."""

from __future__ import annotations

from typing import NamedTuple


class Comparison(NamedTuple):
    """One thing as it was kept and as it came out again."""

    what: str
    key: str
    kept: str | None
    again: str | None
