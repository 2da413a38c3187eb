"""What a partition takes at once, reads, keeps in mind and lets go: each bound from both sides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from msgspec.structs import replace

from ledger.log.envelope import Frame, PartnerMessage
from ledger.worker import partition as partition_module
from ledger.worker import recollection as recollection_module
from ledger.worker.judging.judge import Judge
from ledger.worker.rater import Rater
from ledger.worker.session_rows import NEVER, RECENT
from ledger.worker.stored.session_store import load_stations
from tests.charging_day import (
    Timed,
    at,
    choose,
    declare_fleet,
    event201,
    meter16,
    stamp,
    start16,
    status16,
    stop16,
    tick,
)
from tests.ledger.worker.judged.one_partition import Calls, OnePartition, one_partition
from tests.ledger.worker.judged.test_shown_codes import shown

A, B, C = "CS-OLD-1", "CS-OLD-2", "CS-NEW-1"
BIT = timedelta(microseconds=1)


@pytest.fixture
def one(database: str) -> Iterator[OnePartition]:
    with one_partition(database) as one:
        yield one


@pytest.fixture
def declared(database: str) -> Iterator[OnePartition]:
    """One that rates what is whole at once."""
    with one_partition(database, declare_fleet(database)) as one:
        yield one


def ticks(minute: float) -> Timed:
    return next(iter(tick(minute)))


def received(line: Timed, minutes: float) -> Timed:
    return at(minutes), line[1], replace(line[2], received_at=at(minutes))


def whole(station: str, minute: float, ref: int, wh: int = 0) -> list[Timed]:
    return [start16(station, minute, ref, "FLEET1", wh), stop16(station, minute + 1, ref, wh + 100)]


def test_what_was_written_is_not_written_again(one: OnePartition) -> None:
    one.say(start16(A, 1, 1, "A", 0))
    one.say(b"{no json", choose(f"{A}/9/none", "release", 2), shown(3, f"{A}/1/20260302T070100Z"))
    one.say(stop16(A, 5, 1, 500), ticks(600))
    tables = ("set_aside", "validation", "line_set_aside", "session_decision", "fact", "session")
    before = [one.rows(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in tables]

    one.worker.store()

    assert [one.rows(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in tables] == before
    assert all(before)
    assert one.rows("SELECT sum(lines) FROM set_aside") == [(2,)]


def names(one: OnePartition, station: str = A) -> list[str]:
    return sorted(row.transaction_ref for row in one.memories[station].rows.values())


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(
    ("late", "kept"), [(timedelta(), ["5", "6", "7", "8", "9"]), (BIT, ["6", "7", "8", "9"])]
)
def test_sessions_of_two_hours_ago_are_let_go(
    declared: OnePartition, late: timedelta, kept: list[str], *, ahead: bool
) -> None:
    """A clock that was ahead for once does not make it let go of more."""
    for number in range(1, 10):
        declared.take(*whole(A, number, number, 100 * number))
    now = at(126) + timedelta(seconds=1) + late
    if ahead:
        declared.take(received(status16(A, 20, "Available"), 5000))
    moment, _, line = status16(A, 126, "Available")
    declared.say((moment, A, replace(line, received_at=now)))

    assert names(declared) == kept, "the stop of session 5 came two hours before"
    assert declared.memories[A].since == now - RECENT


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> tuple[Calls, Calls]:
    """Counts the looks for sessions: those for whole groups, and those for a station alone."""
    calls = Calls(load_stations), Calls(load_stations)
    monkeypatch.setattr(partition_module, "load_stations", calls[0])
    monkeypatch.setattr(recollection_module, "load_stations", calls[1])
    return calls


def test_a_station_is_looked_up_once_however_much_it_says(
    one: OnePartition, looks: tuple[Calls, Calls]
) -> None:
    one.say(*whole(A, 1, 1), start16(B, 1, 2, "A", 0))
    assert [each.count for each in looks] == [1, 0]
    assert one.memories[A].since == at(2) + timedelta(seconds=1) - RECENT
    for line in (status16(A, 2, "Available"), stop16(B, 3, 2, 50), stop16(B, 3, 2, 50)):
        one.say(line)
        one.take(received(line, 3))
        one.take(choose(f"{A}/1/none", "release", 3))
        one.take(shown(3, None, token="A"))

    assert [each.count for each in looks] == [1, 0]
    one.say(received(status16(A, 4, "Available"), 1))
    assert [each.count for each in looks] == [2, 0]


def test_who_is_only_watched_is_looked_up_once_its_time_is_over(
    one: OnePartition, looks: tuple[Calls, Calls]
) -> None:
    one.say(start16(A, 1, 1, "A", 0))
    one.reopen()
    one.say(ticks(60))
    assert [each.count for each in looks] == [1, 0]
    for minute in (5000, 6000, 7000):
        one.say(ticks(minute))

    assert [each.count for each in looks] == [2, 1], "and once more as far back as a look goes"


def test_the_earliest_line_says_how_far_a_group_looks_back(
    one: OnePartition, looks: tuple[Calls, Calls]
) -> None:
    records = [one.record(*whole(A, minute, minute)) for minute in (200, 100, 300)]
    one.worker.take(records, lambda: True)

    assert one.memories[A].since == at(101) + timedelta(seconds=1) - RECENT
    assert [each.count for each in looks] == [1, 0]


def test_the_facts_of_a_group_are_read_at_once(
    one: OnePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.say(start16(A, 1, 1, "A", 0), start16(B, 1, 2, "A", 0), status16(A, 2, "Charging"))
    one.say(event201(C, 1, "Started", "X", 0, 0, token="A"), event201(C, 30, "Ended", "X", 3, 1000))
    one.reopen()
    records = [
        one.record(stop16(A, 40, 1, 500)),
        one.record(stop16(B, 41, 2, 500)),
        # One that waits is judged whatever its station says.
        one.record(status201(42)),
    ]
    statements: list[str] = []
    execute = psycopg.Connection.execute

    def noted(
        connection: psycopg.Connection[object], query: str, *given: object, **named: object
    ) -> object:
        if "FROM fact" in query or "JOIN fact" in query:
            statements.append(query)
        return execute(connection, query, *given, **named)  # type: ignore[call-overload] # handed on

    monkeypatch.setattr(psycopg.Connection, "execute", noted)
    one.worker.take(records, lambda: True)

    assert len(statements) == 1


def status201(minute: float) -> Timed:
    payload = {
        "timestamp": stamp(minute), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1
    }  # fmt: skip
    text = json.dumps([2, "s", "StatusNotification", payload])
    line = Frame(received_at=at(minute), station=C, protocol="ocpp2.0.1", epoch=1, frame=text)
    return at(minute), C, line


def test_a_record_that_tells_no_time_moves_none(one: OnePartition) -> None:
    one.say(b"{no json")
    assert one.last_at is None
    one.say(status16(A, 1, "Available"))
    partner = PartnerMessage(received_at=at(90), party="NL-TNM", what="cdrs", body="[]")
    one.say((at(90), A, partner))

    assert one.last_at == at(1) + timedelta(seconds=1)


def test_ticks_look_at_nothing_until_a_time_is_over(
    one: OnePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(lambda *_: NEVER)
    one.say(*whole(A, 1, 1))
    one.say(ticks(2))
    monkeypatch.setattr(Rater, "deadline", calls)
    for minute in range(3, 60):
        one.say(ticks(minute))

    assert calls.count == 0


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names each station that is judged."""
    found: list[str] = []
    judge = Judge.judge

    def noted(self: Judge, station_id: str, *given: object) -> None:
        found.append(station_id)
        judge(self, station_id, *given)  # type: ignore[arg-type] # handed on

    monkeypatch.setattr(Judge, "judge", noted)
    return found


