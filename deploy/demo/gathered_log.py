"""Lines for the event log, gathered until they are stored together as its records."""

from __future__ import annotations

from collections import defaultdict

from ledger.log.event_log import EventLog, NewRecord, Position


class GatheredLines:
    """A `LineWriter` for those who need no answer from the disk: nothing is lost but a demo."""

    def __init__(self, *, partitions: int) -> None:
        self._partitions = partitions
        self._lines: defaultdict[int, list[bytes]] = defaultdict(list)

    @property
    def partitions(self) -> int:
        """The number of partitions of the real log."""
        return self._partitions

    async def append(self, partition: int, line: bytes) -> Position:
        """Keep *line*; its position is only known once it is stored."""
        lines = self._lines[partition]
        lines.append(line)
        return Position(partition, -1, len(lines) - 1)

    async def close(self) -> None:
        """There is nothing to close; what was not stored goes."""

    def store(self, log: EventLog) -> None:
        """Store what was gathered in *log*: a record for each partition, all at once."""
        if self._lines:
            log.append([NewRecord(*each) for each in self._lines.items()])
            self._lines.clear()
