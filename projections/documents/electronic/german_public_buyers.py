"""XRechnung: what German public buyers ask for beyond EN 16931, checked before one is written.

A public buyer is known by its Leitweg-ID as the buyer reference.

Source: XRechnung 3.0.2, its rules BR-DE-1 to BR-DE-31.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ledger.invoices.shown import ShownInvoice
from ledger.master_data.documents.leitweg_ids import is_leitweg_id
from projections.documents.electronic.electronic_invoice import ElectronicInvoice
from projections.documents.electronic.problems import RuleProblem

_GERMANY: Final = "DE"
_PHONE: Final = re.compile(r"(?:.*\d){3}", re.DOTALL)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@.\s]+(?:\.[^@.\s]+)+")


def is_german_public_buyer(shown: ShownInvoice) -> bool:
    """Return whether the buyer of *shown* is to get an XRechnung."""
    reference = (shown.buyer_references.buyer_reference or "").strip()
    return shown.buyer.address.country.upper() in ("", _GERMANY) and is_leitweg_id(reference)


def missing(made: ElectronicInvoice) -> Iterator[RuleProblem]:
    """Yield what a German public buyer asks for and was not declared, each with where to."""
    seller, buyer = made.seller, made.buyer
    contact = seller.contact
    for rule, what, where in (
        ("BR-DE-3", seller.address.city, "the seller's address.city"),
        ("BR-DE-4", seller.address.postal_code, "the seller's address.postal_code"),
        ("BR-DE-8", buyer.address.city, "the buyer's address.city"),
        ("BR-DE-9", buyer.address.postal_code, "the buyer's address.postal_code"),
        ("BR-DE-5", contact and contact.name, "the seller's contact.name"),
        ("BR-DE-6", contact and contact.phone, "the seller's contact.phone"),
        ("BR-DE-7", contact and contact.email, "the seller's contact.email"),
        ("BR-DE-1", made.payment, "the seller's bank"),
        ("BR-DE-16", seller.vat_id or seller.tax_number, "the seller's vat_id or tax_number"),
        ("BR-DE-15", made.buyer_reference, "the buyer's buyer_reference"),
        ("PEPPOL-EN16931-R010", buyer.electronic_address, "the buyer's electronic_address"),
        ("PEPPOL-EN16931-R020", seller.electronic_address, "the seller's email"),
    ):
        if not what:
            yield RuleProblem(rule, f"a German public buyer asks for it: declare {where}")
    if contact and contact.phone and not _PHONE.match(contact.phone):
        yield RuleProblem("BR-DE-27", "the seller's contact.phone has fewer than three digits")
    if contact and contact.email and not _EMAIL.fullmatch(contact.email):
        yield RuleProblem("BR-DE-28", "the seller's contact.email is no e-mail address")
