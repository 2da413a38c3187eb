"""Which Wh of a day was not billed, and why: by station, each part with what it consists of.

metered = billed + free by rule + held + unattributed + dropped, to the Wh
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException, ValidationException
from psycopg import Connection

from ledger.users.roles import Permission
from projections.balances.energy import EnergyDay
from projections.console.entry import needs
from projections.console.exports.listing_file import asked_file
from projections.console.links import session_link, sessions_link, station_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.within import WithinReach, within
from projections.console.sentences import code_words
from projections.console.sessions.words_of_sessions import kwh
from projections.energy.kept_balance import DAYS_LISTED, KeptBalance, kept_balance
from projections.energy.leakage import (
    MEANINGS,
    Leak,
    Leakage,
    UnbilledEnergy,
    leakage,
    stations_at,
)
from tariffs.currencies import currency_exponent
from tariffs.quantities import money_of_minor, round_ratio

ROWS_MAX: Final = 200
_LAST_DAY: LiteralString = "SELECT max(day) FROM energy_day"
_NOT_COUNTED: LiteralString = "SELECT count(DISTINCT station_id) FROM energy_news"
_HELD: Final = (Leak.HELD, Leak.WAITING, Leak.OPEN, Leak.WRITTEN_OFF)
_COLUMNS: Final = (
    Column("station", "Station"),
    Column("metered", "Metered", is_figure=True),
    Column("billed", "Billed", is_figure=True),
    Column("free", "Free", is_figure=True),
    Column("held", "Held", is_figure=True),
    Column("unattributed", "Unattributed", is_figure=True),
    Column("dropped", "Dropped", is_figure=True),
    Column("difference", "Difference", is_figure=True),
)
_REASON_COLUMNS: Final = (
    Column("reason", "Why"),
    Column("energy", "Energy", is_figure=True),
    Column("value", "At list price", is_figure=True),
    Column("entries", "Entries", is_figure=True),
)
_ROW_COLUMNS: Final = (
    Column("station", "Station"),
    Column("why", "Why"),
    Column("session", "Session"),
    Column("energy", "Energy", is_figure=True),
    Column("value", "At list price", is_figure=True),
)


class EnergyPages(Controller):
    """A day's energy, and what of it was not billed."""

    path = "/energy"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def day(self, page: ThisPage) -> Response[Any]:
        """Show what became of each Wh of a day."""
        site, station = page.address.of("site"), page.address.of("station")
        with page.console.reading() as connection:
            inside = within(page, connection, site=site or None)
            day = _day(connection, page.address.of("day"))
            stations = _stations(page, connection, inside, day)
            energy = kept_balance(
                connection, stations=stations, first_day=day, last_day=day, limit=DAYS_LISTED
            )
            wanted = page.address.of("why")
            found = leakage(
                connection,
                inside.declarations,
                first=day,
                last=day,
                stations=stations,
                limit=ROWS_MAX,
            )
            sites = within(page, connection).offered_sites(site)
            [(uncounted,)] = connection.execute(_NOT_COUNTED).fetchall()
            uncounted = uncounted if inside.stays is None else 0
        balance, reasons, rows = (
            _balance(page, energy, day),
            _reasons(page, found),
            _rows(page, found, wanted),
        )
        if file := asked_file(page, (balance, reasons, rows)):
            return file
        return page.show(
            "sessions/energy.html.j2",
            day=day,
            day_words=page.words.language.day(day),
            site=site,
            station=station,
            sites=[("", page.text("All")), *((each, each) for each in sites)],
            balance=balance,
            reasons=reasons,
            rows=rows,
            wanted=wanted,
            is_balanced=energy.is_balanced,
            uncounted=uncounted,
            earlier=_beside(page, day, -1),
            later=_beside(page, day, 1),
        )


def _day(connection: Connection[Any], text: str) -> date:
    if not text:
        [(newest,)] = connection.execute(_LAST_DAY).fetchall()
        return newest or date(1970, 1, 1)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        message = f"day: it is written as 2026-03-31, not {text}"
        raise ValidationException(message) from error


def _stations(
    page: ConsolePage, connection: Connection[Any], inside: WithinReach, day: date
) -> list[str] | None:
    """Return which stations are meant; None: all there are.

    Raises:
        NotFoundException: If the one that is named is not within reach.
    """
    site, station = page.address.of("site"), page.address.of("station")
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    if station:
        if not inside.has_session(station, noon):
            message = f"there is no station {station}"
            raise NotFoundException(message)
        return [station]
    if site and site not in within(page, connection).sites():
        message = f"there is no site {site}"
        raise NotFoundException(message)
    if inside.stays is None:
        return stations_at(connection, inside.declarations, site) if site else None
    return sorted({each for each in inside.stays.stations if inside.stays.has(each, noon)})