@pytest.mark.parametrize(
    ("line", "is_judged"),
    [
        pytest.param(meter16(A, 3, 1, 50), False, id="a reading"),
        pytest.param(meter16(A, 3, 99, 50), False, id="a reading of an id that is nobody's"),
        pytest.param(status16(A, 3, "Charging"), False, id="a state"),
        pytest.param(start16(A, 3, 5, "A", 500, 2), True, id="a start"),
        pytest.param(stop16(A, 3, 1, 500), True, id="a stop"),
        pytest.param(stop16(A, 3, 99, 500), True, id="a stop of an id that is nobody's"),
    ],
)
def test_a_station_is_judged_for_what_can_move_a_session(
    one: OnePartition, judged: list[str], line: Timed, *, is_judged: bool
) -> None:
    one.say(start16(A, 1, 1, "A", 0))
    judged.clear()
    one.say(line)

    assert judged == ([A] if is_judged else [])


def test_a_reading_of_a_decided_session_is_judged(one: OnePartition, judged: list[str]) -> None:
    one.say(*whole(A, 1, 1))
    one.say(ticks(90))
    judged.clear()
    one.say(meter16(A, 91, 1, 500))

    assert judged == [A]


def test_while_a_session_waits_whatever_its_station_says_is_judged(
    one: OnePartition, judged: list[str]
) -> None:
    events = [event201(C, 1, "Started", "X", 0, 0, token="A"), event201(C, 30, "Ended", "X", 3, 99)]
    one.say(*events)
    judged.clear()
    one.say(status201(31))

    assert judged == [C]


