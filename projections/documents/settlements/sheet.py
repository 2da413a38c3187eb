"""The sheet of a settlement: what each side delivered, line by line, what waits, what is due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.invoices.document import Party, SellerDetails
from ledger.settlements.netting import side_of
from ledger.settlements.statement import (
    CdrSide,
    LineCode,
    Settlement,
    SettlementLine,
    SettlementTax,
)
from projections.documents.content.letterhead import addressee, letterhead
from projections.documents.content.sheet import Grid, Head, Item, PrintedSheet
from projections.documents.content.teller import DASH, Teller
from projections.documents.evidence import NO_EVIDENCE
from projections.documents.languages.language import language_of
from tariffs.currencies import currency_exponent
from tariffs.quantities import EXACT

EXCLUDED_SHOWN_MAX: Final = 200
"""On the pages; the CSV beside them has each."""


class ShownSettlement(NamedTuple):
    """A settlement with who is who. `number` is empty while it is a draft."""

    settlement: Settlement
    number: str
    language: str
    us: Party
    our_details: SellerDetails
    partner: Party


class SettlementSheet(PrintedSheet, frozen=True, kw_only=True):
    """A whole settlement."""


def settlement_sheet(shown: ShownSettlement, *, logo: str | None = None) -> SettlementSheet:
    """Return what *shown* says to its reader."""
    settlement = shown.settlement
    teller = Teller(language_of(shown.language), NO_EVIDENCE, settlement.terms.currency)
    text = teller.language.text
    return SettlementSheet(
        **letterhead(teller, shown.us, shown.our_details, logo),
        title=text("Roaming settlement") if shown.number else text("Roaming settlement, draft"),
        number=shown.number or settlement.terms.month,
        recipient=addressee(teller, shown.partner, shown.us.address.country),
        items=tuple(_items(teller, shown)),
        outcome=Item(text("Balance"), teller.money(settlement.due_minor)),
        opening=(_due(teller, settlement.due_minor), *_tax_note(teller, shown)),
        tables=tuple(_tables(teller, settlement)),
    )


def _items(teller: Teller, shown: ShownSettlement) -> Iterator[Item]:
    text, terms = teller.language.text, shown.settlement.terms
    yield Item(text("Period"), terms.month)
    yield Item(text("Partner"), terms.party)
    if shown.partner.vat_id:
        yield Item(text("Your VAT ID"), shown.partner.vat_id)


def _due(teller: Teller, due_minor: int) -> str:
    text = teller.language.text
    if due_minor > 0:
        return text("You owe us {amount}.", amount=teller.money(due_minor))
    if due_minor < 0:
        return text("We owe you {amount}.", amount=teller.money(-due_minor))
    return text("Nothing is due.")


def _tax_note(teller: Teller, shown: ShownSettlement) -> Iterator[str]:
    terms, vat_id = shown.settlement.terms, shown.partner.vat_id
    if terms.vat_percent is None and not terms.is_by_country and vat_id:
        text = teller.language.text
        yield text("{label}: {value}", label=text("Reverse charge"), value=vat_id)


def _tables(teller: Teller, settlement: Settlement) -> Iterator[Grid]:
    text = teller.language.text
    for side, title in (
        (CdrSide.SENT, text("Charging of your drivers with us")),
        (CdrSide.RECEIVED, text("Charging of our drivers with you")),
    ):
        total = side_of(settlement, side)
        if total.count:
            yield Grid(
                title=title,
                heads=(
                    Head(text("Description")),
                    Head(text("Quantity"), is_figure=True),
                    Head(text("Energy"), is_figure=True),
                    Head(text("Net"), is_figure=True),
                    Head(text("Tax"), is_figure=True),
                ),
                rows=tuple(_row(teller, each) for each in total.lines),
                foot=(
                    f"{text('Total')} ({text('Gross')}: {teller.money(total.gross_minor)})",
                    str(total.count),
                    teller.energy(total.energy_wh),
                    teller.money(total.net_minor),
                    teller.money(total.tax_minor),
                ),
            )
        if total.taxes:
            yield _taxes(teller, total.taxes)
    if settlement.excluded:
        yield _excluded(teller, settlement)


def _taxes(teller: Teller, taxes: Iterable[SettlementTax]) -> Grid:
    """Return the taxes by country and rate; what the lines above add up to."""
    text = teller.language.text
    return Grid(
        title=text("Tax"),
        heads=(
            Head(text("Description")),
            Head(text("Quantity"), is_figure=True),
            Head(text("Net"), is_figure=True),
            Head(text("Tax"), is_figure=True),
        ),
        rows=tuple(
            (
                " ".join(filter(None, (each.country, teller.percent(each.percent)))),
                str(each.count),
                teller.money(each.net_minor),
                teller.money(each.tax_minor),
            )
            for each in taxes
        ),
    )


def _row(teller: Teller, line: SettlementLine) -> tuple[str, ...]:
    has_energy = line.code in {LineCode.CDRS, LineCode.CREDITS, LineCode.CORRECTIONS}
    return (
        _what(teller, line.code),
        str(line.count) if line.count else "",
        teller.energy(line.energy_wh) if has_energy else "",
        _amount(teller, line.net),
        _amount(teller, line.tax),
    )


def _amount(teller: Teller, exact: Decimal) -> str:
    """Return an amount; one that is finer than the currency's minor unit, to its last digit."""
    scaled = exact.scaleb(currency_exponent(teller.currency), EXACT)
    return teller.money(int(scaled)) if scaled == int(scaled) else f"{exact:f}"


def _what(teller: Teller, code: LineCode) -> str:
    text = teller.language.text
    match code:
        case LineCode.CDRS:
            return text("Charging sessions")
        case LineCode.CREDITS:
            return text("Credited sessions")
        case LineCode.CORRECTIONS:
            return text("Corrections without a CDR")
        case LineCode.FEES:
            return text("Fees by session")
        case LineCode.ROUNDING:
            return text("Rounding")
        case LineCode.TAX_DIFFERENCE:
            return text("Difference to the taxes of the CDRs")


def _excluded(teller: Teller, settlement: Settlement) -> Grid:
    text, some = teller.language.text, settlement.excluded[:EXCLUDED_SHOWN_MAX]
    rest = len(settlement.excluded) - len(some)
    rows = [
        (each.cdr_id, teller.energy(each.energy_wh), _amount(teller, each.net)) for each in some
    ]
    if rest:
        rows.append((f"{DASH} + {rest}", "", ""))
    return Grid(
        title=text("Disputed, and not settled yet"),
        heads=(
            Head("CDR"),
            Head(text("Energy"), is_figure=True),
            Head(text("Net"), is_figure=True),
        ),
        rows=tuple(rows),
    )
