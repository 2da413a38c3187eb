"""What kinds of document there are."""

from __future__ import annotations

from enum import StrEnum


class DocumentKind(StrEnum):
    """What a document is to its reader."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    RECEIPT = "receipt"
    """An invoice that the buyer's prepaid balance bore in full when it was booked."""
