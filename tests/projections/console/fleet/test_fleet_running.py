"""Fleet now while cars charge: what runs, what that costs so far, and how much it draws."""

from __future__ import annotations

import re

import psycopg
import pytest

from ledger.database import connect
from ledger.users.roles import Role
from tests.charging_day import (
    Timed,
    at,
    declare_day,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    status16,
    write_log,
)
from tests.projections.books_of_a_day import go_on
from tests.projections.console.fleet.test_fleet_pages import tiles
from tests.projections.console.served_console import served_console

TARIFF = """
tariff: DAY
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
"""
ONE, TWO = "CS-OLD-1", "CS-NEW-1"
UNDER_WAY: list[Timed] = [
    status16(ONE, 0, "Charging", 1),
    start16(ONE, 0, 1, "FLEET1", 0),
    start16(ONE, 2, 2, "BEARER1", 5_000, 2),
    event201(TWO, 3, "Started", "3", 0, 0, token="FLEET1"),
    meter16(ONE, 60, 1, 6_000),
    meter16(ONE, 62, 2, 8_000, 2),
    event201(TWO, 63, "Updated", "3", 1, 4_000),
    status16(ONE, 64, "Faulted", 2),
]


@pytest.fixture
def charging(database: str) -> str:
    declare_fleet(database)
    write_log(database, list(everywhere(declare_day(database, TARIFF), 0)))
    go_on(database, UNDER_WAY)
    return database


def test_what_runs_is_shown_with_its_cost_and_its_power(charging: str) -> None:
    with served_console(charging, at(65)) as served, served.client("omar", Role.FINANCE) as client:
        now = client.get("/console/fleet").text
        listed = client.get("/console/fleet/sessions").text
        station = client.get(f"/console/fleet/stations/{ONE}").text

    found = tiles(now)
    assert found["Running sessions"][0] == "3"
    # 6 kWh within the first hour, 3 and 4 kWh within one that began later.
    assert found["Load"][0] == "13 kW"
    # 13 kWh at 0.40, 2.86 + 1.43 + 1.90 with 19 % of VAT, each rounded by itself.
    assert "3 of 3 shown; these cost €6.19 so far, with taxes" in now
    assert found["Charging"][0] == "1"
    for html in (listed, station):
        assert "€2.86" in html
        assert "6 kWh" in html
    assert "€1.90" in listed
    assert "€1.90" not in station
    assert re.search(rf'href="/console/sessions/{ONE}/1/\w+"', listed)


def test_pages_of_what_runs_leave_none_out(charging: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.console.fleet.routes.SHOWN", 2)
    with served_console(charging, at(65)) as served, served.client("omar", Role.FINANCE) as client:
        first = client.get("/console/fleet/sessions").text
        [after] = re.findall(r'href="([^"]+)" rel="next"', first)
        second = client.get(after.replace("&amp;", "&")).text

    refs = [re.findall(r'href="/console/sessions/([^"]+)"', html) for html in (first, second)]
    assert [len(each) for each in refs] == [2, 1]
    assert len({*refs[0], *refs[1]}) == 3


def test_a_fault_and_a_connection_are_counted_where_they_are(charging: str) -> None:
    with connect(charging) as connection:
        connection.execute(
            "INSERT INTO connection_epoch (station_id, epoch, protocol, process, opened_at)"
            " VALUES (%s, 7, 'ocpp2.0.1', 4242, %s)",
            (TWO, at(0)),
        )
    with (
        psycopg.connect(charging) as process,
        served_console(charging, at(65)) as served,
        served.client("omar", Role.OPERATIONS) as client,
    ):
        # A process of the edge holds this lock while it lives.
        process.execute("SELECT pg_advisory_lock(20226, 4242)")
        found = tiles(client.get("/console/fleet").text)
        connected = client.get(found["Connected"][1]).text
        faulted = client.get(found["Faulted"][1]).text

    assert (found["Connected"][0], found["Faulted"][0]) == ("1", "1")
    assert f"/console/fleet/stations/{TWO}" in connected
    assert f"/console/fleet/stations/{ONE}" not in connected
    assert f"/console/fleet/stations/{ONE}" in faulted
    assert f"/console/fleet/stations/{TWO}" not in faulted
