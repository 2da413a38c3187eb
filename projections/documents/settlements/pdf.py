"""A settlement as PDF/A-3b, its CDRs and lines as CSV attached."""

from __future__ import annotations

from datetime import date

import msgspec

from projections.documents.content.legible import legible_content
from projections.documents.pages.logo import logo_inputs
from projections.documents.pages.typesetting import typeset
from projections.documents.settlements.sheet import ShownSettlement, settlement_sheet


def settlement_pdf(
    shown: ShownSettlement, lines_csv: str, on: date, *, logo: str | None = None
) -> bytes:
    """Return the pages of *shown*; the same inputs, the same bytes.

    Args:
        shown: The settlement.
        lines_csv: Its CDRs and lines, for machines.
        on: Of which day the document is.
        logo: Ours, a data URI.

    Raises:
        UnsettableError: If the typesetter refuses it.
    """
    inputs = {
        "sheet": msgspec.json.encode(legible_content(settlement_sheet(shown, logo=logo))).decode(),
        "csv": lines_csv,
        **logo_inputs(logo),
    }
    return typeset("statement.typ", inputs, on)
