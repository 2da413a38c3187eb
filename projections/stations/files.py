"""The files that a station sent, with what it said of sending them.

What it says names a request, and a file came at a request's address. Where the version names none
(OCPP's older messages), it is of the request that was made last before it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.declared.identities import canonical

_FILES: LiteralString = """
SELECT file_id AS id, name, size, encode(sha256, 'hex') AS sha256, ended_at AS received_at,
       address_id AS request_id, command_id AS call_id, (
    SELECT status FROM transfer_status AS told
    WHERE told.station_id = sent.station_id AND kind = 'logs' AND (
        request_id = address_id OR (request_id IS NULL AND received_at >= made_at
            AND NOT EXISTS (
                SELECT FROM file_address AS later
                WHERE later.station_id = sent.station_id AND later.firmware_id IS NULL
                  AND later.id > address_id AND later.made_at <= received_at)))
    ORDER BY position DESC, line DESC LIMIT 1) AS status
FROM station_file AS sent JOIN stored_file ON stored_file.id = file_id
LEFT JOIN file_address ON file_address.id = address_id
WHERE lower(sent.station_id) = %s AND size IS NOT NULL
ORDER BY file_id DESC
"""


class StationFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a station sent. `status` is how far it said last that it is, in OCPP's word.

    `request_id` is the number of the request, which the station's messages name; `call_id` is the
    call to it, null once that is cleared.
    """

    id: int
    name: str
    size: int
    sha256: str
    received_at: datetime
    request_id: int
    call_id: UUID | None
    status: str | None


def read_files(connection: Connection[Any], station_id: str) -> list[StationFile]:
    """Return the files of a station, however its id is spelt, the newest first; it has few."""
    with connection.cursor(row_factory=class_row(StationFile)) as cursor:
        return cursor.execute(_FILES, (canonical(station_id),)).fetchall()
