"""Prices from the books: what a session was rated at; what it costs so far is asked elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import LiteralString

import psycopg

from ingest.gathering import Connect, Gatherer
from ingest.prices.price import FinalPrice, PriceQuestion, RunningTransaction, ShownPrice
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from tariffs.quantities import money_of_minor

# Of a reference that began again and again the last session: by its time, or the only one.
_FINAL: LiteralString = """
SELECT asked.number, decision.body
FROM unnest(%s::int[], %s::text[], %s::text[], %s::int[], %s::bigint[], %s::timestamptz[])
    AS asked (number, station_id, transaction_ref, partition, position, received_at)
JOIN worker_position USING (partition)
LEFT JOIN LATERAL (
    (SELECT session_id, facts_from, last_fact_at, ended_at FROM session
     WHERE session.station_id = asked.station_id AND facts_from IS NOT NULL
       AND session.transaction_ref = asked.transaction_ref AND state <> 'replaced'
     ORDER BY facts_from DESC LIMIT 1)
    UNION ALL
    (SELECT session_id, facts_from, last_fact_at, ended_at FROM session
     WHERE session.station_id = asked.station_id AND facts_from IS NULL
       AND session.transaction_ref = asked.transaction_ref AND state <> 'replaced'
     LIMIT 1)
    LIMIT 1
) AS session ON session.ended_at IS NOT NULL
    AND (session.facts_from IS NULL OR session.last_fact_at >= asked.received_at)
LEFT JOIN final_decision AS decision
    ON decision.session_id = session.session_id
    AND decision.kind IN ('rated', 'released', 'corrected')
WHERE next_position > asked.position
"""
SoFar = Callable[[str, str], Awaitable[RunningTransaction | None]]
"""Says how far the open session of a station's transaction is, by what the books hold."""


class BookedPrices:
    """Prices as the worker wrote them down; *so_far* prices open sessions, elsewhere."""

    def __init__(self, connect: Connect, so_far: SoFar) -> None:
        self._finals: Gatherer[PriceQuestion, FinalPrice] = Gatherer(connect, _final)
        self._so_far = so_far

    async def final(self, line: PriceQuestion) -> FinalPrice:
        """Return at what the session is rated that *line* ends, as far as that is known now."""
        return await self._finals.ask(line)

    async def so_far(self, line: PriceQuestion) -> RunningTransaction | None:
        """Return how far the transaction is by what the books hold; None where nobody knows."""
        return await self._so_far(line.station_id, line.transaction_ref)

    async def close(self) -> None:
        """Close the connection."""
        await self._finals.close()


async def _final(
    connection: psycopg.AsyncConnection, asked: Sequence[PriceQuestion]
) -> Sequence[FinalPrice]:
    rows = [
        (number, each.station_id, each.transaction_ref, *each.at[:2], each.received_at)
        for number, each in enumerate(asked)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    cursor = await connection.execute(_FINAL, columns)
    found = {number: _price(body) for number, body in await cursor.fetchall()}
    return [
        FinalPrice(is_taken=number in found, price=found.get(number)) for number in range(len(rows))
    ]


def _price(body: bytes | None) -> ShownPrice | None:
    rated = None if body is None else unpack_decision(body)
    if not isinstance(rated, SessionRated):
        return None
    money = money_of_minor(rated.gross_minor, rated.currency)
    return ShownPrice(money.amount, money.currency, rated.ended_at, rated.meter_stop_wh)
