"""`wattledger station`: credentials for charging stations, and who was refused."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import LiteralString

import msgspec

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.text_files import FromStdin, read_secret
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened
from ledger.declared.passwords import LENGTH_MIN, hash_password

PASSWORD_BYTES = 16
_REFUSED: LiteralString = """
SELECT reason, identity, address, first_at, last_at, times FROM refused_connection
ORDER BY last_at DESC, reason, identity, address LIMIT %s
"""
_TIMES: LiteralString = "SELECT reason, times FROM refusal_count ORDER BY reason"
COLUMNS = {
    "identity": "left",
    "address": "left",
    "why": "left",
    "first": "left",
    "last": "left",
    "times": "right",
}


class RefusedConnection(msgspec.Struct, frozen=True, kw_only=True):
    """Who was refused, from where, why and how often; no identity: further ones, uncounted by name.

    `reason` is a code of `ingest.edge.admissions.Reason`.
    """

    reason: str
    identity: str
    address: str
    first_at: datetime
    last_at: datetime
    times: int


def password(
    station: str | None = None,
    *,
    of: str | None = None,
    password_stdin: FromStdin = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Tell a station a new password, or make one with the hash that master data may hold.

    A station that is named is told it now, and must be connected; it holds once the station
    accepted it, and the old one until then. No row, answer or line of the log shows it.

    Args:
        station: Tell this station; without one a password is only made and shown.
        of: Hash this password; without it a random one is made (32 hex digits, as 1.6 wants).
        password_stdin: Read the station's password from standard input; without it a random one
            is made, which nobody sees.
        folder: Where.
    """
    if station is not None:
        if of is not None:
            message = "a password for a station comes from --password-stdin: a shell keeps --of"
            raise DeployError(message)
        from deploy.commands.stations.calling import tell_password

        new = read_secret() if password_stdin else secrets.token_hex(PASSWORD_BYTES)
        return tell_password(folder, station, new)
    made = secrets.token_hex(PASSWORD_BYTES) if of is None else of
    chosen = read_secret() if password_stdin else made
    if len(chosen) < LENGTH_MIN:
        message = f"a password has at least {LENGTH_MIN} characters"
        raise DeployError(message)
    digest = hash_password(chosen)
    if folder.json:
        print_json({"password": chosen, "password_hash": digest})
    else:
        say(f"password       {chosen}", f"password_hash  {digest}")
    return 0


def refused(*, limit: Limit = 100, folder: ReadingFolder = READ_FOLDER) -> int:
    """List who was refused a connection, from which address and why, the latest first.

    The newest thousand of each reason are kept; the counts are of all. What is refused shows here
    within a few seconds.

    Args:
        limit: At most so many.
        folder: Where.
    """
    from psycopg.rows import class_row

    from ingest.edge.admissions import SAID, Reason

    with opened(folder.settings()) as connection:
        times = dict(connection.execute(_TIMES).fetchall())
        with connection.cursor(row_factory=class_row(RefusedConnection)) as cursor:
            found = cursor.execute(_REFUSED, (limit,)).fetchall()
    if folder.json:
        print_json({"refused": found, "times": times})
        return 0
    print_rows("Refused", COLUMNS, [_row(each, SAID[Reason(each.reason)]) for each in found])
    for reason, count in times.items():
        say(f"{count:>8}  {SAID[Reason(reason)]}")
    return 0


def _row(each: RefusedConnection, why: str) -> tuple[object, ...]:
    who = each.identity or "others", each.address or "-"
    return *who, why, each.first_at, each.last_at, each.times
