"""An invoice, credit note or receipt as PDF/A-3b, its electronic invoice attached (Factur-X)."""

from __future__ import annotations

import msgspec

from ledger.invoices.shown import ShownInvoice
from projections.documents.content.invoice import invoice_sheet
from projections.documents.content.legible import legible_content
from projections.documents.evidence import DocumentEvidence
from projections.documents.pages.factur_x import profile_of, with_factur_x
from projections.documents.pages.logo import logo_inputs
from projections.documents.pages.typesetting import typeset
from projections.documents.paid import Paid


def pdf(
    shown: ShownInvoice,
    *,
    xml: bytes | None,
    evidence: DocumentEvidence,
    logo: str | None = None,
    paid: Paid | None = None,
) -> bytes:
    """Return the pages of *shown*; the same inputs give the same bytes under the same `versions`.

    Args:
        shown: The document with everything that its reader is told.
        xml: The electronic invoice (CII) to attach, None: there is none.
        evidence: From `gather_evidence`, or `NO_EVIDENCE`.
        logo: The seller's, a data URI; one that cannot be set (`logo_problem`) is left out.
        paid: From `paid_from_balance`.

    Raises:
        UnsettableError: If the typesetter refuses it.
    """
    sheet = invoice_sheet(shown, evidence, logo=logo, paid=paid)
    inputs = {"sheet": msgspec.json.encode(legible_content(sheet)).decode(), **logo_inputs(logo)}
    if xml is None:
        return typeset("invoice.typ", inputs, shown.issued_on)
    profile = profile_of(xml)
    attached = {"xml": xml.decode(), "xml-name": profile.file_name}
    page = typeset("invoice.typ", inputs | attached, shown.issued_on)
    return with_factur_x(page, profile)
