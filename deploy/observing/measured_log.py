"""The log as the station server writes to it, with how long each line took and what failed."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from deploy.observing.metrics import Durations
from ledger.log.event_log import LineWriter, LogUnavailableError, Position
from tariffs.phrases.printable import printable

BOUNDS_SECONDS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
    *(0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
WAIT_SECONDS_MAX: Final = 5.0
"""How long no line of a partition may have become durable while some wait."""
FAILED_SECONDS: Final = 60.0
"""How long a failure counts where no further line comes: then nobody knows."""
WHY_MAX: Final = 300


class _Partition:
    """What is known of one partition."""

    __slots__ = ("failed_at", "since", "waiting", "why")

    def __init__(self) -> None:
        self.waiting = 0
        # When a line last became durable, or the first one began to wait after that.
        self.since = 0.0
        self.failed_at: float | None = None
        self.why = ""

    def trouble(self, now: float) -> str:
        if self.failed_at is not None and now - self.failed_at < FAILED_SECONDS:
            return f"a line failed {now - self.failed_at:.0f} s ago: {self.why}"
        if self.waiting and now - self.since > WAIT_SECONDS_MAX:
            return f"{self.waiting} lines wait, none was stored for {now - self.since:.0f} s"
        return ""


class MeasuredLineWriter:
    """A `LineWriter` that counts what goes into *log*. Belongs to one event loop; any may look."""

    def __init__(self, log: LineWriter, *, now: Callable[[], float] = monotonic) -> None:
        self._log, self._now = log, now
        self.seconds = Durations(BOUNDS_SECONDS)
        self.failures = 0
        self._partitions = [_Partition() for _ in range(log.partitions)]

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed when the log was made."""
        return self._log.partitions

    @property
    def waiting(self) -> int:
        """How many lines wait to be durable."""
        return sum(each.waiting for each in self._partitions)

    async def append(self, partition: int, line: bytes) -> Position:
        """Store *line* (see `LineWriter.append`)."""
        known, began = self._partitions[partition], self._now()
        if not known.waiting:
            known.since = began
        known.waiting += 1
        try:
            position = await self._log.append(partition, line)
        except LogUnavailableError as error:
            self.failures += 1
            known.failed_at, known.why = self._now(), printable(str(error))[:WHY_MAX]
            raise
        finally:
            known.waiting -= 1
        known.since, known.failed_at = self._now(), None
        self.seconds.add(known.since - began)
        return position

    async def close(self) -> None:
        """Store what waits, then let the connections go."""
        await self._log.close()

    def trouble(self) -> str:
        """Say in words why lines do not become durable now; empty where they do or none comes."""
        now = self._now()
        found = {index: each.trouble(now) for index, each in enumerate(self._partitions)}
        troubled = {index: words for index, words in found.items() if words}
        if not troubled:
            return ""
        first, words = next(iter(troubled.items()))
        others = f" (and {len(troubled) - 1} other partitions)" if len(troubled) > 1 else ""
        return f"partition {first}: {words}{others}"
