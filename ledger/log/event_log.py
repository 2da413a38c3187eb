"""The event log as its users see it. Tests hold every store to these ports.

Two ports, for a record holds many lines and they come in two ways. A station's frames come one by
one on an event loop and share records and commits: `LineWriter`. Whoever follows the log, and
whoever has a whole record to add, goes through `EventLog`, which blocks.

An append whose answer was lost may have been stored. So a record that is sent again until it is
known to be there carries a *stamp*: who made it, and the how-manieth of his it is. Stores keep it
and need not look at it; a reader that acts on what it reads drops what it took already
(`ledger.log.repeats`). A line of a station needs none: not answered, the station says it again,
and the fold takes a frame that is there twice. A store whose own writer may leave a record twice
stamps it, and no reader need know which store that is.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from ledger.errors import LedgerError


class LogError(LedgerError):
    """The event log does not take or give what it was asked to."""


class LogUnavailableError(LogError):
    """The log cannot be read, or what was to be stored may or may not be: nobody knows."""


class UnfitLineError(LogError):
    """A line that would not be one line of the log, or a partition that the log has not."""


class PartitionsMismatchError(LogError):
    """The log was made with another number of partitions, which its order depends on."""

    def __init__(self, found: int, wanted: int) -> None:
        self.found, self.wanted = found, wanted
        super().__init__(f"the event log has {found} partitions, not {wanted}; set partitions back")


class Position(NamedTuple):
    """Where a line stands: its partition, its record in that partition, its index in the record."""

    partition: int
    position: int
    line: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.position}/{self.line}"


class Stamp(NamedTuple):
    """Who made a record, and its number: ascending in each partition, from 1, gaps allowed."""

    producer: str
    sequence: int


class Record(NamedTuple):
    """One batch of lines as stored: `payload` is lines of JSON, already uncompressed."""

    partition: int
    position: int
    payload: bytes
    stamp: Stamp | None = None


class NewRecord(NamedTuple):
    """Lines that are to be one record."""

    partition: int
    lines: Sequence[bytes]
    stamp: Stamp | None = None


def partition_of(name: str, *, partitions: int) -> int:
    """Return the partition of all about one station or partner, so that its order is kept."""
    # Not hash(): the same in every process, and by any tool that reads the log by hand.
    return zlib.crc32(name.encode()) % partitions


def check_line(line: bytes, partition: int, *, partitions: int) -> None:
    """Refuse what no store takes.

    Raises:
        UnfitLineError: If *line* is empty or holds a line feed, or there is no such partition.
    """
    if not line or b"\n" in line:
        message = "a line of the event log is not empty and holds no line feed"
        raise UnfitLineError(message)
    if not 0 <= partition < partitions:
        message = f"the event log has no partition {partition}"
        raise UnfitLineError(message)


class FollowedLog(Protocol):
    """What whoever follows a log needs of it. Calls block.

    Positions count from 0 in each partition, without gaps.
    """

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        """Return the records of *partition* from position *start* on, in order.

        They are *records* many at most, and end with the one that reaches *lines* lines in all;
        none where the partition ends.

        Raises:
            LogUnavailableError: If the log cannot be asked; so do all other calls.
        """

    def wait(self, seconds: float) -> None:
        """Return when there may be more to read than at the last call, at the latest in *seconds*.

        The first call may return at once. It is a hint and may come for nothing.
        """


class EventLog(FollowedLog, Protocol):
    """Records by partition and position. There is no update and no delete. Calls block.

    One object serves one thread.
    """

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""

    def ends(self) -> Sequence[int]:
        """Return, by partition, the position that its next record will get."""

    def read_at(self, partition: int, positions: Collection[int]) -> Mapping[int, Record]:
        """Return the records at *positions* that there are, by position."""

    def append(self, records: Sequence[NewRecord]) -> Sequence[Position]:
        """Store *records*, each as one; return their first lines' positions once they are durable.

        Those of one partition are stored in the order given. After an error any of them, in each
        partition the first ones, may be stored.

        Raises:
            LogUnavailableError: If nobody knows whether they are stored.
            UnfitLineError: If one holds no line or an unfit one; then none is stored.
        """

    def close(self) -> None:
        """Let the connections go. May be called again."""


class LineWriter(Protocol):
    """Appends single lines for those who wait on an event loop until they are durable."""

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""

    async def append(self, partition: int, line: bytes) -> Position:
        """Store *line* (one line of JSON, no line feed); return once it is durable.

        Lines of one partition that wait at the same time share one record and one commit; they keep
        the order of the calls. A cancelled call may still have been stored.

        Raises:
            LogUnavailableError: If it may not have been stored. Nothing sends it again.
            UnfitLineError: If it is none, or there is no such partition.
        """

    async def close(self) -> None:
        """Store what waits, then let the connections go."""
