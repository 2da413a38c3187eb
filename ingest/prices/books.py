"""Prices from the books: what a session was rated at; what it costs so far is asked elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, LiteralString

import psycopg

from ingest.gathering import Connect, Gatherer
from ingest.prices.price import FinalPrice, GoingOn, PriceQuestion, RunningTransaction, ShownPrice
from ledger.facts.station_facts import NO_ID
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
# Of many the latest; none whose plug the next one has by now, or that no call may name.
_GOING_ON: LiteralString = """
SELECT station_id, transaction_ref, last_fact_at FROM (
    SELECT station_id, transaction_ref, last_fact_at,
           row_number() OVER (PARTITION BY station_id ORDER BY last_fact_at DESC) AS number
    FROM unfinished_session
    JOIN unnest(%s::text[], %s::int[]) AS asked (station_id, partition)
        USING (station_id, partition)
    WHERE state = 'open' AND NOT flags && '{stop_lost,stop_not_held}'
        AND transaction_ref NOT IN ('', %s) AND length(transaction_ref) <= %s
) AS open WHERE number <= %s ORDER BY station_id, number DESC
"""
GOING_ON_MAX: Final = 64
"""Transactions of a station: it has no more plugs than that."""
_REFERENCE_MAX: Final = 36
SoFar = Callable[[str, str], Awaitable[RunningTransaction | None]]
"""Says how far the open session of a station's transaction is, by what the books hold."""


class BookedPrices:
    """Prices as the worker wrote them down; *so_far* prices open sessions, elsewhere."""

    def __init__(self, connect: Connect, so_far: SoFar) -> None:
        self._finals: Gatherer[PriceQuestion, FinalPrice] = Gatherer(connect, _final)
        self._open: Gatherer[tuple[str, int], Sequence[GoingOn]] = Gatherer(connect, _going_on)
        self._so_far = so_far

    async def final(self, line: PriceQuestion) -> FinalPrice:
        """Return at what the session is rated that *line* ends, as far as that is known now."""
        return await self._finals.ask(line)

    async def so_far(self, line: PriceQuestion) -> RunningTransaction | None:
        """Return how far the transaction is by what the books hold; None where nobody knows."""
        return await self._so_far(line.station_id, line.transaction_ref)

    async def going_on(self, station_id: str, partition: int) -> Sequence[GoingOn]:
        """Return what goes on at a station, whose lines stand in that partition of the log."""
        return await self._open.ask((station_id, partition))

    async def close(self) -> None:
        """Close the connections."""
        await self._finals.close()
        await self._open.close()


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


async def _going_on(
    connection: psycopg.AsyncConnection, asked: Sequence[tuple[str, int]]
) -> Sequence[Sequence[GoingOn]]:
    columns = [list(column) for column in zip(*sorted(set(asked)), strict=True)]
    values = (*columns, NO_ID, _REFERENCE_MAX, GOING_ON_MAX)
    cursor = await connection.execute(_GOING_ON, values)
    found: defaultdict[str, list[GoingOn]] = defaultdict(list)
    for station_id, *row in await cursor.fetchall():
        found[station_id].append(GoingOn(*row))
    return [found[station_id] for station_id, _ in asked]


def _price(body: bytes | None) -> ShownPrice | None:
    rated = None if body is None else unpack_decision(body)
    if not isinstance(rated, SessionRated):
        return None
    money = money_of_minor(rated.gross_minor, rated.currency)
    return ShownPrice(money.amount, money.currency, rated.ended_at, rated.meter_stop_wh)
