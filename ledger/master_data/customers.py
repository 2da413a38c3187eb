"""Customers: who is billed, on which terms, and how often."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from ledger.master_data.addresses import Address
from tariffs.taxes.places import dealers_owe_vat
from tariffs.taxes.vat_ids import country_of_vat_id


class CustomerKind(StrEnum):
    """What kind of contract a customer has."""

    PRIVATE = "private"
    """A person, or a household whose members share one contract."""
    BUSINESS = "business"
    FLEET = "fleet"
    """A business whose tokens have cost centres and drivers."""
    AD_HOC = "ad_hoc"
    """Somebody without a contract: billed a session at a time, at once."""


_BUSINESSES: Final = frozenset({CustomerKind.BUSINESS, CustomerKind.FLEET})


PAYMENT_DAYS_MAX: Final = 365


class Invoicing(StrEnum):
    """How a customer's sessions become invoices."""

    PER_SESSION = "per_session"
    PER_MONTH = "per_month"
    ON_THRESHOLD = "on_threshold"
    """Once what waits comes to the customer's threshold, and at the latest with the month."""


class Delivery(StrEnum):
    """How a customer gets its documents; where each way leads is a setting."""

    NONE = "none"
    """They wait to be fetched."""
    EMAIL = "email"
    LINK = "link"
    """An e-mail with a link, and no attachment."""
    FOLDER = "folder"
    WEBHOOK = "webhook"


class PersonDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Who a customer is, as an invoice says it. It lives sealed in a blob, and can be erased."""

    name: str
    address: Address = Address()
    email: str | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The buyer on an invoice; its key is its subject id. `language` is a BCP 47 tag.

    `details` refers to the blob of its `PersonDetails`. `kind` None: a business where there is a
    `vat_id`, else private. `reverse_charge`: a business that owes the VAT itself, in the seller's
    place; it has a `vat_id` (`owes_vat_itself`). `resells`: a dealer, who buys electricity to sell
    it on. `payment_days`: how many days after its date an invoice is due; None: it says nothing.
    `pays_in_advance`: its sessions start, here and with partners, who must ask us, only while
    something is left of its balance, and are stopped here when nothing is. `top_up_below`,
    `top_up_by`: once less than that is left, so much is taken from its payment method; in major
    units of each currency, both or none. `threshold`: taxes included, in major units of each
    currency; of who is invoiced ON_THRESHOLD. `buyer_reference`: how the buyer finds what an
    invoice is for (EN 16931: BT-10), of a German public buyer its Leitweg-ID; `order_reference`:
    its order's number (BT-13); `electronic_address`: "scheme:id" by the EAS code list (BT-49).
    `delivery`: how its documents reach it.
    """

    details: str
    kind: CustomerKind | None = None
    invoicing: Invoicing = Invoicing.PER_SESSION
    threshold: Decimal | None = None
    vat_id: str | None = None
    reverse_charge: bool = False
    resells: bool = False
    payment_days: int | None = None
    pays_in_advance: bool = False
    top_up_below: Decimal | None = None
    top_up_by: Decimal | None = None
    language: str = "en"
    buyer_reference: str | None = None
    order_reference: str | None = None
    electronic_address: str | None = None
    delivery: Delivery = Delivery.NONE

    @property
    def is_business(self) -> bool:
        """Whether it buys as a business."""
        return bool((self.vat_id or "").strip()) if self.kind is None else self.kind in _BUSINESSES

    def owes_vat_itself(self, seller_country: str) -> bool:
        """Whether it owes the VAT in the place of a seller of *seller_country* (ISO 3166-1).

        Source: Directive 2006/112/EC, art. 195: of electricity, who is identified for VAT where it
        is due owes it in the place of a supplier who is not established there; art. 199a (1) (e):
        a country may let a dealer owe it to a seller of its own (`tariffs.taxes.places`).
        """
        if not (self.reverse_charge and self.is_business and self.vat_id):
            return False
        if country_of_vat_id(self.vat_id) != seller_country.upper():
            return True
        return self.resells and dealers_owe_vat(seller_country)


class CustomerEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer as a file declares it: the person, and the rest."""

    name: str
    kind: CustomerKind | None = None
    invoicing: Invoicing = Invoicing.PER_SESSION
    threshold: Decimal | None = None
    address: Address = Address()
    email: str | None = None
    vat_id: str | None = None
    reverse_charge: bool = False
    resells: bool = False
    payment_days: int | None = None
    pays_in_advance: bool = False
    top_up_below: Decimal | None = None
    top_up_by: Decimal | None = None
    language: str = "en"
    buyer_reference: str | None = None
    order_reference: str | None = None
    electronic_address: str | None = None
    delivery: Delivery = Delivery.NONE

    def details(self) -> PersonDetails:
        """Return who it is."""
        return PersonDetails(name=self.name, address=self.address, email=self.email)

    def customer(self) -> Customer:
        """Return what is declared of it, its details still to be kept."""
        return Customer(
            details="",
            kind=self.kind,
            invoicing=self.invoicing,
            threshold=self.threshold,
            vat_id=self.vat_id,
            reverse_charge=self.reverse_charge,
            resells=self.resells,
            payment_days=self.payment_days,
            pays_in_advance=self.pays_in_advance,
            top_up_below=self.top_up_below,
            top_up_by=self.top_up_by,
            language=self.language,
            buyer_reference=self.buyer_reference,
            order_reference=self.order_reference,
            electronic_address=self.electronic_address,
            delivery=self.delivery,
        )
