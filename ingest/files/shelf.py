"""Where the file server looks addresses up, reads what is fetched and keeps what is sent.

A client that is slow holds no connection to the database: each piece is a question of its own.
What is coming in is a row without a size; one that a kill left behind is dropped by the next
upload of that name, or by the upkeep. Of one name, and of a station that sends too many at once,
the newest upload wins, as of connections.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg_pool import AsyncConnectionPool

from ingest.errors import IngestError
from ingest.files.addresses import FoundAddress, find_address
from ingest.files.contents import ADD_PIECE, BEGIN, DROP, END, PIECE, Pieces

FILES_OF_AN_ADDRESS_MAX: Final = 10
FILES_OF_A_STATION_MAX: Final = 100
COMING_MAX: Final = 3
"""Uploads of one station that go on at once."""
# One after the other, whatever process they come to.
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(20229, hashtext(%s))"
_TAKEN: LiteralString = """
SELECT count(*), coalesce(bool_or(name = %s), false) FROM station_file
JOIN stored_file ON stored_file.id = file_id WHERE address_id = %s AND size IS NOT NULL
"""
_REPLACE: LiteralString = """
DELETE FROM stored_file WHERE id IN (
    SELECT file_id FROM station_file WHERE address_id = %s AND name = %s)
"""
_FEWER_COMING: LiteralString = """
DELETE FROM stored_file WHERE id IN (
    SELECT file_id FROM station_file JOIN stored_file ON stored_file.id = file_id
    WHERE station_id = %s AND size IS NULL ORDER BY file_id DESC OFFSET %s)
"""
_NAME: LiteralString = """
INSERT INTO station_file (file_id, station_id, address_id, name) VALUES (%s, %s, %s, %s)
"""
_FEWER: LiteralString = """
DELETE FROM stored_file WHERE id IN (
    SELECT file_id FROM (
        SELECT file_id, sum(size) OVER newest AS total, row_number() OVER newest AS number
        FROM station_file JOIN stored_file ON stored_file.id = file_id
        WHERE station_id = %s AND size IS NOT NULL WINDOW newest AS (ORDER BY file_id DESC)
    ) AS kept WHERE total > %s OR number > %s)
"""


class ShelfLimits(NamedTuple):
    """How many bytes one file may have, and all that is kept of one station."""

    file_bytes: int
    station_bytes: int


class FileTakenError(IngestError):
    """A file of that name came already, or its address has all the files that it takes."""


class UploadReplacedError(IngestError):
    """A newer upload took the place of this one."""


class FileShelf:
    """Files in the tables that all processes share."""

    def __init__(
        self, pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]], limits: ShelfLimits
    ) -> None:
        self._pool, self.limits = pool, limits

    async def address(self, secret: str) -> FoundAddress | None:
        """Return what an address is good for now, None where for nothing."""
        async with self._pool.connection() as connection:
            return await find_address(connection, secret)

    async def piece(self, file_id: int, number: int) -> bytes | None:
        """Return a piece of a file, None where there is none."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(PIECE, (file_id, number))).fetchone()
        return None if row is None else bytes(row[0])

    async def begin(self, address: FoundAddress, name: str) -> Incoming:
        """Begin to take a file.

        Raises:
            FileTakenError: If one of that name came already, or enough of them.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_LOCK, (address.station_id,))
            taken = await (await connection.execute(_TAKEN, (name, address.number))).fetchone()
            assert taken is not None
            if taken[1] or taken[0] >= FILES_OF_AN_ADDRESS_MAX:
                message = f"{name} came already" if taken[1] else "enough files came already"
                raise FileTakenError(message)
            await connection.execute(_REPLACE, (address.number, name))
            await connection.execute(_FEWER_COMING, (address.station_id, COMING_MAX - 1))
            row = await (await connection.execute(BEGIN)).fetchone()
            assert row is not None
            await connection.execute(_NAME, (row[0], address.station_id, address.number, name))
        return Incoming(self._pool, row[0], address.station_id, self.limits)


class Incoming:
    """A file that is coming in; what is neither ended nor dropped never counts as come."""

    def __init__(
        self,
        pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]],
        file_id: int,
        station_id: str,
        limits: ShelfLimits,
    ) -> None:
        self._pool, self._file_id, self._station_id = pool, file_id, station_id
        self._limits, self._pieces = limits, Pieces()

    async def add(self, portion: bytes) -> None:
        """Take the next bytes.

        Raises:
            UploadReplacedError: If a newer upload took the place of this one.
        """
        for number, piece in self._pieces.add(portion):
            await self._store(number, piece)

    async def end(self) -> None:
        """Take the file as whole; the oldest ones of its station make room for it.

        Raises:
            UploadReplacedError: If a newer upload took the place of this one.
        """
        for number, piece in self._pieces.end():
            await self._store(number, piece)
        limits = (self._limits.station_bytes, FILES_OF_A_STATION_MAX)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_LOCK, (self._station_id,))
            values = (self._pieces.size, self._pieces.sha256, self._file_id)
            if not (await connection.execute(END, values)).rowcount:
                raise UploadReplacedError
            await connection.execute(_FEWER, (self._station_id, *limits))

    async def drop(self) -> None:
        """Keep nothing of it."""
        async with self._pool.connection() as connection:
            await connection.execute(DROP, (self._file_id,))

    async def _store(self, number: int, piece: bytes) -> None:
        try:
            async with self._pool.connection() as connection:
                await connection.execute(ADD_PIECE, (self._file_id, number, piece))
        except psycopg.errors.ForeignKeyViolation as error:
            raise UploadReplacedError from error
