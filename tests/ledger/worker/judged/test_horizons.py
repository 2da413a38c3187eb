"""Which loose facts count: all since a moment, and of older times states alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.database import connect
from ledger.facts.station_facts import ConnectorStatusChanged, SessionUpdated
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.extent import horizon_of_rows
from ledger.worker.loose_facts import Around, Horizon, LooseFacts, horizon_of
from ledger.worker.session_rows import RECENT
from tests.charging_day import at
from tests.ledger.worker.in_mind.rows_of_sessions import row

MOMENTS = st.integers(0, 12)
TIMES = st.lists(st.tuples(MOMENTS, MOMENTS).map(sorted), max_size=4)
KEY = ("ST-1", "")


@pytest.fixture
def shelf(database: str) -> Iterator[FactShelf]:
    with connect(database) as connection:
        yield FactShelf(connection, 0)


def state(minute: float, position: int = 1) -> ConnectorStatusChanged:
    return ConnectorStatusChanged(
        station_id="ST-1", position=position, line=0, received_at=at(minute), evse_id=1,
        connector_id=1, occurred_at=at(minute), charging_state=None,
    )  # fmt: skip


def frame(minute: float) -> SessionUpdated:
    return SessionUpdated(
        station_id="ST-1", position=1, line=0, received_at=at(minute), transaction_ref=None,
        evse_id=1, connector_id=1, occurred_at=at(minute), readings=(),
    )  # fmt: skip


def made(frames: int, times: list[list[int]]) -> Horizon:
    return horizon_of(at(frames), [Around(at(since), at(until)) for since, until in times])


@given(frames=MOMENTS, times=TIMES)
def test_of_older_times_states_count_and_frames_do_not(frames: int, times: list[list[int]]) -> None:
    horizon = made(frames, times)

    for minute in range(13):
        is_around = any(since <= minute <= until for since, until in times if since < frames)
        assert horizon.counts(frame(minute)) is (minute >= frames)
        assert horizon.counts(state(minute)) is (minute >= frames or is_around)


@given(one=st.tuples(MOMENTS, TIMES), other=st.tuples(MOMENTS, TIMES))
def test_what_is_within_another_counts_by_it(
    one: tuple[int, list[list[int]]], other: tuple[int, list[list[int]]]
) -> None:
    inner, outer = made(*one), made(*other)
    halves = [half / 2 for half in range(26)]
    counts = all(
        outer.counts(each)
        for minute in halves
        for each in (state(minute), frame(minute))
        if inner.counts(each)
    )

    assert inner.is_within(outer) is counts


def test_stored_facts_of_a_time_are_found_in_rows_that_begin_in_it(shelf: FactShelf) -> None:
    for number, group in enumerate(([0, 1, 2], [3, 4], [5, 9, 6], [8, 7], [70, 75])):
        shelf.new[KEY] += [state(minute, number) for minute in group]
        shelf.store()

    found = [fact.received_at for fact in shelf.between(KEY, at(2), at(7))]

    assert found == [at(2), at(3), at(4), at(5), at(6), at(7)]
    assert shelf.between(KEY, at(9) + RECENT, at(99) + RECENT) == []


def test_states_count_around_each_session_that_is_folded() -> None:
    over = row("1", started_at=at(0), ended_at=at(60))
    horizon = horizon_of_rows(at(10_000), [over], [state(9_990)])

    first, last = over.first_fact_at - RECENT, over.last_fact_at + RECENT
    assert horizon.frames == at(10_000)
    assert horizon.times[0] == Around(first, last)
    assert horizon.times[1].since == at(9_990) - RECENT
    assert horizon.whole_since == at(10_000)
    assert horizon_of_rows(at(60), [over]).whole_since == first
    assert horizon_of_rows(at(60), []).whole_since == at(60)


def test_what_is_held_moves_on_with_the_horizon(shelf: FactShelf) -> None:
    shelf.new[KEY] += [frame(1), state(2), frame(30), state(31)]
    loose = LooseFacts("ST-1", made(20, [[0, 5]]))

    assert {fact.received_at for fact in loose.news(shelf)} == {at(2), at(30), at(31)}
    assert loose.news(shelf) == []
    assert [fact.received_at for fact in loose.move(made(31, [[1, 5]]))] == [at(30)]
    assert [fact.received_at for fact in loose.move(made(31, []))] == [at(2)]
    shelf.new[KEY].append(state(40))
    assert [fact.received_at for fact in loose.caught_up(shelf)] == [at(40)]
