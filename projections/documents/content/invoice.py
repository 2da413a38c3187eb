"""The sheet of an invoice, a credit note or a receipt, made of what it shows and its evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ledger.invoices.document import CREDIT_NOTE
from ledger.invoices.shown import InvoiceLine, ShownInvoice
from projections.documents.content.appendix import appendix
from projections.documents.content.letterhead import address_lines, letterhead
from projections.documents.content.sessions import session_block, sheet_line
from projections.documents.content.sheet import (
    DocumentSheet,
    Grid,
    Head,
    Heads,
    Item,
    SheetLine,
    Total,
)
from projections.documents.content.teller import DASH, Teller
from projections.documents.content.transfer import transfer
from projections.documents.evidence import DocumentEvidence
from projections.documents.kinds import DocumentKind
from projections.documents.paid import Paid


def kind_of_document(shown: ShownInvoice, paid: Paid | None) -> DocumentKind:
    """Return what *shown* is, given what was *paid* of it when it was booked."""
    if shown.type_code == CREDIT_NOTE:
        return DocumentKind.CREDIT_NOTE
    is_settled = paid is not None and 0 < shown.due_minor <= paid.minor
    return DocumentKind.RECEIPT if is_settled else DocumentKind.INVOICE


def invoice_sheet(
    shown: ShownInvoice,
    evidence: DocumentEvidence,
    *,
    logo: str | None = None,
    paid: Paid | None = None,
) -> DocumentSheet:
    """Return the sheet of *shown* in its reader's language."""
    teller = Teller.of(shown, evidence)
    kind = kind_of_document(shown, paid)
    lines: defaultdict[str, list[InvoiceLine]] = defaultdict(list)
    for line in shown.lines:
        lines[line.session_id].append(line)
    left_minor = shown.due_minor - (paid.minor if paid else 0)
    is_invoice = kind is DocumentKind.INVOICE
    return DocumentSheet(
        **letterhead(teller, shown.seller, shown.seller_details, logo),
        title=_title(teller, kind),
        number=shown.number,
        recipient=tuple(_recipient(teller, shown)),
        items=tuple(_items(teller, shown, kind)),
        outcome=_outcome(teller, shown, kind, left_minor),
        opening=tuple(_opening(teller, shown, kind, paid)),
        heads=_heads(teller, shown),
        sessions=tuple(
            session_block(teller, session, lines[session.session_id], number)
            for number, session in enumerate(shown.sessions, 1)
        ),
        rest=_rest(teller, shown),
        totals=tuple(_totals(teller, shown, kind, paid)),
        tables=tuple(_tables(teller, shown)),
        notes=tuple(map(teller.language.words, shown.codes)),
        transfer=transfer(
            teller,
            shown.seller.name,
            shown.seller_details,
            shown.number,
            (left_minor if is_invoice else 0, shown.due_on),
        ),
        appendix=appendix(teller, shown.sessions, lines),
    )


def _title(teller: Teller, kind: DocumentKind) -> str:
    text = teller.language.text
    match kind:
        case DocumentKind.INVOICE:
            return text("Invoice")
        case DocumentKind.CREDIT_NOTE:
            return text("Credit note")
        case DocumentKind.RECEIPT:
            return text("Receipt")


def _recipient(teller: Teller, shown: ShownInvoice) -> list[str]:
    if shown.bearer is not None:
        token = teller.name(shown.bearer)
        return [teller.language.text("Bearer of card {token}", token=token)]
    home = shown.seller.address.country
    return [teller.name(shown.buyer.name), *address_lines(teller, shown.buyer, home)]


def _items(teller: Teller, shown: ShownInvoice, kind: DocumentKind) -> Iterator[Item]:
    language, references = teller.language, shown.buyer_references
    text = language.text
    yield Item(text("Number"), shown.number)
    yield Item(text("Date"), language.day(shown.issued_on))
    if shown.credits is not None:
        yield Item(text("For invoice"), shown.credits.number)
    if shown.sessions:
        first = min(each.starts_at for each in shown.sessions).date()
        last = max(each.ends_at for each in shown.sessions).date()
        days = [language.day(first)] if first == last else [language.day(first), language.day(last)]
        yield Item(text("Period of supply"), f" {DASH} ".join(days))
    if shown.due_on is not None and kind is DocumentKind.INVOICE:
        yield Item(text("Due date"), language.day(shown.due_on))
    if shown.buyer.vat_id:
        yield Item(text("Your VAT ID"), shown.buyer.vat_id)
    if references.buyer_reference:
        yield Item(text("Your reference"), references.buyer_reference)
    if references.order_reference:
        yield Item(text("Order number"), references.order_reference)


