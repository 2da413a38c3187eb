"""Rated sessions out of the books, with their readings, re-rated to the same amounts."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from ledger.declared.store import load_declarations
from ledger.persons.store import erase
from projections.history import past_sessions, rated_between
from projections.history_reading import with_names
from tariffs.bulk.rating import bulk_tariff
from tariffs.kernel.pricing import compile_tariff
from tariffs.model.tariff import Tariff
from tariffs.simulate.history import PastSession, Unread, chunks_of
from tariffs.simulate.simulation import Simulation, SimulationResult
from tests.charging_day import MORNING, choose, meter16, start16, stop16
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on

HELD = "CS-OLD-2/22/20260302T082000Z"
SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database, choose(HELD, "release", 300))


def sessions_of(
    dsn: str, *, since: datetime = SINCE, currency: str = "EUR"
) -> list[tuple[str, PastSession | Unread]]:
    with ask(dsn) as connection:
        declarations = load_declarations(connection)
        return [
            session
            for station in rated_between(connection, since=since, until=UNTIL)
            for session in past_sessions(
                connection, declarations, station, since=since, until=UNTIL, currency=currency
            )
        ]


def day_tariff(dsn: str) -> Tariff:
    with ask(dsn) as connection:
        version = load_declarations(connection).tariff("DAY", MORNING)
    assert version is not None
    return version.tariff


def simulated(dsn: str, tariff: Tariff) -> SimulationResult:
    simulation = Simulation(bulk_tariff(compile_tariff(tariff)))
    for chunk in chunks_of(sessions_of(dsn), "EUR"):
        simulation.add(chunk)
    return simulation.result


def test_every_rated_session_costs_again_what_it_was_billed_under_its_own_tariff(
    books: str,
) -> None:
    with ask(books) as connection:
        rated = connection.execute(
            "SELECT count(*) FROM session_decision WHERE kind IN ('rated', 'released')"
        ).fetchone()

    result = simulated(books, day_tariff(books))

    assert (result.left_out, (result.total.sessions,)) == (0, rated)
    assert result.total.new_minor == result.total.old_minor > 0
    assert (result.dearer, result.cheaper) == (0, 0)
    assert set(result.sites) == {"yard"}
    assert sum(each.sessions for each in result.stations.values()) == result.total.sessions
    assert "CS-OLD-1" in result.stations
    assert "fleet" in result.customers


def test_customers_have_their_names_where_people_read_them_unless_they_were_erased(
    books: str,
) -> None:
    with ask(books) as connection:
        connection.execute("UPDATE subject SET name = 'Fleet 7' WHERE subject = 'fleet'")
        erase(connection, ["home"])
        (chunk,) = with_names(connection, chunks_of(sessions_of(books), "EUR"))

    assert {"Fleet 7", "home"} <= set(chunk.customers)


def test_without_the_residents_grant_the_resident_pays(books: str) -> None:
    tariff = msgspec.structs.replace(day_tariff(books), adjustments=())

    result = simulated(books, tariff)

    assert result.customers["home"].difference_minor > 0
    assert result.customers["fleet"].difference_minor == 0


def test_facts_that_come_after_the_decision_do_not_change_what_is_re_rated(books: str) -> None:
    go_on(books, [meter16("CS-OLD-1", 400, 11, 99_000)])

    result = simulated(books, day_tariff(books))

    assert (result.left_out, result.dearer, result.cheaper) == (0, 0, 0)


def test_other_times_and_currencies_are_not_mixed_in(books: str) -> None:
    assert sessions_of(books, since=UNTIL) == []
    assert all(isinstance(each, Unread) for _, each in sessions_of(books, currency="USD"))
    assert len(sessions_of(books, currency="USD")) == len(sessions_of(books))


def test_an_open_session_is_no_part_of_the_past(books: str) -> None:
    before = len(sessions_of(books))
    go_on(books, [start16("CS-OLD-1", 400, 91, "FLEET1", 8000)])
    assert len(sessions_of(books)) == before

    go_on(books, [stop16("CS-OLD-1", 460, 91, 9000)])

    assert len(sessions_of(books)) == before + 1
