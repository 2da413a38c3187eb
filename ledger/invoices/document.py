"""The invoice document: canonical bytes made only of the order, the number and the date.

It repeats no decision: a session stands there by the hash of its rating, whose lines are the
invoice's. `ledger.invoices.shown` puts both together, in words.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from ledger.invoices.order import InvoiceOrder
from ledger.master_data.addresses import Address
from ledger.rating.decisions import RatedLine, SessionRated, encode_decision, hash_decision
from tariffs.currencies import currency_exponent
from tariffs.model.canonical import canonical_json
from tariffs.phrases.phrase import Phrase, phrase

DOCUMENT_SCHEMA: Final = 1


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A seller or buyer. A buyer's name is its subject id; `details` refers to who that is."""

    name: str
    vat_id: str | None = None
    address: Address = Address()
    email: str | None = None
    details: str | None = None


class BilledSession(msgspec.Struct, frozen=True, kw_only=True):
    """One charging session on the invoice, by reference: its decision is stored once, elsewhere.

    `rating_sha256` is the hash of the decision's bytes, and so part of what the document's own hash
    covers: the `lines` lines of the rating are the invoice's, in their order.
    """

    session_id: str
    revision: int
    rating_sha256: str
    lines: int
    gross_minor: int


class VatTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What one tax of one country adds up to.

    `percent` None: no VAT applies, unless `name` says which other tax (per kWh) is meant.
    `reverse_charge`: the buyer owes the VAT, so none is charged.
    """

    country: str
    percent: Decimal | None
    net_minor: int
    vat_minor: int
    name: str | None = None
    reverse_charge: bool = False


class InvoiceDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as issued. Amounts are whole minor units: `currency_exponent` decimals.

    `buyer` None: whoever bears the token `bearer`. Persons are subject ids here, so that the bytes
    outlive them; `ledger.invoices.shown` puts in who they are.
    """

    schema: int
    number: str
    issued_on: date
    month: str | None
    seller: Party
    buyer: Party | None
    bearer: str | None
    currency: str
    currency_exponent: int
    sessions: tuple[BilledSession, ...]
    vat: tuple[VatTotal, ...]
    net_minor: int
    vat_minor: int
    gross_minor: int
    notes: tuple[Phrase, ...] = ()


def render_invoice(order: InvoiceOrder, *, number: str, issued_on: date) -> bytes:
    """Return the document's canonical bytes; the same inputs give the same bytes anywhere."""
    return canonical_json(document_of(order, number=number, issued_on=issued_on))


def read_document(document: bytes | str) -> InvoiceDocument:
    """Return the document that `render_invoice` rendered."""
    return msgspec.json.decode(document, type=InvoiceDocument)


def document_of(order: InvoiceOrder, *, number: str, issued_on: date) -> InvoiceDocument:
    """Return the document of *order*. Totals are sums of lines: nothing is rounded again."""
    lines = [line for session in order.sessions for line in session.lines]
    net_minor = sum(line.net_minor for line in lines)
    vat_minor = sum(line.tax_minor for line in lines)
    seller = order.seller
    return InvoiceDocument(
        schema=DOCUMENT_SCHEMA,
        number=number,
        issued_on=issued_on,
        month=order.month,
        seller=Party(name=seller.name, vat_id=seller.vat_id, address=seller.address),
        buyer=_buyer(order),
        bearer=order.payer.party if order.buyer is None else None,
        currency=order.currency,
        currency_exponent=currency_exponent(order.currency),
        sessions=tuple(_session(session) for session in order.sessions),
        vat=_vat(order),
        net_minor=net_minor,
        vat_minor=vat_minor,
        gross_minor=net_minor + vat_minor,
        notes=_notes(order),
    )


def _notes(order: InvoiceOrder) -> tuple[Phrase, ...]:
    """Return what an invoice must say (Directive 2006/112/EC, art. 226 (11a))."""
    ids = {each.reverse_charge_vat_id for each in order.sessions if each.reverse_charge_vat_id}
    return tuple(phrase("buyer_owes_vat", vat_id=each) for each in sorted(ids))


def _buyer(order: InvoiceOrder) -> Party | None:
    buyer, customer = order.buyer, order.payer.customer
    if buyer is None or customer is None:
        return None
    return Party(name=customer, vat_id=buyer.vat_id, details=buyer.details)


def _session(session: SessionRated) -> BilledSession:
    return BilledSession(
        session_id=session.session_id,
        revision=session.revision,
        rating_sha256=hash_decision(encode_decision(session)),
        lines=len(session.lines),
        gross_minor=session.gross_minor,
    )


class _Tax(NamedTuple):
    """What a line counts under in the VAT summary."""

    country: str
    percent: Decimal | None
    name: str | None
    reverse_charge: bool

    def order(self) -> tuple[str, Decimal, str, bool]:
        # No VAT is less than 0 %, and None does not sort.
        percent = Decimal(-1) if self.percent is None else self.percent
        return self.country, percent, self.name or "", self.reverse_charge


def _tax_of(session: SessionRated, line: RatedLine) -> _Tax:
    if line.is_tax:
        return _Tax(session.country, None, line.element_name, reverse_charge=False)
    reverse = session.reverse_charge_vat_id is not None
    return _Tax(session.country, line.tax_percent, None, reverse)


def _vat(order: InvoiceOrder) -> tuple[VatTotal, ...]:
    totals: dict[_Tax, list[int]] = defaultdict(lambda: [0, 0])
    for session in order.sessions:
        for line in session.lines:
            total = totals[_tax_of(session, line)]
            total[0] += line.net_minor
            total[1] += line.tax_minor
    return tuple(
        VatTotal(net_minor=net, vat_minor=vat, **tax._asdict())
        for tax in sorted(totals, key=_Tax.order)
        for net, vat in (totals[tax],)
    )
