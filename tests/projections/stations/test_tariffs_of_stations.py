"""Which published tariff prices whoever comes, and a transaction that runs."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import published
from projections.stations.tariffs import (
    NoTariffError,
    tariff_of_everybody,
    tariff_of_transaction,
)
from tests.charging_day import MORNING, at, declare_fleet, event201, everywhere, write_log
from tests.depot import ENERGY_ONLY, FREE
from tests.projections.books_of_a_day import ask, go_on

STATION = "CS-NEW-1"


def assign(dsn: str, assignment: Assignment, minutes: float) -> int:
    """Declare that a tariff is assigned from so many minutes of the day on."""
    change = Change(
        kind=Kind.ASSIGNMENT, key=assignment.key(), entity=assignment, valid_from=at(minutes)
    )
    tariffs = [
        Change(kind=Kind.TARIFF, key=each.id, entity=published(each), valid_from=MORNING)
        for each in (ENERGY_ONLY, FREE)
    ]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        return declare(connection, [*tariffs, change], by="test", at=MORNING)


def test_whoever_comes_pays_what_is_assigned_to_the_place_at_that_moment(database: str) -> None:
    declare_fleet(database)
    assign(database, Assignment(tariff="free", token="fleet1"), 0)
    assign(database, Assignment(tariff="energy", station=STATION), 60)

    with ask(database) as connection:
        before = tariff_of_everybody(connection, STATION, at(59))
        after = tariff_of_everybody(connection, STATION.lower(), at(60))

    assert (before.tariff.id, after.tariff.id) == ("DAY", "energy")


def test_where_nothing_is_assigned_the_error_says_so(database: str) -> None:
    declare_fleet(database)

    with ask(database) as connection:
        for station, moment in ((STATION, MORNING - timedelta(days=2)), ("CS-GONE", at(60))):
            with pytest.raises(NoTariffError, match=f"in force at {station}: assign one"):
                tariff_of_everybody(connection, station, moment)


def test_a_transaction_has_the_tariff_by_which_it_will_be_billed(database: str) -> None:
    """Its driver's, of the moment it began: what is assigned later prices other sessions."""
    declare_fleet(database)
    assign(database, Assignment(tariff="free", token="fleet1"), 0)
    version = assign(database, Assignment(tariff="energy", token="fleet1"), 20)
    write_log(database, list(everywhere(version, 0)))
    go_on(
        database,
        [
            event201(STATION, 10, "Started", "T-1", 0, 0, token="FLEET1"),
            event201(STATION, 11, "Started", "T-2", 0, 0, token="BEARER1", evse=2),
            event201(STATION, 30, "Updated", "T-1", 1, 1000),
        ],
    )

    with ask(database) as connection:
        found = {
            name: tariff_of_transaction(connection, STATION.lower(), name).tariff.id
            for name in ("T-1", "T-2")
        }
        with pytest.raises(NoTariffError, match="no session of the transaction T-3 is open"):
            tariff_of_transaction(connection, STATION, "T-3")

    assert found == {"T-1": "free", "T-2": "DAY"}