def test_a_stop_in_the_record_of_its_start_is_its_own(one: OnePartition) -> None:
    one.say(*whole(A, 1, 1))

    assert one.rows("SELECT DISTINCT transaction_ref FROM fact") == [("1",)]
    one.say(stop16(A, 5, 99, 500), meter16(A, 6, 98, 50))
    found = one.rows("SELECT DISTINCT transaction_ref FROM fact ORDER BY 1")
    assert found == [("",), ("1",)], "whose no start carries are kept as nobody's"


def test_a_late_reading_is_the_earlier_session_s_of_its_id(one: OnePartition) -> None:
    def event(minute: float, kind: str, seq: int, wh: float, **more: float) -> Timed:
        return event201(C, minute, kind, "R", seq, wh, token="A", **more)  # type: ignore[arg-type] # handed on

    one.say(event(10, "Started", 0, 100), event(30, "Ended", 2, 900))
    one.say(event(120, "Started", 0, 5000))
    one.say(event(25, "Updated", 1, 800, received=125))
    registers = "SELECT register_wh FROM session ORDER BY started_at"

    assert one.rows(registers)[1] == (5000,)
    one.say(event(126, "Updated", 1, 5600))
    assert one.memories[C].of_transaction["R"][-1].register_wh == 5600
    one.reopen()
    one.say(event(200, "Started", 0, 7000))
    one.say(event(130, "Updated", 2, 5700, received=201))
    assert one.memories[C].of_transaction["R"][-1].register_wh == 7000


def test_an_aside_of_a_frame_is_counted_once(one: OnePartition) -> None:
    one.say(start16(A, 2, 1, "A", 0))
    text = '[2,"x"'
    line = Frame(received_at=at(3), station=A, protocol="ocpp1.6", epoch=1, frame=text)
    one.say((at(3), A, line))

    assert one.rows("SELECT sum(lines) FROM set_aside") == [(1,)]
    assert one.rows("SELECT count(*) FROM fact") == [(1,)]


@pytest.mark.parametrize(
    ("rows_max", "in_mind"),
    [
        (8, ["1", "2", "3", "4"]),
        (7, ["4"]),
        (6, ["4"]),
        (4, ["4"]),
        (3, []),
    ],
)
def test_the_stations_heard_of_longest_ago_are_only_watched(
    one: OnePartition, monkeypatch: pytest.MonkeyPatch, rows_max: int, in_mind: list[str]
) -> None:
    stations = {"CS-OLD-1": "1", "CS-OLD-2": "2", "CS-NEW-1": "3", "CS-NEW-2": "4"}
    for station, name in stations.items():
        is_new = "NEW" in station
        one.say(
            event201(station, 1, "Started", name, 0, 0, token="A")
            if is_new
            else start16(station, 1, int(name), "A", 0)
        )
    monkeypatch.setattr(partition_module, "ROWS_IN_MIND_MAX", rows_max)
    one.worker.store()

    assert [stations[each] for each in one.memories] == in_mind
    assert one.worker.stations == stations.keys(), "of the others time is looked after"
    one.say(ticks(3000))
    assert set(one.states().values()) == {"held"}


def test_a_station_without_an_unfinished_session_is_forgotten(
    one: OnePartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.say(*whole(A, 1, 1))
    one.say(ticks(90))
    monkeypatch.setattr(partition_module, "ROWS_IN_MIND_MAX", 0)
    one.worker.store()

    assert set(one.worker.stations) == set()


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize(("early", "state"), [(timedelta(), "held"), (BIT, "open")])
def test_time_decides_at_the_very_moment(
    one: OnePartition, early: timedelta, state: str, *, anew: bool
) -> None:
    """Whether the session is in mind or watched; one that waits longer is left alone."""
    one.say(received(start16(A, 1, 1, "A", 0), 1))
    one.say(received(start16(B, 2, 2, "A", 0), 2))
    if anew:
        one.reopen()
    moment = at(1 + 24 * 60) - early
    _, _, line = ticks(0)
    one.say((moment, A, replace(line, received_at=moment)))
    assert one.states() == {"1": state, "2": "open"}
    one.say(ticks(2 + 24 * 60))

    assert one.states() == {"1": "held", "2": "held"}


def test_a_trial_watches_nothing(one: OnePartition) -> None:
    one.say(start16(A, 1, 1, "A", 0))

    assert set(one.opened(one.worker.reached).stations) == {A}
    assert set(one.opened(one.worker.reached, is_trial=True).stations) == set()
