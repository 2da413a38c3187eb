"""The files that published and proposed versions were read from, with comments and examples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.master_data.tariff_versions import published
from tariffs.files.tariff_file import read_tariff_file
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.model.tariff import Tariff

_KEEP: LiteralString = """
INSERT INTO tariff_text (version, text, kept_by, kept_at) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_FIND: LiteralString = """
SELECT coalesce(
    (SELECT text FROM tariff_text WHERE version = %(version)s),
    (SELECT text FROM tariff_draft WHERE version = %(version)s ORDER BY number DESC LIMIT 1)
)
"""


def keep_texts(
    connection: Connection[Any],
    files: Sequence[tuple[str, str]],
    tariffs: Sequence[Tariff],
    *,
    by: str,
    at: datetime,
) -> None:
    """Keep what each of *tariffs* was read from: its (text, source) of *files*."""
    for (text, _), tariff in zip(files, tariffs, strict=True):
        connection.execute(_KEEP, (published(tariff).sha256, text, by, at))


def kept_text(connection: Connection[Any], sha256: str) -> str | None:
    """Return the file of a version, or the newest draft that says the same; None without one."""
    [(text,)] = connection.execute(_FIND, {"version": sha256}).fetchall()
    return None if text is None else str(text)


def text_to_edit(connection: Connection[Any], tariff: Tariff) -> str:
    """Return a text that says *tariff*, for somebody to go on from.

    It is the file that it came from, unless that names files which stand beside it no more.
    """
    kept = kept_text(connection, published(tariff).sha256)
    if kept is not None:
        read, _ = read_tariff_file(kept, "tariff", is_alone=True)
        if read is not None:
            return kept
    return write_tariff_file(tariff)[0]
