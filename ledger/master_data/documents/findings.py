"""What would make the first document of a seller or for a buyer fail, found when it is declared.

A problem is what no document can be made with; a warning what its reader will miss.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ledger.master_data.addresses import Address
from ledger.master_data.customers import CustomerEntry, Delivery
from ledger.master_data.documents.bank_codes import is_bic, is_iban
from ledger.master_data.documents.countries import COUNTRIES
from ledger.master_data.documents.electronic_addresses import address_fault, is_email
from ledger.master_data.documents.leitweg_ids import has_leitweg_form, is_leitweg_id
from ledger.master_data.documents.logos import logo_fault
from ledger.master_data.documents.means import DocumentFinding, DocumentMeans, Spot
from ledger.master_data.legal_entities import LegalEntity
from tariffs.taxes.places import PLACES
from tariffs.taxes.vat_ids import VatIdCheck, check_vat_id

TEXT_MAX: Final = 200
"""Characters of a name, or of a line of an address."""
LEGAL_TEXT_MAX: Final = 2_000
_DIGITS: Final = re.compile(r"(?:.*\d){3}", re.DOTALL)
_Findings = Iterator[DocumentFinding]


def findings_of(
    entity: LegalEntity | CustomerEntry, means: DocumentMeans | None = None
) -> _Findings:
    """Yield what is wrong with *entity* for documents; without *means*, what needs none."""
    match entity:
        case LegalEntity():
            yield from _seller(entity)
            texts = _texts_of_seller(entity)
        case CustomerEntry():
            yield from _buyer(entity)
            texts = _texts_of_buyer(entity)
    for spot, text in texts:
        yield from _text(spot, text, means)
    if means is not None:
        yield from _language(entity.language, means)


def _seller(seller: LegalEntity) -> _Findings:
    if not seller.name.strip():
        yield DocumentFinding(("name",), "a seller needs a name")
    yield from _country(("country",), seller.country)
    if not (seller.vat_id or seller.tax_number) and seller.country.upper() in PLACES:
        needs = f"a seller in {seller.country} needs its vat_id, or its tax_number"
        lost = "without, its documents have no electronic invoice, and its buyers no VAT to deduct"
        yield DocumentFinding((), f"{needs}: {lost}", is_warning=True)
    yield from _vat_id(seller.vat_id)
    yield from _address(seller.address)
    yield from _email(("email",), seller.email)
    if seller.contact is not None:
        contact = seller.contact
        yield from _email(("contact", "email"), contact.email)
        if not contact.name.strip():
            yield DocumentFinding(("contact", "name"), "a contact needs a name")
        if not _DIGITS.match(contact.phone):
            yield DocumentFinding(("contact", "phone"), "a phone number has three digits at least")
    yield from _bank(seller)
    if seller.logo is not None and (fault := logo_fault(seller.logo)):
        yield DocumentFinding(("logo",), fault)
    lacks = [name for name in ("street", "postal_code", "city") if not _says(seller.address, name)]
    lacks += [name for name in ("bank", "contact") if getattr(seller, name) is None]
    if lacks:
        said = f"its documents will lack what their readers need: {', '.join(lacks)}"
        yield DocumentFinding((), said, is_warning=True)


def _says(address: Address, name: str) -> bool:
    return bool(getattr(address, name).strip())


def _bank(seller: LegalEntity) -> _Findings:
    bank = seller.bank
    if bank is None:
        return
    if not is_iban(bank.iban):
        yield DocumentFinding(("bank", "iban"), "its check digits are wrong, or it is no IBAN")
    if bank.bic is not None and not is_bic(bank.bic):
        yield DocumentFinding(("bank", "bic"), "a BIC has 8 or 11 letters and digits: COBADEFFXXX")


def _buyer(buyer: CustomerEntry) -> _Findings:
    yield from _address(buyer.address)
    yield from _email(("email",), buyer.email)
    if buyer.delivery in {Delivery.EMAIL, Delivery.LINK} and not buyer.email:
        said = f"delivery: {buyer.delivery} needs the customer's email"
        yield DocumentFinding(("delivery",), said)
    reference = (buyer.buyer_reference or "").strip()
    address = (buyer.electronic_address or "").strip()
    if buyer.electronic_address is not None and (fault := address_fault(address)):
        yield DocumentFinding(("electronic_address",), fault)
    if has_leitweg_form(reference) and not is_leitweg_id(reference):
        said = f"{reference} looks like a Leitweg-ID, and its check digits are wrong"
        # Whoever has such an address has a Leitweg-ID; others may number as they like.
        is_public = address.startswith("0204:")
        yield DocumentFinding(("buyer_reference",), said, is_warning=not is_public)
    is_business = buyer.customer().is_business
    if is_business and not all(_says(buyer.address, each) for each in ("city", "country")):
        said = "an invoice to a business names its address: say city and country at least"
        yield DocumentFinding(("address",), said, is_warning=True)


def _address(address: Address) -> _Findings:
    if address.country:
        yield from _country(("address", "country"), address.country)


def _country(spot: Spot, country: str) -> _Findings:
    if country not in COUNTRIES:
        said = "expected a country by its two letters (ISO 3166-1): DE, FR, SE"
        yield DocumentFinding(spot, said)


def _vat_id(vat_id: str | None) -> _Findings:
    if vat_id is None:
        return
    check = check_vat_id(vat_id)
    if check is VatIdCheck.WRONG_DIGITS:
        said = "its check digits are wrong, as where a number is miscopied"
        yield DocumentFinding(("vat_id",), said)
    elif check is VatIdCheck.WRONG_FORM:
        said = "it is not as its country writes them: NL123456782B90"
        yield DocumentFinding(("vat_id",), said)


def _email(spot: Spot, email: str | None) -> _Findings:
    if email is not None and not is_email(email):
        yield DocumentFinding(spot, "expected an e-mail address: billing@example.org")


def _language(tag: str, means: DocumentMeans) -> _Findings:
    known = {each.lower() for each in means.languages}
    if tag.lower() not in known and tag.lower().partition("-")[0] not in known:
        said = f"no document is in the language {tag[:TEXT_MAX]!r}: there are"
        yield DocumentFinding(("language",), f"{said} {', '.join(means.languages)}")


def _texts_of_seller(seller: LegalEntity) -> Iterator[tuple[Spot, str | None]]:
    yield ("name",), seller.name
    yield ("invoice_prefix",), seller.invoice_prefix
    yield from _lines_of(seller.address)
    yield ("tax_number",), seller.tax_number
    yield ("registration",), seller.registration
    if seller.contact is not None:
        yield ("contact", "name"), seller.contact.name
        yield ("contact", "phone"), seller.contact.phone
    if seller.bank is not None:
        yield ("bank", "holder"), seller.bank.holder
    yield ("legal_text",), seller.legal_text


def _texts_of_buyer(buyer: CustomerEntry) -> Iterator[tuple[Spot, str | None]]:
    yield ("name",), buyer.name
    yield from _lines_of(buyer.address)
    yield ("buyer_reference",), buyer.buyer_reference
    yield ("order_reference",), buyer.order_reference


def _lines_of(address: Address) -> Iterator[tuple[Spot, str | None]]:
    for name in ("street", "postal_code", "city"):
        yield ("address", name), getattr(address, name)


def _text(spot: Spot, text: str | None, means: DocumentMeans | None) -> _Findings:
    """Yield what is wrong with a text that documents print, if it is there."""
    if not text:
        return
    is_long = spot == ("legal_text",)
    limit = LEGAL_TEXT_MAX if is_long else TEXT_MAX
    if len(text) > limit:
        yield DocumentFinding(spot, f"it has {len(text)} characters, and may have {limit}")
        return
    lines = text.splitlines() if is_long else [text]
    for line in lines:
        other = next((each for each in line if not each.isprintable()), None)
        if other is None and means is not None:
            other = means.unprintable(line)
        if other is not None:
            shown = other if other.isprintable() else "a control character"
            yield DocumentFinding(spot, f"no font has {shown} (U+{ord(other):04X})")
            return
