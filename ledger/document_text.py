"""An invoice document as text that a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from ledger.document import DocumentLine, DocumentSession, InvoiceDocument, Party
from tariffs.quantities import money_of_minor, plain

_QUANTITY_STEP: Final = Decimal("0.001")


def render_text(document: InvoiceDocument) -> str:
    """Return *document* as readable text; amounts are exact, quantities shown to 3 decimals."""
    return "\n".join(_text(document)) + "\n"


def _text(document: InvoiceDocument) -> Iterator[str]:
    period = f"   for {document.month}" if document.month else ""
    yield f"Invoice {document.number}   {document.issued_on.isoformat()}{period}"
    yield from _party("from", document.seller)
    yield from _party("to  ", document.buyer)
    for session in document.sessions:
        yield ""
        yield _session(session)
        for line in document.lines:
            if line.session_id == session.session_id:
                yield _line(line, document)
    yield ""
    for vat in document.vat:
        rate = "no VAT" if vat.percent is None else f"VAT {plain(vat.percent):f} % {vat.country}"
        net, tax = _amount(vat.net_minor, document), _amount(vat.vat_minor, document)
        yield f"  {rate}: net {net}, VAT {tax}"
    yield f"  Total net {_amount(document.net_minor, document)} {document.currency}"
    yield f"  Total VAT {_amount(document.vat_minor, document)} {document.currency}"
    yield f"  Total     {_amount(document.gross_minor, document)} {document.currency}"


def _party(word: str, party: Party) -> Iterator[str]:
    details = [party.name, *party.address.lines()]
    if party.vat_id:
        details.append(f"VAT id {party.vat_id}")
    yield f"  {word} {', '.join(details)}"


def _session(session: DocumentSession) -> str:
    place = (
        session.station_id
        if session.evse_id is None
        else f"{session.station_id}, EVSE {session.evse_id}"
    )
    energy = _quantity(session.energy_wh / 1000)
    return f"{_moment(session.starts_at)} to {_moment(session.ends_at)}, {place}, {energy} kWh"


def _line(line: DocumentLine, document: InvoiceDocument) -> str:
    vat = "no VAT" if line.vat_percent is None else f"VAT {plain(line.vat_percent):f} %"
    quantity = f"{_quantity(line.quantity)} {line.unit} x {_price(line.unit_price, document)}"
    amount = f"{_amount(line.net_minor, document)} + {_amount(line.vat_minor, document)} {vat}"
    return f"  {line.line:>3}  {line.description}: {quantity} = {amount}\n       {line.reason}"


def _amount(minor: int, document: InvoiceDocument) -> str:
    return f"{money_of_minor(minor, document.currency).amount:f}"


def _price(price: Decimal, document: InvoiceDocument) -> str:
    """Return a price with all its decimals, at least the currency's."""
    _, _, exponent = plain(price).as_tuple()
    decimals = -exponent if isinstance(exponent, int) else 0
    return f"{price:.{max(decimals, document.currency_exponent)}f}"


def _quantity(quantity: Decimal) -> str:
    return f"{plain(quantity.quantize(_QUANTITY_STEP, ROUND_HALF_UP)):f}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S%z}"
