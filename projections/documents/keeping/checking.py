"""Kept documents rendered again and compared: their bytes, or what stands in them.

Under the same versions the bytes are the same, or something is wrong. Under others they may differ
in their form; then what is told is compared: that the document is the one that was issued, and its
electronic invoice, which holds every amount. What differs of the renderer is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from projections.documents.keeping.issued import read_issued
from projections.documents.keeping.keeper import Renderer
from projections.documents.keeping.kept import (
    ErasedDocumentError,
    digest,
    read_kept,
)
from projections.documents.keeping.versions import differing

_NUMBERS: LiteralString = "SELECT number FROM rendered_document ORDER BY rendered_at, number"


class DocumentCheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of rendering a document again.

    `same_bytes`: those of the pages. `same_content`: the document is the one that was issued, and
    its electronic invoice has the same bytes. `renderer`: what of it is another one, then and now.
    `skipped`: why it could not be compared, else "".
    """

    number: str
    same_bytes: bool = False
    same_content: bool = False
    renderer: Mapping[str, tuple[str, str]] = {}
    skipped: str = ""

    @property
    def is_right(self) -> bool:
        """Return whether all is as it must be."""
        if self.skipped:
            return True
        return self.same_content and (self.same_bytes or bool(self.renderer))


def kept_numbers(connection: Connection[Any]) -> Sequence[str]:
    """Return the number of each document that is kept, oldest first."""
    return [number for (number,) in connection.execute(_NUMBERS)]


def check_document(
    connection: Connection[Any], render: Renderer, number: str
) -> DocumentCheckReport:
    """Return what becomes of document *number* when it is rendered again.

    Raises:
        UnknownInvoiceError: If it was never issued.
        NotRenderedError: If it is not kept.
        BrokenSealError: If what is kept was changed.
        OtherBytesError: If what is kept is not what its hash says.
    """
    issued = read_issued(connection, number)
    try:
        kept = read_kept(connection, number)
    except ErasedDocumentError:
        return DocumentCheckReport(number=number, skipped="who it is for was erased")
    again = render(connection, issued)
    return DocumentCheckReport(
        number=number,
        same_bytes=digest(again.pdf) == kept.pdf_sha256,
        same_content=(issued.sha256, again.kind, again.xml)
        == (kept.invoice_sha256, kept.kind, kept.xml),
        renderer=differing(kept.renderer, again.renderer),
    )
