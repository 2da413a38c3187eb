"""The lines of a session's price, each with why it stands there."""

from __future__ import annotations

from datetime import tzinfo

from ledger.invoices.shown import UNITS
from ledger.rating.decisions import RatedLine, SessionRated
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.sentences import line_words
from projections.console.sessions.words_of_sessions import money

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
    total = page.text(
        "{gross} with taxes, {net} before",
        gross=money(page, rated.gross_minor, rated.currency),
        net=money(page, rated.net_minor, rated.currency),
    )
    return Listing(
        caption=page.text("Price, line by line"),
        columns=_COLUMNS,
        rows=[_row(page, rated, each, zone) for each in rated.lines],
        address=page.address,
        empty=page.text("Nothing of it costs anything."),
        total=total,
    )


def _row(page: ConsolePage, rated: SessionRated, line: RatedLine, zone: tzinfo) -> list[Cell]:
    language, currency = page.words.language, rated.currency
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
        Cell(money(page, line.net_minor, currency)),
        Cell(money(page, line.tax_minor, currency)),
        Cell(line_words(page.words, line, currency), note=line.element_name or ""),
    ]
