"""Open folds say what new ones would: what they hold, read, let go and forget."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from ledger.asides.aside import AsideStep
from ledger.database import connect
from ledger.facts.station_facts import StationFact
from ledger.facts.station_traits import StationTraits
from ledger.sessions.station_fold import StationFold
from ledger.worker import live_folds
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.extent import Extent
from ledger.worker.live_fold import LiveFold
from ledger.worker.live_folds import LiveFolds
from ledger.worker.loose_facts import Around, Horizon
from ledger.worker.session_rows import BEGINNING
from tests.station_story import AC, Story16, at, wh

A_BIT = timedelta(microseconds=1)
ALL = Extent([], BEGINNING, BEGINNING)
EVER = Horizon(BEGINNING)


@pytest.fixture
def shelf(database: str) -> Iterator[FactShelf]:
    with connect(database) as connection:
        yield FactShelf(connection, 0)


def told(minutes: float = 60) -> Story16:
    """Return a session of *minutes* with a reading, and a state of its connector."""
    story = Story16()
    story.start(0, 1000)
    story.sample(10, wh(2000))
    story.state(20, "SuspendedEV")
    story.stop(minutes, 6000)
    return story


def put(shelf: FactShelf, *facts: StationFact) -> None:
    for each in facts:
        shelf.new["CS-1", getattr(each, "transaction_ref", None) or ""].append(each)


def opened(shelf: FactShelf, extent: Extent = ALL, horizon: Horizon = EVER) -> LiveFold:
    live = LiveFold("CS-1", AC, horizon)
    live.follow(shelf, {"1": extent}, horizon, 99)
    live.turn()
    return live


def energies(live: LiveFold) -> list[Any]:
    return [each.energy_wh for each in live.sessions("1")]


@pytest.mark.parametrize(
    ("wanted", "since"),
    [
        pytest.param(Extent([], at(10), at(20)), None, id="what is held"),
        pytest.param(Extent([], at(10), at(20) - A_BIT), at(20) - A_BIT, id="older facts"),
        pytest.param(Extent([], at(10) - A_BIT, at(20)), at(10) - A_BIT, id="older sessions"),
        pytest.param(Extent([], at(10), None), None, id="windows alone"),
        pytest.param(Extent([], at(30), at(40)), None, id="less"),
    ],
)
def test_what_is_not_held_of_a_transaction_has_to_be_read(
    shelf: FactShelf, wanted: Extent, since: datetime | None
) -> None:
    live = opened(shelf, Extent([], at(10), at(10)))
    live.follow(shelf, {"1": Extent([], at(10), at(10))}, EVER, 99)
    live.settle({"1": Extent([], at(10), at(20))})

    assert live.lacks("1", wanted) == since
    assert live.lacks("2", wanted) == wanted.told_from
    live.settle({"1": Extent([], at(10), None)})
    assert live.lacks("1", wanted) == (
        wanted.told_from if wanted.told_from < at(10) else wanted.facts_from
    )


def test_what_comes_is_added_and_what_the_record_brings_waits_for_its_turn(
    shelf: FactShelf,
) -> None:
    start, reading, state, stop = told().facts()
    put(shelf, start, reading, state)
    live = LiveFold("CS-1", AC, EVER)
    live.follow(shelf, {"1": ALL}, EVER, 3)
    assert live.turn() == {"1"}
    assert live.turn() == frozenset()
    assert energies(live) == [1000]
    put(shelf, stop)
    live.follow(shelf, {"1": Extent([], BEGINNING, BEGINNING)}, EVER, 3)

    assert energies(live) == [1000]
    assert live.turn() == {"1"}
    assert energies(live) == [5000]
    assert live.size == 1 + 4
    assert live.has_facts("1")
    assert not live.has_facts("2")


def test_an_open_fold_goes_on_after_its_facts_were_stored(shelf: FactShelf) -> None:
    start, reading, state, stop = told().facts()
    folds = LiveFolds(shelf)
    live = folds.open("CS-1", AC, EVER)
    put(shelf, start, reading)
    live.follow(shelf, {"1": ALL}, EVER, 99)
    live.turn()
    # These it has not seen when they leave the shelf.
    put(shelf, state, stop)
    folds.before_storing()
    shelf.store()
    folds.stored()

    again = folds.open("CS-1", AC, EVER)
    again.follow(shelf, {"1": ALL}, EVER, 99)
    again.turn()

    assert again is live
    assert again.sessions("1") == opened(shelf).sessions("1")
    assert again.size == 5


def test_facts_without_a_transaction_are_held_from_the_horizon_on(shelf: FactShelf) -> None:
    put(shelf, *told().facts())
    live = opened(shelf, horizon=Horizon(at(20)))
    kept = live.sessions("1")[0].spans

    live.follow(shelf, {"1": ALL}, Horizon(at(20) + A_BIT), 99)
    live.turn()

    assert [span.starts_at for span in kept] == [at(0), at(20)]
    assert [span.starts_at for span in live.sessions("1")[0].spans] == [at(0)]
    assert live.size == 4
    assert opened(shelf, horizon=Horizon(at(20) + A_BIT)).size == 4
    assert opened(shelf, horizon=Horizon(at(20))).size == 5


@pytest.mark.parametrize(
    ("since", "until", "is_held"),
    [(20, 20, True), (19, 21, True), (20 + 1e-6, 30, False), (10, 20 - 1e-6, False)],
)
def test_of_an_older_time_states_alone_are_held(
    shelf: FactShelf, since: float, until: float, *, is_held: bool
) -> None:
    put(shelf, *told().facts())
    shelf.store()
    live = opened(shelf, horizon=Horizon(at(60), (Around(at(since), at(until)),)))

    spans = [at(0), at(20)] if is_held else [at(0)]
    assert [span.starts_at for span in live.sessions("1")[0].spans] == spans
    live.follow(shelf, {"1": ALL}, Horizon(at(60)), 99)
    live.turn()
    assert [span.starts_at for span in live.sessions("1")[0].spans] == [at(0)]


def test_a_transaction_that_takes_no_part_any_more_is_let_go(shelf: FactShelf) -> None:
    put(shelf, *told().facts())
    live = opened(shelf)

    live.follow(shelf, {}, EVER, 99)
    live.turn()

    assert live.sessions("1") == ()
    assert live.size == 2
    assert not live.has_facts("1")


def test_of_what_is_decided_no_fact_is_kept_and_all_can_be_read_again(shelf: FactShelf) -> None:
    put(shelf, *told().facts())
    live = opened(shelf)
    before = live.sessions("1")

    live.settle({"1": Extent([], BEGINNING, None)})
    assert live.size == 2
    assert live.sessions("1") == ()
    live.follow(shelf, {"1": Extent([], BEGINNING, BEGINNING)}, EVER, 99)
    live.turn()

    assert live.sessions("1") == before
    assert live.size == 5


@pytest.mark.parametrize(
    ("traits", "horizon", "is_same"),
    [
        (AC, Horizon(at(0)), True),
        (AC, Horizon(at(1)), True),
        (AC, Horizon(at(0) - A_BIT), False),
        (AC, Horizon(at(1), (Around(at(0), at(1)),)), True),
        (AC, Horizon(at(1), (Around(at(0) - A_BIT, at(0)),)), False),
        (StationTraits(), Horizon(at(0)), False),
    ],
)
def test_a_fold_goes_on_with_the_same_traits_and_no_older_horizon(
    shelf: FactShelf, traits: StationTraits, horizon: Horizon, *, is_same: bool
) -> None:
    folds = LiveFolds(shelf)
    first = folds.open("CS-1", AC, Horizon(at(0)))

    assert (folds.open("CS-1", traits, horizon) is first) is is_same


def test_the_folds_used_longest_ago_are_closed_where_they_hold_too_much(
    shelf: FactShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_folds, "FACTS_OPEN_MAX", 3)
    folds = LiveFolds(shelf)
    for name in "ABC":
        folds.open(name, AC, Horizon(at(0)))
    folds.stored()
    assert all(folds.get(name) for name in "ABC"), "as many as there may be"
    folds.open("A", AC, Horizon(at(0)))
    folds.open("D", AC, Horizon(at(0)))
    folds.stored()
    assert [name for name in "ABCD" if folds.get(name)] == ["A", "C", "D"]

    folds.close("A")
    folds.open("E", AC, Horizon(at(0)))
    folds.stored()
    assert [name for name in "CDE" if folds.get(name)] == ["C", "D", "E"]
    folds.close_all()
    for name in "FGH":
        folds.open(name, AC, Horizon(at(0)))
    folds.stored()
    assert [name for name in "CDEFGH" if folds.get(name)] == ["F", "G", "H"]


def test_the_lines_are_named_with_which_a_fold_fails(
    shelf: FactShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shelf, *told().facts())
    folds = LiveFolds(shelf)
    folds.open("CS-1", AC, EVER)
    assert folds.unfolded("CS-1", {"1": ALL}, 7) is None
    assert folds.unfolded("CS-2", {"1": ALL}, 7) is None
    sessions = StationFold.sessions

    def fail(fold: StationFold, transaction: str) -> Any:  # noqa: ANN401 - handed on
        told_of = fold.told.transactions.get(transaction)
        if told_of and any(fact.meter_stop_wh for fact in told_of.ends):
            raise ZeroDivisionError
        return sessions(fold, transaction)

    monkeypatch.setattr(StationFold, "sessions", fail)
    raised = folds.unfolded("CS-1", {"1": ALL}, 7)

    assert raised is not None
    assert [each[:5] for each in raised.asides] == [(3, 0, "CS-1", 7, AsideStep.FOLD)]
    assert raised.at == 7


def test_what_is_dated_before_the_sessions_that_take_part_is_let_go_and_read_again(
    shelf: FactShelf,
) -> None:
    put(shelf, *told().facts())
    live = opened(shelf, Extent([], at(0), at(30)))
    assert live.size == 1 + 3 + 1, "from the first session on, and the state"

    for begins, count in ((10, 2), (10 + 1 / 60, 1), (60, 0), (10, 2), (0, 3)):
        live.follow(shelf, {"1": Extent([], at(begins), at(begins))}, EVER, 99)
        live.turn()
        assert live.size == 1 + count + 1


def test_facts_that_were_let_go_are_read_again_once(shelf: FactShelf) -> None:
    put(shelf, *told().facts())
    live = opened(shelf, Extent([], at(0), at(0)))
    live.settle({"1": Extent([], at(0), at(30))})
    assert live.size == 1 + 1 + 1, "the stop and the state"

    for minute, count in ((10, 2), (5, 2), (0, 3)):
        live.follow(shelf, {"1": Extent([], at(0), at(minute))}, EVER, 99)
        live.turn()
        assert live.size == 1 + count + 1
    assert energies(live) == [5000]
