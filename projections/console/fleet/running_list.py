"""Running sessions as a list: since when, how much energy, and what they cost so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal

from ledger.users.roles import Permission
from projections.console.links import session_link, station_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.sentences import code_words
from projections.sessions import SessionSummary
from tariffs.quantities import money_of_minor

COLUMNS: Sequence[Column] = (
    Column("session", "Session"),
    Column("station", "Station"),
    Column("since", "Since"),
    Column("energy", "Energy so far", is_figure=True, units=True),
    Column("cost", "Cost so far", is_figure=True, units=True),
)
_KILO = 3


def kilo(page: ConsolePage, value: Decimal, unit: str) -> str:
    """Return Wh or W as kWh or kW, rounded to a thousandth."""
    return f"{page.words.language.number(value.scaleb(-_KILO), digits_max=3)} {unit}"


def cost_sums(page: ConsolePage, sessions: Sequence[SessionSummary]) -> str:
    """Return what *sessions* cost so far with taxes, by currency; "" where none has a price."""
    sums: Counter[str] = Counter()
    for each in sessions:
        if each.cost and each.cost.currency and each.cost.gross_minor is not None:
            sums[each.cost.currency] += each.cost.gross_minor
    return " + ".join(
        page.words.language.money(minor, currency) for currency, minor in sorted(sums.items())
    )


def running_list(
    page: ConsolePage,
    sessions: Sequence[SessionSummary],
    zones: Mapping[str, tzinfo],
    *,
    count: int,
    next_after: str = "",
    exports: bool = False,
) -> Listing:
    """Return *sessions* with their costs, of *count* in all; *zones*: of their stations."""
    cost = cost_sums(page, sessions)
    return Listing(
        caption=page.text("Running sessions"),
        columns=COLUMNS,
        rows=[_row(page, each, zones.get(each.station_id, UTC)) for each in sessions],
        address=page.address,
        empty=page.text("No session runs now. What ended stands in Sessions and Invoices."),
        next_after=next_after,
        total=page.text(
            "{shown} of {count} shown; these cost {cost} so far, with taxes",
            shown=len(sessions),
            count=count,
            cost=cost or page.text("nothing"),
        ),
        exports=exports,
    )


def _row(page: ConsolePage, session: SessionSummary, zone: tzinfo) -> Sequence[Cell]:
    station = station_link(session.station_id)
    sees_books = page.user.may(Permission.SEE_BOOKS)
    ref = session.session_id
    where = session_link(ref) if sees_books else station
    cost = session.cost
    told = Cell(page.text("No price yet"), tone="warn")
    if cost is not None and cost.currency is not None and cost.gross_minor is not None:
        told = Cell(
            page.words.language.money(cost.gross_minor, cost.currency),
            exact=money_of_minor(cost.gross_minor, cost.currency).amount,
            unit=cost.currency,
        )
    elif cost is not None and cost.codes:
        told = told._replace(note=", ".join(code_words(page.words, each) for each in cost.codes))
    plug = f"EVSE {session.evse_id}" if session.evse_id else ""
    energy = session.energy_wh
    return (
        Cell(ref, where),
        Cell(session.station_id, station, note=plug),
        Cell(at=session.begun_at, zone=zone),
        Cell(page.text("not told yet"))
        if energy is None
        else Cell(kilo(page, energy, "kWh"), exact=energy, unit="Wh"),
        told,
    )
