"""What is told once more, however much later, decides nothing twice and shows in its row."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.charging_day import (
    Timed,
    at,
    declare_fleet,
    event201,
    everywhere,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_late_facts import decided, rows, work

STATION, NEW = "CS-OLD-1", "CS-NEW-1"
DAY = 24 * 60.0


def received(line: Timed, minutes: float) -> Timed:
    """Return a line as the edge has it that gets it then."""
    return at(minutes), line[1], replace(line[2], received_at=at(minutes))


def log(dsn: str, *records: list[Timed], each: bool) -> None:
    """Write the declared fleet and *records*; a worker of its own takes *each*, or one all."""
    write_log(dsn, [*everywhere(declare_fleet(dsn), -1)])
    for lines in records:
        write_log(dsn, lines, lines_a_record=9)
        if each:
            work(dsn)
    work(dsn)


def flags(dsn: str) -> list[list[str]]:
    return [found for (found,) in rows(dsn, "SELECT flags FROM session ORDER BY session_id")]


STRAY = stop16(STATION, 60, -1, 5000)


@pytest.mark.parametrize("minutes", [200, 1000, 20 * DAY])
@pytest.mark.parametrize("each", [True, False])
def test_a_stop_of_nobody_s_is_held_once(database: str, minutes: float, *, each: bool) -> None:
    again = received(STRAY, minutes)
    ticks = [[*tick(minutes + n * 100)] for n in range(3)]

    log(database, [STRAY], [*tick(150)], [again], *ticks, each=each)

    assert decided(database) == ["held"]
    assert rows(database, "SELECT state, reasons FROM session") == [
        ("held", ["unmatched_stop", "token_missing"])
    ]


def test_a_stop_of_nobody_s_stays_as_it_was_decided_within_the_group(database: str) -> None:
    """What the table says of it is older than what the worker has in mind."""
    log(database, [STRAY], each=True)
    write_log(database, [*tick(150)])
    write_log(database, [received(STRAY, 151)])
    write_log(database, [*tick(300)])
    work(database)

    assert decided(database) == ["held"]


WHOLE = [start16(STATION, 10, 31, "FLEET1", 1000), stop16(STATION, 60, 31, 5000)]


@pytest.mark.parametrize(
    ("again", "flag"),
    [(stop16(STATION, 60, 31, 5000), "duplicate_stop"), (WHOLE[0], "duplicate_start")],
)
@pytest.mark.parametrize("minutes", [61.0, 20 * DAY])
def test_a_rated_session_shows_that_it_was_told_again(
    database: str, again: Timed, flag: str, minutes: float
) -> None:
    log(database, WHOLE, [received(again, minutes)], each=True)

    assert flags(database) == [[flag]]
    assert decided(database) == ["rated"]


def test_a_rated_session_is_told_again_by_its_own_frames_alone(database: str) -> None:
    other = [start16(STATION, 61, 32, "FLEET1", 5000), stop16(STATION, 70, 32, 6000)]
    log(database, WHOLE, other, [received(other[1], 71)], each=True)

    assert flags(database) == [[], ["duplicate_stop"]]


def test_where_a_decided_session_lies_follows_what_begins_after_it(database: str) -> None:
    """The next session of its id begins: by its row, from then on frames are that one's."""
    first = [
        event201(NEW, 10, "Started", "R", 0, 1000, token="FLEET1"),
        event201(NEW, 30, "Ended", "R", 1, 3000),
    ]
    second = [
        event201(NEW, 120, "Started", "R", 0, 9000, token="FLEET1"),
        event201(NEW, 150, "Ended", "R", 1, 14_000),
    ]
    log(database, second, first, each=True)

    found = rows(database, "SELECT facts_from FROM session ORDER BY started_at")
    assert found == [(None,), (at(120),)]
    assert decided(database) == ["rated", "rated"]
