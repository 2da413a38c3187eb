"""`wattledger invoice pdf|xml|ubl|html`: a document as its reader gets it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.commands.data_folder import FOLDER, DataFolder
from deploy.commands.documents.written import write_bytes
from deploy.errors import DeployError
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

    from projections.documents.keeping.kept import KeptDocument


def pdf(number: str, /, *, output: Path | None = None, folder: DataFolder = FOLDER) -> int:
    """Write an invoice or credit note as its reader gets it: PDF/A-3, Factur-X inside.

    It was rendered once and is kept; what is not rendered yet is so now. Who was erased has none
    that anybody could open.

    Args:
        number: Its number.
        output: The file; without it standard output, unless that is a terminal.
        folder: Where.
    """
    with opened(folder.settings()) as connection:
        content = _kept(connection, number).pdf
    return write_bytes(content, output, is_text=False)


def xml(number: str, /, *, output: Path | None = None, folder: DataFolder = FOLDER) -> int:
    """Write the electronic invoice that is embedded in the PDF: EN 16931 as CII.

    Args:
        number: The number of the invoice or credit note.
        output: The file; without it standard output.
        folder: Where.
    """
    with opened(folder.settings()) as connection:
        content = _kept(connection, number).xml
    if content is None:
        raise NoElectronicInvoiceError(number)
    return write_bytes(content, output)


def ubl(number: str, /, *, output: Path | None = None, folder: DataFolder = FOLDER) -> int:
    """Write an invoice or credit note as UBL, EN 16931's other form.

    Args:
        number: Its number.
        output: The file; without it standard output.
        folder: Where.
    """
    from projections.documents.keeping.other_forms import as_ubl

    with opened(folder.settings()) as connection:
        _kept(connection, number)
        content = as_ubl(connection, number)
    if content is None:
        raise NoElectronicInvoiceError(number)
    return write_bytes(content, output)


def html(number: str, /, *, output: Path | None = None, folder: DataFolder = FOLDER) -> int:
    """Write an invoice or credit note as a page for the screen.

    Args:
        number: Its number.
        output: The file; without it standard output.
        folder: Where.
    """
    from projections.documents.keeping.other_forms import as_html

    with opened(folder.settings()) as connection:
        _kept(connection, number)
        content = as_html(connection, number)
    return write_bytes(content.encode(), output)


def _kept(connection: Connection[Any], number: str) -> KeptDocument:
    from ledger.database import dsn_of
    from projections.documents.keeping.keeper import DocumentKeeper
    from projections.documents.keeping.kept import NotRenderedError, read_kept
    from projections.documents.keeping.rendering import DocumentRenderer

    try:
        return read_kept(connection, number)
    except NotRenderedError:
        with closing(DocumentKeeper(dsn_of(connection), DocumentRenderer())) as keeper:
            keeper.render_now(number)
        return read_kept(connection, number)


class NoElectronicInvoiceError(DeployError):
    """EN 16931 cannot say a document: its taxes are no VAT."""

    def __init__(self, number: str) -> None:
        super().__init__(f"{number} has no electronic invoice: EN 16931 knows no tax but VAT")
        self.number = number
