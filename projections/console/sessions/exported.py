"""Sessions of exactly a filter as a file: exact, in no language."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from litestar import Response
from litestar.exceptions import ValidationException

from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.page import ConsolePage
from projections.console.parts.within import within
from projections.console.sessions.filters import (
    LOOKED_AT_ONCE,
    OF_PLACES_AT_ONCE,
    clock_of,
    filters_of,
    key_of,
    order_of,
    wish_of,
)
from projections.finding.sessions import Drawn, find_sessions
from projections.session_costs import with_costs
from projections.sessions import SessionSummary, Since
from tariffs.quantities import money_of_minor

EXPORTED: Final = (
    "begun_at",
    "session",
    "station",
    "token",
    "state",
    "revision",
    "reasons",
    "flags",
    "started_at",
    "ended_at",
    "energy_wh",
    "currency",
    "net",
    "tax",
    "gross",
    "is_final",
)


def exported_sessions(page: ConsolePage, kind: str) -> Response[Any]:
    """Return the sessions of the filters in the address, in its order.

    Raises:
        ValidationException: If *kind* is neither csv nor xlsx.
        TooManyRowsError: If they are more than a workbook holds.
    """
    # What is wrong with a filter is said before the first row.
    filters_of(page.address)
    order_of(page)
    if kind == "csv":
        return csv_file("sessions", EXPORTED, _rows(page))
    if kind == "xlsx":
        return xlsx_file("sessions", "Sessions", EXPORTED, _rows(page))
    message = "format: csv or xlsx"
    raise ValidationException(message)


def _rows(page: ConsolePage) -> Iterator[Cells]:
    asked = filters_of(page.address)
    with page.console.exporting() as connection:
        inside = within(page, connection, site=asked.site or None)
        wish = wish_of(asked, inside, clock_of(inside, asked))
        order = order_of(page)
        since: Since | Drawn | None = None
        at_once = LOOKED_AT_ONCE if wish.stays is None else OF_PLACES_AT_ONCE
        while wish.stays is None or wish.stays.stations:
            looked = find_sessions(connection, wish, limit=at_once, since=since, order=order)
            fit = [each for each in looked if asked.has(each)]
            yield from map(_row, with_costs(connection, fit, page.console.newest))
            if len(looked) < at_once:
                return
            since = key_of(looked[-1], order)


def _row(session: SessionSummary) -> Cells:
    cost = session.cost
    currency = cost.currency or "" if cost else ""
    amounts = (cost.net_minor, cost.tax_minor, cost.gross_minor) if cost else (None, None, None)
    times = (session.started_at, session.ended_at)
    return (
        session.begun_at.isoformat(),
        session.session_id,
        session.station_id,
        session.token_uid or "",
        session.state,
        str(session.revision),
        " ".join(session.reasons),
        " ".join(session.flags),
        *("" if each is None else each.isoformat() for each in times),
        "" if session.energy_wh is None else session.energy_wh,
        currency,
        *(_amount(each, currency) for each in amounts),
        "yes" if cost and cost.is_final else "no",
    )


def _amount(minor: int | None, currency: str) -> str | Decimal:
    return "" if minor is None or not currency else money_of_minor(minor, currency).amount
