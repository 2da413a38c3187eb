"""Numbers for a station's connections, ascending for ever, so that the newest can be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import psycopg

from ingest.gathering import Connect, Gatherer

_ADVANCE = """
INSERT INTO connection_epoch (station_id, epoch)
SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (station_id) DO UPDATE SET epoch = connection_epoch.epoch + excluded.epoch
RETURNING station_id, epoch
"""


class Epochs(Protocol):
    """Numbers connections."""

    async def advance(self, station_id: str) -> int:
        """Return the number of a new connection of *station_id*; the first is 1."""


class PostgresEpochs:
    """Numbers from a table that all processes share."""

    def __init__(self, connect: Connect) -> None:
        self._gatherer: Gatherer[str, int] = Gatherer(connect, _advance)

    async def advance(self, station_id: str) -> int:
        """Return the number of a new connection of *station_id*; the first is 1."""
        return await self._gatherer.ask(station_id)

    async def close(self) -> None:
        """Close the connection."""
        await self._gatherer.close()


async def _advance(connection: psycopg.AsyncConnection, stations: Sequence[str]) -> Sequence[int]:
    # Sorted, so that two processes lock the rows in the same order.
    counts = sorted(Counter(stations).items())
    cursor = await connection.execute(
        _ADVANCE, [list(column) for column in zip(*counts, strict=True)]
    )
    newest: dict[str, int] = dict(await cursor.fetchall())
    epochs = []
    for station_id in reversed(stations):
        epochs.append(newest[station_id])
        newest[station_id] -= 1
    return epochs[::-1]
