"""The lines of a session's price, each with why it stands there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from ledger.invoices.shown import UNITS
from ledger.rating.decisions import RatedLine, SessionRated
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.sentences import line_words

_COLUMNS = (
    Column("line", "Line", is_figure=True),
    Column("from", "From"),
    Column("to", "To"),
    Column("quantity", "Quantity", is_figure=True),
    Column("price", "Unit price", is_figure=True),
    Column("net", "Before taxes", is_figure=True),
    Column("tax", "Tax", is_figure=True),
    Column("why", "Why"),
)


def lines_listing(page: ConsolePage, rated: SessionRated, zone: tzinfo) -> Listing:
    """Return the lines of *rated*, and what they come to."""
    caption = page.text("Price, line by line")
    return listing_of_lines(page, rated.lines, rated.currency, zone, caption)


def listing_of_lines(
    page: ConsolePage, lines: Sequence[RatedLine], currency: str, zone: tzinfo, caption: str
) -> Listing:
    """Return all *lines* of a session, and what they come to."""
    money = page.words.language.money
    net = sum(each.net_minor for each in lines)
    gross = net + sum(each.tax_minor for each in lines)
    total = page.text(
        "{gross} with taxes, {net} before", gross=money(gross, currency), net=money(net, currency)
    )
    return Listing(
        caption=caption,
        columns=_COLUMNS,
        rows=[_row(page, each, currency, zone) for each in lines],
        address=page.address,
        empty=page.text("Nothing of it costs anything."),
        total=total,
    )


def _row(page: ConsolePage, line: RatedLine, currency: str, zone: tzinfo) -> list[Cell]:
    language = page.words.language
    unit = UNITS[line.dimension]
    quantity = f"{language.number(line.billed_volume, digits_max=4)} " + language.unit(
        unit, line.billed_volume
    )
    return [
        Cell(str(line.line)),
        Cell(at=line.starts_at, zone=zone),
        Cell(at=line.ends_at, zone=zone),
        Cell(quantity),
        Cell(language.price(line.unit_price, currency)),
        Cell(language.money(line.net_minor, currency)),
        Cell(language.money(line.tax_minor, currency)),
        Cell(line_words(page.words, line, currency), note=line.element_name or ""),
    ]
