"""What a command is, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its words, its function as `module:name`, its help in a line, examples."""

    words: str
    function: str
    summary: str
    """The first line of the function's docstring (a test compares them)."""
    examples: tuple[str, ...]
