"""A record's lines, decoded one by one: what cannot be read is named, and stops nothing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ledger.log.envelope import LogLine, decode_lines


def count_lines(payload: bytes) -> int:
    """Return how many lines a record's payload has: `count` would look at each byte by itself."""
    lines, at = 1, payload.find(b"\n")
    while at >= 0:
        lines, at = lines + 1, payload.find(b"\n", at + 1)
    return lines


def numbered_lines(payload: bytes) -> Iterator[tuple[int, LogLine | None]]:
    """Yield every line of a record with its index; None stands for one that cannot be read."""
    try:
        yield from enumerate(decode_lines(payload))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        for index, text in enumerate(payload.rstrip(b"\n").split(b"\n")):
            yield index, _line_or_none(text)


def _line_or_none(text: bytes) -> LogLine | None:
    try:
        return decode_lines(text)[0]
    except (msgspec.MsgspecError, ValueError, RecursionError, IndexError):
        return None
