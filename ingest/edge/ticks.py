"""Time in the log: a tick a minute in each partition where something waits."""

from __future__ import annotations

import logging
from typing import Final, Protocol

import psycopg

from ingest.clock import Clock
from ledger.log.envelope import Tick, encode_line
from ledger.log.event_log import EventLog, LogError

TICK_SECONDS: Final = 60.0
_LOGGER = logging.getLogger(__name__)


class Waits(Protocol):
    """Knows where sessions wait for time to pass."""

    async def waits(self) -> set[int]:
        """Return the partitions in which something waits."""


async def keep_ticking(
    log: EventLog, clock: Clock, waits: Waits, *, seconds: float = TICK_SECONDS
) -> None:
    """Append a tick to every partition that waits, every *seconds* of *clock*, until cancelled.

    A tick that cannot be stored now is missed, not an end: the next one says as much.
    """
    while True:
        await clock.sleep(seconds)
        try:
            for partition in sorted(await waits.waits()):
                await log.append(partition, encode_line(Tick(received_at=clock.now())))
        except (LogError, psycopg.OperationalError) as error:
            _LOGGER.warning("no tick: %s", error)
