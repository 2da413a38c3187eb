"""A register that falls back into what was billed before: held, however long ago that was.

And whatever the worker has in mind: each line may be taken by one that begins there.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.charging_day import (
    Timed,
    call,
    declare_fleet,
    everywhere,
    stamp,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_late_facts import rows, work

OLD = "CS-OLD-1"


def charge(ref: int, begins: float, first: int, last: int, lasts: float = 60) -> list[Timed]:
    end = begins + lasts
    return [start16(OLD, begins, ref, "FLEET1", first), stop16(OLD, end, ref, last)]


def late(ref: int, begins: float, first: int, last: int, *, told: float) -> list[Timed]:
    """Return a session of an hour whose frames all come *told*."""
    start = {"connectorId": 1, "idTag": "FLEET1", "meterStart": first, "timestamp": stamp(begins)}
    reply = {"transactionId": ref, "idTagInfo": {"status": "Accepted"}}
    return [
        call(OLD, told, "StartTransaction", start, reply),
        stop16(OLD, begins + 60, ref, last, received=told),
    ]


def decided(dsn: str, lines: Sequence[Timed], *, restarts: bool) -> list[tuple[str, list[str]]]:
    """Return state and reasons of each session, oldest first."""
    version = declare_fleet(dsn)
    every = [*everywhere(version, -1), *lines, *tick(900), *tick(1000)]
    for some in [[each] for each in every] if restarts else [every]:
        write_log(dsn, some, lines_a_record=1)
        work(dsn)
    return rows(dsn, "SELECT state, reasons FROM session ORDER BY started_at")


Decided = tuple[str, list[str]]
RATED: Decided = ("rated", [])
HELD: Decided = ("held", ["register_shared"])
pytestmark = pytest.mark.parametrize("restarts", [False, True])


@pytest.mark.parametrize("begins", [70, 400])
def test_a_session_that_is_told_again_by_another_clock_is_billed_once(
    database: str, begins: float, *, restarts: bool
) -> None:
    lines = [*charge(1, 0, 1000, 6000), *charge(2, begins, 1000, 6000)]

    assert decided(database, lines, restarts=restarts) == [RATED, HELD]


@pytest.mark.parametrize(("begins", "lasts"), [(70, 240), (400, 10)])
def test_a_session_that_begins_within_one_of_this_morning_is_held(
    database: str, begins: float, lasts: float, *, restarts: bool
) -> None:
    lines = [*charge(1, 0, 1000, 6000), *charge(2, begins, 5000, 8000, lasts)]

    assert decided(database, lines, restarts=restarts) == [RATED, HELD]


def test_a_session_that_is_told_hours_after_the_next_one_is_held(
    database: str, *, restarts: bool
) -> None:
    lines = [*charge(2, 70, 5000, 8000), *late(1, 0, 1000, 6000, told=500)]

    assert decided(database, lines, restarts=restarts) == [HELD, RATED]


def test_the_next_session_goes_on_where_the_last_one_ended(
    database: str, *, restarts: bool
) -> None:
    lines = [*charge(1, 0, 1000, 6000), *charge(2, 400, 5990, 8000)]

    assert decided(database, lines, restarts=restarts) == [RATED, RATED]


@pytest.mark.parametrize(("ended_at", "state"), [(5000, HELD), (3999, RATED)])
def test_a_start_that_is_dated_back_before_the_session_that_it_follows_is_held(
    database: str, ended_at: int, state: Decided, *, restarts: bool
) -> None:
    """It would be billed by the hour; a session of a second meter under that number is none."""
    start = {"connectorId": 1, "idTag": "FLEET1", "meterStart": 5000, "timestamp": stamp(0)}
    lines = [
        *charge(1, 300, 1000, ended_at),
        call(OLD, 720, "StartTransaction", start, {"transactionId": 2}),
        stop16(OLD, 780, 2, 9000),
    ]

    assert decided(database, lines, restarts=restarts) == [state, RATED]
