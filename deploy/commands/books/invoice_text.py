"""An invoice as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from deploy.output import print_rows, say, shown
from ledger.invoices.document import Party, VatTotal
from ledger.invoices.shown import ShownInvoice
from ledger.persons.store import readable
from projections.invoice_list import amount

QUANTITY_DIGITS = 4
LINE_COLUMNS = {
    "line": "right",
    "what": "left",
    "from": "left",
    "to": "left",
    "quantity": "right",
    "price": "right",
    "VAT": "right",
    "net": "right",
}


def print_document(document: ShownInvoice, names: Mapping[str, str]) -> None:
    """Print an invoice as text, with the *names* behind subject ids."""
    month = f", sessions of {document.month}" if document.month else ""
    say(f"Invoice {document.number} of {document.issued_on}{month}")
    say(f"from {_party(document.seller)}", f"to   {readable(_party(document.buyer), names)}")
    currency = document.currency
    for session in document.sessions:
        say("")
        evse = f", EVSE {session.evse_id}" if session.evse_id is not None else ""
        rows = [
            (
                line.line,
                line.description,
                f"{line.starts_at:%Y-%m-%d %H:%M:%S}",
                f"{line.ends_at:%H:%M:%S %z}",
                f"{shown(_rounded(line.quantity))} {line.unit}",
                shown(line.unit_price),
                f"{shown(line.vat_percent)} %" if line.vat_percent is not None else "-",
                amount(line.net_minor, currency),
            )
            for line in document.lines
            if line.session_id == session.session_id
        ]
        title = (
            f"{session.station_id}{evse}, {shown(session.energy_wh / 1000)} kWh, "
            f"token {readable(session.token_uid or '-', names)}, tariff {session.tariff_id}"
        )
        print_rows(title, LINE_COLUMNS, rows)
    say("")
    say(f"net   {amount(document.net_minor, currency):>16}")
    for vat in document.vat:
        say(_tax_words(vat, currency))
    say(f"total {amount(document.gross_minor, currency):>16}")
    for note in document.notes:
        say(note)
    say(f"Why a line costs what it costs: wattledger explain {document.number} LINE")


def _tax_words(tax: VatTotal, currency: str) -> str:
    """Return one tax of the summary as a sentence."""
    charged = amount(tax.vat_minor, currency)
    if tax.name is not None:
        return f"{tax.name} {tax.country}: {charged}"
    rate = "no VAT" if tax.percent is None else f"VAT {shown(tax.percent)} % {tax.country}"
    if tax.reverse_charge:
        rate = f"VAT {tax.country} owed by the buyer"
    return f"{rate} on {amount(tax.net_minor, currency)}: {charged}"


def _rounded(quantity: Decimal) -> Decimal:
    """Return a quantity for a table's cell; the JSON form has every digit."""
    return round(quantity, QUANTITY_DIGITS)


def _party(party: Party) -> str:
    vat = f" ({party.vat_id})" if party.vat_id else ""
    return ", ".join([party.name + vat, *party.address.lines()])
