"""Raw frames: the lines of the event log, by their position, exactly as they were stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

import msgspec

from ledger.log.event_log import EventLog, Position


class RawFrame(msgspec.Struct, frozen=True, kw_only=True, rename={"position": "place"}):
    """A frame as the station sent it; `sha256` is that of its text in UTF-8.

    `position` is partition/position/line of the log (docs/event-log.md shows how to read it there).
    """

    position: str
    received_at: datetime
    protocol: str
    frame: str
    sha256: str


class _Line(msgspec.Struct):
    received_at: datetime
    frame: str
    protocol: str = ""


def read_frames(log: EventLog, wanted: Iterable[Position]) -> dict[Position, RawFrame]:
    """Return the frames of *log* at the *wanted* positions; one without a frame is left out."""
    by_partition: defaultdict[int, set[Position]] = defaultdict(set)
    for at in wanted:
        by_partition[at.partition].add(at)
    found: dict[Position, RawFrame] = {}
    for partition, in_it in by_partition.items():
        records = log.read_at(partition, {at.position for at in in_it})
        for position, record in records.items():
            for number, text in enumerate(record.payload.split(b"\n")):
                at = Position(partition, position, number)
                if at in in_it:
                    found[at] = _frame(at, text)
    return found


def _frame(at: Position, text: bytes) -> RawFrame:
    line = msgspec.json.decode(text, type=_Line)
    return RawFrame(
        position=str(at),
        received_at=line.received_at,
        protocol=line.protocol,
        frame=line.frame,
        sha256=sha256(line.frame.encode()).hexdigest(),
    )
