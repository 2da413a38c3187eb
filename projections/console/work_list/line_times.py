"""When lines came that were set aside: the log says so, no table does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from projections.console.page import ConsolePage
from projections.log_reading import parse_position, read_position


def with_times(page: ConsolePage, keys: Sequence[str]) -> dict[str, datetime | None]:
    """Return when the line at each position ("0/17/3") was received; None where it says no time."""
    found: dict[str, datetime | None] = dict.fromkeys(keys)
    if not keys:
        return found
    with page.console.desk.reading_log() as log:
        for key in keys:
            for logged in read_position(log, *parse_position(key)):
                found[key] = getattr(logged.line, "received_at", None)
    return found
