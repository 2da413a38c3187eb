"""A busy station: its cost grows with its frames, slow work is committed in parts, cycles go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ledger.log.postgres import PostgresEventLog
from ledger.sessions.segments import Segment
from ledger.sessions.session import ChargingSession
from ledger.sessions.session_fold import fold_session
from ledger.sessions.surroundings import Surroundings
from ledger.worker import worker
from ledger.worker.stored.session_store import load_stations
from tests.charging_day import (
    Timed,
    at,
    declare_fleet,
    everywhere,
    meter16,
    start16,
    status16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_worker import consequences, new_schema, new_worker, rows, work

FOLDS_A_SESSION = 6
"""At its start, at the neighbour's next start, at the stop, as it was before; states may add."""


def busy_station(version: int, sessions: int) -> list[Timed]:
    """Return two hours with many short sessions on two connectors, without rest."""
    day, gap = [*everywhere(version, -1)], 120 / sessions
    for number in range(sessions):
        place, begin, wh = 1 + number % 2, number * gap, 1000 * number
        reference = 1000 + number
        day.append(status16("CS-OLD-1", begin, "Preparing", place))
        day.append(start16("CS-OLD-1", begin + 0.01, reference, "FLEET1", wh, place))
        for step in range(1, 4):
            moment = begin + step * gap * 0.4
            day.append(meter16("CS-OLD-1", moment, reference, wh + step * 10, place))
        day.append(status16("CS-OLD-1", begin + gap * 1.5, "Finishing", place))
        day.append(stop16("CS-OLD-1", begin + gap * 1.6, reference, wh + 50))
        day.append(status16("CS-OLD-1", begin + gap * 1.7, "Available", place))
    return sorted([*day, *tick(200)], key=lambda timed: timed[0])


def offline_queue(version: int, sessions: int) -> list[Timed]:
    """Return what a station sends within minutes after days without a connection."""
    sent: list[Timed] = []
    for number in range(sessions):
        begin, wh, reference = number * 60, 8000 * number, 5000 + number
        sent.append(start16("CS-OLD-2", begin, reference, "FLEET1", wh))
        sent += [meter16("CS-OLD-2", begin + m, reference, wh + m * 100) for m in range(1, 10)]
        sent.append(stop16("CS-OLD-2", begin + 40, reference, wh + 4000))
    online = at(sessions * 60 + 60)
    day = [*everywhere(version, -1)]
    for number, (_, name, line) in enumerate(sent):
        received = online + timedelta(seconds=number * 0.1)
        day.append((received, name, msgspec.structs.replace(line, received_at=received)))
    return day


@pytest.mark.parametrize("story", [busy_station, offline_queue])
def test_no_session_is_folded_again_for_what_does_not_concern_it(
    database: str, monkeypatch: pytest.MonkeyPatch, story: Callable[[int, int], list[Timed]]
) -> None:
    folds = 0

    def counted(segment: Segment, around: Surroundings) -> ChargingSession:
        nonlocal folds
        folds += 1
        return fold_session(segment, around)

    monkeypatch.setattr("ledger.sessions.station_fold.fold_session", counted)
    write_log(database, story(declare_fleet(database), 80))
    work(database)

    assert rows(database, "SELECT state, count(*) FROM session GROUP BY 1") == [("rated", 80)]
    assert 80 <= folds <= FOLDS_A_SESSION * 80


def test_a_clock_that_was_ahead_for_once_makes_no_later_record_look_back(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def counted(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on
        nonlocal looks
        looks += 1
        return load_stations(*given, **named)

    monkeypatch.setattr("ledger.worker.partition.load_stations", counted)
    day = busy_station(declare_fleet(database), 40)
    index = next(i for i, each in enumerate(day) if each[1] == "CS-OLD-1" and i > len(day) // 2)
    moment, name, line = day[index]
    ahead = moment + timedelta(hours=30)
    day[index] = moment, name, msgspec.structs.replace(line, received_at=ahead)
    write_log(database, day, lines_a_record=1)
    work(database, group_seconds=0)

    # At the start, and perhaps for the record after the one that was ahead.
    assert looks <= 2


def test_slow_work_is_committed_record_by_record_and_decides_the_same(database: str) -> None:
    write_log(database, busy_station(declare_fleet(database), 10))
    work(database)
    schema = new_schema(database, "slowly")

    groups = 0
    with new_worker(database, schema=schema, group_seconds=0) as slow:
        while slow.run_once():
            groups += 1
    with PostgresEventLog(database) as log:
        assert groups == max(log.ends())
    assert consequences(database, schema) == consequences(database)


def test_what_is_read_and_not_reached_in_time_is_counted_once(database: str) -> None:
    day = busy_station(declare_fleet(database), 10)
    write_log(database, day)

    assert work(database, group_seconds=0) == len(day)


class Knot:
    """What leads back to itself: counting references never frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_forms_a_cycle_is_freed_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = worker.Collector()
    monkeypatch.setattr(worker, "COLLECT_SECONDS", 3600)
    with collector.resting():
        assert not gc.isenabled()
        knot = weakref.ref(Knot())
    assert gc.isenabled()
    gc.collect()
    assert knot() is not None, "it is set apart, and nothing walks it"

    monkeypatch.setattr(worker, "COLLECT_SECONDS", 0)
    with collector.resting():
        pass
    assert knot() is None


def test_the_time_between_two_walks_is_over_at_its_very_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(worker, "monotonic", lambda: now)
    collector = worker.Collector()

    def is_freed() -> bool:
        with collector.resting():
            knot = weakref.ref(Knot())
        return knot() is None

    for _ in range(2):
        now += worker.COLLECT_SECONDS - 2**-9
        assert not is_freed()
        now += 2**-9
        assert is_freed()


def test_a_collector_that_somebody_stopped_stays_so() -> None:
    gc.disable()
    try:
        with worker.Collector().resting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
