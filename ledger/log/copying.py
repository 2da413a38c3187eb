"""A log copied into another store: each record at its own position, and compared with it.

Positions are what the books know of the log: a session's first fact, an invoice's frames, where the
worker stands. So a copy is good only if each record is where it was, repeats included. It goes on
where it was interrupted: what a log that is copied to holds must be the first records of the other,
each of them, and is left as it is.

    the log has 0 1 2 3 4, the other one 0 1  -> 0 and 1 are compared, 2 3 4 copied and compared
    the other one 0 1'                        -> refused, nothing is written

A store is free in how it packs a record; its lines and its stamp are equal byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from ledger.log.event_log import EventLog, LogError, NewRecord, Position, Record
from ledger.log.reading import count_lines

PAGE_RECORDS_MAX: Final = 64
PAGE_BYTES: Final = 8 << 20
"""What is held of each log at a time, unless one record is larger: by the size of the last ones."""

Progress = Callable[[int, int], None]
"""Called with the records that are done, once for each step, and how many that will be."""


class CopyRefusedError(LogError):
    """A log cannot be copied there, or what came out is no copy."""


class CopiedLog(NamedTuple):
    """What a copy holds: all `records` with their `lines`; `found` of them were there before."""

    partitions: int
    records: int
    lines: int
    found: int


def copy_log(source: EventLog, target: EventLog, *, progress: Progress | None = None) -> CopiedLog:
    """Copy all of *source* to *target*, which is empty or holds the beginning of it, and compare.

    Whatever ends this, *target* then holds the beginning of *source*: another call goes on. Nobody
    else may write to either.

    Raises:
        CopyRefusedError: If *target* is none of that, or somebody wrote meanwhile.
        UnfitLineError: If a record is none that *target* takes.
        LogUnavailableError: If one of them does not answer.
    """
    if source.partitions != target.partitions:
        message = (
            f"the log has {source.partitions} partitions, the one to copy to has "
            f"{target.partitions}: copy to one with as many"
        )
        raise CopyRefusedError(message)
    ends, found = list(source.ends()), list(target.ends())
    for partition, (has, end) in enumerate(zip(found, ends, strict=True)):
        if has > end:
            message = (
                f"partition {partition} has {end} records, and {has} where it is to be copied to: "
                "that is no copy of it; copy to an empty log"
            )
            raise CopyRefusedError(message)
    done = _Done(2 * sum(ends) - sum(found), progress)
    lines = 0
    for partition, has in enumerate(found):
        lines += _compare(source, target, partition, (0, has), done)
    for partition, bounds in enumerate(zip(found, ends, strict=True)):
        _copy(source, target, partition, bounds, done)
    for partition, bounds in enumerate(zip(found, ends, strict=True)):
        lines += _compare(source, target, partition, bounds, done)
    if not list(source.ends()) == list(target.ends()) == ends:
        message = (
            "something wrote to the log while it was copied: stop whatever does, and copy again; "
            "what is there is kept"
        )
        raise CopyRefusedError(message)
    return CopiedLog(len(ends), sum(ends), lines, sum(found))


class _Done:
    """Counts, and tells."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._records, self._total, self._progress = 0, total, progress

    def add(self, records: int) -> None:
        self._records += records
        if self._progress is not None:
            self._progress(self._records, self._total)


def _copy(
    source: EventLog, target: EventLog, partition: int, bounds: tuple[int, int], done: _Done
) -> None:
    """Append the records within *bounds*, each at its own position."""
    for page in _pages(source, partition, bounds):
        new = [NewRecord(partition, each.payload.split(b"\n"), each.stamp) for each in page]
        for record, position in zip(page, target.append(new), strict=True):
            if position != Position(partition, record.position, 0):
                message = (
                    f"{partition}/{record.position} was stored at {position}: somebody else writes "
                    "to the log that is copied to; stop that, and copy to an empty log"
                )
                raise CopyRefusedError(message)
        done.add(len(page))


def _compare(
    source: EventLog, target: EventLog, partition: int, bounds: tuple[int, int], done: _Done
) -> int:
    """Refuse records within *bounds* that are not equal; return how many lines they hold."""
    lines = 0
    for page in _pages(source, partition, bounds):
        copied = target.read(partition, page[0].position, records=len(page))
        for record, other in zip_longest(page, copied):
            if record != other:
                message = (
                    f"{partition}/{record.position} is another record where it was to be copied "
                    "to: that is no copy of the log; copy to an empty one"
                )
                raise CopyRefusedError(message)
        lines += sum(count_lines(each.payload) for each in page)
        done.add(len(page))
    return lines


def _pages(log: EventLog, partition: int, bounds: tuple[int, int]) -> Iterator[Sequence[Record]]:
    """Yield the records within *bounds*, some at a time: many small ones, few large ones."""
    start, end = bounds
    count = 1
    while start < end:
        page = log.read(partition, start, records=min(count, end - start))
        if not page:
            message = f"the log has lost {partition}/{start}, which it had a moment ago"
            raise CopyRefusedError(message)
        yield page
        start += len(page)
        largest = max(len(each.payload) for each in page) or 1
        count = max(1, min(2 * count, PAGE_RECORDS_MAX, PAGE_BYTES // largest))
