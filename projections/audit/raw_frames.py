"""Raw frames: the lines of the event log, by their position, exactly as they were stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from psycopg import Connection

from ledger.log.envelope import Choice, Frame, encode_line
from ledger.log.event_log import EventLog, Position
from ledger.log.reading import numbered_lines
from ledger.persons.store import opened_frames


class RawFrame(msgspec.Struct, frozen=True, kw_only=True, rename={"position": "place"}):
    """A frame as the station sent it; `sha256` is that of its text in UTF-8.

    Where a person attests a stop it is that line of the log, and of no protocol.

    `is_original` False: somebody in it was erased, and `frame` has a subject id in their place.
    `position` is partition/position/line of the log (docs/event-log.md shows how to read it there).
    """

    position: str
    received_at: datetime
    protocol: str
    frame: str
    sha256: str
    is_original: bool = True


def read_frames(
    connection: Connection[Any], log: EventLog, wanted: Iterable[Position]
) -> dict[Position, RawFrame]:
    """Return the frames of *log* at the *wanted* positions; one without a frame is left out.

    As they came, as far as *connection* knows the keys of who is in them.
    """
    by_partition: defaultdict[int, set[Position]] = defaultdict(set)
    for at in wanted:
        by_partition[at.partition].add(at)
    found: dict[Position, Frame] = {}
    said: dict[Position, RawFrame] = {}
    for partition, in_it in by_partition.items():
        records = log.read_at(partition, {at.position for at in in_it})
        for position, record in records.items():
            for number, line in numbered_lines(record.payload):
                at = Position(partition, position, number)
                if at in in_it and isinstance(line, Frame):
                    found[at] = line
                elif at in in_it and isinstance(line, Choice) and line.attested is not None:
                    said[at] = _said(at, line)
    originals = opened_frames(connection, list(found.values()))
    return said | {at: _raw(at, frame) for at, frame in zip(found, originals, strict=True)}


def _said(at: Position, line: Choice) -> RawFrame:
    """Return what a person attests in the place of a frame: the line as the log has it."""
    text = encode_line(line).decode()
    return RawFrame(
        position=str(at),
        received_at=line.received_at,
        protocol="",
        frame=text,
        sha256=sha256(text.encode()).hexdigest(),
    )


def _raw(at: Position, frame: Frame) -> RawFrame:
    return RawFrame(
        position=str(at),
        received_at=frame.received_at,
        protocol=frame.protocol,
        frame=frame.frame,
        sha256=sha256(frame.frame.encode()).hexdigest(),
        is_original=not frame.sealed,
    )
