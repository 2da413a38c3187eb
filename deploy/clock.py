"""The two clocks: the real one, and one whose day passes quickly. Only `deploy` reads time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for *seconds*."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class FastClock:
    """A clock that showed `origin` at the monotonic instant `started` and runs fast.

    All processes of one machine share the monotonic clock, so a pickled copy shows the same time.
    """

    origin: datetime
    started: float
    speed: float

    @classmethod
    def starting_now(cls, origin: datetime, *, speed: float) -> FastClock:
        """Return a clock that shows *origin* at this moment."""
        return cls(origin=origin, started=time.monotonic(), speed=speed)

    def now(self) -> datetime:
        """Return the present moment of this clock in UTC."""
        passed = (time.monotonic() - self.started) * self.speed
        return self.origin + timedelta(seconds=passed)

    async def sleep(self, seconds: float) -> None:
        """Wait for *seconds* of this clock's time."""
        await asyncio.sleep(seconds / self.speed)
