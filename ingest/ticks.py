"""Time in the log: a tick a minute in each partition where something waits."""

from __future__ import annotations

from typing import Final, Protocol

from ingest.clock import Clock
from ingest.envelope import Tick, encode_line
from ingest.log import EventLog

TICK_SECONDS: Final = 60.0


class Waits(Protocol):
    """Knows where sessions wait for time to pass."""

    async def waits(self) -> set[int]:
        """Return the partitions in which something waits."""


async def keep_ticking(
    log: EventLog, clock: Clock, waits: Waits, *, seconds: float = TICK_SECONDS
) -> None:
    """Append a tick to every partition that waits, every *seconds* of *clock*, until cancelled."""
    while True:
        await clock.sleep(seconds)
        for partition in sorted(await waits.waits()):
            await log.append(partition, encode_line(Tick(received_at=clock.now())))
