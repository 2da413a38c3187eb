"""How far back a look at a station goes: who takes part, on each side of every border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest

from ledger.facts.flags import Flag
from ledger.sessions.states import SessionState
from ledger.sessions.told import Settled
from ledger.worker.judging.extent import Extent, beside_decided, is_around
from ledger.worker.session_rows import BEGINNING, SessionRow
from ledger.worker.station_memory import StationMemory
from tests.charging_day import at
from tests.ledger.worker.in_mind.rows_of_sessions import folded, row

OPEN, HELD, RATED, WRITTEN_OFF = (
    SessionState.OPEN,
    SessionState.HELD,
    SessionState.RATED,
    SessionState.WRITTEN_OFF,
)
NOW = 1000.0
RECENT = 120.0
"""Minutes for which a decided session is a candidate still."""
A_BIT = 1 / 60


def found(
    rows: Sequence[SessionRow], named: Mapping[str, datetime] | None = None
) -> Mapping[str, Extent]:
    memory = StationMemory()
    memory.absorb(rows, BEGINNING)
    return memory.extents(named or {}, at(NOW))


def decided(name: str = "A", last: float = NOW, **more: object) -> SessionRow:
    return row(name, heard=(last - 30, last), **more)  # type: ignore[arg-type] # any column


@pytest.mark.parametrize("state", [RATED, HELD])
@pytest.mark.parametrize(
    ("last", "takes_part"), [(NOW - RECENT, True), (NOW - RECENT - A_BIT, False)]
)
def test_a_session_takes_part_for_two_hours_after_its_last_fact(
    state: SessionState, last: float, *, takes_part: bool
) -> None:
    assert (list(found([decided(last=last, state=state)])) == ["A"]) is takes_part


@pytest.mark.parametrize("state", [RATED, HELD])
@pytest.mark.parametrize(
    ("last", "evse", "takes_part"),
    [
        (500, 1, True),
        (500 - A_BIT, 1, False),
        (500, 2, False),
        (500, None, True),
    ],
)
def test_the_neighbour_of_an_unfinished_session_takes_part_however_old(
    state: SessionState, last: float, evse: int | None, *, takes_part: bool
) -> None:
    unfinished = row("B", OPEN, begins=500, ends=None)
    names = found([decided(last=last, state=state, evse_id=evse), unfinished])

    assert ("A" in names) is takes_part
    assert names["B"] == Extent([unfinished], BEGINNING, BEGINNING)


def test_of_a_decided_session_windows_are_enough_until_a_record_names_it() -> None:
    rated, begins = decided(facts_from=at(900)), at(900)
    held = decided("H", state=HELD, facts_from=at(950))

    assert found([rated, held]) == {
        "A": Extent([rated], begins, None),
        "H": Extent([held], at(950), at(950)),
    }
    assert found([rated], {"A": at(930)}) == {"A": Extent([rated], begins, at(930))}
    assert found([rated], {"A": at(10)}) == {"A": Extent([rated], at(10), at(10))}
    assert found([], {"new": at(930)}) == {"new": Extent([], BEGINNING, BEGINNING)}
    old = decided(last=10)
    assert found([old]) == {}
    assert found([old], {"A": at(930)}) == {"A": Extent([], at(930), at(930))}


def test_of_one_id_all_sessions_from_the_first_that_takes_part_on_do() -> None:
    first, middle, last = (
        decided("R", last, session_id=f"ST-1/R/{n}", facts_from=at(begins), state=state)
        for n, (last, begins, state) in enumerate(
            [(300, 100, RATED), (NOW, 400, HELD), (700, 600, RATED)]
        )
    )

    assert found([first, middle, last]) == {"R": Extent([middle, last], at(400), at(400))}
    named = found([first, middle, last], {"R": at(100)})
    assert named == {"R": Extent([first, middle, last], at(100), at(100))}


def test_stops_without_an_id_have_nothing_in_common() -> None:
    recent = decided("-", session_id="ST-1/-/1")
    old = decided("-", 500, session_id="ST-1/-/2")

    assert found([recent, old])["-"].rows == [recent]


def test_facts_are_needed_from_the_first_undecided_session_on() -> None:
    first = row("R", begins=0, session_id="1", facts_from=None)
    second = row("R", begins=100, session_id="2", facts_from=at(100))
    third = row("R", HELD, begins=200, session_id="3", facts_from=at(200))
    rows = [third, second, first]
    lies = [each.lies for each in (first, second, third)]

    some = Extent(rows, BEGINNING, at(200))
    assert some.folded == [third]
    assert some.part == Settled((lies[0], lies[1]), at(200))  # type: ignore[arg-type] # both have starts
    none = Extent(rows, BEGINNING, None)
    assert none.folded == []
    assert none.part == Settled(tuple(lies), None)  # type: ignore[arg-type] # all have starts
    everything = Extent(rows, BEGINNING, BEGINNING)
    assert everything.folded == rows
    assert everything.part is None


def test_what_is_decided_by_now_needs_no_facts_any_more() -> None:
    first = row("R", begins=0, session_id="1", facts_from=at(0))
    second = row("R", begins=100, session_id="2", facts_from=at(100))
    extent = Extent([], at(100), at(100))
    assert not extent.is_decided

    assert extent.decided([first, second]) == Extent([second], at(100), None)
    assert extent.decided([first, second]).is_decided
    second.state = HELD
    assert extent.decided([first, second]) == Extent([second], at(100), at(100))
    assert not extent.decided([first, second]).is_decided
    first.state = WRITTEN_OFF
    assert not Extent([first, second], at(0), at(0)).is_decided


def test_facts_are_read_from_when_any_session_that_needs_them_was_heard_of() -> None:
    first = row("R", begins=0, heard=(-50, 30), facts_from=at(0))
    second = row("R", begins=100, heard=(90, 130), facts_from=at(100))
    extent = Extent([first, second], at(0), at(0))

    assert extent.received_since(at(100)) == at(90)
    assert extent.received_since(at(0)) == at(-50)
    assert extent.received_since(at(80)) == at(80)
    assert extent.received_since(BEGINNING) == BEGINNING


@pytest.mark.parametrize(
    ("flags", "rows", "is_held"),
    [
        pytest.param([], [row("B")], True, id="another that was decided"),
        pytest.param([], [row("B", begins=50, ends=60), row("C")], True, id="any of them"),
        pytest.param([], [row("B", begins=50, ends=60)], False, id="none at its time"),
        pytest.param([Flag.DECIDED_BEFORE], None, True, id="as it was found before"),
        pytest.param([], None, False, id="nothing known"),
    ],
)
def test_what_fills_the_time_of_a_decided_session_is_held(
    flags: list[str], rows: list[SessionRow] | None, *, is_held: bool
) -> None:
    extent = None if rows is None else Extent(rows, BEGINNING, None)

    session = beside_decided(folded("A"), row("A", OPEN, flags=flags), extent)

    assert (Flag.DECIDED_BEFORE in session.blockers) is is_held


DAY = 24 * 60.0


@pytest.mark.parametrize(
    ("heard", "bears"),
    [
        ((-30, 0), True),
        ((-30, -A_BIT), False),
        ((30 + DAY, 40 + DAY), True),
        ((30 + DAY + A_BIT, 40 + DAY), False),
    ],
)
def test_what_bears_on_a_session_is_heard_of_until_the_next_day(
    heard: tuple[float, float], *, bears: bool
) -> None:
    assert is_around(row("B", heard=heard), row("A", heard=(0, 30))) is bears
