"""Postal addresses, contacts and bank accounts as they stand on an invoice."""

from __future__ import annotations

import msgspec


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    street: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""

    def lines(self) -> tuple[str, ...]:
        """Return the lines to print, without empty ones."""
        town = f"{self.postal_code} {self.city}".strip()
        return tuple(line for line in (self.street, town, self.country) if line)


class Contact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a buyer asks (EN 16931: BG-6): a person or a desk."""

    name: str
    phone: str
    email: str


class BankAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a buyer transfers to (EN 16931: BG-17). `holder` None: the seller by its name."""

    iban: str
    bic: str | None = None
    holder: str | None = None
