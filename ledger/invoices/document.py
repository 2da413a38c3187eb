"""The invoice document: canonical bytes made only of the order, the number and the date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from ledger.invoices.order import InvoiceOrder
from ledger.master_data.addresses import Address
from ledger.rating.decisions import RatedLine, SessionRated, encode_decision, hash_decision
from tariffs.currencies import currency_exponent
from tariffs.kernel.compiled import Why
from tariffs.model.canonical import canonical_json
from tariffs.model.tariff import Dimension
from tariffs.zones import zone

DOCUMENT_SCHEMA: Final = 1

UNITS: Final = {
    Dimension.FLAT: "session",
    Dimension.ENERGY: "kWh",
    Dimension.TIME: "h",
    Dimension.PARKING_TIME: "h",
    Dimension.RESERVATION_TIME: "h",
    Dimension.SESSION: "session",
}
DESCRIPTIONS: Final = {
    Dimension.FLAT: "Session fee",
    Dimension.ENERGY: "Energy",
    Dimension.TIME: "Charging time",
    Dimension.PARKING_TIME: "Parking time",
    Dimension.RESERVATION_TIME: "Reservation time",
    Dimension.SESSION: "Price limit",
}


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A seller or buyer as printed."""

    name: str
    vat_id: str | None = None
    address: Address = Address()
    email: str | None = None


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `rated_line` is its number in the session's rating, times are local to the site.

    `quantity` is exact, `unit_price` before or after VAT as the tariff states it.
    """

    line: int
    session_id: str
    rated_line: int
    description: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    quantity: Decimal
    unit: str
    unit_price: Decimal
    vat_percent: Decimal | None
    net_minor: int
    vat_minor: int
    gross_minor: int


class DocumentSession(msgspec.Struct, frozen=True, kw_only=True):
    """One charging session on the invoice; `rating_sha256` names the decision behind its lines."""

    session_id: str
    station_id: str
    evse_id: int | None
    token_uid: str | None
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    energy_wh: Decimal
    meter_start_wh: Decimal | None
    meter_stop_wh: Decimal | None
    tariff_id: str
    tariff_hash: str
    rating_sha256: str
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
    """An invoice as issued. Amounts are whole minor units: `currency_exponent` decimals."""

    schema: int
    number: str
    issued_on: date
    month: str | None
    seller: Party
    buyer: Party
    currency: str
    currency_exponent: int
    sessions: tuple[DocumentSession, ...]
    lines: tuple[DocumentLine, ...]
    vat: tuple[VatTotal, ...]
    net_minor: int
    vat_minor: int
    gross_minor: int
    notes: tuple[str, ...] = ()


def render_invoice(order: InvoiceOrder, *, number: str, issued_on: date) -> bytes:
    """Return the document's canonical bytes; the same inputs give the same bytes anywhere."""
    return canonical_json(document_of(order, number=number, issued_on=issued_on))


def read_document(document: bytes | str) -> InvoiceDocument:
    """Return the document that `render_invoice` rendered."""
    return msgspec.json.decode(document, type=InvoiceDocument)


def document_of(order: InvoiceOrder, *, number: str, issued_on: date) -> InvoiceDocument:
    """Return the document of *order*. Totals are sums of lines: nothing is rounded again."""
    lines = tuple(_lines(order))
    net_minor = sum(line.net_minor for line in lines)
    vat_minor = sum(line.vat_minor for line in lines)
    seller = order.seller
    return InvoiceDocument(
        schema=DOCUMENT_SCHEMA,
        number=number,
        issued_on=issued_on,
        month=order.month,
        seller=Party(name=seller.name, vat_id=seller.vat_id, address=seller.address),
        buyer=_buyer(order),
        currency=order.currency,
        currency_exponent=currency_exponent(order.currency),
        sessions=tuple(_session(session) for session in order.sessions),
        lines=lines,
        vat=_vat(order),
        net_minor=net_minor,
        vat_minor=vat_minor,
        gross_minor=net_minor + vat_minor,
        notes=_notes(order),
    )


def _notes(order: InvoiceOrder) -> tuple[str, ...]:
    """Return what an invoice must say in words (Directive 2006/112/EC, art. 226 (11a))."""
    ids = {each.reverse_charge_vat_id for each in order.sessions if each.reverse_charge_vat_id}
    return tuple(f"Reverse charge: the buyer, VAT id {each}, owes the VAT." for each in sorted(ids))


def _buyer(order: InvoiceOrder) -> Party:
    buyer = order.buyer
    if buyer is None:
        return Party(name=f"Bearer of token {order.payer.party}")
    return Party(name=buyer.name, vat_id=buyer.vat_id, address=buyer.address, email=buyer.email)


def _session(session: SessionRated) -> DocumentSession:
    local = zone(session.time_zone)
    return DocumentSession(
        session_id=session.session_id,
        station_id=session.station_id,
        evse_id=session.evse_id,
        token_uid=session.token_uid,
        starts_at=session.started_at.astimezone(local),
        ends_at=session.ended_at.astimezone(local),
        time_zone=session.time_zone,
        energy_wh=session.energy_wh,
        meter_start_wh=session.meter_start_wh,
        meter_stop_wh=session.meter_stop_wh,
        tariff_id=session.tariff_id,
        tariff_hash=session.tariff_hash,
        rating_sha256=hash_decision(encode_decision(session)),
        gross_minor=session.gross_minor,
    )


def _lines(order: InvoiceOrder) -> Iterator[DocumentLine]:
    number = 0
    for session in order.sessions:
        for rated in session.lines:
            number += 1
            yield _line(number, session, rated)


def _line(number: int, session: SessionRated, rated: RatedLine) -> DocumentLine:
    local = zone(session.time_zone)
    return DocumentLine(
        line=number,
        session_id=session.session_id,
        rated_line=rated.line,
        description=_description(rated),
        reason=rated.reason,
        starts_at=rated.starts_at.astimezone(local),
        ends_at=rated.ends_at.astimezone(local),
        quantity=rated.billed_volume,
        unit=UNITS[rated.dimension],
        unit_price=rated.unit_price,
        vat_percent=rated.tax_percent,
        net_minor=rated.net_minor,
        vat_minor=rated.tax_minor,
        gross_minor=rated.net_minor + rated.tax_minor,
    )


def _description(rated: RatedLine) -> str:
    what = DESCRIPTIONS[rated.dimension]
    if rated.grant is not None:
        return f"{what}: {rated.grant}"
    return f"{what} ({rated.element_name})" if rated.element_name else what


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
    if line.why == Why.TAX.value:
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
