"""The receipt numbers of payments that a terminal settled at a station (OCPP 2.1).

A terminal that prints no receipt of its own is given a number, by which the payment is found again
(`wattledger payment R-812`), and the address of a receipt where the policy names one. The same
payment told again, under another message id or after a restart, gets the same number.

    Settled, no receiptId             -> {"receiptId":"R-812"}
    and the policy has a receipt_url  -> {"receiptId":"R-812","receiptUrl":"https://..."}
    Settled, receiptId or receiptUrl  -> {}: the terminal made the receipt
    Canceled, Rejected, Failed        -> {}: nothing was paid

Source: OCPP 2.1 part 2, NotifySettlement (C18 to C25).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString, NamedTuple, Protocol

import psycopg

from ingest.gathering import Connect, Gatherer

_KNOWN: LiteralString = """
SELECT station_id, content_key, number FROM receipt
JOIN unnest(%s::text[], %s::text[]) AS asked (station_id, content_key)
USING (station_id, content_key)
"""
_GIVE: LiteralString = """
INSERT INTO receipt (station_id, content_key, transaction_ref)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
ON CONFLICT (station_id, content_key) DO NOTHING
"""


class SettledPayment(NamedTuple):
    """A payment by what its terminal said of it, and of which transaction ("": none)."""

    station_id: str
    content_key: str
    transaction_ref: str


class Receipts(Protocol):
    """Gives receipt numbers: the same for the same payment."""

    async def number(self, payment: SettledPayment) -> int:
        """Return the number of a payment's receipt; it is durable then."""


class PostgresReceipts:
    """Numbers from a table that all processes share."""

    def __init__(self, connect: Connect) -> None:
        self._numbers: Gatherer[SettledPayment, int] = Gatherer(connect, _numbers)

    async def number(self, payment: SettledPayment) -> int:
        """Return the number of a payment's receipt; it is durable then."""
        return await self._numbers.ask(payment)

    async def close(self) -> None:
        """Close the connection."""
        await self._numbers.close()


async def _numbers(
    connection: psycopg.AsyncConnection, asked: Sequence[SettledPayment]
) -> Sequence[int]:
    known = await _known(connection, asked)
    # In one order everywhere: two servers with the same payments then wait, and do not deadlock.
    fresh = sorted({each for each in asked if each[:2] not in known})
    if fresh:
        await connection.execute(_GIVE, [list(column) for column in zip(*fresh, strict=True)])
        known |= await _known(connection, fresh)
    return [known[each[:2]] for each in asked]


async def _known(
    connection: psycopg.AsyncConnection, asked: Sequence[SettledPayment]
) -> dict[tuple[str, str], int]:
    columns = [list(column) for column in zip(*(each[:2] for each in asked), strict=True)]
    rows = await (await connection.execute(_KNOWN, columns)).fetchall()
    return {(station_id, key): number for station_id, key, number in rows}
