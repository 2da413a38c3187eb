"""One handshake with a partner at a time, in whatever process, whoever began it.

Two that cross would each replace what the other just gave. A lock of the database that goes with
its connection: who is killed holds nobody up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, LiteralString

from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.links import Pool

_LOCK: Final = 20_239
_TAKE: LiteralString = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
_GIVE_BACK: LiteralString = "SELECT pg_advisory_unlock(%s, hashtext(%s))"


class HandshakeUnderWayError(RoamingError):
    """Another handshake with the same partner has not come to its end."""

    def __init__(self, partner: str) -> None:
        self.partner = partner
        super().__init__(f"a handshake with {partner} is under way: try again in a minute")


@asynccontextmanager
async def alone_with(database: Pool, partner: str) -> AsyncIterator[None]:
    """Hold everybody else off from a handshake with *partner*.

    Raises:
        HandshakeUnderWayError: If somebody does one.
    """
    async with database.connection() as connection:
        key = (_LOCK, partner)
        [(is_free,)] = await (await connection.execute(_TAKE, key)).fetchall()
        if not is_free:
            raise HandshakeUnderWayError(partner)
        try:
            yield
        finally:
            await connection.execute(_GIVE_BACK, key)
