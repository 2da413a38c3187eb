"""What a record makes of its station's sessions: who is looked at, written, decided again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.asides.aside import Aside, AsideStep
from ledger.log.envelope import Choice
from tests.charging_day import (
    Timed,
    at,
    call,
    choose,
    declare_fleet,
    event201,
    meter16,
    stamp,
    start16,
    status16,
    stop16,
)
from tests.ledger.worker.judged.one_partition import OnePartition, one_partition
from tests.ledger.worker.judged.test_partition import ticks

A, B, NEW = "CS-OLD-1", "CS-OLD-2", "CS-NEW-1"
BIT = timedelta(microseconds=1)


@pytest.fixture
def one(database: str) -> Iterator[OnePartition]:
    with one_partition(database, declare_fleet(database)) as one:
        yield one


def nameless(minute: float, wh: int, received: float) -> Timed:
    """Return a stop that names no transaction at all."""
    payload = {"meterStop": wh, "timestamp": stamp(minute)}
    return call(A, received, "StopTransaction", payload, {})


def shown(
    one: OnePartition, columns: str = "transaction_ref, state, energy_wh"
) -> list[tuple[Any, ...]]:
    return one.rows(f"SELECT {columns} FROM session ORDER BY started_at")


LOST = [start16(A, 10, 31, "FLEET1", 1000), meter16(A, 20, 31, 1500)]
NEXT = [start16(A, 40, 32, "FLEET1", 2000), meter16(A, 60, 32, 2500)]


def lose_stop(one: OnePartition) -> None:
    """Let session 31 be held for its stop: the next one began at its place."""
    one.say(*LOST)
    one.say(*NEXT)
    one.say(ticks(120))
    assert shown(one) == [("31", "held", 500), ("32", "open", 500)]


@pytest.mark.parametrize(
    ("stop", "state", "energy"),
    [
        pytest.param(stop16(A, 30, 31, 1800, received=122), "rated", 800, id="by its id"),
        pytest.param(nameless(30, 1800, 122), "rated", 800, id="that names none"),
        pytest.param(stop16(A, 30, -1, 1800, received=122), "rated", 800, id="-1"),
        pytest.param(stop16(A, 30, 999, 1800, received=122), "held", 800, id="a foreign id"),
        pytest.param(stop16(A, 70, 32, 3000, received=122), "held", 500, id="of the next"),
        pytest.param(start16(A, 121, 33, "FLEET1", 9000), "held", 500, id="a start"),
    ],
)
@pytest.mark.parametrize("anew", [False, True])
def test_a_held_session_is_decided_again_when_its_stop_comes_under_whatever_id(
    one: OnePartition, stop: Timed, state: str, energy: int, *, anew: bool
) -> None:
    lose_stop(one)
    if anew:
        one.reopen()
    one.say(stop)

    assert shown(one)[0] == ("31", state, energy)
    [reasons] = one.rows("SELECT reasons FROM session WHERE transaction_ref = '31'")
    news = {"rated": [], "held": ["foreign_stop_attached"] if energy == 800 else ["stop_lost"]}
    assert reasons == (news[state],)
    again = ["held"] if state == "held" and energy == 500 else ["held", state]
    of_it = "SELECT kind FROM session_decision WHERE session_id LIKE '%/31/%' ORDER BY position"
    assert [kind for (kind,) in one.rows(of_it)] == again


def test_a_loose_reading_decides_nothing_about_a_held_session(one: OnePartition) -> None:
    lose_stop(one)
    one.say(meter16(A, 121, 999, 1700))

    assert one.decided() == ["held"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([status16(A, 1, "Preparing")], id="a state of that moment"),
        pytest.param([call(A, 0, "BootNotification", {"chargePointModel": "M"}, {})], id="a boot"),
        pytest.param([meter16(A, 0, -1, 900)], id="a reading of nobody's"),
        pytest.param([], id="nothing"),
    ],
)
def test_a_start_begins_a_session_whatever_was_said_before(
    one: OnePartition, before: list[Timed]
) -> None:
    if before:
        one.say(*before)
    start = start16(A, 1, 31, "FLEET1", 1000)
    one.take(start)
    live = one.fold(A)
    assert live is not None
    assert len(live.sessions("31")) == 1, "the fold was told of it"
    one.worker.store()
    assert shown(one) == [("31", "open", 0)]
    one.say(start)
    [(flags,)] = one.rows("SELECT flags FROM session")
    assert "duplicate_start" in flags


def test_a_start_that_says_what_is_known_writes_no_second_session(one: OnePartition) -> None:
    one.say(start16(A, 1, 31, "FLEET1", 1000), stop16(A, 30, 31, 2000))
    one.say(start16(A, 1, 31, "FLEET1", 1000))

    assert shown(one) == [("31", "rated", 1000)]
    assert one.decided() == ["rated"]


def test_of_a_decided_session_no_fact_stays_in_the_open_fold(one: OnePartition) -> None:
    one.say(*[start16(A, 1, 31, "FLEET1", 0), *(meter16(A, 2 + n, 31, n) for n in range(20))])
    live = one.fold(A)
    assert live is not None
    one.say(stop16(A, 40, 31, 500))

    assert shown(one) == [("31", "rated", 500)]
    assert live.size <= 2
    assert live.changed == set(), "and nothing is left to look at"


@pytest.mark.parametrize(("late", "size"), [(timedelta(), 1), (BIT, 0)])
def test_loose_frames_of_two_hours_take_part(one: OnePartition, late: timedelta, size: int) -> None:
    one.say(status16(A, 1, "Preparing"))
    moment, _, line = start16(A, 121, 31, "FLEET1", 0)
    one.say((moment, A, replace(line, received_at=moment + late)))

    live = one.fold(A)
    assert live is not None
    assert live.size == 1 + 1 + size, "the fold, the start and that state"


def test_stops_of_nobody_s_are_never_looked_up_among_the_known(one: OnePartition) -> None:
    one.say(stop16(A, 60, -1, 5000))
    one.say(ticks(150))
    moment, _, line = stop16(A, 60, -1, 5000)
    one.take((at(151), A, replace(line, received_at=at(151))))
    one.take(ticks(300))
    one.worker.store()

    assert moment < at(150)
    assert one.decided() == ["held"]


def test_a_choice_is_for_a_held_session_of_its_own_station(one: OnePartition) -> None:
    lose_stop(one)
    held = f"{A}/31/20260302T071000Z"
    of_another = Choice(
        received_at=at(130), station=B, session_id=held, choice="release", by="ann", reason="seen"
    )
    one.say((at(130), B, of_another))
    one.say(choose(f"{A}/32/20260302T074000Z", "release", 131))
    assert one.decided() == ["held"]
    assert one.rows("SELECT sum(lines) FROM set_aside") == [(2,)]

    one.reopen()
    one.say(choose(held, "release", 132), choose(held, "release", 133))

    assert one.decided() == ["held", "released"]
    assert shown(one)[0] == ("31", "released", 500)
    assert one.rows("SELECT sum(lines) FROM set_aside") == [(3,)]
    one.say(meter16(A, 134, 31, 1700))
    one.say(choose(held, "write_off", 135))
    assert one.decided() == ["held", "released"]


@pytest.mark.parametrize("grouped", [False, True])
def test_a_release_long_after_bills_what_was_folded_with_its_neighbours(
    one: OnePartition, *, grouped: bool
) -> None:
    """Also the loose stop that came for it, and with the border that the next session sets."""
    lose_stop(one)
    one.say(stop16(A, 30, 999, 1800, received=122))
    one.say(stop16(A, 70, 32, 3000))
    if not grouped:
        one.reopen()
    one.say(choose(f"{A}/31/20260302T071000Z", "release", 9000))

    assert shown(one) == [("31", "released", 800), ("32", "rated", 1000)]


def parts(begins: float, wh: float, received: float | None = None) -> list[Timed]:
    """Return a session of half an hour of the id R."""
    return [
        event201(NEW, begins, "Started", "R", 0, wh, token="FLEET1", received=received),
        event201(NEW, begins + 30, "Ended", "R", 1, wh + 2000, received=received),
    ]


def test_a_decided_session_whose_start_moves_keeps_its_row_and_is_billed_once(
    one: OnePartition,
) -> None:
    one.say(*parts(10, 1000))
    one.reopen()
    one.say(event201(NEW, 9.5, "Started", "R", 0, 1000, token="FLEET1", received=50))

    [(state, flags, window, first)] = shown(one, 'state, flags, "window"->>2, first_fact_at')
    assert (state, flags) == ("rated", ["duplicate_start", "late_fact", "unit_missing"])
    assert window.startswith("2026-03-02T07:09:30"), "it lies where it was moved"
    assert first == at(10) + timedelta(seconds=1)
    assert one.decided() == ["rated", "corrected"]
    assert not one.inherited
    one.say(*parts(100, 3000))
    assert one.decided() == ["rated", "corrected", "rated"]


def test_a_held_session_whose_start_comes_is_replaced(one: OnePartition) -> None:
    late = parts(10, 1000, received=41)
    one.say(late[1])
    one.say(ticks(200))
    assert shown(one, "state") == [("held",)]
    one.reopen()
    one.say(event201(NEW, 10, "Started", "R", 0, 1000, token="FLEET1", received=210))

    assert one.rows("SELECT state FROM session ORDER BY state") == [("rated",), ("replaced",)]
    assert one.decided() == ["held", "rated"]


def test_an_unfinished_session_whose_start_moves_leaves_no_row(one: OnePartition) -> None:
    one.say(parts(10, 1000)[0])
    one.say(event201(NEW, 9, "Started", "R", 0, 1000, token="FLEET1", received=12))

    assert shown(one, "started_at, state") == [(at(9), "open")]
    assert not one.inherited
    one.say(parts(10, 1000)[1])
    assert one.decided() == ["rated"]


@pytest.mark.parametrize(("position", "is_taken_back"), [(0, True), (1, False)])
def test_only_a_line_of_an_earlier_record_is_taken_back(
    one: OnePartition, position: int, *, is_taken_back: bool
) -> None:
    """One that is left out of its own record was never told: the fold goes on."""
    one.asides = {1: [Aside(position, 0, A, 1, AsideStep.FOLD, "why")]}
    one.reopen()
    one.say(start16(A, 10, 31, "FLEET1", 1000))
    live = one.fold(A)
    one.say(meter16(A, 20, 31, 1500))

    assert (one.fold(A) is not live) is is_taken_back
    told = one.rows("SELECT position FROM fact ORDER BY 1")
    assert told == ([(1,)] if is_taken_back else [(0,)])


def test_a_session_whose_only_line_is_taken_back_is_gone(one: OnePartition) -> None:
    one.asides = {1: [Aside(0, 0, A, 1, AsideStep.FOLD, "why")]}
    one.reopen()
    one.say(start16(A, 10, 31, "FLEET1", 1000))
    one.say(start16(A, 20, 32, "FLEET1", 0, 2))

    assert shown(one) == [("32", "open", 0)]
    assert not one.inherited


def test_time_decides_nothing_at_a_station_where_that_failed_also_after_a_restart(
    one: OnePartition,
) -> None:
    one.asides = {1: [Aside(1, 0, A, 1, AsideStep.TIME_OUT, "why")]}
    one.reopen()
    one.say(start16(A, 10, 31, "FLEET1", 1000), start16(B, 10, 41, "FLEET1", 1000))
    for minute in (3000, 3001, 3002):
        one.say(ticks(minute))
        one.reopen()
        assert one.states() == {"31": "open", "41": "held"}
    # What it says takes it out of neither state.
    one.say(start16(A, 3003, 32, "FLEET1", 0, 2))
    assert one.states()["31"] == "open"
