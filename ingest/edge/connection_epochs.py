"""Numbers for a station's connections, ascending for ever, so that the newest can be told."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import psycopg

from ingest.gathering import Connect, Gatherer

_ADVANCE = """
INSERT INTO connection_epoch (station_id, epoch)
SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (station_id) DO UPDATE SET epoch = connection_epoch.epoch + excluded.epoch
RETURNING station_id, epoch
"""
_TELL = """
SELECT pg_notify('connection_epoch', epoch || ' ' || station_id)
FROM unnest(%s::text[], %s::bigint[]) AS newest (station_id, epoch)
"""
_LISTEN = "LISTEN connection_epoch"
_NEWEST = "SELECT station_id, epoch FROM connection_epoch WHERE station_id = ANY(%s)"
_LISTEN_AGAIN_SECONDS: Final = 1.0
_LOGGER = logging.getLogger(__name__)

Overtake = Callable[[str, int], None]
"""Told the number of a station's newest connection, wherever it was opened."""


class Epochs(Protocol):
    """Numbers connections, for all processes that serve stations."""

    async def advance(self, station_id: str) -> int:
        """Return the number of a new connection of *station_id*; the first is 1."""

    async def newest(self, stations: Iterable[str]) -> Mapping[str, int]:
        """Return the number of the newest connection of each of *stations*."""

    async def follow(self, overtake: Overtake) -> None:
        """Tell *overtake* of new connections in every process, soon; never ends."""


class PostgresEpochs:
    """Numbers from a table that all processes share."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._gatherer: Gatherer[str, int] = Gatherer(connect, _advance)

    async def advance(self, station_id: str) -> int:
        """Return the number of a new connection of *station_id*; the first is 1."""
        return await self._gatherer.ask(station_id)

    async def newest(self, stations: Iterable[str]) -> Mapping[str, int]:
        """Return the number of the newest connection of each of *stations*."""
        async with await self._connect() as connection:
            cursor = await connection.execute(_NEWEST, (list(stations),))
            return dict(await cursor.fetchall())

    async def follow(self, overtake: Overtake) -> None:
        """Tell *overtake* of new connections in every process, soon; never ends."""
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.set_autocommit(True)
                    await connection.execute(_LISTEN)
                    async for notice in connection.notifies():
                        epoch, _, station_id = notice.payload.partition(" ")
                        overtake(station_id, int(epoch))
            except psycopg.OperationalError as error:
                _LOGGER.warning("no news of other processes' connections: %s", error)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

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
    await connection.execute(_TELL, [list(newest), list(newest.values())])
    epochs = []
    # Who asked last is the newest.
    for station_id in reversed(stations):
        epochs.append(newest[station_id])
        newest[station_id] -= 1
    return epochs[::-1]
