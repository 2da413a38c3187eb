"""The documents that the demo leaves behind: of each kind and language one, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from projections.documents.delivery.folder import file_name, write_once
from projections.documents.keeping.kept import read_kept

_CHOSEN: LiteralString = """
SELECT number FROM (
    SELECT DISTINCT ON (kind, language) kind, language, number
    FROM rendered_document ORDER BY kind, language, number
) AS chosen ORDER BY kind, language
"""
_NOT_RENDERED: LiteralString = """
SELECT count(*) FROM issued_invoice AS issued
WHERE NOT EXISTS (SELECT FROM rendered_document AS done WHERE done.number = issued.number)
"""


class DemoDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document as files, by absolute paths. `sha256` is that of the PDF; `xml` may be none."""

    number: str
    kind: str
    language: str
    pdf: str
    xml: str | None
    sha256: str


def documents_missing(connection: Connection[Any]) -> int:
    """Return how many issued documents are not rendered."""
    [(count,)] = connection.execute(_NOT_RENDERED).fetchall()
    return int(count)


def write_documents(connection: Connection[Any], folder: Path) -> tuple[DemoDocument, ...]:
    """Write a document of each kind and language to *folder*; return them in that order."""
    numbers = [number for (number,) in connection.execute(_CHOSEN)]
    return tuple(_written(connection, number, folder) for number in numbers)


def _written(connection: Connection[Any], number: str, folder: Path) -> DemoDocument:
    kept = read_kept(connection, number)
    pdf = folder.absolute() / file_name(number, "pdf")
    write_once(pdf, kept.pdf)
    xml = None
    if kept.xml is not None:
        xml = folder.absolute() / file_name(number, "xml")
        write_once(xml, kept.xml)
    return DemoDocument(
        number=number,
        kind=kept.kind.value,
        language=kept.language,
        pdf=str(pdf),
        xml=None if xml is None else str(xml),
        sha256=kept.pdf_sha256,
    )
