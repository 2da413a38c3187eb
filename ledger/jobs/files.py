"""Files that a job makes: written piece by piece as it goes, read so by whoever fetches them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, LiteralString

from psycopg import Connection

from ledger.jobs.taking import TakenJob

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIECE_BYTES: Final = 1 << 18
_WRITE: LiteralString = """
INSERT INTO job_file (job, name, epoch, piece, bytes) VALUES (%s, %s, %s, %s, %s)
"""
# Of what is done alone: a cancelled job's epoch is no longer that of its files.
_PIECE: LiteralString = """
SELECT bytes FROM job_file AS file JOIN job ON job.number = file.job AND job.epoch = file.epoch
WHERE file.job = %s AND file.name = %s AND file.piece = %s AND job.state = 'done'
"""


class JobFile(io.RawIOBase):
    """A file that is written to the database, `PIECE_BYTES` at a time; close it at the end."""

    def __init__(self, connection: Connection[Any], taken: TakenJob, name: str) -> None:
        super().__init__()
        self._connection, self._taken, self._name = connection, taken, name
        self._waiting = bytearray()
        self._pieces = 0

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Take *data*; whole pieces go to the database."""
        size = memoryview(data).nbytes
        self._waiting += data
        while len(self._waiting) >= PIECE_BYTES:
            self._put(PIECE_BYTES)
        return size

    def close(self) -> None:
        """Write what is left; a file of nothing has one empty piece."""
        if not self.closed:
            if self._waiting or not self._pieces:
                self._put(len(self._waiting))
            super().close()

    def _put(self, size: int) -> None:
        piece, self._waiting = bytes(self._waiting[:size]), self._waiting[size:]
        row = (self._taken.number, self._name, self._taken.epoch, self._pieces, piece)
        self._connection.execute(_WRITE, row)
        self._pieces += 1


def read_piece(connection: Connection[Any], job: int, name: str, number: int) -> bytes | None:
    """Return a piece of a file of a job that is done, counted from 0; None beyond its end."""
    row = connection.execute(_PIECE, (job, name, number)).fetchone()
    return None if row is None else bytes(row[0])


def read_file(connection: Connection[Any], job: int, name: str) -> Iterator[bytes]:
    """Yield the pieces of a file of a job that is done; nothing where it has none (any more)."""
    number = 0
    while True:
        piece = read_piece(connection, job, name, number)
        if piece is None:
            return
        yield piece
        number += 1
