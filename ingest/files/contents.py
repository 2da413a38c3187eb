"""What is in stored files: pieces of one size in a table, so that no file is ever whole in memory.

In PostgreSQL, not in a folder: firmware added on one machine is served by any process, what a
station sent to one is read from another, and the database's backup has both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import count
from mimetypes import types_map
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

PIECE_BYTES: Final = 256 << 10
MEDIA_TYPE: Final = types_map[".bin"]
"""Of any file: bytes, and nothing that a browser would show."""
BEGIN: LiteralString = "INSERT INTO stored_file DEFAULT VALUES RETURNING id"
ADD_PIECE: LiteralString = "INSERT INTO file_chunk (file_id, number, content) VALUES (%s, %s, %s)"
# One that a newer upload took the place of is there no more.
END: LiteralString = """
UPDATE stored_file SET size = %s, sha256 = %s, ended_at = now() WHERE id = %s AND size IS NULL
"""
PIECE: LiteralString = "SELECT content FROM file_chunk WHERE file_id = %s AND number = %s"
DROP: LiteralString = "DELETE FROM stored_file WHERE id = %s"


class StoredContent(NamedTuple):
    """A file's content, by its number."""

    file_id: int
    size: int
    sha256: bytes


class Pieces:
    """Cuts what comes, in whatever portions, into pieces of one size; knows length and hash."""

    def __init__(self) -> None:
        self.size, self.number = 0, 0
        self._hash, self._rest = hashlib.sha256(), bytearray()

    def add(self, portion: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the pieces that *portion* fills, with their numbers."""
        self.size += len(portion)
        self._hash.update(portion)
        self._rest += portion
        while len(self._rest) >= PIECE_BYTES:
            yield self._cut(PIECE_BYTES)

    def end(self) -> Iterator[tuple[int, bytes]]:
        """Yield what is left, if anything."""
        if self._rest:
            yield self._cut(len(self._rest))

    @property
    def sha256(self) -> bytes:
        """The hash of all that came."""
        return self._hash.digest()

    def _cut(self, length: int) -> tuple[int, bytes]:
        piece = bytes(self._rest[:length])
        del self._rest[:length]
        self.number += 1
        return self.number - 1, piece


def store_content(connection: Connection[Any], portions: Iterable[bytes]) -> StoredContent:
    """Store a file within the caller's transaction."""
    row = connection.execute(BEGIN).fetchone()
    assert row is not None
    file_id, pieces = row[0], Pieces()
    for portion in portions:
        for number, piece in pieces.add(portion):
            connection.execute(ADD_PIECE, (file_id, number, piece))
    for number, piece in pieces.end():
        connection.execute(ADD_PIECE, (file_id, number, piece))
    connection.execute(END, (pieces.size, pieces.sha256, file_id))
    return StoredContent(file_id, pieces.size, pieces.sha256)


def read_content(connection: Connection[Any], file_id: int) -> Iterator[bytes]:
    """Yield a file piece by piece; one that is dropped meanwhile ends early."""
    for number in count():
        piece = read_piece(connection, file_id, number)
        if piece is None:
            return
        yield piece


def read_piece(connection: Connection[Any], file_id: int, number: int) -> bytes | None:
    """Return a piece of a file, None behind its end."""
    row = connection.execute(PIECE, (file_id, number)).fetchone()
    return None if row is None else bytes(row[0])
