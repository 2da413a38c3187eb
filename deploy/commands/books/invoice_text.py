"""An invoice as text for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from itertools import groupby

from deploy.output import print_rows, say, shown
from ledger.invoices.document import REVERSE_CHARGE, WITHOUT_TAX, Party, TaxTotal
from ledger.invoices.order import CreditedPart
from ledger.invoices.shown import (
    CostCentreTotal,
    InvoicedSession,
    InvoiceLine,
    ShownInvoice,
    by_name,
)
from ledger.persons.store import readable
from projections.documents.content.place import station_named
from projections.documents.paid import InvoicePayments
from projections.invoice_list import amount

QUANTITY_DIGITS = 4
LINE_COLUMNS = {
    "line": "right",
    "what": "left",
    "from": "left",
    "to": "left",
    "quantity": "right",
    "price": "right",
    "tax": "right",
    "net": "right",
}


def print_document(document: ShownInvoice, names: Mapping[str, str]) -> None:
    """Print an invoice as text, with the *names* behind subject ids."""
    month = f", sessions of {document.month}" if document.month else ""
    kind = "Invoice" if document.credits is None else "Credit note"
    say(f"{kind} {document.number} of {document.issued_on}{month}")
    if document.credits is not None:
        credited = document.credits
        say(f"for invoice {credited.number} of {credited.issued_on}: owed no more")
    say(f"from {_party(document.seller)}", f"to   {readable(_party(document.buyer), names)}")
    currency = document.currency
    _print_sessions(document, names)
    say("")
    for line in document.lines:
        if line.is_rounding:
            say(_rounding_words(line, currency))
    say(f"net   {amount(document.net_minor, currency):>16}")
    for tax in document.taxes:
        say(_tax_words(tax, currency))
    if document.rounding_minor:
        say(f"rounding {amount(document.rounding_minor, currency):>13}")
    say(f"total {amount(document.due_minor, currency):>16}")
    if document.due_on is not None:
        say(f"to be paid by {document.due_on}")
    if document.due_minor < 0:
        say(f"{amount(-document.due_minor, currency)} are paid to the buyer, who owes nothing")
    for note in document.notes:
        say(note)
    say(f"Why a line costs what it costs: wattledger explain {document.number} LINE")


def print_payments(payments: InvoicePayments, currency: str) -> None:
    """Print what was paid for an invoice, and what is open."""
    if payments.credited_minor:
        say(f"credited: {amount(-payments.credited_minor, currency)}")
    for each in payments.received:
        day, said = f"{each.happened_at:%Y-%m-%d}", amount(each.minor, currency)
        say(f"{each.kind} on {day} (UTC): {said}, {each.source}/{each.reference}")
    say(f"open: {amount(payments.open_minor, currency)}")


def _print_sessions(document: ShownInvoice, names: Mapping[str, str]) -> None:
    """Print each session with its lines, those of a cost centre together and summed up."""
    taxes = sorted({tax.name for tax in document.taxes if tax.percent is not None})
    columns = {
        ("/".join(taxes) or "tax") if name == "tax" else name: side
        for name, side in LINE_COLUMNS.items()
    }
    lines: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
    for line in document.lines:
        lines[line.session_id].append(_row(line, document.currency))
    by_centre = sorted(document.sessions, key=lambda session: by_name(session.cost_centre))
    totals = {each.cost_centre: each for each in document.cost_centres}
    for centre, sessions in groupby(by_centre, key=lambda session: session.cost_centre):
        for session in sessions:
            say("")
            print_rows(_title(session, names), columns, lines[session.session_id])
            if session.credited is not None:
                say(_credited_words(session.credited))
        if centre in totals:
            say("")
            say(_subtotal(totals[centre], document.currency))


def _title(session: InvoicedSession, names: Mapping[str, str]) -> str:
    """Return where a session was, how much of what, and who charged."""
    evse = f", EVSE {session.evse_id}" if session.evse_id is not None else ""
    token, driver = (readable(each or "-", names) for each in (session.token_uid, session.driver))
    drove = "" if session.driver is None else f", driver {driver}"
    return (
        f"{station_named(session)}{evse}, {shown(session.energy_wh / 1000)} kWh, "
        f"token {token}{drove}, tariff {session.tariff_id}"
    )


def _subtotal(total: CostCentreTotal, currency: str) -> str:
    """Return what a cost centre comes to, as a sentence."""
    name = "no cost centre" if total.cost_centre is None else f"cost centre {total.cost_centre}"
    many = "session" if total.sessions == 1 else "sessions"
    net, tax = amount(total.net_minor, currency), amount(total.vat_minor, currency)
    return (
        f"{name}: {total.sessions} {many}, {shown(total.energy_wh / 1000)} kWh, net {net}, "
        f"tax {tax}, total {amount(total.gross_minor, currency)}"
    )


def _row(line: InvoiceLine, currency: str) -> tuple[object, ...]:
    return (
        line.line,
        line.description,
        f"{line.starts_at:%Y-%m-%d %H:%M:%S}",
        f"{line.ends_at:%H:%M:%S %z}",
        f"{shown(_rounded(line.quantity))} {line.unit}",
        shown(line.unit_price),
        f"{shown(line.vat_percent)} %" if line.vat_percent is not None else "-",
        amount(line.net_minor, currency),
    )


def _credited_words(credited: CreditedPart) -> str:
    """Return which lines of the invoice a credit note takes back, and why, as a sentence."""
    lines = ", ".join(map(str, credited.invoice_lines))
    return (
        f"lines {lines} of the invoice; revision {credited.replaced_by} of the session holds in "
        f"their place ({credited.cause.value})"
    )


def _rounding_words(line: InvoiceLine, currency: str) -> str:
    """Return the invoice's own line as a sentence."""
    net, tax = amount(line.net_minor, currency), amount(line.vat_minor, currency)
    return f"line {line.line}, {line.description}: net {net}, tax {tax} ({line.reason})"


def _tax_words(tax: TaxTotal, currency: str) -> str:
    """Return one tax of the summary as a sentence."""
    charged, taxable = amount(tax.tax_minor, currency), amount(tax.taxable_minor, currency)
    if tax.category == REVERSE_CHARGE:
        return f"{tax.name} {tax.country} owed by the buyer on {taxable}: {charged}"
    if tax.category == WITHOUT_TAX:
        return f"no {tax.name} on {taxable}: {charged}"
    if tax.percent is None:
        return f"{tax.name} {tax.country}: {charged}"
    return f"{tax.name} {shown(tax.percent)} % {tax.country} on {taxable}: {charged}"


def _rounded(quantity: Decimal) -> Decimal:
    """Return a quantity for a table's cell; the JSON form has every digit."""
    return round(quantity, QUANTITY_DIGITS)


def _party(party: Party) -> str:
    vat = f" ({party.vat_id})" if party.vat_id else ""
    return ", ".join([party.name + vat, *party.address.lines()])
