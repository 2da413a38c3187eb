"""What the database knows of a token that a partner is to be asked about."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.partners.asking import ShownToken
from ledger.partners.told_objects import TOLD, ToldObject, opened_object

# A start that a partner has us make is its permission: the station asks about the token at once.
_COMMANDED: LiteralString = """
SELECT coalesce(reference, '') FROM partner_command
WHERE kind = 'START_SESSION' AND subject = %s AND station_id = %s AND party = %s
  AND asked_at > clock_timestamp() - interval '5 min'
  AND (result IS NULL OR result->>'result' = 'ACCEPTED')
ORDER BY asked_at DESC LIMIT 1
"""


class KnownTokens:
    """Answers over the *database*, whose search path finds our tables."""

    def __init__(self, database: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._database = database

    async def told(self, party: str, subject_id: str) -> ToldObject | None:
        """Return a token's bearer and what *party* told of it, None if the bearer is erased."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(TOLD, (party, subject_id))).fetchone()
        return None if row is None else opened_object(subject_id, row)

    async def commanded(self, party: str, shown: ShownToken) -> str | None:
        """Return the reference ("" if none) of a start here that *party* just had us make."""
        asked = (shown.subject, shown.station_id, party)
        async with self._database.connection() as connection:
            row = await (await connection.execute(_COMMANDED, asked)).fetchone()
        return None if row is None else str(row[0])
