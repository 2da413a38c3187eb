"""The invoice document: canonical bytes made only of the order, the number and the date.

It repeats no decision: a session stands there by the hash of its rating, whose lines are the
invoice's. `ledger.invoices.shown` puts both together, in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from hashlib import sha256
from itertools import repeat
from typing import Final

import msgspec
from msgspec.structs import replace

from ledger.books.document_taxes import DocumentTax, LineTax
from ledger.invoices.order import CreditedPart, InvoiceOrder, part_of
from ledger.master_data.addresses import Address, BankAccount, Contact
from ledger.master_data.legal_entities import LegalEntity
from ledger.rating.decisions import (
    SessionRated,
    SessionRevision,
    encode_decision,
    hash_decision,
)
from tariffs.currencies import currency_exponent
from tariffs.model.canonical import canonical_json
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.taxes.sales_taxes import SalesTax

DOCUMENT_SCHEMA: Final = 3
"""1: without a language, without what is said of seller and buyer besides their names; 2: with the
VAT id of its buyer as declared when it was made, whatever its sessions were supplied under."""
WITH_DETAILS: Final = 2
_AS_SUPPLIED: Final = 3
INVOICE: Final = 380
CREDIT_NOTE: Final = 381
STANDARD: Final = "S"
ZERO_RATED: Final = "Z"
REVERSE_CHARGE: Final = "AE"
WITHOUT_TAX: Final = "O"


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A seller or buyer. A buyer's name is its subject id; `details` refers to who that is."""

    name: str
    vat_id: str | None = None
    address: Address = Address()
    email: str | None = None
    details: str | None = None


class SellerDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a document says of its seller besides; each as `LegalEntity` has it.

    Of the logo it names the hash: the declaration that the document was made with holds it.
    """

    tax_number: str | None = None
    registration: str | None = None
    email: str | None = None
    contact: Contact | None = None
    bank: BankAccount | None = None
    legal_text: str = ""
    logo_sha256: str | None = None


class BuyerReferences(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what a buyer finds what an invoice is for; each as `Customer` has it."""

    buyer_reference: str | None = None
    order_reference: str | None = None
    electronic_address: str | None = None


class BilledSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One charging session on the invoice, by reference: its decision is stored once, elsewhere.

    `rating_sha256` is the hash of the decision's bytes, and so part of what the document's own hash
    covers: the `lines` lines of the rating are the invoice's, in their order. Of a credit note,
    `credited` says which of them are meant, where they stand on the invoice, and why they go.
    """

    session_id: str
    revision: int
    rating_sha256: str
    lines: int
    gross_minor: int
    credited: CreditedPart | None = None


class VatTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed at one rate of one country: `vat_minor` are all taxes that it consists of.

    `percent` None: no VAT applies, unless `name` says which other tax (per kWh) is meant.
    `reverse_charge`: the buyer owes the VAT, so none is charged.
    """

    country: str
    percent: Decimal | None
    net_minor: int
    vat_minor: int
    name: str | None = None
    reverse_charge: bool = False


class TaxTotal(msgspec.Struct, frozen=True, kw_only=True):
    """One tax by its own name: `tax_minor` is `taxable_minor` times `percent`, rounded once.

    `category` is that of EN 16931, by the codes of UNTDID 5305 above. `percent` is None without
    tax, and for a tax per kWh. `taxable_minor` is what this tax is on: two may be on one sum.
    """

    name: str
    country: str
    category: str
    percent: Decimal | None
    taxable_minor: int
    tax_minor: int


class CreditedInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """The invoice that a credit note is about (EN 16931: BG-3)."""

    number: str
    issued_on: date


class InvoiceDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An invoice as issued. Amounts are whole minor units: `currency_exponent` decimals.

    A credit note (UNTDID 1001: 381, else 380) names what it `credits`; its amounts are positive:
    what is owed no more.

    `gross_minor` is net and taxes, `rounding_minor` what makes of it the `due_minor` that the buyer
    pays (EN 16931: BT-112, BT-114, BT-115). `buyer` None: whoever bears the token `bearer`. Persons
    are subject ids here, so that the bytes outlive them; `ledger.invoices.shown` puts in who they
    are. `due_on`: until when it is to be paid, of a buyer with payment terms (BT-9); without them
    the bytes have no such field. `language` (BCP 47) is that of its reader; these three are there
    from schema 2 on.
    """

    schema: int
    type_code: int
    number: str
    issued_on: date
    credits: CreditedInvoice | None
    month: str | None
    seller: Party
    buyer: Party | None
    bearer: str | None
    currency: str
    currency_exponent: int
    sessions: tuple[BilledSession, ...]
    vat: tuple[VatTotal, ...]
    taxes: tuple[TaxTotal, ...]
    net_minor: int
    vat_minor: int
    gross_minor: int
    rounding_minor: int
    due_minor: int
    # Written also where it is empty: what has a default is left out of the bytes.
    notes: tuple[Phrase, ...]
    due_on: date | None = None
    language: str | None = None
    seller_details: SellerDetails | None = None
    buyer_references: BuyerReferences | None = None


def render_invoice(
    order: InvoiceOrder, *, number: str, issued_on: date, schema: int = DOCUMENT_SCHEMA
) -> bytes:
    """Return the document's canonical bytes; the same inputs give the same bytes anywhere.

    *schema*: what is rendered again keeps the one that it was issued with.
    """
    return canonical_json(document_of(order, number=number, issued_on=issued_on, schema=schema))


def read_document(document: bytes | str) -> InvoiceDocument:
    """Return the document that `render_invoice` rendered."""
    return msgspec.json.decode(document, type=InvoiceDocument)


def charged_by(
    document: InvoiceDocument, sessions: Sequence[SessionRated]
) -> tuple[SessionRated, ...]:
    """Return *sessions*, those of *document*, with the lines alone that it is about."""
    return tuple(
        part_of(session, billed.credited.rated_lines) if billed.credited else session
        for billed, session in zip(document.sessions, sessions, strict=True)
    )


def lines_before(document: InvoiceDocument) -> dict[SessionRevision, int]:
    """Return how many lines of *document* stand before the first one of each session."""
    found, before = {}, 0
    for session in document.sessions:
        found[SessionRevision(session.session_id, session.revision)] = before
        before += session.lines
    return found


def document_of(
    order: InvoiceOrder, *, number: str, issued_on: date, schema: int = DOCUMENT_SCHEMA
) -> InvoiceDocument:
    """Return the document of *order*; the tax of each rate is rounded once, on its own sum."""
    owed, seller, credited = order.owed(), order.seller, order.credits
    document = InvoiceDocument(
        schema=schema,
        type_code=CREDIT_NOTE if credited else INVOICE,
        number=number,
        issued_on=issued_on,
        credits=_credited(order),
        month=order.month,
        seller=Party(name=seller.name, vat_id=seller.vat_id, address=seller.address),
        buyer=_buyer(order, schema),
        bearer=order.payer.party if order.buyer is None else None,
        currency=order.currency,
        currency_exponent=currency_exponent(order.currency),
        sessions=tuple(map(_session, repeat(order), order.sessions, order.charged)),
        vat=tuple(map(_vat_total, owed.taxes)),
        taxes=tuple(total for each in owed.taxes for total in _tax_totals(each)),
        net_minor=owed.net_minor,
        vat_minor=owed.tax_minor,
        gross_minor=owed.net_minor + owed.tax_minor,
        rounding_minor=owed.rounding_minor,
        due_minor=owed.due_minor,
        notes=_notes(order),
        due_on=order.due_on(issued_on),
    )
    if schema < WITH_DETAILS:
        return document
    address = seller.address
    return replace(
        document,
        # Whoever declared no more of it than its country is at home there.
        seller=replace(
            document.seller,
            address=replace(address, country=address.country or seller.country),
        ),
        language=order.buyer.language if order.buyer else seller.language,
        seller_details=seller_details_of(seller),
        buyer_references=_buyer_references(order),
    )


def seller_details_of(seller: LegalEntity) -> SellerDetails:
    """Return what documents say of *seller* besides its name, VAT id and address."""
    logo = seller.logo
    return SellerDetails(
        tax_number=seller.tax_number,
        registration=seller.registration,
        email=seller.email,
        contact=seller.contact,
        bank=seller.bank,
        legal_text=seller.legal_text,
        logo_sha256=None if logo is None else sha256(logo.encode()).hexdigest(),
    )


def _buyer_references(order: InvoiceOrder) -> BuyerReferences | None:
    buyer = order.buyer
    if buyer is None:
        return None
    said = BuyerReferences(
        buyer_reference=buyer.buyer_reference,
        order_reference=buyer.order_reference,
        electronic_address=buyer.electronic_address,
    )
    return None if said == BuyerReferences() else said


def _credited(order: InvoiceOrder) -> CreditedInvoice | None:
    credited = order.credits
    if credited is None:
        return None
    return CreditedInvoice(number=credited.number, issued_on=credited.issued_on)


def _notes(order: InvoiceOrder) -> tuple[Phrase, ...]:
    """Return what an invoice must say (Directive 2006/112/EC, art. 226 (11a))."""
    ids = {each.reverse_charge_vat_id for each in order.sessions if each.reverse_charge_vat_id}
    return tuple(phrase("buyer_owes_vat", vat_id=each) for each in sorted(ids))


def _buyer(order: InvoiceOrder, schema: int) -> Party | None:
    buyer, customer = order.buyer, order.payer.customer
    if buyer is None or customer is None:
        return None
    vat_id = buyer.vat_id if schema < _AS_SUPPLIED else _buyers_vat_id(order, buyer.vat_id)
    return Party(name=customer, vat_id=vat_id, details=buyer.details)


def _buyers_vat_id(order: InvoiceOrder, now: str | None) -> str | None:
    """Return the VAT id under which the buyer was supplied; *now*: the one that is declared.

    Where it owes the VAT, that is the id of then (Directive 2006/112/EC, art. 226 (4)). Who has
    none any more gets no invoice under it, and a credit note all the same.
    """
    ids = [each.reverse_charge_vat_id for each in order.sessions if each.reverse_charge_vat_id]
    if not ids or now in ids or (now is None and order.credits is None):
        return now
    return ids[-1]


def _session(order: InvoiceOrder, whole: SessionRated, charged: SessionRated) -> BilledSession:
    credited = order.credits
    return BilledSession(
        session_id=whole.session_id,
        revision=whole.revision,
        rating_sha256=hash_decision(encode_decision(whole)),
        lines=len(charged.lines),
        gross_minor=charged.gross_minor,
        credited=credited.parts[whole.session_id] if credited else None,
    )


def _vat_total(each: DocumentTax) -> VatTotal:
    tax, owed = each
    return VatTotal(
        country=tax.country,
        percent=tax.percent,
        net_minor=owed.net_minor,
        vat_minor=owed.tax_minor,
        name=tax.name,
        reverse_charge=tax.reverse_charge,
    )


def _tax_totals(each: DocumentTax) -> Iterator[TaxTotal]:
    tax, owed = each
    # What has no rate has one tax all the same: that per kWh, or none.
    parts: Sequence[SalesTax | None] = tax.parts or (None,)
    for part, on_sum in zip(parts, owed.taxes, strict=True):
        yield TaxTotal(
            name=tax.title if part is None else part.name,
            country=tax.country,
            category=_category(tax, part),
            percent=None if part is None else part.percent,
            taxable_minor=on_sum.base_minor,
            tax_minor=on_sum.tax_minor,
        )


def _category(tax: LineTax, part: SalesTax | None) -> str:
    if tax.reverse_charge:
        return REVERSE_CHARGE
    if part is None:
        return STANDARD if tax.name else WITHOUT_TAX
    return STANDARD if part.percent else ZERO_RATED
