"""The stations that are filtered as a file: all of them, by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from litestar import Response

from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.page import ConsolePage
from projections.stations.registered import RegisteredStation, read_stations

_AT_ONCE: Final = 500
_HEADING: Final = (
    *("station", "site", "connected", "protocol", "status", "error", "vendor", "model", "firmware"),
    *("booted_at", "last_heard_at", "connectors", "running_sessions"),
)


def exported(page: ConsolePage, wanted: Sequence[str], form: str) -> Response[Any]:
    """Return the stations *wanted* as a CSV file, or as a workbook (*form* "xlsx")."""
    rows = _rows(page, wanted)
    if form == "xlsx":
        return xlsx_file("stations", page.text("Stations"), _HEADING, rows)
    return csv_file("stations", _HEADING, rows)


def _rows(page: ConsolePage, wanted: Sequence[str]) -> Iterator[Cells]:
    with page.console.exporting() as connection:
        for begin in range(0, len(wanted), _AT_ONCE):
            among = wanted[begin : begin + _AT_ONCE]
            for each in read_stations(connection, at=page.now, among=among, limit=_AT_ONCE):
                yield _cells(each)


def _cells(station: RegisteredStation) -> Cells:
    link = station.connection
    moments = (station.booted_at, station.last_frame_at)
    booted, heard = ("" if at is None else at.isoformat() for at in moments)
    connectors = " ".join(
        f"{each.evse}/{each.connector}:{each.status or '-'}" for each in station.connectors
    )
    return (
        station.id,
        station.site,
        "no" if link is None else "yes",
        "" if link is None else link.protocol,
        station.status or "",
        station.error or "",
        station.vendor or "",
        station.model or "",
        station.firmware or "",
        booted,
        heard,
        connectors,
        str(len(station.running)),
    )
