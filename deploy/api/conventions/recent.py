"""What is asked with every request, kept for a moment: whose a token is, and what is declared.

A moment is less than anybody waits: a token that is revoked, or an account that is blocked, opens
nothing half a second later, and who declares something is answered once every process knows it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from psycopg import Connection

from deploy.interface.access import Bearer
from ingest.declared_directory import FRESH_SECONDS
from ledger.declared.declarations import Declarations
from ledger.declared.store import NewestDeclarations

KEPT_SECONDS: Final = FRESH_SECONDS * 0.8
"""Less than an answer to who declares waits for (`DeclaringDesk`)."""
BEARERS_MAX: Final = 10_000
FindBearer = Callable[[bytes], Awaitable[Bearer | None]]


class RecentBearers:
    """Remembers for a moment whose tokens came; one that opens nothing is looked for each time."""

    def __init__(self, find: FindBearer, kept_seconds: float = KEPT_SECONDS) -> None:
        self._find, self._kept_seconds = find, kept_seconds
        self._known: dict[bytes, tuple[float, Bearer]] = {}

    async def ask(self, digest: bytes) -> Bearer | None:
        """Return whose token has this digest."""
        known = self._known.get(digest)
        now = time.monotonic()
        if known is not None and now - known[0] < self._kept_seconds:
            return known[1]
        found = await self._find(digest)
        if found is None or found.lacks_factor:
            self._known.pop(digest, None)
            return found
        if len(self._known) >= BEARERS_MAX:
            self._known.clear()
        self._known[digest] = now, found
        return found


class RecentDeclarations(NewestDeclarations):
    """The newest snapshot, or one of a moment before."""

    def __init__(self, kept_seconds: float = KEPT_SECONDS) -> None:
        super().__init__()
        self._kept_seconds = kept_seconds
        self._asked_at, self._kept = float("-inf"), Declarations()

    def of(self, connection: Connection[Any]) -> Declarations:
        """Return everything that was declared until a moment ago."""
        now = time.monotonic()
        if now - self._asked_at >= self._kept_seconds:
            self._kept, self._asked_at = super().of(connection), now
        return self._kept
