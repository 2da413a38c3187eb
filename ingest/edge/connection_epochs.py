"""Numbers for a station's connections, ascending for ever, so that the newest can be told.

Who is connected stands beside them, with the process that has the connection. A process that was
killed says nothing any more: it holds a lock of the database while it lives, and without it none of
its stations counts as connected (view `connected_station`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import psycopg

from ingest.gathering import Connect, Gatherer

_ADVANCE = """
INSERT INTO connection_epoch (station_id, epoch, protocol, process)
SELECT *, %s FROM unnest(%s::text[], %s::bigint[], %s::text[])
ON CONFLICT (station_id) DO UPDATE SET
    epoch = connection_epoch.epoch + excluded.epoch, protocol = excluded.protocol,
    process = excluded.process, opened_at = excluded.opened_at, closed_at = NULL
RETURNING station_id, epoch
"""
_LEAVE = """
UPDATE connection_epoch SET closed_at = now()
FROM unnest(%s::text[], %s::bigint[]) AS gone (station_id, epoch)
WHERE (connection_epoch.station_id, connection_epoch.epoch) = (gone.station_id, gone.epoch)
RETURNING true
"""
_TELL = """
SELECT pg_notify('connection_epoch', epoch || ' ' || station_id)
FROM unnest(%s::text[], %s::bigint[]) AS newest (station_id, epoch)
"""
_LISTEN = "LISTEN connection_epoch"
_LIVE = "SELECT pg_advisory_lock(%s, %s)"
_LOCK: Final = 20226
"""The class of the locks that processes hold while they live; their number is the other half."""
_NUMBERS: Final = 2**31
_NEWEST = "SELECT station_id, epoch FROM connection_epoch WHERE station_id = ANY(%s)"
_LISTEN_AGAIN_SECONDS: Final = 1.0
_LOGGER = logging.getLogger(__name__)

Overtake = Callable[[str, int], None]
"""Told the number of a station's newest connection, wherever it was opened."""


class Epochs(Protocol):
    """Numbers connections, for all processes that serve stations."""

    async def advance(self, station_id: str, protocol: str) -> int:
        """Return the number of a new connection of *station_id*; the first is 1."""

    async def leave(self, station_id: str, epoch: int) -> None:
        """Note that a connection ended; a newer one of the station stays."""

    async def newest(self, stations: Iterable[str]) -> Mapping[str, int]:
        """Return the number of the newest connection of each of *stations*."""

    async def follow(self, overtake: Overtake) -> None:
        """Tell *overtake* of new connections in every process, soon; never ends."""


class PostgresEpochs:
    """Numbers from a table that all processes share."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._process = secrets.randbelow(_NUMBERS)
        self._coming: Gatherer[tuple[str, str], int] = Gatherer(connect, self._advance)
        self._leaving: Gatherer[tuple[str, int], None] = Gatherer(connect, _leave)

    async def advance(self, station_id: str, protocol: str) -> int:
        """Return the number of a new connection of *station_id*; the first is 1."""
        return await self._coming.ask((station_id, protocol))

    async def leave(self, station_id: str, epoch: int) -> None:
        """Note that a connection ended; a newer one of the station stays."""
        await self._leaving.ask((station_id, epoch))

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
                    await connection.execute(_LIVE, (_LOCK, self._process))
                    async for notice in connection.notifies():
                        epoch, _, station_id = notice.payload.partition(" ")
                        overtake(station_id, int(epoch))
            except psycopg.OperationalError as error:
                _LOGGER.warning("no news of other processes' connections: %s", error)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        await self._coming.close()
        await self._leaving.close()

    async def _advance(
        self, connection: psycopg.AsyncConnection, asked: Sequence[tuple[str, str]]
    ) -> Sequence[int]:
        # Sorted, so that two processes lock the rows in the same order; who asked last is newest.
        counts = sorted(Counter(station_id for station_id, _ in asked).items())
        protocols = dict(asked)
        columns = [list(column) for column in zip(*counts, strict=True)]
        columns.append([protocols[station_id] for station_id, _ in counts])
        cursor = await connection.execute(_ADVANCE, [self._process, *columns])
        newest: dict[str, int] = dict(await cursor.fetchall())
        await connection.execute(_TELL, [list(newest), list(newest.values())])
        epochs = []
        for station_id, _ in reversed(asked):
            epochs.append(newest[station_id])
            newest[station_id] -= 1
        return epochs[::-1]


async def _leave(
    connection: psycopg.AsyncConnection, gone: Sequence[tuple[str, int]]
) -> Sequence[None]:
    columns = [list(column) for column in zip(*sorted(gone), strict=True)]
    await connection.execute(_LEAVE, columns)
    return [None] * len(gone)
