"""Which stations are looked at when something is declared: those of which it says something."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare, load_declarations
from ledger.master_data.policies import Policy
from ledger.master_data.stations import Station
from ledger.master_data.tokens import Token
from projections.energy.keeper import EnergyKeeper
from tests.charging_day import at
from tests.projections.books_of_a_day import books_of_a_day
from tests.projections.console.crowded.asked_statements import statements_logged

STATION = "CS-OLD-1"
COUNT = "SELECT count(*) FROM energy_station"


@pytest.fixture
def counted(database: str) -> str:
    books_of_a_day(database)
    with connect(database) as connection:
        EnergyKeeper(connection).take_in()
    return database


def looked_at(dsn: str, change: Change) -> tuple[int, list[str]]:
    """Declare *change*; return how many stations are looked at then, and which have news."""
    with connect(dsn) as connection, statements_logged(dsn) as asked, connect(dsn) as logged:
        declare(connection, [change], by="a test", at=at(0))
        waiting = EnergyKeeper(logged).waiting()
        rows = [each for each in asked.new() if "FROM energy_station" in each.text]
        assert EnergyKeeper(logged).waiting() == waiting
    return sum(each.read for each in rows), waiting


def test_a_token_has_no_station_looked_at(counted: str) -> None:
    token = Change(kind=Kind.TOKEN, key="another", entity=Token())

    assert looked_at(counted, token) == (0, [])


def test_a_station_is_looked_at_alone_and_counted_anew_where_it_is_another_one(
    counted: str,
) -> None:
    with connect(counted) as connection:
        known = load_declarations(connection)
    station = known.station(STATION, at(0))
    assert station is not None
    since = at(0)
    stronger = Station(site=station.site, max_power_w=Decimal(77_000))
    of_it = Change(kind=Kind.STATION, key=STATION, entity=stronger, valid_from=since)
    of_none = Change(kind=Kind.STATION, key="CS-OTHER", entity=stronger, valid_from=since)

    assert looked_at(counted, of_none) == (0, [])
    read, waiting = looked_at(counted, of_it)

    with connect(counted) as connection:
        [(stations,)] = connection.execute(COUNT).fetchall()
    assert (waiting, stations > 1) == ([STATION], True)
    assert read <= stations


def test_a_policy_and_a_site_have_all_looked_at(counted: str) -> None:
    with connect(counted) as connection:
        known = load_declarations(connection)
        [(stations,)] = connection.execute(COUNT).fetchall()
    station = known.station(STATION, at(0))
    assert station is not None
    site = known.site(station.site, at(0))
    assert site is not None
    renamed = replace(site, name="Another yard")
    policy = Change(kind=Kind.POLICY, key="policy", entity=Policy(wait_s=77))
    of_site = Change(kind=Kind.SITE, key=station.site, entity=renamed, valid_from=at(0))

    for each in (policy, of_site):
        read, waiting = looked_at(counted, each)
        assert (read, waiting) == (stations, [])
