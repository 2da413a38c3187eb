"""An invoice's sheet with what was paid for it since: for the screen, where it may change."""

from __future__ import annotations

from datetime import tzinfo
from typing import assert_never

from msgspec.structs import replace

from ledger.invoices.shown import ShownInvoice
from ledger.payments.movement import MoneyKind
from projections.documents.content.sheet import DocumentSheet, Grid, Head, Item
from projections.documents.content.teller import Teller
from projections.documents.content.transfer import transfer
from projections.documents.evidence import DocumentEvidence
from projections.documents.paid import InvoicePayment, InvoicePayments


def with_payments(
    sheet: DocumentSheet,
    shown: ShownInvoice,
    payments: InvoicePayments,
    *,
    evidence: DocumentEvidence,
    calendar: tzinfo,
) -> DocumentSheet:
    """Return the *sheet* of *shown* with a table of its *payments*; nothing came, the same sheet.

    What is still to be paid is what is open by now, whatever it says of itself.

    Args:
        sheet: From `invoice_sheet`.
        shown: The invoice.
        payments: From `payments_of`.
        evidence: As for its sheet.
        calendar: The seller's, in whose days money came.
    """
    if not (payments.received or payments.credited_minor):
        return sheet
    teller = Teller.of(shown, evidence)
    owed = max(payments.open_minor, 0), shown.due_on
    return replace(
        sheet,
        outcome=_outcome(teller, payments),
        tables=(*sheet.tables, _table(teller, payments, calendar)),
        transfer=transfer(teller, shown.seller.name, shown.seller_details, shown.number, owed),
    )


def _outcome(teller: Teller, payments: InvoicePayments) -> Item:
    text, minor = teller.language.text, payments.open_minor
    if minor < 0:
        return Item(text("Credit"), teller.money(-minor))
    return Item(text("Total due"), teller.money(minor))


def _table(teller: Teller, payments: InvoicePayments, calendar: tzinfo) -> Grid:
    text, outcome = teller.language.text, _outcome(teller, payments)
    credited = [("", text("Credit note"), teller.money(-payments.credited_minor))]
    return Grid(
        title=text("Payments"),
        heads=(Head(text("Date")), Head(text("Description")), Head(text("Amount"), is_figure=True)),
        rows=(
            *(credited if payments.credited_minor else ()),
            *(
                (
                    teller.language.day(each.happened_at.astimezone(calendar).date()),
                    _named(teller, each),
                    # As on a statement: what is paid makes less of what is due.
                    teller.money(-each.minor),
                )
                for each in payments.received
            ),
        ),
        foot=("", outcome.label, outcome.value),
    )


def _named(teller: Teller, payment: InvoicePayment) -> str:
    text = teller.language.text
    match MoneyKind(payment.kind):
        case MoneyKind.REFUNDED:
            return text("Refund")
        case MoneyKind.REFUND_FAILED:
            return text("Refund that came back")
        case MoneyKind.DISPUTED | MoneyKind.DISPUTE_LOST:
            return text("Payment taken back by the bank")
        case (
            MoneyKind.RECEIVED
            | MoneyKind.BANKED
            | MoneyKind.MATCHED
            | MoneyKind.DISPUTE_WON
            | MoneyKind.PAID_OUT
            | MoneyKind.PAYOUT_FAILED
        ):
            return text("Payment")
        case never:
            assert_never(never)
