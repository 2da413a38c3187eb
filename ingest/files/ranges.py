"""Which bytes of a file are asked for. Source: RFC 9110, 14."""

from __future__ import annotations

import re
from typing import Final

from ingest.errors import IngestError

_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)


class UnfitRangeError(IngestError):
    """No byte of the file is in the range that was asked for."""


def asked_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last; None: all of the file.

    What is no range, or several, is all of it, as the standard allows.

    Raises:
        UnfitRangeError: If it begins behind the end of the file.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(size - int(found[2]), 0), size
    else:
        start = int(found[1])
        end = min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= end:
        raise UnfitRangeError
    return start, end
