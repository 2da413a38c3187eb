"""One-time addresses: a station fetches one firmware there, or sends its logs, until it expires.

Who knows an address needs nothing else, so it is 256 random bits, of which the table has a hash. It
is good for one thing of one station, and no way to anything else. A fetch may be repeated and
resumed until it expires, for stations do; of what is sent each name is taken once.

    https://files.example/bWx…/volt-2.0.bin     a firmware: GET
    https://files.example/Zk0…/                 logs: PUT or POST, there or at any name below
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg import Connection

from ingest.errors import IngestError
from ingest.files.firmware import Firmware

SECRET_BYTES: Final = 32
VALID: Final = timedelta(hours=24)
"""How long a station has: it may be charging, and fetch its firmware at night."""
URL_MAX: Final = 512
"""Characters that a station of 2.0.1 takes for an address (FirmwareType.location)."""
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_MAKE: LiteralString = """
INSERT INTO file_address (digest, station_id, firmware_id, command_id, expires_at)
VALUES (%s, %s, %s, %s, greatest(now(), %s) + %s) RETURNING id
"""
_FIND: LiteralString = """
SELECT file_address.id, station_id, firmware.file_id, size, sha256
FROM file_address LEFT JOIN firmware ON firmware.id = firmware_id
LEFT JOIN stored_file ON stored_file.id = firmware.file_id
WHERE digest = %s AND expires_at > now()
"""


class NoFilesServedError(IngestError):
    """No address can be made: nobody said where stations reach the files."""

    def __init__(self) -> None:
        super().__init__(
            "no files are served: set files_port, and files_url where stations reach it by another "
            "address (docs/operations.md); or name a URL"
        )


class LongAddressError(IngestError):
    """An address would be longer than stations take."""

    def __init__(self, length: int) -> None:
        super().__init__(
            f"the address would have {length} characters, and stations take {URL_MAX}: choose a "
            "shorter files_url or file name"
        )


class FileAddress(NamedTuple):
    """An address as it is told, and its number: the request id of the call that tells it."""

    number: int
    url: str


class AddressFor(NamedTuple):
    """Of whom an address is, and the call that tells it; `firmware` None: the station sends files.

    It expires `VALID` after `since`, from when on the station may use it; None: after now.
    """

    station_id: str
    command_id: UUID
    firmware: Firmware | None = None
    since: datetime | None = None


class FoundAddress(NamedTuple):
    """What an address is good for; `file_id` None: the station sends files there."""

    number: int
    station_id: str
    file_id: int | None
    size: int | None
    sha256: bytes | None


def make_address(connection: Connection[Any], base: str, given: AddressFor) -> FileAddress:
    """Return a new address below *base*, the files' address as stations reach it.

    Raises:
        NoFilesServedError: If *base* is empty.
        LongAddressError: If it would be too long.
    """
    if not base:
        raise NoFilesServedError
    secret = secrets.token_urlsafe(SECRET_BYTES)
    url = f"{base.rstrip('/')}/{secret}/{given.firmware.name if given.firmware else ''}"
    if len(url) > URL_MAX:
        raise LongAddressError(len(url))
    firmware_id = given.firmware and given.firmware.id
    digest = digest_of_secret(secret)
    values = (digest, given.station_id, firmware_id, given.command_id, given.since, VALID)
    row = connection.execute(_MAKE, values).fetchone()
    assert row is not None
    return FileAddress(row[0], url)


def digest_of_secret(secret: str) -> bytes:
    """Return what is kept of an address."""
    return hashlib.sha256(secret.encode()).digest()


def is_secret(said: str) -> bool:
    """Say whether *said* may be an address's secret; for anything else nobody is asked."""
    return _SECRET.fullmatch(said) is not None


async def find_address(
    connection: psycopg.AsyncConnection[Any], secret: str
) -> FoundAddress | None:
    """Return what an address is good for now, None where for nothing."""
    row = await (await connection.execute(_FIND, (digest_of_secret(secret),))).fetchone()
    return None if row is None else FoundAddress(*row)
