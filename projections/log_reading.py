"""The event log as people read it: by position, verbatim."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.log.authorization import Authorization
from ledger.log.envelope import (
    ChargeOn,
    Choice,
    Declared,
    Frame,
    LogLine,
    PartnerMessage,
    PeriodMark,
    TakeAgain,
    Tick,
    Validation,
    decode_lines,
    encode_line,
)
from ledger.log.envelope import Connection as ConnectionLine
from ledger.log.event_log import EventLog, Position, Record, partition_of
from ledger.persons.store import opened_frames, opened_messages
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
    """Return *lines* with their texts as they came, as far as nobody in them was erased."""
    frames = [(each.at, each.line) for each in lines if isinstance(each.line, Frame)]
    messages = [(each.at, each.line) for each in lines if isinstance(each.line, PartnerMessage)]
    opened: dict[Position, LogLine] = {each.at: each.line for each in lines}
    their_frames = opened_frames(connection, [frame for _, frame in frames])
    opened |= {at: frame for (at, _), frame in zip(frames, their_frames, strict=True)}
    told = opened_messages(connection, [message for _, message in messages])
    opened |= {at: message for (at, _), message in zip(messages, told, strict=True)}
    return [
        logged._replace(line=opened[logged.at], text=encode_line(opened[logged.at]).decode())
        for logged in lines
    ]


def describe(line: LogLine) -> str:
    """Return what a line says, in one line for people."""
    match line:
        case Frame() | PartnerMessage():
            return _said(line)
        case ConnectionLine():
            state = "connected" if line.is_open else f"went ({line.why})"
            return f"{line.station} {state}, {line.protocol}, connection {line.epoch}"
        case Tick():
            return "time passed"
        case Declared():
            return f"declarations up to version {line.version} hold from here"
        case PeriodMark():
            how = "closed up to" if line.act == "close" else "open again from"
            why = f": {line.reason}" if line.reason else ""
            return f"{line.by}: {line.legal_entity}'s books are {how} {line.month}{why}"
        case Choice() | Validation() | TakeAgain() | ChargeOn():
            return _wanted(line)


def _wanted(line: Choice | Validation | TakeAgain | ChargeOn) -> str:
    if isinstance(line, ChargeOn):
        how = "is charged on" if line.act == "charge" else "is charged to nobody any more"
        said = f" ({line.by}: {line.reason})" if line.by else ""
        return f"CDR {line.cdr_id} of {line.party}, {line.position}/{line.line}, {how}{said}"
    if isinstance(line, Choice):
        which = f", lines {', '.join(map(str, line.lines))}" if line.lines else ""
        return f"{line.by} chose to {line.choice} {line.session_id}{which}: {line.reason}"
    if isinstance(line, TakeAgain):
        return f"{line.by} lets line {line.position}/{line.line} be taken again ({line.station})"
    whose = line.session_id or f"the session of {line.token} at {line.station}"
    return f"{line.by} showed the code {line.code} for {whose}"


def _said(line: Frame | PartnerMessage) -> str:
    arrow = ">" if line.direction == "in" else "<"
    reply = f"  answered {line.reply}" if line.reply is not None else ""
    if isinstance(line, PartnerMessage):
        return f"{line.party} {arrow} {line.what} {line.body}{reply}"
    return f"{line.station} {arrow} {line.frame}{reply}{_found(line.authorization)}"


def _found(authorization: Authorization | None) -> str:
    if authorization is None:
        return ""
    whose = f" of {authorization.party}" if authorization.party else ""
    return f"  found {authorization.status} ({authorization.by}{whose})"


def _lines(record: Record) -> Iterator[LoggedLine]:
    texts = record.payload.split(b"\n")
    for index, line in enumerate(decode_lines(record.payload)):
        at = Position(record.partition, record.position, index)
        yield LoggedLine(at, line, texts[index].decode())
