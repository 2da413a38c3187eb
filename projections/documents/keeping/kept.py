"""Rendered documents in the database: each kept once, sealed, with its hashes in clear.

The row is the decision that these bytes are the document: who writes it first decides, and nothing
is delivered that has none. Hashes are of the bytes before they were sealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, LiteralString

from psycopg import Connection

from ledger.persons.sealing import Subject, seal_bytes, unseal_bytes
from ledger.persons.store import keys_of
from projections.documents.keeping.issued import IssuedDocument
from projections.documents.kinds import DocumentKind
from projections.errors import ProjectionError, UnknownInvoiceError

_KEEP: LiteralString = """
INSERT INTO rendered_document (number, kind, language, subject, invoice_sha256, pdf_sha256,
    xml_sha256, renderer, pdf, xml)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (number) DO NOTHING
"""
_READ: LiteralString = """
SELECT number, kind, language, subject, invoice_sha256, pdf_sha256, xml_sha256, renderer,
       rendered_at, pdf, xml
FROM rendered_document WHERE number = %s
"""
_ISSUED: LiteralString = "SELECT FROM issued_invoice WHERE number = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedDocument:
    """A document as it came out of the renderer.

    `xml` None: none can say it, for its taxes are no VAT. `renderer` is what it was made with, as
    JSON (`projections.documents.keeping.versions`).
    """

    kind: DocumentKind
    language: str
    pdf: bytes
    xml: bytes | None
    renderer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDocument:
    """A document as it is kept, opened. `subject` is who it is for."""

    number: str
    kind: DocumentKind
    language: str
    subject: str
    invoice_sha256: str
    pdf_sha256: str
    xml_sha256: str | None
    renderer: str
    rendered_at: datetime
    pdf: bytes
    xml: bytes | None


def keep(
    connection: Connection[Any],
    subject: Subject,
    issued: IssuedDocument,
    rendered: RenderedDocument,
) -> bool:
    """Keep *rendered* sealed for *subject*; say whether it was the first, and so is what counts."""
    xml = rendered.xml
    row = (
        issued.document.number,
        rendered.kind,
        rendered.language,
        subject.id,
        issued.sha256,
        digest(rendered.pdf),
        None if xml is None else digest(xml),
        rendered.renderer,
        seal_bytes(subject, rendered.pdf),
        None if xml is None else seal_bytes(subject, xml),
    )
    return connection.execute(_KEEP, row).rowcount > 0


def read_kept(connection: Connection[Any], number: str) -> KeptDocument:
    """Return document *number* as it was rendered once.

    Raises:
        UnknownInvoiceError: If there is none of that number.
        NotRenderedError: If it is not, or not yet.
        ErasedDocumentError: If who it is for was erased: nobody opens it any more.
        BrokenSealError: If its bytes were changed.
        OtherBytesError: If they are not those whose hash is kept.
    """
    row = connection.execute(_READ, (number,)).fetchone()
    if row is None:
        is_issued = connection.execute(_ISSUED, (number,)).fetchone() is not None
        raise NotRenderedError(number) if is_issued else UnknownInvoiceError(number)
    subject_id, (pdf, xml) = row[3], row[-2:]
    key = keys_of(connection, [subject_id]).get(subject_id)
    if key is None:
        raise ErasedDocumentError(number, subject_id)
    subject = Subject(subject_id, key)
    kept = KeptDocument(
        number=number,
        kind=DocumentKind(row[1]),
        language=row[2],
        subject=subject_id,
        invoice_sha256=row[4],
        pdf_sha256=row[5],
        xml_sha256=row[6],
        renderer=row[7],
        rendered_at=row[8],
        pdf=unseal_bytes(subject, pdf),
        xml=None if xml is None else unseal_bytes(subject, xml),
    )
    hashes = digest(kept.pdf), None if kept.xml is None else digest(kept.xml)
    if hashes != (kept.pdf_sha256, kept.xml_sha256):
        raise OtherBytesError(number)
    return kept


def digest(content: bytes) -> str:
    """Return the SHA-256 of *content*, in hex."""
    return sha256(content).hexdigest()


class NotRenderedError(ProjectionError):
    """A document has not been rendered; it waits for whoever does that, or cannot be."""

    def __init__(self, number: str) -> None:
        super().__init__(
            f"{number} is not rendered yet: `wattledger documents list` says what it waits for"
        )
        self.number = number


class ErasedDocumentError(ProjectionError):
    """Who a document is for was erased."""

    def __init__(self, number: str, subject_id: str) -> None:
        super().__init__(
            f"who {number} is for was erased ({subject_id}): what was rendered stays shut"
        )
        self.number, self.subject_id = number, subject_id


class OtherBytesError(ProjectionError):
    """What is kept of a document is not what its hash says."""

    def __init__(self, number: str) -> None:
        super().__init__(f"the kept bytes of {number} are not those whose hash was kept with them")
        self.number = number
