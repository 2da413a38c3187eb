"""Raw frames: the lines of the event log, by their place, exactly as they were stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, LiteralString, NamedTuple

import msgspec
import zstandard
from psycopg import Connection

READ: LiteralString = """
SELECT position, codec, payload FROM log_batch WHERE partition = %s AND position = ANY (%s)
"""


class Place(NamedTuple):
    """Where a line stands in the log."""

    partition: int
    position: int
    line: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.position}/{self.line}"


class RawFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame as the station sent it; `sha256` is that of its text in UTF-8.

    `place` is partition/position/line of the log (docs/event-log.md shows how to read it there).
    """

    place: str
    received_at: datetime
    protocol: str
    frame: str
    sha256: str


class _Line(msgspec.Struct):
    received_at: datetime
    frame: str
    protocol: str = ""


def read_frames(connection: Connection[Any], places: Iterable[Place]) -> dict[Place, RawFrame]:
    """Return the frames at *places*; a place without one is left out."""
    wanted: defaultdict[int, set[Place]] = defaultdict(set)
    for place in places:
        wanted[place.partition].add(place)
    found: dict[Place, RawFrame] = {}
    for partition, in_it in wanted.items():
        positions = sorted({place.position for place in in_it})
        rows = connection.execute(READ, (partition, positions), binary=True)
        for position, codec, payload in rows:
            plain = zstandard.decompress(payload) if codec == "json+zstd" else payload
            for number, text in enumerate(plain.split(b"\n")):
                place = Place(partition, position, number)
                if place in in_it:
                    found[place] = _frame(place, text)
    return found


def _frame(place: Place, text: bytes) -> RawFrame:
    line = msgspec.json.decode(text, type=_Line)
    return RawFrame(
        place=str(place),
        received_at=line.received_at,
        protocol=line.protocol,
        frame=line.frame,
        sha256=sha256(line.frame.encode()).hexdigest(),
    )
