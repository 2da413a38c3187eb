"""What a station says costs no more for all that it said before.

The effort is counted in calls of functions, never in time: it is the same on every machine.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection
from cProfile import Profile

import pytest

from ledger.sessions.segments import Segment
from ledger.sessions.session import ChargingSession
from ledger.sessions.session_fold import fold_session
from ledger.sessions.surroundings import Surroundings
from ledger.worker.station_memory import StationMemory
from ledger.worker.worker import Worker
from tests.charging_day import (
    PARTITIONS,
    Timed,
    call,
    declare_fleet,
    event201,
    everywhere,
    register,
    stamp,
    start16,
    status16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_worker import new_worker, rows, work

BAD = "CS-OLD-1"
DAY = 24 * 60.0
FOLDS_A_SESSION = 15
"""Few of those that began within minutes of it; up to 120 of them are open at the end."""
Saying = Callable[[float], Timed]


def nameless_stop(minute: float) -> Timed:
    payload = {"meterStop": round(minute), "timestamp": stamp(minute)}
    return call(BAD, minute, "StopTransaction", payload, {})


def nameless_reading(minute: float) -> Timed:
    payload = {"connectorId": 1, "meterValue": [register(minute, 10 * minute)]}
    return call(BAD, minute, "MeterValues", payload, {})


def boot(minute: float) -> Timed:
    return call(BAD, minute, "BootNotification", {"chargePointModel": "M"}, {})


def free_plug(minute: float) -> Timed:
    return status16(BAD, minute, "Available")


def effort(dsn: str, lines: list[Timed]) -> int:
    """Return how many calls of functions it takes to work *lines* off."""
    write_log(dsn, lines)
    with Profile() as profile:
        work(dsn, group_seconds=1000.0)
    return sum(each.callcount for each in profile.getstats())


def test_frames_without_a_transaction_cost_no_more_each_day(database: str) -> None:
    write_log(database, [*everywhere(declare_fleet(database), -1)])
    days: list[int] = []
    for number in range(5):
        said: list[Timed] = []
        for step in range(60):
            minute = number * DAY + 5 * step
            said += [nameless_reading(minute), nameless_stop(minute + 1), *tick(minute + 2)]
        days.append(effort(database, said))

    # The first one has nothing behind it.
    assert days[4] < 1.2 * days[1]


@pytest.mark.parametrize("says_more", [False, True])
def test_a_session_costs_no_more_for_hundreds_of_the_same_hour(
    database: str, *, says_more: bool
) -> None:
    write_log(database, [*everywhere(declare_fleet(database), -1)])
    rounds: list[int] = []
    with new_worker(database) as worker:
        for number in range(4):
            said: list[Timed] = []
            for start in range(150 * number, 150 * number + 150):
                minute = 0.1 * start
                said.append(start16(BAD, minute, 1000 + start, "FLEET1", 100 * start))
                if says_more:
                    said += [status16(BAD, minute + 0.02, "Charging"), boot(minute + 0.03)]
                said.append(stop16(BAD, minute + 0.05, 1000 + start, 100 * start + 50))
            write_log(database, said, lines_a_record=1)
            with Profile() as profile:
                while worker.run_once():
                    pass
            rounds.append(sum(each.callcount for each in profile.getstats()))

    assert rounds[3] < 1.1 * rounds[1]
    assert rows(database, "SELECT state, count(*) FROM session GROUP BY 1") == [("rated", 600)]


@pytest.mark.parametrize("is_late", [False, True])
def test_a_session_costs_no_more_once_hundreds_are_out_of_the_last_hours(
    database: str, *, is_late: bool
) -> None:
    """What comes today, and what a station that was offline had kept: sessions of ten days."""
    write_log(database, [*everywhere(declare_fleet(database), -1)])
    rounds: list[int] = []
    with new_worker(database) as worker:
        for number in range(6):
            said: list[Timed] = []
            for start in range(120 * number, 120 * number + 120):
                minute = 20 * DAY + 0.3 * start
                told = 20.0 * start if is_late else minute
                said += kept_session(minute, told, 1000 + start)
            write_log(database, said, lines_a_record=1)
            with Profile() as profile:
                while worker.run_once():
                    pass
            rounds.append(sum(each.callcount for each in profile.getstats()))
        kept = [len(each) for each in sessions_kept(worker)]

    assert max(kept) <= 2, "of what takes part no more nothing is kept"
    # After four there are as many as take part at once.
    assert rounds[5] < 1.3 * rounds[1]
    assert rows(database, "SELECT state, count(*) FROM session GROUP BY 1") == [("rated", 720)]


def sessions_kept(worker: Worker) -> list[Collection[str]]:
    """Return the transactions whose sessions each open fold has at hand."""
    folds = [partition._judge._folds for partition in worker._partitions]  # noqa: SLF001 - bounded
    return [live._fold._sessions for each in folds for live in each._open.values()]  # noqa: SLF001


def kept_session(minute: float, told: float, ref: int) -> list[Timed]:
    """Return a session whose frames come at *minute* and are dated *told*."""
    start = {
        "connectorId": 1,
        "idTag": "FLEET1",
        "meterStart": 100 * ref,
        "timestamp": stamp(told),
    }
    reply = {"transactionId": ref, "idTagInfo": {"status": "Accepted"}}
    return [
        call(BAD, minute, "StartTransaction", start, reply),
        stop16(BAD, told + 0.15, ref, 100 * ref + 50, received=minute + 0.15),
    ]


@pytest.mark.parametrize("saying", [boot, free_plug])
def test_what_is_said_around_sessions_is_folded_with_those_it_can_concern(
    database: str, monkeypatch: pytest.MonkeyPatch, saying: Saying
) -> None:
    folds: list[str] = []

    def counted(segment: Segment, around: Surroundings) -> ChargingSession:
        folds.append(segment.transaction_ref)
        return fold_session(segment, around)

    monkeypatch.setattr("ledger.sessions.station_fold.fold_session", counted)
    write_log(database, [*everywhere(declare_fleet(database), -1)])
    rounds: list[int] = []
    for number in range(3):
        said: list[Timed] = []
        for start in range(40 * number, 40 * number + 40):
            minute = 2.0 * start
            said += [start16(BAD, minute, 1000 + start, "FLEET1", 100 * start)]
            said += [saying(minute + 0.5), saying(minute + 1)]
        folds.clear()
        write_log(database, said)
        work(database)
        rounds.append(len(folds))

    assert max(rounds) <= FOLDS_A_SESSION * 40


def memories() -> list[StationMemory]:
    """Return all that there are; other tests may have left some."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, StationMemory)]


