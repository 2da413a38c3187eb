"""Customers: who is billed, and how often."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ledger.master_data.addresses import Address


class Invoicing(StrEnum):
    """How a customer's sessions become invoices."""

    PER_SESSION = "per_session"
    PER_MONTH = "per_month"


class PersonDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Who a customer is, as an invoice says it. It lives sealed in a blob, and can be erased."""

    name: str
    address: Address = Address()
    email: str | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The buyer on an invoice; its key is its subject id. `language` is a BCP 47 tag.

    `details` refers to the blob of its `PersonDetails`. `reverse_charge`: a business that owes the
    VAT itself, in the seller's place; it has a `vat_id`.
    """

    details: str
    invoicing: Invoicing = Invoicing.PER_SESSION
    vat_id: str | None = None
    reverse_charge: bool = False
    language: str = "en"


class CustomerEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer as a file declares it: the person, and the rest."""

    name: str
    invoicing: Invoicing = Invoicing.PER_SESSION
    address: Address = Address()
    email: str | None = None
    vat_id: str | None = None
    reverse_charge: bool = False
    language: str = "en"

    def details(self) -> PersonDetails:
        """Return who it is."""
        return PersonDetails(name=self.name, address=self.address, email=self.email)

    def customer(self) -> Customer:
        """Return what is declared of it, its details still to be kept."""
        return Customer(
            details="",
            invoicing=self.invoicing,
            vat_id=self.vat_id,
            reverse_charge=self.reverse_charge,
            language=self.language,
        )
