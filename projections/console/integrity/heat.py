"""Energy by station and day as a table: what was metered, and where it does not add up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple
from urllib.parse import urlencode

from psycopg import Connection

from ledger.books.periods import month_after
from ledger.declared.declarations import Declarations, Kind
from ledger.users.roles import Reach
from projections.balances.energy import EnergyDay
from projections.energy.kept_balance import KeptBalance, kept_balance

STATIONS_SHOWN: Final = 20
HEATS: Final = 4
"""In so many steps of colour, by how much was metered."""
_DAYS_MAX: Final = 31
_NEWS_MAX: Final = 1_000
_STATIONS: LiteralString = """
SELECT station_id FROM energy_month WHERE month = %(month)s AND station_id > %(after)s
"""
_WITHIN: LiteralString = " AND station_id = ANY (%(within)s::text[])"
_NEXT: LiteralString = " ORDER BY station_id LIMIT %(limit)s"
_WAITING: LiteralString = """
SELECT count(*) FROM (SELECT FROM energy_news LIMIT %s)
"""


class HeatCell(NamedTuple):
    """A station's day; None: nothing was metered, and nothing is accounted for."""

    day: date
    found: EnergyDay | None
    heat: int
    href: str


class HeatRow(NamedTuple):
    """A station with the days of a month."""

    station: str
    cells: Sequence[HeatCell]


class HeatTable(NamedTuple):
    """A month of some stations; `total` is of all within reach.

    `waiting`: so many notes of something new are not counted yet, up to 1,000.
    """

    days: Sequence[date]
    rows: Sequence[HeatRow]
    next_after: str
    total: KeptBalance
    waiting: int


def heat_table(
    connection: Connection[Any],
    declarations: Declarations,
    reach: Reach,
    month: str,
    after: str,
) -> HeatTable:
    """Return the energy of a month, of the stations after *after*, within *reach*."""
    first = date.fromisoformat(f"{month}-01")
    last = date.fromisoformat(f"{month_after(month)}-01") - timedelta(days=1)
    within = None if reach.is_everywhere else _within(declarations, reach)
    stations = _stations(connection, within, first, after)
    shown = stations[:STATIONS_SHOWN]
    kept = kept_balance(
        connection, stations=shown, first_day=first, last_day=last, limit=_DAYS_MAX * len(shown)
    )
    found = {(each.station_id, each.day): each for each in kept.days}
    most = max((each.metered_wh for each in kept.days), default=Decimal(0))
    days = [first + timedelta(days=each) for each in range((last - first).days + 1)]
    [(waiting,)] = connection.execute(_WAITING, (_NEWS_MAX,)).fetchall()
    return HeatTable(
        days=days,
        rows=[
            HeatRow(each, [_cell(each, day, found.get((each, day)), most) for day in days])
            for each in shown
        ],
        next_after=shown[-1] if len(stations) > STATIONS_SHOWN else "",
        total=kept_balance(connection, stations=within, first_day=first, last_day=last, limit=0),
        waiting=waiting,
    )


def _cell(station: str, day: date, found: EnergyDay | None, most: Decimal) -> HeatCell:
    heat = 0
    if found is not None and most > 0 and found.metered_wh > 0:
        heat = min(1 + int(found.metered_wh * HEATS / most), HEATS)
    query = urlencode({"station": station, "day": day.isoformat()})
    return HeatCell(day, found, heat, f"/console/energy?{query}")


def _stations(
    connection: Connection[Any], within: Sequence[str] | None, month: date, after: str
) -> list[str]:
    """Return the next stations of a month, one more than are shown where there are more."""
    asked = {
        "month": month,
        "after": after,
        "within": None if within is None else [*within],
        "limit": STATIONS_SHOWN + 1,
    }
    statement = _STATIONS + ("" if within is None else _WITHIN) + _NEXT
    return [station for (station,) in connection.execute(statement, asked)]


def _within(declarations: Declarations, reach: Reach) -> list[str]:
    """Return the stations that stand at sites within reach, as they were declared last."""
    found = []
    for station in declarations.keys(Kind.STATION):
        stood = declarations.history(Kind.STATION, station)[-1].entity
        site = getattr(stood, "site", "")
        sites = declarations.history(Kind.SITE, site)
        owner = getattr(sites[-1].entity, "legal_entity", "") if sites else ""
        if reach.covers(owner, site):
            found.append(station)
    return found
