"""Read the event log for the worker: records in order, lines decoded, what cannot be read named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.log.envelope import LogLine, decode_lines
from ledger.log.event_log import Record
from ledger.log.format import unpack_payload

SIZES: LiteralString = """
SELECT position, lines FROM log_batch
WHERE partition = %s AND position >= %s ORDER BY position LIMIT %s
"""
READ: LiteralString = """
SELECT position, codec, payload FROM log_batch
WHERE partition = %s AND position BETWEEN %s AND %s ORDER BY position
"""


def read_records(
    connection: Connection[Any], partition: int, start: int, *, lines: int, records: int
) -> list[Record]:
    """Return the records from *start* on, until they hold *lines* lines or are *records* many."""
    # Sizes first: the payloads of records that will not fit are never read.
    last, total = None, 0
    for position, count in connection.execute(SIZES, (partition, start, records)):
        last, total = position, total + count
        if total >= lines:
            break
    if last is None:
        return []
    rows = connection.execute(READ, (partition, start, last), binary=True)
    return [
        Record(partition, position, unpack_payload(codec, payload))
        for position, codec, payload in rows
    ]


def numbered_lines(payload: bytes) -> Iterator[tuple[int, LogLine | None]]:
    """Yield every line of a record with its index; None stands for one that cannot be read."""
    try:
        yield from enumerate(decode_lines(payload))
    except (msgspec.MsgspecError, ValueError):
        for index, text in enumerate(payload.rstrip(b"\n").split(b"\n")):
            yield index, _line_or_none(text)


def _line_or_none(text: bytes) -> LogLine | None:
    try:
        return decode_lines(text)[0]
    except (msgspec.MsgspecError, ValueError, IndexError):
        return None
