"""The event log as people read it: by position, verbatim."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.log.envelope import (
    Choice,
    Declared,
    Frame,
    LogLine,
    Tick,
    Validation,
    decode_lines,
    encode_line,
)
from ledger.log.envelope import Connection as ConnectionLine
from ledger.log.event_log import EventLog, Position, Record, partition_of
from ledger.persons.store import opened_frames
from projections.errors import ProjectionError

_POSITION: Final = re.compile(r"(\d+)/(\d+)(?:/(\d+))?")
_PAGE: Final = 200


class BadPositionError(ProjectionError):
    """A position in the log reads partition/position or partition/position/line."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"{text} is no position in the log: expected PARTITION/POSITION[/LINE]")


class LoggedLine(NamedTuple):
    """A line of the log, where it stands, and its text as stored."""

    at: Position
    line: LogLine
    text: str


def parse_position(text: str) -> tuple[int, int, int | None]:
    """Return partition, position and line (None: the whole record) of a position's text.

    Raises:
        BadPositionError: If it is none.
    """
    match = _POSITION.fullmatch(text)
    if match is None:
        raise BadPositionError(text)
    line = match[3]
    return int(match[1]), int(match[2]), None if line is None else int(line)


def read_position(
    log: EventLog, partition: int, position: int, line: int | None
) -> list[LoggedLine]:
    """Return one record of the log, or one line of it; nothing where there is none."""
    return [
        logged
        for record in log.read_at(partition, [position]).values()
        for logged in _lines(record)
        if line in {None, logged.at.line}
    ]


def read_station(log: EventLog, station: str) -> Iterator[LoggedLine]:
    """Yield every line about *station*, from the beginning."""
    for logged in read_partition(log, partition_of(station, partitions=log.partitions)):
        if getattr(logged.line, "station", None) == station:
            yield logged


def read_all(log: EventLog) -> Iterator[LoggedLine]:
    """Yield every line of the log, one partition after the other."""
    for partition in range(log.partitions):
        yield from read_partition(log, partition)


def read_partition(log: EventLog, partition: int) -> Iterator[LoggedLine]:
    """Yield every line of a partition, in order; what is there twice comes twice."""
    start = 0
    while page := log.read(partition, start, records=_PAGE):
        for record in page:
            yield from _lines(record)
        start = page[-1].position + 1


def as_they_came(connection: Connection[Any], lines: Sequence[LoggedLine]) -> list[LoggedLine]:
    """Return *lines* with their frames as they came, as far as nobody in them was erased."""
    shut = [line for _, line, _ in lines if isinstance(line, Frame)]
    originals = iter(opened_frames(connection, shut))
    return [
        logged._replace(line=line, text=encode_line(line).decode())
        for logged in lines
        for line in [next(originals) if isinstance(logged.line, Frame) else logged.line]
    ]


def describe(line: LogLine) -> str:
    """Return what a line says, in one line for people."""
    match line:
        case Frame():
            arrow = ">" if line.direction == "in" else "<"
            reply = f"  answered {line.reply}" if line.reply is not None else ""
            return f"{line.station} {arrow} {line.frame}{reply}"
        case ConnectionLine():
            state = "connected" if line.is_open else f"went ({line.why})"
            return f"{line.station} {state}, {line.protocol}, connection {line.epoch}"
        case Tick():
            return "time passed"
        case Declared():
            return f"declarations up to version {line.version} hold from here"
        case Choice():
            return f"{line.by} chose to {line.choice} {line.session_id}: {line.reason}"
        case Validation():
            whose = line.session_id or f"the session of {line.token} at {line.station}"
            return f"{line.by} showed the code {line.code} for {whose}"


def _lines(record: Record) -> Iterator[LoggedLine]:
    texts = record.payload.split(b"\n")
    for index, line in enumerate(decode_lines(record.payload)):
        at = Position(record.partition, record.position, index)
        yield LoggedLine(at, line, texts[index].decode())
