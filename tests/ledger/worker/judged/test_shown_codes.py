"""A code that is shown counts for the session that is not decided yet, and for no other."""

from __future__ import annotations

import pytest

from ledger.log.envelope import Validation
from ledger.log.postgres import PostgresEventLog
from tests.charging_day import (
    Timed,
    at,
    choose,
    declare_fleet,
    everywhere,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_late_facts import rows, work

STATION, ELSEWHERE = "CS-OLD-1", "CS-OLD-2"
SESSION = f"{STATION}/31/20260302T071000Z"
START, STOP = start16(STATION, 10, 31, "FLEET1", 1000), stop16(STATION, 60, 31, 5000)
WHOLE, HALF = 190, 95
"""What its 4 kWh cost, 19 % tax included, and what with the stamp."""


def shown(
    minutes: float,
    session_id: str | None = SESSION,
    *,
    token: str | None = None,
    code: str = "STAMP",
    station: str = STATION,
) -> Timed:
    line = Validation(
        received_at=at(minutes),
        station=station,
        code=code,
        by="desk",
        session_id=session_id,
        token=token,
    )
    return line.received_at, station, line


def cost(dsn: str) -> int:
    [(minor,)] = rows(dsn, "SELECT sum(amount_minor) FROM posting WHERE amount_minor > 0")
    return int(minor)


def codes(dsn: str) -> list[tuple[str, list[str]]]:
    return rows(dsn, "SELECT session_id, validations FROM session ORDER BY started_at")


def too_late(dsn: str) -> list[tuple[str, int]]:
    query = "SELECT station_id, lines FROM set_aside WHERE reason = 'validation_without_session'"
    return rows(dsn, query)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("records", "counts"),
    [
        pytest.param([[START], [shown(30)], [STOP]], True, id="before the stop"),
        pytest.param([[START], [STOP, shown(60)]], True, id="in the record of the stop"),
        pytest.param([[START], [STOP], [shown(61)]], False, id="after it was rated"),
        pytest.param([[shown(5)], [START], [STOP]], False, id="before there was a session"),
        pytest.param([[START], [shown(9, station=ELSEWHERE)], [STOP]], False, id="at another's"),
        pytest.param([[START], [shown(30, None, token="fleet1")], [STOP]], True, id="by token"),
        pytest.param([[START], [shown(30, None, token="home1")], [STOP]], False, id="another's"),
    ],
)
def test_a_code_counts_until_its_session_is_rated(
    database: str, records: list[list[Timed]], *, counts: bool, at_once: bool
) -> None:
    """Whether it is in mind or a new worker has to look it up."""
    write_log(database, [*everywhere(declare_fleet(database), -1)])
    for lines in records:
        write_log(database, lines, lines_a_record=9)
        if not at_once:
            work(database)
    work(database)

    [code] = [each for lines in records for each in lines if isinstance(each[2], Validation)]
    assert cost(database) == (HALF if counts else WHOLE)
    assert codes(database) == [(SESSION, ["STAMP"] if counts else [])]
    assert too_late(database) == ([] if counts else [(code[1], 1)])
    query = "SELECT session_id, station_id, code, validated_by, validated_at FROM validation"
    row = (SESSION, STATION, "STAMP", "desk", code[0])
    assert rows(database, query) == ([row] if counts else [])


def test_where_a_code_stood_is_kept(database: str) -> None:
    write_log(database, [*everywhere(declare_fleet(database), -1), START])
    both = [shown(30, code="STAY-1"), shown(31), shown(32, code="STAY-1")]
    write_log(database, both, lines_a_record=9)
    work(database)
    work(database)

    [(partition,)] = rows(database, "SELECT partition FROM session")
    with PostgresEventLog(database) as log:
        position = log.ends()[partition] - 1
    query = "SELECT partition, position, line, code FROM validation ORDER BY line"
    assert rows(database, query) == [
        (partition, position, line, code) for line, code in enumerate(["STAY-1", "STAMP", "STAY-1"])
    ]
    assert codes(database) == [(SESSION, ["STAMP", "STAY-1"])]


def test_a_held_session_of_long_ago_takes_a_code_and_is_released_with_it(database: str) -> None:
    write_log(database, [*everywhere(declare_fleet(database), -1), START, *tick(2000)])
    work(database)
    write_log(database, [shown(3000)])
    work(database)
    write_log(database, [stop16(STATION, 60, 31, 9_000_000, received=3001)])
    write_log(database, [choose(SESSION, "release", 3002)])
    work(database)

    assert codes(database) == [(SESSION, ["STAMP"])]
    assert rows(database, "SELECT state FROM session") == [("released",)]
    assert too_late(database) == []
    write_log(database, [shown(3003, code="STAY-1")])
    work(database)
    assert codes(database) == [(SESSION, ["STAMP"])]
    assert too_late(database) == [(STATION, 1)]


def test_a_code_stays_with_a_session_whose_start_moves(database: str) -> None:
    write_log(database, [*everywhere(declare_fleet(database), -1), START])
    write_log(database, [shown(20)])
    work(database)
    write_log(database, [start16(STATION, 9.5, 31, "FLEET1", 1000), STOP])
    work(database)

    assert codes(database) == [(f"{STATION}/31/20260302T070930Z", ["STAMP"])]
    assert cost(database) == HALF
