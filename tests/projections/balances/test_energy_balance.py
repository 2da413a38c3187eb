"""The energy balance: every metered Wh has its place, and a missing one shows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from projections.balances.energy import EnergyDay, energy_balance
from tests.charging_day import Timed, at, choose, event201, start16, stop16, tick, write_log
from tests.projections.books_of_a_day import (
    ask,
    books_of_a_day,
    go_on,
    tamper,
    tamper_with_decision,
    work,
)

DAY = date(2026, 3, 2)
B = "CS-NEW-2/B/20260302T071000Z"


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database)


def of_station(dsn: str, station_id: str) -> EnergyDay:
    with ask(dsn) as connection:
        balance = energy_balance(connection, station_id=station_id)
    [day] = balance.days
    return day


def wh(*energies: Decimal) -> tuple[int, ...]:
    assert all(energy == int(energy) for energy in energies)
    return tuple(int(energy) for energy in energies)


def test_every_wh_of_the_day_is_accounted_for(books: str) -> None:
    with ask(books) as connection:
        balance = energy_balance(connection)

    assert balance.is_balanced
    assert balance.total.difference_wh == 0
    assert balance.total.metered_wh == sum(day.metered_wh for day in balance.days)
    assert {day.day for day in balance.days} == {DAY}


def test_billed_energy_is_what_the_ratings_say(books: str) -> None:
    day = of_station(books, "CS-OLD-1")

    assert wh(day.metered_wh, day.billed_wh, day.difference_wh) == (9000, 9000, 0)


def test_a_residents_energy_is_free_by_rule_and_a_lost_stop_is_held(books: str) -> None:
    day = of_station(books, "CS-OLD-2")

    # 21: 4000 free; 22: 1000 until its last reading, held; 1000 until the next start: nobody's;
    # 23: 2000 billed.
    assert wh(day.free_wh, day.held_wh, day.unattributed_wh, day.billed_wh) == (
        4000, 1000, 1000, 2000,
    )  # fmt: skip
    assert wh(day.metered_wh, day.difference_wh) == (8000, 0)


def test_energy_moves_from_held_to_billed_with_a_release(books: str) -> None:
    before = of_station(books, "CS-NEW-2")
    go_on(books, [choose(B, "release", 300)])
    after = of_station(books, "CS-NEW-2")

    assert wh(before.held_for_decision_wh, before.billed_wh) == (3000, 0)
    assert wh(after.held_for_decision_wh, after.billed_wh) == (0, 3000)


def test_written_off_energy_is_shown_by_that_name(books: str) -> None:
    go_on(books, [choose(B, "write_off", 300)])
    day = of_station(books, "CS-NEW-2")

    assert wh(day.written_off_wh, day.held_wh, day.difference_wh) == (3000, 3000, 0)


def test_an_open_session_counts_as_open(books: str) -> None:
    start = event201("CS-NEW-1", 300, "Started", "C", 0, 4100, token="BEARER1")
    go_on(books, [start, event201("CS-NEW-1", 310, "Updated", "C", 1, 4900)])
    day = of_station(books, "CS-NEW-1")

    assert wh(day.open_wh, day.difference_wh) == (800, 0)


def test_energy_between_two_sessions_is_nobodys(books: str) -> None:
    later = [start16("CS-OLD-1", 400, 31, "FLEET1", 7250), stop16("CS-OLD-1", 420, 31, 8250)]
    go_on(books, later)
    day = of_station(books, "CS-OLD-1")

    assert wh(day.unattributed_wh, day.difference_wh) == (250, 0)


def test_a_session_over_midnight_lies_on_both_days_of_its_site(books: str) -> None:
    late = 15 * 60 + 30  # 22:30 UTC is 23:30 in Berlin
    go_on(
        books,
        [
            event201("CS-NEW-1", late, "Started", "N", 0, 4100, token="BEARER1"),
            event201("CS-NEW-1", late + 20, "Updated", "N", 1, 5000),
            event201("CS-NEW-1", late + 60, "Ended", "N", 2, 7000),
        ],
    )
    with ask(books) as connection:
        balance = energy_balance(connection, station_id="CS-NEW-1")

    assert [(day.day, day.billed_wh) for day in balance.days] == [
        (DAY, Decimal(4900)),
        (date(2026, 3, 3), Decimal(2000)),
    ]
    assert balance.is_balanced


def test_a_range_of_days_leaves_the_others_out(books: str) -> None:
    with ask(books) as connection:
        assert energy_balance(connection, first_day=date(2026, 3, 3)).days == ()
        assert energy_balance(connection, last_day=DAY).days


def test_a_lost_fact_is_seen(books: str) -> None:
    tamper(
        books,
        """DELETE FROM fact WHERE station_id = 'CS-OLD-2' AND transaction_ref = '21'
           AND position = (SELECT max(position) FROM fact WHERE transaction_ref = '21')""",
    )
    with ask(books) as connection:
        assert not energy_balance(connection).is_balanced


def test_a_rating_of_more_than_was_metered_is_seen(books: str) -> None:
    tamper_with_decision(books, "%/11/%", '"billed_wh":"6000"', '"billed_wh":"6001"')
    day = of_station(books, "CS-OLD-1")

    assert day.difference_wh == -1


def _at_once() -> list[list[Timed]]:
    """Two sessions at once on one plug, whose register rises from 7,000 to 12,000 in all."""
    first = [start16("CS-OLD-1", 300, 31, "FLEET1", 7000), stop16("CS-OLD-1", 340, 31, 10_000)]
    second = [start16("CS-OLD-1", 330, 32, "BEARER1", 8000), stop16("CS-OLD-1", 360, 32, 12_000)]
    return [[first[0]], [second[0]], [first[1]], [second[1]], [*tick(440)]]


def go_on_at_once(dsn: str) -> None:
    """Let all of it come in one record."""
    write_log(dsn, [line for lines in _at_once() for line in lines], lines_a_record=10)
    work(dsn)


def states(dsn: str, *references: str) -> list[str]:
    with ask(dsn) as connection:
        rows = connection.execute("SELECT transaction_ref, state FROM listed_session").fetchall()
    return [str(state) for each in references for ref, state in rows if ref == each]


def test_two_sessions_at_once_on_one_plug_never_sell_a_wh_twice(books: str) -> None:
    for lines in _at_once():
        go_on(books, lines)

    day = of_station(books, "CS-OLD-1")

    # The first one's stop came when the second had nothing yet: it is rated, and stays so.
    assert states(books, "31", "32") == ["rated", "held"]
    assert wh(day.metered_wh, day.billed_wh, day.held_for_decision_wh) == (14_000, 12_000, 2000)
    assert wh(day.dropped_wh, day.difference_wh) == (0, 0)


def test_two_sessions_that_come_at_once_are_both_held(books: str) -> None:
    go_on_at_once(books)

    day = of_station(books, "CS-OLD-1")

    assert states(books, "31", "32") == ["held", "held"]
    assert wh(day.metered_wh, day.held_for_decision_wh, day.difference_wh) == (14_000, 5000, 0)


def test_what_a_person_sells_twice_is_seen(books: str) -> None:
    go_on_at_once(books)
    with ask(books) as connection:
        held = connection.execute(
            "SELECT session_id FROM listed_session WHERE state = 'held' AND station_id = 'CS-OLD-1'"
        ).fetchall()
    go_on(books, [choose(str(session_id), "release", 450) for (session_id,) in held])

    day = of_station(books, "CS-OLD-1")

    assert wh(day.metered_wh, day.billed_wh, day.difference_wh) == (14_000, 16_000, -2000)


def test_a_session_told_days_later_is_held_where_its_register_is_billed_already(books: str) -> None:
    go_on(books, [start16("CS-OLD-1", 300, 31, "FLEET1", 7000)])
    go_on(books, [stop16("CS-OLD-1", 340, 31, 10_000)])
    late = start16("CS-OLD-1", 310, 32, "BEARER1", 8000)
    received = at(5000)
    line = msgspec.structs.replace(late[2], received_at=received)
    go_on(books, [(received, "CS-OLD-1", line), stop16("CS-OLD-1", 330, 32, 9000, received=5001)])
    go_on(books, [*tick(5100)])

    day = of_station(books, "CS-OLD-1")

    assert states(books, "31", "32") == ["rated", "held"]
    assert wh(day.metered_wh, day.billed_wh, day.difference_wh) == (12_000, 12_000, 0)
