"""Time as ingest sees it: a part that is passed in, so that a month can pass quickly."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The product's clock; `deploy.clock` has the real one and a stepped one."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* of this clock's time."""
