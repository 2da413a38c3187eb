"""Facts of several sessions in any order: the books are those of one rating of all of them.

Where the order in which they came makes them doubtful, a person agrees here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import pytest

from ledger.database import connect
from ledger.log.envelope import Choice, Frame
from projections.balances.energy import energy_balance
from projections.balances.trial import trial_balance
from tests.charging_day import (
    Timed,
    at,
    call,
    declare_day,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    register,
    stamp,
    start16,
    status16,
    stop16,
    tick,
    write_log,
)
from tests.faults.broken_books import is_identical, rows, work

BY_THE_HOUR = """
tariff: DAY
name: By the hour
currency: EUR
tax_included: NO
vat: 19 %

elements:
  - name: peak
    energy: 0.80 per kWh
    time: 0.60 per h
    parking_time: 6.00 per h
    restrictions: {start_time: "08:20", end_time: "08:45"}
  - name: base
    energy: 0.40 per kWh
    time: 0.60 per h
    parking_time: 3.00 per h
"""
LATER = (75, 150, 400, 1_700, 3_500, 9_000, 12_000)
Day = Callable[[str], list[Timed]]
_WAITING = """
SELECT session_id, station_id, state FROM session
WHERE state = 'held' OR 'correction_waits' = ANY (flags)
"""


def old(station: str) -> list[Timed]:
    """Return a day of a 1.6 station: three sessions at two connectors, two of them park."""
    lone = {"connectorId": 1, "meterValue": [register(75, 4400)]}
    return [
        start16(station, 1, 11, "FLEET1", 1000),
        meter16(station, 10, 11, 2000),
        meter16(station, 20, 11, 3000),
        start16(station, 5, 12, "FLEET1", 5000, 2),
        meter16(station, 15, 12, 6000, 2),
        meter16(station, 30, 12, 6600, 2),
        status16(station, 20.5, "SuspendedEV"),
        stop16(station, 40, 11, 3000),
        status16(station, 41, "Available"),
        stop16(station, 50, 12, 7000),
        status16(station, 50.5, "Available", 2),
        start16(station, 60, 13, "FLEET1", 3000),
        meter16(station, 70, 13, 4000),
        call(station, 75, "MeterValues", lone, {}),
        status16(station, 80, "SuspendedEV"),
        status16(station, 85, "Charging"),
        meter16(station, 85, 13, 4500),
        stop16(station, 90, 13, 5000),
        status16(station, 91, "Available"),
    ]


def new(station: str) -> list[Timed]:
    """Return a day of a 2.0.1 station: two sessions after each other, and one beside them."""
    return [
        event201(station, 10, "Started", "A", 0, 100, token="FLEET1"),
        event201(station, 20, "Updated", "A", 1, 1100),
        event201(station, 30, "Updated", "A", 2, 2100),
        event201(station, 40, "Ended", "A", 3, 2600),
        free201(station, 41),
        event201(station, 50, "Started", "B", 0, 2600, token="FLEET1"),
        event201(station, 60, "Updated", "B", 1, 4000),
        event201(station, 70, "Ended", "B", 2, 4500),
        free201(station, 71),
        event201(station, 15, "Started", "C", 0, 7000, token="FLEET1", evse=2),
        event201(station, 25, "Updated", "C", 1, 7700, evse=2),
        event201(station, 65, "Ended", "C", 2, 9000, evse=2),
    ]


def free201(station: str, minutes: float) -> Timed:
    payload = {
        "timestamp": stamp(minutes), "connectorStatus": "Available", "evseId": 1, "connectorId": 1
    }  # fmt: skip
    return call(station, minutes, "StatusNotification", payload, {})


def is_start16(timed: Timed) -> bool:
    """Whether a line is a start of 1.6: no station knows the id before that was answered."""
    return isinstance(timed[2], Frame) and '"StartTransaction"' in timed[2].frame


def arrived(lines: Sequence[Timed], chance: random.Random) -> list[Timed]:
    """Return *lines* late by minutes, hours or days, in any order."""
    return [
        timed
        if is_start16(timed)
        else delayed(timed, chance.choice([0, 0, 1, 30, 200, 2_000, 5_000]) * chance.random())
        for timed in lines
    ]


def delayed(timed: Timed, minutes: float) -> Timed:
    received_at, station, line = timed
    moved = received_at + timedelta(minutes=minutes)
    return moved, station, msgspec.structs.replace(line, received_at=moved)


def books_of(dsn: str, version: int, plain: Sequence[Timed], late: Sequence[Timed]) -> None:
    """Work off the days of two stations, one of them as it was said, and agree to what waits."""
    lines = [*everywhere(version, -1), *plain, *late]
    for minutes in LATER:
        lines += tick(minutes)
    write_log(dsn, sorted(lines, key=lambda timed: timed[0]), lines_a_record=1)
    work(dsn)
    choices = [
        Choice(
            received_at=at(20_000),
            station=station,
            session_id=session_id,
            choice="release" if state == "held" else "correct",
            by="ann",
            reason="seen on the meter",
        )
        for session_id, station, state in rows(dsn, _WAITING)
    ]
    write_log(dsn, [(each.received_at, each.station, each) for each in choices])
    work(dsn)


def check(dsn: str, late: str, plain: str) -> None:
    """Assert that both stations' money and energy are the same, and that all adds up."""
    assert money(dsn, late) == money(dsn, plain), rows(
        dsn, "SELECT session_id, state, revision, reasons, flags FROM session ORDER BY 1"
    )
    with connect(dsn) as connection:
        energy = [energy_balance(connection, station_id=name).total for name in (late, plain)]
        assert energy_balance(connection).is_balanced
        assert trial_balance(connection).is_balanced
    assert energy[0].billed_wh == energy[1].billed_wh
    assert energy[0].metered_wh == energy[1].metered_wh
    assert is_identical(dsn)


def money(dsn: str, station: str) -> list[tuple[object, ...]]:
    """Return what stands on each account for a station's sessions."""
    return rows(
        dsn,
        "SELECT account, party, sum(amount_minor)::int FROM posting"
        " JOIN journal_entry USING (entry_id)"
        f" WHERE session_id LIKE '{station}/%' GROUP BY account, party"
        " HAVING sum(amount_minor) <> 0 ORDER BY account, party",
    )


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tariff", [None, BY_THE_HOUR], ids=["one price", "by the hour"])
@pytest.mark.parametrize(
    ("day", "late", "plain"),
    [(old, "CS-OLD-1", "CS-OLD-2"), (new, "CS-NEW-1", "CS-NEW-2")],
    ids=["1.6", "2.0.1"],
)
def test_a_station_s_books_are_those_of_one_rating_of_all_its_facts(
    database: str, day: Day, late: str, plain: str, tariff: str | None, seed: int
) -> None:
    version = declare_fleet(database)
    if tariff is not None:
        version = declare_day(database, tariff)
    books_of(database, version, day(plain), arrived(day(late), random.Random(seed)))

    check(database, late, plain)


@pytest.mark.parametrize("minutes", [20, 60, 180, 1_500, 5_000])
@pytest.mark.parametrize("index", range(19))
def test_one_fact_that_comes_late_is_billed_as_if_it_had_not(
    database: str, index: int, minutes: float
) -> None:
    late, version = old("CS-OLD-1"), declare_fleet(database)
    late[index] = delayed(late[index], 0 if is_start16(late[index]) else minutes)
    books_of(database, version, old("CS-OLD-2"), late)

    check(database, "CS-OLD-1", "CS-OLD-2")