def _balance(page: ConsolePage, energy: KeptBalance, day: date) -> Listing:
    rows = [_day_row(page, each, day) for each in energy.days]
    if len(rows) > 1:
        rows.append(_total_row(page, energy.total))
    return Listing(
        caption=page.text("Metered, and what became of it"),
        columns=_COLUMNS,
        rows=rows,
        address=page.address,
        empty=page.text("No energy was metered on this day: choose another one."),
        file=f"energy-{day}",
    )


def _day_row(page: ConsolePage, each: EnergyDay, day: date) -> list[Cell]:
    at = {"station": each.station_id, "day": day.isoformat()}

    def why(part: str) -> str:
        return f"{page.address.with_(why=part, station=each.station_id)}#rows"

    return [
        Cell(each.station_id, station_link(each.station_id)),
        _energy(page, each.metered_wh, sessions_link(**at)),
        _energy(page, each.billed_wh, sessions_link(**at)),
        _energy(page, each.free_wh, why(Leak.FREE) if each.free_wh else ""),
        _energy(page, each.held_wh, why("held") if each.held_wh else "")._replace(
            tone="warn" if each.held_wh else ""
        ),
        _energy(page, each.unattributed_wh, why("nobody") if each.unattributed_wh else ""),
        _energy(page, each.dropped_wh, why(Leak.DROPPED) if each.dropped_wh else ""),
        _energy(page, each.difference_wh)._replace(tone="bad" if each.difference_wh else "good"),
    ]


def _energy(page: ConsolePage, energy_wh: Decimal, href: str = "") -> Cell:
    return Cell(kwh(page, energy_wh), href, exact=energy_wh, unit="Wh")


def _total_row(page: ConsolePage, total: EnergyDay) -> list[Cell]:
    figures = (
        total.metered_wh,
        total.billed_wh,
        total.free_wh,
        total.held_wh,
        total.unattributed_wh,
        total.dropped_wh,
        total.difference_wh,
    )
    return [Cell(page.text("In all")), *(_energy(page, each) for each in figures)]


def _reasons(page: ConsolePage, found: Leakage) -> Listing:
    rows = [
        [
            Cell(
                page.text(MEANINGS[each.reason]),
                f"{page.address.with_(why=each.reason.value)}#rows",
            ),
            _energy(page, each.energy_wh),
            Cell(
                " + ".join(
                    _value(page, value, currency) for currency, value in sorted(each.values.items())
                ),
                note=""
                if not each.unpriced_wh
                else page.text(
                    "without {energy}, which has no price", energy=kwh(page, each.unpriced_wh)
                ),
            ),
            Cell(f"{each.entries:,}", exact=Decimal(each.entries)),
        ]
        for each in found.reasons
    ]
    empty = page.text("All of it was billed.")
    return Listing(
        page.text("Not billed, by reason"),
        _REASON_COLUMNS,
        rows,
        page.address,
        empty,
        file="reasons",
    )


def _rows(page: ConsolePage, found: Leakage, wanted: str) -> Listing:
    shown = [each for each in found.rows if _is_wanted(each.reason, wanted)]
    left_out = found.rows_left_out
    total = (
        page.text("{count} more are left out: name a station", count=left_out) if left_out else ""
    )
    return Listing(
        caption=page.text("What was not billed"),
        columns=_ROW_COLUMNS,
        rows=[_leak_row(page, each) for each in shown],
        address=page.address,
        empty=page.text("Nothing is like that."),
        total=total,
        file="not-billed",
    )


def _is_wanted(reason: Leak, wanted: str) -> bool:
    if wanted == "held":
        return reason in _HELD
    if wanted == "nobody":
        return reason in {Leak.UNATTRIBUTED, Leak.LATE}
    return not wanted or reason == wanted


def _leak_row(page: ConsolePage, each: UnbilledEnergy) -> list[Cell]:
    session_id = each.session_id
    value = Cell()
    if each.value is not None and each.currency is not None:
        minor = _minor(each.value, each.currency)
        value = Cell(
            page.words.language.money(minor, each.currency),
            exact=money_of_minor(minor, each.currency).amount,
            unit=each.currency,
        )
    return [
        Cell(each.station_id, station_link(each.station_id)),
        Cell(
            page.text(MEANINGS[each.reason]),
            note=" ".join(code_words(page.words, code) for code in each.because),
        ),
        Cell(session_id or "", session_link(session_id) if session_id else ""),
        _energy(page, each.energy_wh),
        value,
    ]


def _value(page: ConsolePage, value: Decimal, currency: str) -> str:
    return page.words.language.money(_minor(value, currency), currency)


def _minor(value: Decimal, currency: str) -> int:
    numerator, denominator = value.scaleb(currency_exponent(currency)).as_integer_ratio()
    return round_ratio(numerator, denominator)


def _beside(page: ConsolePage, day: date, days: int) -> str:
    place = day.toordinal() + days
    if not date.min.toordinal() <= place <= date.max.toordinal():
        return ""
    return page.address.with_(day=date.fromordinal(place).isoformat(), why="")
