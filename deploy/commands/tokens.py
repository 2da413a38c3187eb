"""`wattledger tokens`: what drivers showed that nobody declared."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString

import msgspec

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.output import print_json, print_rows
from deploy.running.opening import opened

_UNKNOWN: LiteralString = """
SELECT coalesce(spelt, token_uid) AS token_uid, token_uid AS subject, station_id,
       first_seen_at, last_seen_at, times
FROM unknown_token LEFT JOIN subject ON subject = token_uid
ORDER BY last_seen_at DESC, token_uid, station_id LIMIT %s
"""
COLUMNS = {
    "token": "left",
    "station": "left",
    "first seen": "left",
    "last seen": "left",
    "times": "right",
}


class UnknownToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that a station showed and nobody declared; its subject once it is erased."""

    token_uid: str
    subject: str
    station_id: str
    first_seen_at: datetime
    last_seen_at: datetime
    times: int


def unknown(*, limit: Limit = 100, folder: ReadingFolder = READ_FOLDER) -> int:
    """List tokens that stations showed and nobody declared, the latest first.

    What a station is answered for them is the policy's `unknown_tokens`.

    Args:
        limit: At most so many.
        folder: Where.
    """
    from psycopg.rows import class_row

    with (
        opened(folder.settings()) as connection,
        connection.cursor(row_factory=class_row(UnknownToken)) as cursor,
    ):
        found = cursor.execute(_UNKNOWN, (limit,)).fetchall()
    if folder.json:
        print_json(found)
        return 0
    print_rows("Unknown tokens", COLUMNS, [_row(each) for each in found])
    return 0


def _row(each: UnknownToken) -> tuple[object, ...]:
    return each.token_uid, each.station_id, each.first_seen_at, each.last_seen_at, each.times
