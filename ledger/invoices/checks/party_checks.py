"""Whether seller and buyer are named as a document must name them, by ids that were copied right.

What EN 16931 asks of every invoice is asked here: the seller's name and country, the VAT ids of
both where the buyer owes the tax. Check digits of VAT ids, IBAN and BIC are not looked at by its
official rules. A seller without any id for tax has invoices on paper alone (`is_electronic`).
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.invoices.document import InvoiceDocument, Party
from ledger.master_data.documents.bank_codes import is_bic, is_iban
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.taxes.vat_ids import VatIdCheck, check_vat_id


def party_problems(document: InvoiceDocument) -> Iterator[Phrase]:
    """Yield what is wrong with whom *document* is from and to."""
    seller, details = document.seller, document.seller_details
    if not seller.name.strip():
        yield phrase("seller_without_name")
    yield from _vat_id(seller, "seller")
    if document.buyer is not None:
        yield from _vat_id(document.buyer, "buyer")
    if details is not None:
        # Documents of the first schema say none of that.
        yield from _seller(document)
        bank = details.bank
        if bank is not None and not is_iban(bank.iban):
            yield phrase("iban_wrong", iban=bank.iban)
        if bank is not None and bank.bic is not None and not is_bic(bank.bic):
            yield phrase("bic_wrong", bic=bank.bic)
    if any(each.reverse_charge for each in document.vat):
        yield from _reverse_charge(document)


def _seller(document: InvoiceDocument) -> Iterator[Phrase]:
    seller = document.seller
    if not seller.address.country:
        yield phrase("seller_without_country", seller=seller.name)


def _vat_id(party: Party, who: str) -> Iterator[Phrase]:
    if party.vat_id is None:
        return
    match check_vat_id(party.vat_id):
        case VatIdCheck.WRONG_DIGITS:
            yield phrase("vat_id_digits_wrong", who=who, name=party.name, vat_id=party.vat_id)
        case VatIdCheck.WRONG_FORM:
            yield phrase("vat_id_form_wrong", who=who, name=party.name, vat_id=party.vat_id)
        case VatIdCheck.RIGHT | VatIdCheck.FORM_RIGHT | VatIdCheck.UNKNOWN_COUNTRY:
            pass


def _reverse_charge(document: InvoiceDocument) -> Iterator[Phrase]:
    """Yield what is missing where the buyer owes the tax (Directive 2006/112/EC, art. 226)."""
    buyer = document.buyer
    if buyer is None or buyer.vat_id is None:
        yield phrase("reverse_charge_without_buyer_vat_id")
    if document.seller.vat_id is None:
        yield phrase("reverse_charge_without_seller_vat_id", seller=document.seller.name)
    if not any(each.code == "buyer_owes_vat" for each in document.notes):
        yield phrase("reverse_charge_not_said")


def date_problems(document: InvoiceDocument) -> Iterator[Phrase]:
    """Yield what is wrong with the number and the dates of *document*."""
    if not document.number.strip():
        yield phrase("number_missing")
    issued_on, due_on, credited = document.issued_on, document.due_on, document.credits
    if due_on is not None and due_on < issued_on:
        yield phrase("due_before_issue", due=due_on.isoformat(), issued=issued_on.isoformat())
    if credited is not None and credited.issued_on > issued_on:
        yield phrase(
            "credit_before_invoice",
            number=credited.number,
            invoiced=credited.issued_on.isoformat(),
            issued=issued_on.isoformat(),
        )
    if credited is not None and not credited.number.strip():
        yield phrase("credited_number_missing")
