"""Records that were handed over, as the log that the worker follows.

Faust hands over what it fetched, and after a rebalance or an error some of it again. The worker
asks by position. So what was handed over is kept until it was taken; what lies further back, or was
too much to keep, is read from Kafka itself. Nothing is passed by: a position is answered with the
very record, or with nothing while it was not handed over yet.

Where very many wait, handing each over costs as much as working it off. Then who hands over says
how far the log goes (`reach`), and the worker reads that far from Kafka, a group at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from ledger.log.event_log import FollowedLog, Record
from ledger.log.reading import count_lines

KEPT_BYTES_MAX: Final = 16 << 20
"""What is kept of a partition that takes nothing, uncompressed; the rest is read when it does."""


class _Kept:
    """What was handed over of one partition: records that follow each other, and where it ends."""

    __slots__ = ("came", "end", "records", "size")

    def __init__(self, end: int = 0) -> None:
        self.records: deque[Record] = deque()
        self.size = 0
        self.end = end
        self.came = 0
        """How many came, for whoever wants to know whether any does."""

    def some(self, start: int, records: int, lines: int | None) -> list[Record]:
        """Return what there is from *start* on; what lies before it is not needed any more."""
        while self.records and self.records[0].position < start:
            self.size -= len(self.records.popleft().payload)
        found: list[Record] = []
        for record in self.records:
            if len(found) == records:
                break
            found.append(record)
            if lines is not None:
                lines -= count_lines(record.payload)
                if lines <= 0:
                    break
        return found


class HandedLog:
    """A `FollowedLog` of what was handed over; two threads may hand over and read."""

    def __init__(self, store: FollowedLog) -> None:
        self._store = store
        self._kept: dict[int, _Kept] = {}
        self._had_come: dict[int, int] = {}
        self._lock = threading.Lock()

    def begin(self, positions: Mapping[int, int]) -> None:
        """Forget what there is: from here on these partitions come, from these positions on."""
        with self._lock:
            self._kept = {each: _Kept(position) for each, position in positions.items()}
            self._had_come = {}

    def reach(self, ends: Mapping[int, int]) -> None:
        """Have what lies before *ends*, by partition, read from the store where it was not handed.

        Partitions that did not begin are left out.
        """
        with self._lock:
            for partition, end in ends.items():
                if (kept := self._kept.get(partition)) is not None:
                    kept.end = max(kept.end, end)

    def lacks(self, partition: int, position: int) -> bool:
        """Say whether a record that came is any news."""
        kept = self._kept.get(partition)
        return kept is not None and position >= kept.end

    def stalled(self, ends: Mapping[int, int]) -> Mapping[int, int]:
        """Return those of *ends*, by partition, up to which not all was handed over.

        And of which nothing came since this was last asked: where much comes, nobody waits in vain.
        """
        with self._lock:
            before, kept = self._had_come, self._kept
            self._had_come = {each: one.came for each, one in kept.items()}
            return {
                each: ends[each]
                for each, one in kept.items()
                if one.came == before.get(each) and one.end < ends.get(each, 0)
            }

    def hand(self, record: Record) -> None:
        """Keep a record that came; one that was there already changes nothing."""
        with self._lock:
            kept = self._kept.get(record.partition)
            if kept is None or record.position < kept.end:
                return
            kept.end = record.position + 1
            kept.came += 1
            follows = not kept.records or record.position == kept.records[-1].position + 1
            # After a gap, or when it is too much, the worker reads from the store in its turn.
            if follows and kept.size < KEPT_BYTES_MAX:
                kept.records.append(record)
                kept.size += len(record.payload)

    def read(
        self, partition: int, start: int, *, records: int, lines: int | None = None
    ) -> Sequence[Record]:
        """Return what was handed over from *start* on (see `FollowedLog.read`)."""
        with self._lock:
            kept = self._kept.setdefault(partition, _Kept())
            first = kept.records[0].position if kept.records else kept.end
            if first <= start and (found := kept.some(start, records, lines)):
                return found
            # Only as far as what follows is not kept: that would be fetched twice.
            end = kept.records[0].position if kept.records else kept.end
        if start >= end:
            return []
        return self._store.read(partition, start, records=min(records, end - start), lines=lines)

    def wait(self, seconds: float) -> None:
        """Return at once: whoever hands over says when there is more."""
