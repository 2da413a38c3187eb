"""Legal entities: who sells, and whose number series an invoice belongs to."""

from __future__ import annotations

import msgspec

from ledger.master_data.addresses import Address, BankAccount, Contact
from ledger.master_data.numbers import DocumentNumbers


class LegalEntity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seller on an invoice.

    `time_zone` (IANA) is its calendar: the day an invoice is dated, the month and year it falls in.
    `invoice_prefix` opens its invoice numbers and belongs to it alone; `numbers` says how they are
    written and where they start.

    What its documents say besides: `tax_number` (EN 16931: BT-32), `registration` in the company
    register (BT-30), the electronic address `email` (BT-34), `contact` (BG-6), `bank` (BG-17),
    `legal_text` at their foot (BT-33), and `logo`, a data URI of an SVG or PNG picture. `language`
    (BCP 47) is that of documents to who has declared none. `party` is what roaming partners know it
    as, "DE-HBC" (`ledger.partners.party`).
    """

    name: str
    country: str
    time_zone: str
    invoice_prefix: str
    vat_id: str | None = None
    address: Address = Address()
    numbers: DocumentNumbers = DocumentNumbers()
    tax_number: str | None = None
    registration: str | None = None
    email: str | None = None
    contact: Contact | None = None
    bank: BankAccount | None = None
    legal_text: str = ""
    logo: str | None = None
    language: str = "en"
    party: str | None = None
