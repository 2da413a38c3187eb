"""A calendar's lines as the text that a terminal without colours shows."""

from __future__ import annotations

from tariffs.calendar.text import Line


def plain_text(lines: tuple[Line, ...]) -> str:
    """Return *lines* without colours."""
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines) + "\n"
