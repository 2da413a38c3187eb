"""What of a station is in mind: which sessions a frame, a code or a tick may concern."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.facts.station_facts import Measurand, Reading, SessionUpdated
from ledger.facts.station_traits import StationTraits
from ledger.sessions.states import SessionState
from ledger.worker.session_rows import BEGINNING, NEVER, SessionRow
from ledger.worker.station_memory import StationMemory
from tests.charging_day import at
from tests.ledger.worker.in_mind.rows_of_sessions import row

OPEN, WAITING, HELD, RATED, REPLACED = (
    SessionState.OPEN,
    SessionState.WAITING,
    SessionState.HELD,
    SessionState.RATED,
    SessionState.REPLACED,
)
A_BIT = timedelta(microseconds=1)
TRAITS = StationTraits()


def mind(*rows: SessionRow) -> StationMemory:
    memory = StationMemory()
    memory.absorb(rows, at(0))
    return memory


def part(
    number: int, state: SessionState = RATED, *, begins: float | None = None, **more: object
) -> SessionRow:
    """Return a session of the id R, from minute *begins* on (None: the first one)."""
    return row(
        "R",
        state,
        begins=begins or 0,
        session_id=f"ST-1/R/{number}",
        facts_from=None if begins is None else at(begins),
        **more,  # type: ignore[arg-type] # any column
    )


def told(minute: float) -> SessionUpdated:
    reading = Reading(
        occurred_at=at(minute), measurand=Measurand.ENERGY_REGISTER_WH, value=Decimal(1)
    )
    return SessionUpdated(
        station_id="ST-1",
        position=1,
        line=0,
        received_at=at(minute),
        transaction_ref="R",
        evse_id=1,
        connector_id=1,
        occurred_at=at(minute),
        readings=(reading,),
    )


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        pytest.param([part(1), part(2, OPEN, begins=100)], ["2"], id="the last one"),
        pytest.param([part(1, OPEN), part(2, OPEN, begins=100)], ["1", "2"], id="all open ones"),
        pytest.param([part(2, OPEN, begins=100), part(1, OPEN)], ["1", "2"], id="oldest first"),
        pytest.param([part(1, OPEN), part(2, begins=100)], [], id="not before a decided one"),
        pytest.param([part(1, WAITING)], [], id="not one that has its end"),
        pytest.param([part(1, HELD, ends=None)], ["1"], id="a held one without end"),
        pytest.param(
            [part(1, OPEN), part(2, OPEN, begins=100), part(3, OPEN, begins=100)],
            [],
            id="not of two that began at once",
        ),
        pytest.param(
            [part(1, OPEN, begins=10), part(2, OPEN, begins=10), part(3, OPEN, begins=20)],
            ["3"],
            id="but of one that began after them",
        ),
        pytest.param([part(1, REPLACED), part(2, OPEN, begins=100)], ["2"], id="none replaced"),
    ],
)
def test_a_reading_goes_without_a_fold_to_last_sessions_that_lack_their_end(
    rows: Sequence[SessionRow], names: list[str]
) -> None:
    plain = mind(*rows).plain

    assert [each.session_id[-1] for each in plain.get("R", [])] == names


def test_a_reading_is_that_session_s_that_had_begun_when_it_is_dated() -> None:
    memory = mind(part(1), part(2, OPEN, begins=100), part(3, OPEN, begins=200))

    def number(minute: float) -> str | None:
        found = memory.row_read_on(told(minute), at(minute), lambda _station, _at: TRAITS)
        return None if found is None else found.session_id[-1]

    assert [number(99), number(100), number(199), number(200)] == [None, "2", "2", "3"]


def test_from_when_on_a_fact_concerns_sessions_of_its_id() -> None:
    memory = mind(part(1), part(2, begins=100))

    assert memory.is_split("R")
    assert memory.date([told(250), told(120)], "R", TRAITS) == at(100)
    assert memory.date([told(250), told(99)], "R", TRAITS) == BEGINNING
    assert memory.begins("R", at(100)) == at(100)
    assert memory.begins("R", at(100) - A_BIT) == BEGINNING
    only = mind(part(1))
    assert not only.is_split("R")
    assert not only.is_split("unknown")
    assert only.date([told(250)], "R", TRAITS) == BEGINNING


def test_who_has_waited_longest_is_overdue_at_the_very_moment() -> None:
    waiting = [row("A", WAITING, ends=40), row("B", WAITING, ends=30), row("C", WAITING, ends=50)]
    memory, wait = mind(*waiting, row("D", OPEN, ends=10)), timedelta(minutes=60)

    assert memory.is_waiting
    assert memory.waiting_since == at(30)
    assert memory.is_overdue(at(90), wait)
    assert not memory.is_overdue(at(90) - A_BIT, wait)
    idle = mind(row("D", OPEN, ends=10), row("E", HELD))
    assert not idle.is_waiting
    assert not idle.is_overdue(NEVER, wait)


def test_an_id_is_the_station_s_once_it_began_a_session() -> None:
    assert mind(row("A"), row("B", started_at=None), row("C", REPLACED)).owned == {"A"}


def test_how_far_back_the_sessions_of_an_id_are_in_mind() -> None:
    memory = mind(part(2, begins=100), part(3, begins=200), row("-", facts_from=at(50)))

    assert memory.lacks("R", at(100) - A_BIT)
    assert not memory.lacks("R", at(100))
    assert memory.lacks("unknown", at(100))
    assert not memory.lacks("-", BEGINNING)
    assert not memory.lacks("", BEGINNING)
    memory.learn([part(1, begins=10)], {"R": at(20), "none": at(20)})
    assert [each.session_id[-1] for each in memory.of_transaction["R"]] == ["1", "2", "3"]
    assert not memory.lacks("R", at(10))
    assert memory.lacks("R", at(10) - A_BIT)
    assert not memory.lacks("none", BEGINNING)
    memory.learn([part(1, begins=10)], {"R": at(5)})
    assert not memory.lacks("R", BEGINNING), "none began by then: all were read"
    memory.learn([part(1, begins=10)], {"R": at(10)})
    assert memory.lacks("R", at(10) - A_BIT)


def test_rows_that_are_in_mind_already_are_not_overwritten() -> None:
    known = part(1, begins=100, energy_wh=Decimal(7))
    memory = mind(known)

    memory.absorb([part(1, begins=100)], at(50))
    memory.learn([part(1, begins=100)], {"R": at(100)})

    assert memory.rows[known.session_id] is known
    assert memory.since == at(0)
    memory.absorb([], at(-5))
    assert memory.since == at(-5)
    assert memory.heard_at == known.heard_at


@pytest.mark.parametrize(
    ("token", "number"), [("anna-1", "3"), ("bob", "4"), ("nobody", None), (None, None)]
)
def test_a_code_is_for_the_newest_unfinished_session_of_its_token(
    token: str | None, number: str | None
) -> None:
    rows = [
        part(1, OPEN, begins=10),
        part(2, OPEN, begins=20),
        part(3, WAITING, begins=20),
        part(4, OPEN, begins=30, token_uid="bob"),
        part(5, RATED, begins=40),
        part(6, OPEN, begins=50, token_uid=None),
    ]

    found = mind(*rows).unfinished_of(token)

    assert (found and found.session_id[-1]) == number


def test_a_stop_is_late_for_the_decided_session_whose_window_took_it() -> None:
    first, second, held = part(1), part(2, begins=100), row("H", HELD)
    memory = mind(first, second, held)
    windows = [each.lies for each in (second, held)]
    assert windows[0] is not None
    assert windows[1] is not None

    assert memory.decided_of(filter(None, windows)) == [(second, windows[0])]
    elsewhere = replace(windows[0], transaction_ref="unknown")
    assert memory.decided_of([elsewhere]) == []


def crowd(*, last: float, count: int = 8) -> list[SessionRow]:
    return [row(f"X{number}", heard=(last - 5, last)) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "last", "is_kept"),
    [(8, 99, False), (7, 99, True), (8, 100, True), (9, 100 - 1 / 60, False)],
)
def test_sessions_of_long_ago_are_let_go_once_there_are_some(
    count: int, last: float, *, is_kept: bool
) -> None:
    memory = mind(*crowd(last=last, count=count))

    memory.let_go(at(100))

    assert len(memory.rows) == (count if is_kept else 0)
    assert len(memory.of_transaction) == len(memory.rows)
    for name in ("X0", "X1"):
        assert memory.lacks(name, BEGINNING) is not is_kept
    assert memory.since == (at(100) if count >= 8 else at(0))


def test_what_came_after_a_session_that_stays_stays_too() -> None:
    rows = [
        part(1, begins=10),
        part(2, OPEN, begins=60, heard=(60, 70)),
        part(3, begins=80),
        row("-", session_id="ST-1/-/old", heard=(0, 50)),
        row("-", session_id="ST-1/-/new", heard=(0, 60)),
        *crowd(last=50),
    ]
    memory = mind(*rows)

    memory.let_go(at(100))

    assert list(memory.rows) == ["ST-1/R/2", "ST-1/R/3", "ST-1/-/new"]
    assert memory.since == at(60)
    assert memory.lacks("R", at(60) - A_BIT)
    assert not memory.lacks("R", at(60))
    more = crowd(last=50, count=7)
    memory.absorb(more, at(60))
    memory.let_go(at(100))
    assert len(memory.rows) == 10, "only where enough came since"
    memory.absorb([row("Y", heard=(1, 2))], at(60))
    memory.let_go(at(100))
    assert len(memory.rows) == 3


def test_what_is_settled_of_one_transaction_leaves_the_others() -> None:
    memory = mind(row("A", OPEN), row("B", OPEN), row("C", WAITING))
    memory.rows["ST-1/B"].state = RATED
    memory.settle({"B"})

    assert [each.transaction_ref for each in memory.unfinished] == ["A", "C"]
    assert "B" in memory.rest
    assert list(memory.going_on) == ["A", "C"]
    assert list(memory.plain) == ["A"]


@pytest.mark.parametrize(
    ("minute", "lying"), [(29, ["A", "X"]), (30, ["X"]), (39, ["X"]), (40, ["X"]), (41, ["B"])]
)
def test_what_lies_at_a_moment_is_found_whether_it_is_settled_or_not(
    minute: float, lying: list[str]
) -> None:
    """X was brought back for another one's sake, from before what is in mind for itself."""
    memory = StationMemory()
    memory.absorb([row("A", ends=30), row("B", WAITING, begins=41, ends=50)], at(41))
    memory.hold(row("X", ends=40.5))

    assert [each.transaction_ref for each in memory.lying_at(1, at(minute))] == lying
    assert memory.lying_at(2, at(minute)) == []


