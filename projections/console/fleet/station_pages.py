"""Stations as a list, and one station with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from ledger.users.roles import Permission
from projections.console.fleet.running_list import kilo
from projections.console.fleet.words_of_states import status_words
from projections.console.links import frame_link, session_link, station_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.sentences import code_words
from projections.stations.detail import RunningSession, StationDetail
from projections.stations.registered import RegisteredConnector, RegisteredStation

Names = Mapping[str, tuple[str, tzinfo]]
_STATIONS: Final[Sequence[Column]] = (
    Column("station", "Station"),
    Column("site", "Site"),
    Column("connection", "Connection"),
    Column("connectors", "Connectors"),
    Column("running", "Running sessions", is_figure=True),
    Column("heard", "Last heard"),
)
_CONNECTORS: Final[Sequence[Column]] = (
    Column("evse", "EVSE"),
    Column("connector", "Connector"),
    Column("status", "Status"),
    Column("since", "Since"),
    Column("power", "Power at most", is_figure=True),
)
_RUNNING: Final[Sequence[Column]] = (
    Column("session", "Session"),
    Column("since", "Since"),
    Column("energy", "Energy so far", is_figure=True),
    Column("cost", "Cost so far", is_figure=True),
)
CONNECTORS_MAX: Final = 100
"""So many are shown: no station has more, whatever it tells."""
_PROBLEMS: Final[Sequence[Column]] = (
    Column("component", "Component"),
    Column("place", "EVSE"),
    Column("code", "Code"),
    Column("since", "Since"),
)
_EVENTS: Final[Sequence[Column]] = (
    Column("event", "Security event"),
    Column("told", "Told at"),
    Column("frame", "Frame"),
)


def station_list(
    page: ConsolePage,
    found: Sequence[RegisteredStation],
    names: Names,
    *,
    count: int,
    connectors: int | None,
    next_after: str,
) -> Listing:
    """Return *found* as a list of *count* in all, with so many *connectors* in the wanted state."""
    total = page.text("{shown} of {count} shown", shown=len(found), count=count)
    if connectors is not None:
        total = page.text(
            "{shown} of {count} shown, {connectors} connectors in this state",
            shown=len(found),
            count=count,
            connectors=connectors,
        )
    return Listing(
        caption=page.text("Stations"),
        columns=_STATIONS,
        rows=[_station_row(page, each, names) for each in found],
        address=page.address,
        empty=page.text("No station is so. Leave out a filter, or declare one: wattledger apply."),
        next_after=next_after,
        total=total,
        exports=bool(found),
    )


def _station_row(page: ConsolePage, station: RegisteredStation, names: Names) -> Sequence[Cell]:
    name, zone = names.get(station.site, (station.site, UTC))
    is_faulted = any(each.is_faulted for each in station.connectors) or station.error is not None
    states = ", ".join(
        f"{each.evse}/{each.connector} {status_words(page, each.status)}"
        for each in station.connectors
    )
    heard = Cell(page.text("never"))
    if station.last_frame_at is not None:
        heard = Cell(at=station.last_frame_at, zone=zone)
    return (
        Cell(station.id, station_link(station.id)),
        Cell(name, page.address.with_(site=station.site)),
        _connection(page, station),
        Cell(states or page.text("none told"), tone="bad" if is_faulted else ""),
        Cell(page.words.language.number(Decimal(len(station.running)))),
        heard,
    )


def _connection(page: ConsolePage, station: RegisteredStation) -> Cell:
    if station.connection is None:
        return Cell(page.text("Not connected"), tone="warn")
    return Cell(page.text("Connected"), note=station.connection.protocol, tone="good")


def station_facts(page: ConsolePage, detail: StationDetail, names: Names) -> dict[str, Any]:
    """Return what a station's page shows."""
    name, zone = names.get(detail.site, (detail.site, UTC))
    made = " ".join(each for each in (detail.vendor, detail.model) if each)
    moments = [("Booted", detail.booted_at), ("Last heard", detail.last_frame_at)]
    since = None if detail.connection is None else detail.connection.since
    facts = [
        ("Site", Cell(name, f"/console/fleet/stations?site={quote(detail.site, safe='')}")),
        ("Connection", _connection(page, detail)),
        *([] if since is None else [("Connected since", Cell(at=since, zone=zone))]),
        ("Model", Cell(made or page.text("not told yet"), note=detail.serial or "")),
        ("Firmware", Cell(detail.firmware or page.text("not told yet"))),
        *(
            (title, Cell(at=at, zone=zone) if at else Cell(page.text("never")))
            for title, at in moments
        ),
        ("Registered", Cell(detail.settings.registered)),
    ]
    if detail.error or detail.status:
        status = Cell(status_words(page, detail.status), note=detail.error or "")
        facts.append(("Status", status))
    return {
        "station": detail,
        "facts": facts,
        "connectors": Listing(
            page.text("Connectors"),
            _CONNECTORS,
            [_connector_row(page, each, zone) for each in detail.connectors[:CONNECTORS_MAX]],
            page.address,
            page.text("No connector is declared, and none was told."),
            total=page.text("{count} in all", count=len(detail.connectors)),
        ),
        "running": Listing(
            page.text("Running sessions"),
            _RUNNING,
            [_running_row(page, each, zone) for each in detail.sessions],
            page.address,
            page.text("No session runs here now."),
        ),
        "problems": _problems(page, detail, zone),
        "events": _events(page, detail, zone),
    }


