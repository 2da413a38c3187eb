"""What is left to customers who pay in advance, as the edge asks for it: indexed rows, and in time.

something is left                          -> it may start; a station of 2.1 is told how much
nothing                                    -> NoCredit (2.x), Blocked (1.6)
the database does not say so in 2 seconds  -> as the policy says (`unknown_credit`), and the line
                                              of the start says that it was not known
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, LiteralString, NamedTuple

import psycopg

from ingest.gathering import Connect, Gatherer
from ledger.payments.topping_up.credit import LEFT, AskedCredit
from tariffs.quantities import money_of_minor

KNOWN_SECONDS: Final = 2.0
"""So long a station waits for what is left; it waits ten times as long for an answer."""
_TOKENS: LiteralString = """
SELECT asked.place, found.token_uid
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked (station_id, transaction_ref, place)
LEFT JOIN LATERAL (
    SELECT token_uid FROM session
    WHERE session.station_id = asked.station_id
      AND session.transaction_ref = asked.transaction_ref AND state <> 'replaced'
    ORDER BY facts_from DESC NULLS LAST LIMIT 1
) AS found ON true
ORDER BY asked.place
"""
_LOGGER: Final = logging.getLogger(__name__)


class Credit(NamedTuple):
    """What is left to the payer of a session, in major units; None: it was not known in time."""

    left: Decimal | None
    is_enough: bool


class NamedTransaction(NamedTuple):
    """A transaction, as its station calls it."""

    station_id: str
    transaction_ref: str


class Credits:
    """Asks what is left, and whose sessions go on; all that is asked at once is one statement."""

    def __init__(self, connect: Connect) -> None:
        self._left: Gatherer[AskedCredit, int] = Gatherer(connect, _left)
        self._tokens: Gatherer[NamedTransaction, str | None] = Gatherer(connect, _tokens)

    async def of(self, asked: AskedCredit, *, accepts_unknown: bool) -> Credit:
        """Return what is left of an account; it takes no longer than KNOWN_SECONDS."""
        try:
            async with asyncio.timeout(KNOWN_SECONDS):
                minor = await self._left.ask(asked)
        except (TimeoutError, psycopg.Error) as error:
            _LOGGER.warning(
                "what is left to %s at %s is not known in time, a start there is %s: %r",
                asked.account.customer,
                asked.account.legal_entity,
                "accepted" if accepts_unknown else "refused",
                error,
            )
            return Credit(None, accepts_unknown)
        return Credit(money_of_minor(minor, asked.account.currency).amount, minor > 0)

    async def token_of(self, transaction: NamedTransaction) -> str | None:
        """Return whose token the session of a transaction has, by the books; None: not known."""
        return await self._tokens.ask(transaction)

    async def close(self) -> None:
        """Close the connections."""
        await self._left.close()
        await self._tokens.close()


async def _left(connection: psycopg.AsyncConnection, asked: Sequence[AskedCredit]) -> Sequence[int]:
    columns = [list(column) for column in zip(*(each.row() for each in asked), strict=True)]
    cursor = await connection.execute(LEFT, columns)
    return [left for _, left in await cursor.fetchall()]


async def _tokens(
    connection: psycopg.AsyncConnection, asked: Sequence[NamedTransaction]
) -> Sequence[str | None]:
    columns = [list(column) for column in zip(*asked, strict=True)]
    cursor = await connection.execute(_TOKENS, columns)
    return [token for _, token in await cursor.fetchall()]
