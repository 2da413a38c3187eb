"""An id used again at once, priced and balanced: before a rating, after it, in any order."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from projections.balances.energy import EnergyDay, energy_balance
from tests.charging_day import Timed, declare_fleet, event201, everywhere, tick, write_log
from tests.ledger.worker.test_late_facts import decided, rows, work

SECOND = 1 / 60
DRAWN = """
SELECT right(session_id, 7), sum(billed_volume * 1000)::int, sum(net_minor)::int
FROM rated_line WHERE dimension = 'ENERGY' GROUP BY 1 ORDER BY 1
"""
SHOWN = "SELECT right(session_id, 7), state, reasons, flags FROM session ORDER BY 1"
ODDITIES = {"unit_missing", "late_arrival"}
HOW = pytest.mark.parametrize(
    "how", ["one by one", "at once", "backwards", "shuffled", "one by one, backwards"]
)


def told(dsn: str, lines: list[Timed], how: str) -> None:
    """Have the worker take *lines*: each with a worker of its own, or in one record."""
    version = declare_fleet(dsn)
    write_log(dsn, [*everywhere(version, -1)])
    if "backwards" in how:
        lines = [*reversed(lines)]
    elif how == "shuffled":
        lines = random.Random(4).sample(lines, len(lines))
    for line in lines if "one by one" in how else ():
        write_log(dsn, [line])
        work(dsn)
    if "one by one" not in how:
        write_log(dsn, lines, lines_a_record=100)
    write_log(dsn, [*tick(3_000)])
    work(dsn)


def shown(dsn: str) -> dict[str, tuple[Any, ...]]:
    """Return state, reasons and flags by the moment in a session's id."""
    return {
        moment: (state, reasons, set(flags) - ODDITIES)
        for moment, state, reasons, flags in rows(dsn, SHOWN)
    }


def balanced(dsn: str) -> EnergyDay:
    with psycopg.connect(dsn) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        balance = energy_balance(connection)
    assert balance.is_balanced, balance
    assert rows(dsn, "SELECT coalesce(sum(amount_minor), 0) FROM posting") == [(0,)]
    return balance.total


def started(minute: float, wh: float, token: str, **more: Any) -> Timed:  # noqa: ANN401
    return event201("CS-NEW-1", minute, "Started", "1", 0, wh, token=token, **more)


def ended(minute: float, wh: float, seq: int = 1, **more: Any) -> Timed:  # noqa: ANN401
    return event201("CS-NEW-1", minute, "Ended", "1", seq, wh, **more)


@HOW
@pytest.mark.parametrize("ends", [10 * SECOND, 20 * SECOND])
def test_a_simulator_that_restarts_its_numbers_bills_each_what_is_his(
    database: str, how: str, ends: float
) -> None:
    lines = [
        started(10, 1000, "FLEET1"),
        ended(10 + ends, 3500),
        started(10 + 20 * SECOND, 3500, "BEARER1"),
        event201("CS-NEW-1", 30, "Updated", "1", 1, 5000),
        ended(40, 7500, 2),
    ]
    told(database, lines, how)

    assert rows(database, DRAWN) == [("071000Z", 2500, 100), ("071020Z", 4000, 160)]
    # Told backwards, the first stop comes after the rating of the session that follows it.
    assert {
        moment: (state, reasons, flags - {"late_fact"})
        for moment, (state, reasons, flags) in shown(database).items()
    } == {
        "071000Z": ("rated", [], {"id_reused"}),
        "071020Z": ("rated", [], {"id_reused"}),
    }
    total = balanced(database)
    assert [total.metered_wh, total.billed_wh] == [6500, 6500]


@HOW
@pytest.mark.parametrize("times", [1, 10])
def test_a_start_that_is_told_again_before_and_after_its_rating_bills_once(
    database: str, how: str, times: int
) -> None:
    lines = [started(10, 1000, "FLEET1")]
    lines += [started(10, 1000, "FLEET1", received=11 + n) for n in range(times)]
    lines.append(ended(40, 3500))
    lines += [started(10, 1000, "FLEET1", received=50 + n) for n in range(times)]
    told(database, lines, how)

    assert rows(database, DRAWN) == [("071000Z", 2500, 100)]
    assert shown(database) == {"071000Z": ("rated", [], {"duplicate_start"})}
    assert balanced(database).billed_wh == 2500


@pytest.mark.parametrize("how", ["one by one", "at once", "shuffled"])
def test_a_whole_transaction_that_is_told_again_bills_once(database: str, how: str) -> None:
    lines = [
        event201("CS-NEW-1", minute, kind, "1", seq, wh, token=token, received=minute + later)
        for later in (0, 60, 600)
        for minute, kind, seq, wh, token in (
            (10, "Started", 0, 1000, "FLEET1"),
            (20, "Updated", 1, 2000, None),
            (40, "Ended", 2, 3500, None),
        )
    ]
    told(database, lines, how)

    assert rows(database, DRAWN) == [("071000Z", 2500, 100)]
    flags = {"duplicate_start", "duplicate_stop"}
    assert shown(database) == {"071000Z": ("rated", [], flags)}
    assert decided(database) == ["rated"]
    assert balanced(database).metered_wh == 2500


