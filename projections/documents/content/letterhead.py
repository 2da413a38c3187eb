"""What stands on the pages of every document: who it is from, and how to reach and pay them."""

from __future__ import annotations

from typing import TypedDict

from ledger.invoices.document import Party, SellerDetails
from projections.documents.content.teller import Teller
from projections.documents.content.transfer import iban_groups


class Letterhead(TypedDict):
    """The fields of a sheet that do not depend on what it is about (`PrintedSheet`)."""

    language: str
    region: str
    seller: str
    logo: str
    sender: str
    foot: tuple[tuple[str, ...], ...]
    legal_text: tuple[str, ...]
    page_label: str


def letterhead(
    teller: Teller, seller: Party, details: SellerDetails, logo: str | None
) -> Letterhead:
    """Return what the documents of *seller* have in common; *logo* is a data URI."""
    language, _, region = teller.language.tag.partition("-")
    page = teller.language.text("Page {page} of {pages}", page="{page}", pages="{pages}")
    return Letterhead(
        language=language,
        region=region,
        seller=seller.name,
        logo=logo or "",
        sender=" · ".join([seller.name, *address_lines(teller, seller, "")]),
        foot=_foot(teller, seller, details),
        legal_text=_paragraphs(details.legal_text),
        page_label=page,
    )


def addressee(teller: Teller, party: Party, home: str) -> tuple[str, ...]:
    """Return whom a document goes to; the country's name stands where it is not *home*."""
    return (party.name, *address_lines(teller, party, home))


def address_lines(teller: Teller, party: Party, home: str) -> list[str]:
    """Return the lines of an address; the country's name where it is not *home*."""
    address = party.address
    town = f"{address.postal_code} {address.city}".strip()
    abroad = address.country if address.country != home else ""
    country = teller.language.country(abroad) if abroad else ""
    # Of an address, a file may have more lines in one field ("c/o").
    return list(_paragraphs(f"{address.street}\n{town}\n{country}"))


def _foot(teller: Teller, seller: Party, details: SellerDetails) -> tuple[tuple[str, ...], ...]:
    """Return the columns at a page's foot: who the seller is, and how to reach and pay it."""
    text = teller.language.text
    ids = [
        text("{label}: {value}", label=label, value=value)
        for label, value in (
            (text("VAT ID"), seller.vat_id),
            (text("Tax number"), details.tax_number),
            (text("Company register"), details.registration),
        )
        if value
    ]
    contact = details.contact
    reach = [contact.name, contact.phone, contact.email] if contact else []
    if details.email and details.email not in reach:
        reach.append(details.email)
    bank = details.bank
    account = [f"IBAN {iban_groups(bank.iban)}"] if bank else []
    if bank and bank.bic:
        account.append(f"BIC {bank.bic}")
    name = [seller.name, *address_lines(teller, seller, "")]
    columns = (name, ids, reach, account)
    return tuple(tuple(each for each in column if each) for column in columns if any(column))


def _paragraphs(text: str) -> tuple[str, ...]:
    """Return the lines of a text that may have several, without empty ones."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())
