"""A document's bytes: the electronic invoice, and the pages in which it is embedded."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from psycopg import Connection

from ledger.declared.store import NewestDeclarations
from ledger.invoices.document import CREDIT_NOTE, WITH_DETAILS
from ledger.invoices.shown import ShownInvoice
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.official.validator import Validator
from projections.documents.electronic.problems import NotElectronicError
from projections.documents.electronic.tax_categories import is_electronic
from projections.documents.evidence import gather_evidence
from projections.documents.keeping.issued import IssuedDocument, logo_of, shown
from projections.documents.keeping.kept import RenderedDocument
from projections.documents.keeping.versions import renderer
from projections.documents.kinds import DocumentKind
from projections.documents.pages.pdf import pdf
from projections.documents.paid import Paid, paid_from_balance

_VALIDATOR: Final = Validator()


class DocumentRenderer:
    """Renders the documents of one database."""

    def __init__(self) -> None:
        self._declarations = NewestDeclarations()

    def __call__(self, connection: Connection[Any], issued: IssuedDocument, /) -> RenderedDocument:
        """Return *issued* as its reader gets it; the same bytes under the same `renderer`.

        Raises:
            NotElectronicError: If what is embedded breaks the official rules.
            ValidatorMissingError: If nobody can say whether it does.
            UnsettableError: If the pages cannot be made.
        """
        sight = shown(connection, issued.document)
        paid = paid_from_balance(connection, issued.document.number)
        xml = electronic(sight, paid)
        logo = logo_of(self._declarations.of(connection), issued)
        evidence = gather_evidence(connection, sight)
        return RenderedDocument(
            kind=kind_of(sight, paid),
            language=sight.language,
            pdf=pdf(sight, xml=xml, evidence=evidence, logo=logo, paid=paid),
            xml=xml,
            renderer=renderer(),
        )


def electronic(sight: ShownInvoice, paid: Paid | None) -> bytes | None:
    """Return the electronic invoice that is embedded; None where EN 16931 cannot say the document.

    It passed the official rules before it was issued. What it was settled with came to light only
    then, so one that was is judged again. A document of before there was such a gate (schema 1)
    goes without, where it does not pass.

    Raises:
        NotElectronicError: If it breaks a rule.
        ValidatorMissingError: If nobody can say.
    """
    if not is_electronic(sight):
        return None
    if sight.schema < WITH_DETAILS:
        with suppress(NotElectronicError):
            return _judged(sight, cii(sight, paid_minor=paid_minor(sight, paid)))
        return None
    xml = cii(sight, paid_minor=paid_minor(sight, paid))
    return xml if paid is None else _judged(sight, xml)


def _judged(sight: ShownInvoice, xml: bytes) -> bytes:
    """Return *xml* if the official rules have nothing against it.

    Raises:
        NotElectronicError: If they have.
        ValidatorMissingError: If nobody can say.
    """
    problems = _VALIDATOR.problems(xml)
    if problems:
        raise NotElectronicError(sight.number, problems)
    return xml


def paid_minor(sight: ShownInvoice, paid: Paid | None) -> int:
    """Return what was paid of an invoice before it was issued; a credit note pays nothing."""
    return 0 if paid is None or sight.type_code == CREDIT_NOTE else paid.minor


def kind_of(sight: ShownInvoice, paid: Paid | None) -> DocumentKind:
    """Return what *sight* is to its reader."""
    if sight.type_code == CREDIT_NOTE:
        return DocumentKind.CREDIT_NOTE
    is_paid = paid is not None and paid.minor >= sight.due_minor
    return DocumentKind.RECEIPT if is_paid else DocumentKind.INVOICE
