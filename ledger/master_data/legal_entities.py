"""Legal entities: who sells, and whose number series an invoice belongs to."""

from __future__ import annotations

import msgspec

from ledger.master_data.addresses import Address
from ledger.master_data.numbers import DocumentNumbers


class LegalEntity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seller on an invoice.

    `time_zone` (IANA) is its calendar: the day an invoice is dated, the month and year it falls in.
    `invoice_prefix` opens its invoice numbers and belongs to it alone; `numbers` says how they are
    written and where they start.
    """

    name: str
    country: str
    time_zone: str
    invoice_prefix: str
    vat_id: str | None = None
    address: Address = Address()
    numbers: DocumentNumbers = DocumentNumbers()