def _connector_row(page: ConsolePage, each: RegisteredConnector, zone: tzinfo) -> Sequence[Cell]:
    note = ", ".join(word for word in (each.error, each.problem) if word)
    if not each.is_declared:
        note = ", ".join(word for word in (note, page.text("not declared")) if word)
    status = Cell(status_words(page, each.status), note=note, tone="bad" * each.is_faulted)
    power = "" if each.max_power_w is None else kilo(page, each.max_power_w, "kW")
    since = Cell(page.text("never")) if each.since is None else Cell(at=each.since, zone=zone)
    return (Cell(str(each.evse)), Cell(str(each.connector)), status, since, Cell(power))


def _running_row(page: ConsolePage, each: RunningSession, zone: tzinfo) -> Sequence[Cell]:
    sees_books = page.user.may(Permission.SEE_BOOKS)
    why = ", ".join(code_words(page.words, code) for code in each.reasons)
    cost = Cell(page.text("No price yet"), note=why, tone="warn")
    if each.gross is not None and each.currency is not None:
        cost = Cell(page.words.language.price(Decimal(each.gross), each.currency))
    energy = page.text("not told yet")
    if each.energy_wh is not None:
        energy = kilo(page, each.energy_wh, "kWh")
    begun = Cell(page.text("not told yet"))
    if each.started_at is not None:
        begun = Cell(at=each.started_at, zone=zone)
    return (
        Cell(each.ref, session_link(each.ref) if sees_books else ""),
        begun,
        Cell(energy),
        cost,
    )


def _problems(page: ConsolePage, detail: StationDetail, zone: tzinfo) -> Listing:
    rows = [
        (
            Cell(each.component, tone="bad"),
            Cell(f"{each.evse}/{each.connector}" if each.evse else page.text("whole station")),
            Cell(each.code or ""),
            Cell(at=each.since, zone=zone),
        )
        for each in detail.problems
    ]
    empty = page.text("The station told of no problem.")
    return Listing(page.text("Problems"), _PROBLEMS, rows, page.address, empty)


def _events(page: ConsolePage, detail: StationDetail, zone: tzinfo) -> Listing:
    sees_books = page.user.may(Permission.SEE_BOOKS)
    rows = [
        (
            Cell(each.type),
            Cell(at=each.told_at or each.received_at, zone=zone),
            Cell(each.spot, frame_link(each.spot) if sees_books else ""),
        )
        for each in detail.security_events
    ]
    empty = page.text("The station told of no security event.")
    return Listing(page.text("Security events"), _EVENTS, rows, page.address, empty)
