"""The event log as its users see it. Tests hold every store to this port."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ledger.errors import LedgerError


class LogError(LedgerError):
    """The event log does not take or give what it was asked to."""


class Position(NamedTuple):
    """Where a line stands: its partition, its record in that partition, its index in the record."""

    partition: int
    position: int
    line: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.position}/{self.line}"


class Record(NamedTuple):
    """One batch of lines as stored: `payload` is lines of JSON, already uncompressed."""

    partition: int
    position: int
    payload: bytes


def partition_of(station_id: str, *, partitions: int) -> int:
    """Return the partition that holds everything about *station_id*, so that its order is kept."""
    # Not hash(): the same in every process, and by any tool that reads the log by hand.
    return zlib.crc32(station_id.encode()) % partitions


class EventLog(Protocol):
    """Append lines durably, read them back in order. There is no update and no delete."""

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""

    async def append(self, partition: int, line: bytes) -> Position:
        """Store *line* (one line of JSON, no line feed); return once it is durable.

        Lines of one partition that wait at the same time share one record and one commit.
        A cancelled call may still have been stored.
        """

    async def read(self, partition: int, start: int, *, limit: int) -> Sequence[Record]:
        """Return up to *limit* records of *partition* from position *start* on, in order."""

    async def end(self, partition: int) -> int:
        """Return the position that the partition's next record will get."""
