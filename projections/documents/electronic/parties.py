"""Seller, buyer and how to pay, as EN 16931 wants them from what was declared."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from ledger.invoices.document import Party
from ledger.invoices.shown import ShownInvoice
from ledger.master_data.addresses import Address, Contact
from projections.documents.electronic.electronic_invoice import (
    ElectronicAddress,
    ElectronicBuyer,
    ElectronicSeller,
    PaymentInstructions,
)
from projections.documents.electronic.texts import compact, one_line
from tariffs.taxes.vat_ids import country_of_vat_id

EMAIL_SCHEME: Final = "EM"
SEPA_TRANSFER: Final = "58"
TRANSFER: Final = "30"
CLEARING: Final = "97"
"""Between the partners: what was paid from a balance, and what is given back."""
_SEPA_CURRENCY: Final = "EUR"


def seller_of(shown: ShownInvoice, *, bears_vat: bool) -> ElectronicSeller:
    """Return the seller; of what is not subject to VAT no VAT id may stand (BR-O-02)."""
    seller, details = shown.seller, shown.seller_details
    vat_id = _vat_id(seller) if bears_vat else None
    registration, tax_number = one_line(details.registration), one_line(details.tax_number)
    # Somehow a buyer's machine must know the seller (BR-CO-26), and a tax number is no such id.
    known = vat_id or registration
    return ElectronicSeller(
        name=one_line(seller.name) or "",
        identifier=None if known else _vat_id(seller) or tax_number,
        registration=registration,
        vat_id=vat_id,
        tax_number=tax_number if bears_vat else None,
        legal_text=one_line(details.legal_text),
        electronic_address=_electronic_address(None, details.email),
        address=_address(seller, country_of_vat_id(seller.vat_id or "") or ""),
        contact=_contact(details.contact),
    )


def buyer_of(shown: ShownInvoice, *, bears_vat: bool) -> ElectronicBuyer:
    """Return the buyer; one of whom no country is known is where it was supplied (BR-11)."""
    buyer = shown.buyer
    supplied_in = shown.vat[0].country if shown.vat else shown.seller.address.country
    country = country_of_vat_id(buyer.vat_id or "") or supplied_in
    return ElectronicBuyer(
        name=one_line(buyer.name) or "",
        vat_id=_vat_id(buyer) if bears_vat else None,
        electronic_address=_electronic_address(
            shown.buyer_references.electronic_address, buyer.email
        ),
        address=_address(buyer, country),
    )


def payment_of(shown: ShownInvoice, *, due_minor: int) -> PaymentInstructions | None:
    """Return how *due_minor* is paid; None where nobody said where to."""
    bank, remittance = shown.seller_details.bank, one_line(shown.number) or ""
    if due_minor <= 0 or shown.credits:
        return PaymentInstructions(means=CLEARING, remittance=remittance)
    if bank is None:
        return None
    return PaymentInstructions(
        means=SEPA_TRANSFER if shown.currency == _SEPA_CURRENCY else TRANSFER,
        remittance=remittance,
        iban=compact(bank.iban),
        holder=one_line(bank.holder) or one_line(shown.seller.name),
        bic=compact(bank.bic),
    )


def _vat_id(party: Party) -> str | None:
    """Return a VAT id as machines compare it; its prefix is in capitals (BR-CO-09)."""
    found = compact(party.vat_id)
    return found and found.upper()


def _electronic_address(declared: str | None, email: str | None) -> ElectronicAddress | None:
    """Return the address *declared* as "scheme:id", else the e-mail address.

    One without a scheme is no address that could be left out: its scheme is empty.
    """
    known, address = compact(declared), compact(email)
    if known is None:
        return ElectronicAddress(EMAIL_SCHEME, address) if address else None
    scheme, colon, of_scheme = known.partition(":")
    return ElectronicAddress(scheme, of_scheme) if colon else ElectronicAddress("", known)


def _address(party: Party, country: str) -> Address:
    address = party.address
    return Address(
        street=one_line(address.street) or "",
        postal_code=one_line(address.postal_code) or "",
        city=one_line(address.city) or "",
        country=(compact(address.country) or country).upper(),
    )


def _contact(contact: Contact | None) -> Contact | None:
    if contact is None:
        return None
    return replace(
        contact,
        name=one_line(contact.name) or "",
        phone=one_line(contact.phone) or "",
        email=one_line(contact.email) or "",
    )