@pytest.mark.parametrize("again", [50, 60 * 24])
def test_a_late_start_of_another_session_makes_one_after_a_rating(
    database: str, again: float
) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), started(10, 1000, "FLEET1"), ended(40, 3500)])
    work(database)
    late = [
        started(40 + 15 * SECOND, 3500, "BEARER1", received=again),
        ended(45, 4500, received=again),
    ]
    write_log(database, late, lines_a_record=1)
    work(database)

    assert rows(database, DRAWN) == [("071000Z", 2500, 100), ("074015Z", 1000, 40)]
    assert "late_fact" not in shown(database)["071000Z"][2]
    assert balanced(database).billed_wh == 3500


def test_a_stop_that_says_otherwise_after_a_rating_conflicts(database: str) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), started(10, 1000, "FLEET1"), ended(40, 3500)])
    work(database)
    write_log(database, [ended(41, 3500, received=50)])
    work(database)
    again = shown(database)["071000Z"]
    write_log(database, [ended(40, 3400, received=51)])
    work(database)

    assert again == ("rated", [], {"duplicate_stop"})
    assert {"conflicting_stop", "late_fact"} <= shown(database)["071000Z"][2]
    assert rows(database, DRAWN) == [("071000Z", 2500, 100)]


def test_time_that_was_billed_to_one_driver_is_never_billed_to_another(database: str) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), started(10, 1000, "FLEET1"), ended(40, 3500)])
    work(database)
    # It takes over the stop of a session that is billed already.
    write_log(database, [started(10 + 20 * SECOND, 1100, "BEARER1", received=50), *tick(3_000)])
    work(database)
    write_log(database, [ended(40, 3500, received=3_010), *tick(6_000)])
    work(database)

    assert rows(database, DRAWN) == [("071000Z", 2500, 100)]
    state, reasons, _ = shown(database)["071020Z"]
    assert (state, reasons) == ("held", ["decided_before"])


@pytest.mark.parametrize(
    ("begins", "ends", "state"),
    [
        pytest.param(5, 10, "rated", id="until it began"),
        pytest.param(5, 10 + SECOND, "held", id="a second of it"),
        pytest.param(40 - SECOND, 50, "held", id="its last second"),
        pytest.param(40, 50, "rated", id="from its end on"),
    ],
)
def test_what_touches_billed_time_and_does_not_enter_it_is_billed(
    database: str, begins: float, ends: float, state: str
) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), started(10, 1000, "FLEET1"), ended(40, 3500)])
    work(database)
    wh = 500 if begins < 10 else 3500
    late = [
        started(begins, wh, "BEARER1", received=60),
        ended(ends, wh + 300, 7, received=60),
    ]
    # All its numbers are told, so that nothing else holds it.
    middle = (begins + ends) / 2
    late += [
        event201("CS-NEW-1", middle, "Updated", "1", seq, wh + 100, received=60)
        for seq in range(1, 7)
    ]
    write_log(database, [*late, *tick(3_000)], lines_a_record=10)
    work(database)

    found = {each: shown(database)[each][0] for each in shown(database)}
    [other] = [moment for moment in found if moment != "071000Z"]
    assert found[other] == state
    assert found["071000Z"] == "rated"


@HOW
def test_two_evses_that_count_alike_are_billed_each_for_its_own(database: str, how: str) -> None:
    lines = [
        started(10, 1000, "FLEET1", evse=1),
        started(20, 50_000, "BEARER1", evse=2),
        event201("CS-NEW-1", 30, "Updated", "1", 1, 2000, evse=1),
        event201("CS-NEW-1", 30, "Updated", "1", 1, 51_000, evse=2),
        ended(40, 3500, 2, evse=1),
        ended(50, 53_000, 2, evse=None),
    ]
    told(database, lines, how)

    assert rows(database, DRAWN) == [("071000Z", 2500, 100), ("072000Z", 3000, 120)]
    assert balanced(database).billed_wh == 5500


@HOW
def test_numbers_that_begin_again_without_a_start_are_held_beside_what_is_billed(
    database: str, how: str
) -> None:
    lines = [
        started(10, 1000, "FLEET1"),
        event201("CS-NEW-1", 20, "Updated", "1", 1, 2000),
        ended(40, 3500, 2),
        event201("CS-NEW-1", 50, "Updated", "1", 0, 3500),
        event201("CS-NEW-1", 55, "Updated", "1", 1, 4000),
        ended(60, 6000, 2),
    ]
    told(database, lines, how)

    assert rows(database, DRAWN) == [("071000Z", 2500, 100)]
    [(state, reasons)] = rows(
        database, "SELECT state, reasons FROM session WHERE session_id LIKE '%-again'"
    )
    assert state == "held"
    assert "start_missing" in reasons
    total = balanced(database)
    assert [total.metered_wh, total.billed_wh] == [5000, 2500]


def test_two_starts_of_one_moment_are_held_both_and_their_energy_is_metered(
    database: str,
) -> None:
    lines = [
        started(10, 1000, "FLEET1"),
        started(10, 1000, "BEARER1"),
        ended(40, 3500),
    ]
    told(database, lines, "one by one")

    found = shown(database)
    assert {state for state, _, _ in found.values()} == {"held"}
    assert all("id_ambiguous" in reasons for _, reasons, _ in found.values())
    assert len(found) == 2
    total = balanced(database)
    assert (total.metered_wh, total.held_wh) == (Decimal(2500), Decimal(2500))