@pytest.mark.parametrize("version_comes", [False, True])
def test_of_stations_with_open_sessions_only_those_heard_of_last_are_in_mind(
    database: str, monkeypatch: pytest.MonkeyPatch, *, version_comes: bool
) -> None:
    monkeypatch.setattr("ledger.worker.partition.ROWS_IN_MIND_MAX", 2)
    version, others = declare_fleet(database), memories()
    said = [start16(name, 1, 1000, "FLEET1", 0) for name in ("CS-OLD-1", "CS-OLD-2")]
    said += [
        event201(name, 1, "Started", "T", 0, 0, token="FLEET1") for name in ("CS-NEW-1", "CS-NEW-2")
    ]
    write_log(database, [*everywhere(version, -1), *said, *tick(2)], lines_a_record=1)

    with new_worker(database) as worker:
        while worker.run_once():
            pass
        in_mind = [each for each in memories() if each not in others]
        assert sum(len(memory.rows) for memory in in_mind) <= PARTITIONS
        # Another version may wait less; it wakes nobody whose time has not come.
        later = [*everywhere(version, 3)] if version_comes else []
        write_log(database, [*later, *tick(DAY), *tick(DAY + 2)], lines_a_record=1)
        while worker.run_once():
            pass
    assert rows(database, "SELECT state, count(*) FROM session GROUP BY 1") == [("held", 4)]
