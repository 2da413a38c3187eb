"""Of each transaction an open fold holds what takes part, read once, and lets the rest go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.sessions.station_fold import StationFold, fold_station
from ledger.worker import live_fold, live_folds
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.at_rest import AtRest, Extents
from ledger.worker.judging.extent import Extent
from ledger.worker.live_fold import LiveFold
from ledger.worker.live_folds import LiveFolds
from ledger.worker.loose_facts import Horizon
from ledger.worker.session_rows import BEGINNING, NEVER
from tests.ledger.worker.in_mind.rows_of_sessions import row
from tests.ledger.worker.in_mind.test_live_folds import (
    A_BIT,
    ALL,
    EVER,
    energies,
    opened,
    put,
    shelf,
    told,
)
from tests.ledger.worker.judged.one_partition import Calls
from tests.station_story import AC, Story16, at, wh

__all__ = ["shelf"]


def again(extent: Extent) -> Extent:
    """Return the same as another object, as a worker makes it for each record."""
    return Extent([], extent.told_from, extent.facts_from)


@pytest.mark.parametrize("extent", [ALL, Extent([], at(0), at(10)), Extent([], at(0), None)])
@pytest.mark.parametrize("is_stored", [False, True])
def test_what_is_held_is_not_read_again(
    shelf: FactShelf, monkeypatch: pytest.MonkeyPatch, extent: Extent, *, is_stored: bool
) -> None:
    put(shelf, *told().facts())
    if is_stored:
        shelf.store()
    live = opened(shelf, extent)
    size, calls = live.size, Calls(shelf.facts)
    monkeypatch.setattr(shelf, "facts", calls)
    for _ in range(2):
        live.follow(shelf, {"1": again(extent)}, EVER, 99)
        assert live.turn() == frozenset()

    assert (live.size, calls.count) == (size, 0)


def test_after_what_was_stored_the_first_news_counts(shelf: FactShelf) -> None:
    start, reading, state, stop = told().facts()
    folds = LiveFolds(shelf)
    put(shelf, start, state)
    live = folds.open("CS-1", AC, EVER)
    live.follow(shelf, {"1": ALL}, EVER, 99)
    live.turn()
    put(shelf, replace(stop, transaction_ref="2"))
    folds.before_storing()
    shelf.store()
    folds.stored()
    story = Story16()
    story.state(30, "Charging")
    put(shelf, reading, *story.facts())
    live.follow(shelf, {"1": again(ALL)}, EVER, 99)
    live.turn()

    assert live.size == 1 + 4
    live.follow(shelf, {"1": again(ALL)}, EVER, 99)
    assert live.size == 1 + 4


def test_what_waits_to_be_stored_counts_in_an_open_fold(
    shelf: FactShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings come without a look at their station; they weigh as much."""
    monkeypatch.setattr(live_folds, "FACTS_OPEN_MAX", 4)
    start, reading, state, stop = told().facts()
    folds = LiveFolds(shelf)
    put(shelf, start)
    live = folds.open("CS-1", AC, EVER)
    live.follow(shelf, {"1": ALL}, EVER, 99)
    live.turn()
    folds.before_storing()
    shelf.store()
    folds.stored()
    for fact, is_open in ((reading, True), (state, True), (stop, False)):
        put(shelf, fact)
        folds.before_storing()
        shelf.store()
        folds.stored()
        assert (folds.get("CS-1") is live) is is_open


def test_only_what_is_dated_so_is_held(shelf: FactShelf) -> None:
    """A reading of before that comes late is none of this session."""
    story = told()
    story.sample(4, wh(1500), received=30)
    story.sample(5, wh(1600), received=31)
    facts = story.facts()
    put(shelf, *facts[:-2])
    live = opened(shelf, Extent([], at(5), at(5)))
    size = live.size
    put(shelf, *facts[-2:])
    live.follow(shelf, {"1": Extent([], at(5), at(5))}, EVER, 99)

    assert live.size == size + 1
    assert opened(shelf, Extent([], at(5), at(5))).size == size + 1


def test_what_names_no_transaction_is_held_once_whatever_takes_part(shelf: FactShelf) -> None:
    put(shelf, *told().facts())
    live = opened(shelf, horizon=Horizon(at(20)))
    for extent in ({"1": ALL, "": ALL}, {"1": again(ALL)}, {"": ALL, "1": again(ALL)}):
        live.follow(shelf, extent, Horizon(at(20)), 99)
        live.turn()
        assert live.size == 1 + 4
        assert energies(live) == [5000]


def test_a_frame_that_may_be_another_s_is_kept_and_read_again_once(shelf: FactShelf) -> None:
    story = Story16()
    story.start(0, 1000)
    story.sample(10, wh(2000), place=2)
    story.stop(60, 6000)
    put(shelf, *story.facts())
    live = opened(shelf, Extent([], at(0), at(0)))
    live.settle({"1": Extent([], at(0), at(30))})
    assert live.size == 1 + 2, "the stop, and the reading from another place"
    live.follow(shelf, {"1": Extent([], at(0), at(10))}, EVER, 99)
    live.turn()
    assert live.size == 1 + 2
    live.follow(shelf, {}, EVER, 99)
    assert live.size == 1


