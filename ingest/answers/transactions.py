"""The ids that we give to OCPP 1.6 transactions: by content, not by message.

A station that did not see our answer sends its StartTransaction again, often under a new message id
and after a restart of itself or of us. The same content must get the same id, or one charge would
become two sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Protocol

import psycopg

from ingest.gathering import PATIENCE_SECONDS, Connect, Gatherer
from ingest.rpc.fields import PayloadFields

_ORDINARY = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")
_KNOWN = """
SELECT t.station_id, t.content_key, t.transaction_id
FROM transaction_id AS t
JOIN unnest(%s::text[], %s::text[]) AS asked (station_id, content_key)
USING (station_id, content_key)
"""
_ASSIGN = """
INSERT INTO transaction_id (station_id, content_key)
SELECT * FROM unnest(%s::text[], %s::text[])
ON CONFLICT (station_id, content_key) DO NOTHING
"""


class TransactionIds(Protocol):
    """Gives ids: positive int32, unique over all stations, the same for the same content."""

    async def assign(self, station_id: str, content_key: str) -> int:
        """Return the id of the transaction that *content_key* starts; it is durable then."""


class PostgresTransactionIds:
    """Ids from a table that all processes share; its sequence starts at a random number."""

    def __init__(self, connect: Connect, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._gatherer: Gatherer[tuple[str, str], int] = Gatherer(
            connect, _assign, patience_seconds=patience_seconds
        )

    async def assign(self, station_id: str, content_key: str) -> int:
        """Return the id of the transaction that *content_key* starts; it is durable then."""
        return await self._gatherer.ask((station_id, content_key))

    async def close(self) -> None:
        """Close the connection."""
        await self._gatherer.close()


def content_key(start: PayloadFields, token: str | None) -> str:
    """Return what makes a StartTransaction itself: connector, token (its subject), time and meter.

    A hash, in hex: what a station says may be longer than an index holds. What it writes
    differently in the same message counts as the same: "1" and 1, the token's case and blanks.
    """
    said = [
        _number(start.text("connectorId")),
        token,
        (start.text("timestamp") or "").strip(),
        _number(start.text("meterStart")),
    ]
    return sha256(json.dumps(said).encode()).hexdigest()


def _number(text: str | None) -> str | None:
    """Return a number in one spelling; what is no ordinary number stays as it came."""
    if text is None or not _ORDINARY.fullmatch(text.strip()):
        return text
    return f"{Decimal(text.strip()).normalize():f}"


async def _assign(
    connection: psycopg.AsyncConnection, asked: Sequence[tuple[str, str]]
) -> Sequence[int]:
    known = await _known(connection, asked)
    # In one order everywhere: two servers with the same starts then wait, and do not deadlock.
    fresh = sorted({key for key in asked if key not in known})
    if fresh:
        await connection.execute(_ASSIGN, [list(column) for column in zip(*fresh, strict=True)])
        known |= await _known(connection, fresh)
    return [known[key] for key in asked]


async def _known(
    connection: psycopg.AsyncConnection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = await (await connection.execute(_KNOWN, columns)).fetchall()
    return {(station_id, key): number for station_id, key, number in rows}
