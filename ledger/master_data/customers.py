"""Customers: who is billed, and how often."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ledger.master_data.addresses import Address


class Invoicing(StrEnum):
    """How a customer's sessions become invoices."""

    PER_SESSION = "per_session"
    PER_MONTH = "per_month"


class Customer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The buyer on an invoice. `language` is a BCP 47 tag.

    `reverse_charge`: a business that owes the VAT itself, in the seller's place; it has a `vat_id`.
    """

    name: str
    invoicing: Invoicing = Invoicing.PER_SESSION
    address: Address = Address()
    email: str | None = None
    vat_id: str | None = None
    reverse_charge: bool = False
    language: str = "en"