def test_what_is_settled_already_or_not_held_is_left_as_it_is(shelf: FactShelf) -> None:
    put(shelf, *told().facts())
    live = opened(shelf, Extent([], at(10), at(10)))
    size = live.size
    for extent in (Extent([], at(10), at(10)), Extent([], at(10), at(5))):
        live.settle({"1": extent, "unknown": extent})
        assert live.size == size
        assert live.lacks("1", Extent([], at(10), at(10) - A_BIT)) == at(10) - A_BIT
    live.settle({"1": Extent([], at(10), None)})
    live.settle({"1": Extent([], at(10), at(50))})
    assert live.lacks("1", Extent([], at(10), at(50))) == at(50)


def test_windows_alone_are_needed_from_later_on(shelf: FactShelf) -> None:
    put(shelf, *told().facts())
    live = opened(shelf, Extent([], at(0), None))
    live.settle({"1": Extent([], at(0), None)})
    live.follow(shelf, {"1": Extent([], at(10), None)}, EVER, 99)

    assert live.lacks("1", Extent([], at(10), None)) is None
    assert live.lacks("1", Extent([], at(5), None)) == at(5)


def test_where_windows_are_enough_by_now_no_session_is_folded(shelf: FactShelf) -> None:
    """As after a person's choice, which no fold hears of."""
    put(shelf, *told().facts())
    live = opened(shelf, Extent([], at(0), at(0)))
    assert [each.started_at for each in live.sessions("1")] == [at(0)]
    live.follow(shelf, {"1": Extent([], at(0), None)}, EVER, 99)
    live.turn()

    assert at(0) not in [each.started_at for each in live.sessions("1")]


@pytest.mark.parametrize(("until", "folds"), [(at(30), 1), (None, 0)])
def test_what_is_settled_is_no_news(
    shelf: FactShelf, monkeypatch: pytest.MonkeyPatch, until: datetime | None, folds: int
) -> None:
    """Where some of its sessions go on; where none does nobody looks, and nothing is folded."""
    put(shelf, *told().facts())
    live = opened(shelf, Extent([], at(0), at(0)))
    live.sessions("1")
    folded = 0

    def counted(*given: Any) -> StationFold:  # noqa: ANN401 - handed on
        nonlocal folded
        folded += 1
        return fold_station(*given)

    monkeypatch.setattr(live_fold, "fold_station", counted)
    live.settle({"1": Extent([], at(0), until)})

    assert folded == folds
    if folds:
        assert live.turn() == frozenset()


def test_the_lines_are_named_in_the_order_of_the_log_and_once(
    shelf: FactShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a line without a transaction, and where windows alone were needed."""
    story = Story16()
    story.start(0, 1000, tx=2)
    story.stop(5, 1100, tx=2)
    story.start(10, 1200)
    story.stop(20, 6000)
    nameless = Story16()
    nameless.stop(30, 7000)
    [stop] = nameless.facts()
    put(shelf, *story.facts(), replace(stop, transaction_ref=None, position=9))
    sessions = StationFold.sessions

    def fail(fold: StationFold, transaction: str) -> Any:  # noqa: ANN401 - handed on
        known = fold.told.transactions
        if {"1", "2"} <= known.keys() or known.get(""):
            raise ZeroDivisionError
        return sessions(fold, transaction)

    monkeypatch.setattr(StationFold, "sessions", fail)
    folds = LiveFolds(shelf)
    folds.open("CS-1", AC, EVER)
    extents = {"1": Extent([], at(-9), None), "2": Extent([], at(-9), at(-9)), "": ALL}
    raised = folds.unfolded("CS-1", extents, 7)

    assert raised is not None
    assert [each.position for each in raised.asides] == [2, 3, 9]


def test_what_is_at_rest_is_followed_by_what_came_or_went(shelf: FactShelf) -> None:
    """Each step comes to what a fold would hold that is told of all of it at once."""
    rest, live = AtRest(), LiveFold("CS-1", AC, EVER)
    named = Extent([], at(5), at(5))
    steps: list[tuple[Callable[[], None], dict[str, Extent], datetime]] = [
        (lambda: rest.put("A", row("A")), {}, BEGINNING),
        (lambda: rest.put("B", row("B")), {"C": named}, BEGINNING),
        (lambda: rest.drop("A"), {}, BEGINNING),
        (lambda: rest.put("B", row("B", ends=20)), {"A": named}, BEGINNING),
        (lambda: None, {}, NEVER),
        (lambda: None, {"B": named}, BEGINNING),
        (lambda: None, {}, BEGINNING),
    ]
    for step, others, since in steps:
        step()
        rest.look(since, ())
        extents = Extents(others, rest)
        live.follow(shelf, extents, EVER, 99)

        anew = LiveFold("CS-1", AC, EVER)
        anew.follow(shelf, dict(extents), EVER, 99)
        assert held_by(live) == held_by(anew) == dict(extents)
        live.turn()


def held_by(live: LiveFold) -> dict[str, Extent]:
    return live._extents  # noqa: SLF001 - what is held of each shows nowhere else
