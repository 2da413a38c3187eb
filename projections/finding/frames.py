"""Lines of the log by what a page shows of them: a hash, or the id that a message bears.

The log has no index of what stands in its lines, so the newest of them are looked through: as many
as a page has time for; the next page goes on with older ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.log.envelope import Frame
from ledger.log.event_log import EventLog, Position
from ledger.log.reading import numbered_lines
from ledger.persons.sealing import BrokenSealError
from projections.log_reading import LoggedLine, as_they_came

LINES_LOOKED_AT: Final = 10_000
"""Of the whole log: as many of each partition, those that came last."""
FOUND_MAX: Final = 10
_AT_ONCE: Final = 200
_HASH: Final = re.compile(r"[0-9a-f]{8,64}")
_MESSAGE_ID: Final = re.compile(r"(?=.*\d)[!-~]{4,36}")
# A message of a station is a list: what it is, its id, and the rest.
_ID_OF: Final = re.compile(r'\s*\[\s*\d\s*,\s*"([^"\\]*)"')


class FoundFrames(NamedTuple):
    """Lines that were found; `ends`: before which position of each partition nobody looked yet.

    None: nothing is left.
    """

    lines: Sequence[LoggedLine]
    ends: Sequence[int] | None


def may_name_frames(text: str) -> bool:
    """Say whether *text* looks like a hash, its beginning, or the id of a message."""
    return bool(_HASH.fullmatch(text.casefold()) or _MESSAGE_ID.fullmatch(text))


def find_frames(
    connection: Connection[Any],
    log: EventLog,
    text: str,
    *,
    before: Sequence[int] | None = None,
) -> FoundFrames:
    """Return lines that bear *text*, as they are stored: at most `FOUND_MAX` of each partition.

    Its hashes are that of the text as it came (SHA-256), that of the line as it is stored, and the
    keyed one that stands in it. Of the newest `LINES_LOOKED_AT` lines *before* a position of each
    partition, None: the newest of all; a record is looked at whole.
    """
    hash_begins = text.casefold() if _HASH.fullmatch(text.casefold()) else ""
    each_of = max(1, LINES_LOOKED_AT // log.partitions)
    found: list[LoggedLine] = []
    left: list[int] = []
    ends = log.ends()
    for partition, end in enumerate(map(min, ends, before or ends)):
        lines, older = _newest(log, partition, end, each_of)
        left.append(older)
        fit = [each for each in lines if _bears(each, text, hash_begins)]
        if hash_begins:
            # What it was before somebody was cut out of it, as far as nobody was erased.
            sealed = [each for each in lines if isinstance(each.line, Frame) and each.line.sealed]
            fit += [
                kept
                for kept, each in zip(sealed, _opened(connection, sealed), strict=True)
                if isinstance(each.line, Frame) and _sha256(each.line.frame).startswith(hash_begins)
            ]
        found += {each.at: each for each in fit[:FOUND_MAX]}.values()
    return FoundFrames(found, left if any(left) else None)


def _opened(connection: Connection[Any], sealed: Sequence[LoggedLine]) -> Sequence[LoggedLine]:
    try:
        return as_they_came(connection, sealed)
    except BrokenSealError:
        # One of them was changed, which its own page says: the others are found all the same.
        return [opened for each in sealed for opened in _opened_alone(connection, each)]


def _opened_alone(connection: Connection[Any], each: LoggedLine) -> Sequence[LoggedLine]:
    try:
        return as_they_came(connection, [each])
    except BrokenSealError:
        return [each]


def _newest(
    log: EventLog, partition: int, end: int, lines_max: int
) -> tuple[list[LoggedLine], int]:
    """Return the lines before *end* that can be read, the newest first, and where they began."""
    found: list[LoggedLine] = []
    looked = 0
    while end > 0:
        begin = max(0, end - _AT_ONCE)
        for record in reversed(log.read(partition, begin, records=end - begin)):
            if record.position >= end:
                continue
            texts = record.payload.split(b"\n")
            known = [*numbered_lines(record.payload)]
            # One that cannot be read took its time, too.
            looked += max(1, len(known))
            for index, line in reversed(known):
                if line is not None:
                    at = Position(partition, record.position, index)
                    found.append(LoggedLine(at, line, texts[index].decode(errors="replace")))
            if looked >= lines_max:
                return found, record.position
        end = begin
    return found, 0


def _bears(logged: LoggedLine, text: str, hash_begins: str) -> bool:
    line = logged.line
    if isinstance(line, Frame):
        named = _ID_OF.match(line.frame)
        if named is not None and named[1] == text:
            return True
    if not hash_begins:
        return False
    hashes = [_sha256(logged.text)]
    if isinstance(line, Frame):
        hashes += [_sha256(line.frame), line.hmac or ""]
    return any(each.startswith(hash_begins) for each in hashes)


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
