"""A document as HTML: one file that needs no other, the same content as its pages.

It has no scripts and no styles but those in its head, which `CONTENT_SECURITY_POLICY` names by
their hash: whoever serves it can forbid everything else.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, tzinfo
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import jinja2
import msgspec

from ledger.invoices.shown import ShownInvoice
from projections.documents.content.invoice import invoice_sheet
from projections.documents.content.legible import legible_content
from projections.documents.content.payments import with_payments
from projections.documents.evidence import DocumentEvidence
from projections.documents.paid import InvoicePayments, Paid

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_TEMPLATES / "document.css").read_text("utf-8")
_LOGO: Final = re.compile(r"data:image/(?:svg\+xml|png)[;,][^\s\"'<>]*")

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + b64encode(sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
"""What a server says of such a page."""


def html(
    shown: ShownInvoice,
    *,
    evidence: DocumentEvidence,
    logo: str | None = None,
    paid: Paid | None = None,
    payments: InvoicePayments | None = None,
    calendar: tzinfo = UTC,
) -> str:
    """Return *shown* for the screen; arguments as for `projections.documents.pages.pdf`.

    And *payments* that came for it since, by the days of the seller's *calendar*.
    """
    sheet = invoice_sheet(shown, evidence, logo=logo, paid=paid)
    if payments is not None:
        sheet = with_payments(sheet, shown, payments, evidence=evidence, calendar=calendar)
    return screen("invoice.html.j2", sheet)


def screen(template: str, sheet: msgspec.Struct) -> str:
    """Return the HTML that *template* makes of a *sheet*."""
    content = legible_content(sheet)
    if not _LOGO.fullmatch(str(content.get("logo", ""))):
        content["logo"] = ""
    return _environment().get_template(template).render(sheet=content, style=_STYLE)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