OF_A = st.lists(
    st.tuples(st.sampled_from(SessionState), st.sampled_from([0, 0, 10, 20]), st.booleans()),
    max_size=3,
)


@given(before=st.tuples(OF_A, OF_A, OF_A), after=OF_A)
def test_what_is_settled_of_the_transactions_that_changed_is_as_if_all_were(
    before: tuple[list[tuple[SessionState, int, bool]], ...],
    after: list[tuple[SessionState, int, bool]],
) -> None:
    told = dict(zip("ABC", before, strict=True))
    memory = mind(*(each for name in told for each in rows_of(name, told[name])))
    for each in [each for each in memory.rows.values() if each.transaction_ref == "B"]:
        memory.drop(each)
    for each in rows_of("B", after):
        memory.hold(each)
    anew = mind(*memory.rows.values())

    memory.settle({"B", "unknown"})

    assert known_of(memory) == known_of(anew)


def rows_of(name: str, told: list[tuple[SessionState, int, bool]]) -> list[SessionRow]:
    """Return sessions of one id: a state, when it begins, and whether that was told."""
    return [
        row(
            name,
            state,
            begins=begins,
            ends=None,
            session_id=f"ST-1/{name}/{number}",
            **({} if has_start else {"started_at": None}),
        )
        for number, (state, begins, has_start) in enumerate(told)
    ]


def known_of(memory: StationMemory) -> list[object]:
    memory.rest.look(BEGINNING, ())
    return [
        memory.of_transaction,
        memory.plain,
        memory.going_on,
        {name: memory.rest.extents.get(name) for name in "ABC" if name in memory.rest},
        memory.owned,
        memory.waiting_since,
        sorted(each.session_id for each in memory.unfinished),
    ]
