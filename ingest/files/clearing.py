"""What of files goes by itself: what never came whole, what is old, addresses long expired.

An address by which a campaign still hears of a station stays.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString

from psycopg import Connection

CLEARED_AT_ONCE: Final = 1000
# Nobody sends a file for so long: a process was killed.
_NEVER_WHOLE: LiteralString = """
DELETE FROM stored_file WHERE size IS NULL AND begun_at < now() - interval '1 day'
"""
_OLD: LiteralString = """
DELETE FROM stored_file WHERE id IN (
    SELECT id FROM stored_file JOIN station_file ON file_id = id
    WHERE ended_at < now() - %s * interval '1 day' ORDER BY ended_at LIMIT %s)
"""
_EXPIRED: LiteralString = """
DELETE FROM file_address WHERE id IN (
    SELECT id FROM file_address AS old WHERE expires_at < now() - %s * interval '1 day'
      AND NOT EXISTS (SELECT FROM campaign_station AS asked
                      WHERE asked.command_id = old.command_id AND state = 'asked')
    ORDER BY expires_at LIMIT %s)
"""


def clear_files(connection: Connection[Any], *, kept_days: int) -> None:
    """Drop what nobody needs; files that stations sent are kept for so many days."""
    connection.execute(_NEVER_WHOLE)
    connection.execute(_OLD, (kept_days, CLEARED_AT_ONCE))
    connection.execute(_EXPIRED, (kept_days, CLEARED_AT_ONCE))