def _outcome(teller: Teller, shown: ShownInvoice, kind: DocumentKind, left_minor: int) -> Item:
    text = teller.language.text
    if kind is DocumentKind.CREDIT_NOTE:
        return Item(text("Credit"), teller.money(shown.due_minor))
    if kind is DocumentKind.RECEIPT:
        return Item(text("Paid"), teller.money(shown.due_minor))
    return Item(text("Total due"), teller.money(left_minor))


def _opening(
    teller: Teller, shown: ShownInvoice, kind: DocumentKind, paid: Paid | None
) -> Iterator[str]:
    text = teller.language.text
    if shown.credits is not None:
        number, day = shown.credits.number, teller.language.day(shown.credits.issued_on)
        yield text("Credit note for invoice {number} of {day}: what follows is owed no more.",
                   number=number, day=day)  # fmt: skip
        if paid is not None:
            yield text("{amount} were given back to your prepaid balance.",
                       amount=teller.money(paid.minor))  # fmt: skip
    elif paid is not None:
        yield text("Paid from your prepaid balance on {day}: {amount}.",
                   day=teller.language.day(shown.issued_on),
                   amount=teller.money(paid.minor))  # fmt: skip
        if kind is DocumentKind.RECEIPT:
            yield text("Nothing is due.")
    if kind is DocumentKind.INVOICE and not shown.due_minor:
        yield text("Nothing is due.")
    if kind is DocumentKind.INVOICE and shown.due_minor < 0:
        yield text("{amount} are paid to you: you owe nothing.",
                   amount=teller.money(-shown.due_minor))  # fmt: skip


def _rest(teller: Teller, shown: ShownInvoice) -> tuple[SheetLine, ...]:
    """Return the document's own line. Its tax alone may differ, which stands among the totals."""
    return tuple(
        sheet_line(teller, line)
        for line in shown.lines
        if line.is_rounding and (line.net_minor or line.gross_minor)
    )


def _heads(teller: Teller, shown: ShownInvoice) -> Heads:
    text = teller.language.text
    names = {teller.language.tax_name(tax) for tax in shown.taxes if tax.percent is not None}
    return Heads(
        position=text("No."),
        description=text("Description"),
        quantity=text("Quantity"),
        price=text("Unit price"),
        tax=names.pop() if len(names) == 1 else text("Tax"),
        net=text("Net"),
        gross=text("Gross"),
    )


def _totals(
    teller: Teller, shown: ShownInvoice, kind: DocumentKind, paid: Paid | None
) -> Iterator[Total]:
    text = teller.language.text
    yield Total(text("Total net"), teller.money(shown.net_minor))
    for tax in shown.taxes:
        yield Total(teller.tax(tax), teller.money(tax.tax_minor))
    if shown.rounding_minor:
        yield Total(text("Total gross"), teller.money(shown.gross_minor))
        yield Total(text("Rounding"), teller.money(shown.rounding_minor))
    if kind is DocumentKind.CREDIT_NOTE:
        yield Total(text("Credit"), teller.money(shown.due_minor), is_strong=True)
        return
    if paid is None:
        yield Total(text("Total due"), teller.money(shown.due_minor), is_strong=True)
        return
    yield Total(text("Total"), teller.money(shown.due_minor))
    yield Total(text("Paid from your prepaid balance"), teller.money(-paid.minor))
    left_minor = shown.due_minor - paid.minor
    yield Total(text("Total due"), teller.money(left_minor), is_strong=True)


def _tables(teller: Teller, shown: ShownInvoice) -> Iterator[Grid]:
    if not shown.cost_centres:
        return
    text = teller.language.text
    yield Grid(
        title=text("By cost centre"),
        heads=(
            Head(text("Cost centre")),
            Head(text("Sessions"), is_figure=True),
            Head(text("Energy"), is_figure=True),
            Head(text("Net"), is_figure=True),
            Head(text("Gross"), is_figure=True),
        ),
        rows=tuple(
            (
                each.cost_centre or text("No cost centre"),
                str(each.sessions),
                teller.energy(each.energy_wh),
                teller.money(each.net_minor),
                teller.money(each.gross_minor),
            )
            for each in shown.cost_centres
        ),
    )
