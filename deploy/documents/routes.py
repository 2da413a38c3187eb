"""Documents over HTTP: with a token by their number, without one by a link that was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter
from psycopg_pool import ConnectionPool

from deploy.interface.app import FOR_ANYBODY
from ledger.persons.sealing import BrokenSealError
from projections.documents.delivery.folder import file_name
from projections.documents.delivery.links import PATH, linked
from projections.documents.delivery.listing import ListedDocument, list_documents
from projections.documents.keeping.kept import ErasedDocumentError, OtherBytesError, read_kept

Pool = NamedDependency[ConnectionPool[Any]]
Number = Annotated[
    str,
    PathParameter(description="An invoice's or a credit note's", schema_extra={"maxLength": 200}),
]
Token = Annotated[str, PathParameter(description="As it was sent", schema_extra={"maxLength": 100})]
READS: Final = {"scope": "documents"}
PDF: Final = "application/pdf"
XML: Final = "application/xml"
_CLOSED: Final = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


class InvoicesController(Controller):
    """Invoices and credit notes as their readers get them."""

    tags = ("documents",)

    @get("/invoices/{number:str}/delivery", opt=READS, sync_to_thread=True)
    def one(self, number: Number, pool: Pool) -> ListedDocument:
        """Return how far a document is: rendered, delivered."""
        with pool.connection() as connection:
            found = list_documents(connection, limit=1, numbers=[number])
        if not found:
            message = f"there is no invoice {number}"
            raise NotFoundException(message)
        return found[0]

    @get("/invoices/{number:str}/pdf", opt=READS, media_type=PDF, sync_to_thread=True)
    def pdf(self, number: Number, pool: Pool) -> Response[bytes]:
        """Return the PDF that was rendered once."""
        with pool.connection() as connection:
            kept = read_kept(connection, number)
        return _answer(kept.pdf, PDF, file_name(number, "pdf"), kept.pdf_sha256)

    @get("/invoices/{number:str}/xml", opt=READS, media_type=XML, sync_to_thread=True)
    def xml(self, number: Number, pool: Pool) -> Response[bytes]:
        """Return the electronic invoice that is embedded in the PDF (EN 16931, CII)."""
        with pool.connection() as connection:
            kept = read_kept(connection, number)
        if kept.xml is None or kept.xml_sha256 is None:
            message = f"{number} has no electronic invoice: EN 16931 knows no tax but VAT"
            raise NotFoundException(message)
        return _answer(kept.xml, XML, file_name(number, "xml"), kept.xml_sha256)


class LinksController(Controller):
    """Documents by a link: whoever has it, has the document."""

    tags = ("documents",)

    @get(f"{PATH}/{{token:str}}", opt=FOR_ANYBODY, media_type=PDF, sync_to_thread=True)
    def linked(self, token: Token, pool: Pool) -> Response[bytes]:
        """Return the PDF that a link leads to, until the link expires."""
        with pool.connection() as connection:
            number = linked(connection, token)
            try:
                kept = None if number is None else read_kept(connection, number)
            except (BrokenSealError, ErasedDocumentError, OtherBytesError):
                kept = None
        if kept is None:
            # The same, whatever the reason: nobody learns what there was.
            message = "this link leads nowhere, or it has expired"
            raise NotFoundException(message)
        return _answer(kept.pdf, PDF, file_name(kept.number, "pdf"), kept.pdf_sha256)


ROUTES: Final[Sequence[type[Controller]]] = (InvoicesController, LinksController)


def _answer(content: bytes, media_type: str, name: str, sha256: str) -> Response[bytes]:
    headers = {
        **_CLOSED,
        "Content-Disposition": f'inline; filename="{name}"',
        "ETag": f'"{sha256}"',
    }
    return Response(content, media_type=media_type, headers=headers)
