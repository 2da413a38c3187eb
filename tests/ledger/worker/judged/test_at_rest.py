"""Of what is at rest only what comes or goes is looked at, and it comes to what a whole look would.

The whole look is told here once more, as plainly as it can be.
"""

from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from ledger.worker.judging.at_rest import AtRest, Extents
from ledger.worker.judging.extent import Extent, is_neighbour
from ledger.worker.session_rows import SessionRow
from tests.charging_day import at
from tests.ledger.worker.in_mind.rows_of_sessions import row

NAMES = st.sampled_from("ABCDE")
EVSES = st.sampled_from([None, 1, 2])
MINUTES = st.integers(0, 6)
Look = tuple[int, list[tuple[int | None, int]]]
PUTS = st.tuples(NAMES, EVSES, MINUTES)
LOOKS = st.tuples(MINUTES, st.lists(st.tuples(EVSES, MINUTES), max_size=2))


@given(st.lists(st.one_of(NAMES, PUTS, LOOKS), max_size=25))
def test_what_takes_part_is_what_a_whole_look_would_find(
    steps: list[str | tuple[str, int | None, int] | Look],
) -> None:
    rest, known, read = AtRest(), dict[str, SessionRow](), 0
    followed: dict[str, Extent] = {}
    for step in steps:
        if isinstance(step, str):
            rest.drop(step)
            known.pop(step, None)
        elif isinstance(step[0], str):
            name, evse, last = step[0], step[1], step[2]
            known[name] = row(name, evse_id=evse, heard=(0, last))
            rest.put(name, known[name])
        else:
            since, unfinished = at(step[0]), [_unfinished(*each) for each in step[1]]
            rest.look(since, unfinished)
            assert rest.extents.keys() == _whole_look(known, since, unfinished)

        for name in rest.moved[read:]:
            followed.pop(name, None)
            if name in rest.extents:
                followed[name] = rest.extents[name]
        read = len(rest.moved)
        assert followed == rest.extents
        assert all(each.rows == [known[name]] for name, each in followed.items())
        assert {name for name in "ABCDE" if name in rest} == known.keys()


def _unfinished(evse: int | None, first: int) -> SessionRow:
    return row("U", evse_id=evse, heard=(first, 9))


def _whole_look(
    known: dict[str, SessionRow], since: datetime, unfinished: list[SessionRow]
) -> set[str]:
    return {
        name
        for name, each in known.items()
        if each.last_fact_at >= since or any(is_neighbour(each, other) for other in unfinished)
    }


def test_what_a_record_names_stands_before_what_is_at_rest() -> None:
    rest = AtRest()
    for name in "AB":
        rest.put(name, row(name))
    rest.look(at(0), ())
    named = Extent([], at(1), at(1))

    extents = Extents({"A": named, "C": named}, rest)

    assert dict(extents) == {"A": named, "C": named, "B": Extent([row("B")], row("B").begins, None)}
    assert len(extents) == 3
    assert "D" not in extents


def test_until_it_is_proved_each_one_that_takes_part_is_asked_for_its_rows() -> None:
    rest = AtRest()
    rest.put("A", row("A"))
    rest.put("B", row("B"))
    assert rest.unproved == set(), "none of them takes part yet"
    rest.look(at(0), ())
    assert rest.unproved == {"A", "B"}
    rest.prove({"A"})
    assert rest.unproved == {"B"}

    rest.look(at(10_000), ())
    assert rest.unproved == set(), "none of them does any more"
    rest.look(at(0), ())
    assert rest.unproved == {"B"}, "of A it is known"
    rest.put("A", row("A", ends=20))
    assert rest.unproved == {"A", "B"}
    rest.drop("A")
    rest.drop("A")
    assert rest.unproved == {"B"}


def test_all_ended_by_a_moment_or_one_of_them_may_not_have() -> None:
    rest = AtRest()
    assert rest.ended_by(at(0))
    rest.put("A", row("A", ends=30))
    assert rest.ended_by(at(30))
    assert not rest.ended_by(at(30 - 1e-4))
