"""The charging day's fleet, with stations that may connect and a morning that was charged."""

from __future__ import annotations

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.passwords import hash_password
from ledger.declared.store import declare
from ledger.master_data.stations import DeclaredConnector, Station
from tests.charging_day import (
    MORNING,
    declare_fleet,
    everywhere,
    start16,
    stop16,
    write_log,
)
from tests.edge import PASSWORD
from tests.projections.books_of_a_day import work

HERE, THERE = "CS-OLD-1", "CS-OLD-2"


def site_of_stations(dsn: str) -> None:
    """Declare the fleet; `HERE` and `THERE` have two plugs each and may connect."""
    version = declare_fleet(dsn)
    plugs = tuple(DeclaredConnector(evse_id=n, connector_id=n) for n in (1, 2))
    station = Station(site="yard", password_hash=hash_password(PASSWORD), connectors=plugs)
    changes = [Change(kind=Kind.STATION, key=key, entity=station) for key in (HERE, THERE)]
    with connect(dsn) as connection:
        version = declare(connection, changes, by="test", at=MORNING)
    write_log(dsn, list(everywhere(version, 0)))


def charge(dsn: str) -> None:
    """Have three sessions at `HERE`: 10 kWh each for 4.76 EUR, and one that still runs."""
    lines = []
    for number in range(3):
        begun = 10 + 60 * number
        lines.append(start16(HERE, begun, number + 1, "FLEET1", 10_000 * number))
        lines.append(stop16(HERE, begun + 30, number + 1, 10_000 * (number + 1)))
    lines.append(start16(THERE, 200, 9, "BEARER1", 500))
    write_log(dsn, lines)
    work(dsn)
