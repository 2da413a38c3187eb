"""A start at a station at rest is taken without a fold: its row says what the fold would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.database import connect
from ledger.facts.station_clock import SKEW_MAX
from ledger.facts.station_facts import ChargingState, SessionStarted, StationFact
from ledger.facts.station_traits import StationTraits
from ledger.log.authorization import Authorization
from ledger.sessions.loose_frames import Window
from ledger.sessions.states import SessionState
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.at_rest import AtRest, Extents, first_start
from ledger.worker.judging.extent import Extent
from ledger.worker.live_fold import LiveFold
from ledger.worker.loose_facts import Horizon
from ledger.worker.session_rows import BEGINNING, SessionRow, row_of_start
from tests.ledger.worker.in_mind.rows_of_sessions import row
from tests.station_story import AC, Story16, at, wh

A_BIT = timedelta(microseconds=1)
NEW = Extent([], BEGINNING, BEGINNING)
EVER = Horizon(BEGINNING)
START = SessionStarted(
    station_id="CS-1",
    position=7,
    line=0,
    received_at=at(0),
    transaction_ref="1",
    evse_id=1,
    connector_id=2,
    token_uid="anna-1",
    occurred_at=at(0),
    meter_start_wh=Decimal(1000),
)


def start(**more: Any) -> SessionStarted:  # noqa: ANN401 - any field
    return msgspec.structs.replace(START, **more)


def folded_row(fact: SessionStarted, traits: StationTraits) -> SessionRow:
    """Return the row that the fold of a lone start comes to."""
    (session,) = fold_station("CS-1", told([fact]), traits).sessions(fact.transaction_ref)
    found = SessionRow(
        session_id=session.session_id,
        partition=3,
        station_id="CS-1",
        transaction_ref=fact.transaction_ref,
        state=SessionState.OPEN,
        first_fact_at=session.first_received_at,
        last_fact_at=session.last_received_at,
        heard_at=at(9),
    )
    found.describe(session, at(9))
    found.lie(session)
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_row_of_a_start_is_what_the_fold_says(data: st.DataObject) -> None:
    minutes = st.sampled_from([-1e6, -301, -5.1, -5, -1, 0, 0.5, 5, 5.1, 61, 1e6])
    naive = data.draw(st.booleans())
    occurred_at = at(data.draw(minutes)).replace(tzinfo=None if naive else UTC)
    fact = start(
        transaction_ref=data.draw(st.sampled_from(["1", "T-1", "sha256:1"])),
        evse_id=data.draw(st.sampled_from([1, 2, None])),
        connector_id=data.draw(st.sampled_from([1, None])),
        token_uid=data.draw(st.sampled_from(["anna-1", None])),
        occurred_at=data.draw(st.sampled_from([occurred_at, occurred_at, None])),
        meter_start_wh=data.draw(
            st.sampled_from([None, *map(Decimal, ("0", "1.50", "-1", "7E3"))])
        ),
        charging_state=data.draw(st.sampled_from([None, *ChargingState])),
        seq_no=data.draw(st.sampled_from([None, 0, 7])),
        offline=data.draw(st.booleans()),
        reservation_id=data.draw(st.sampled_from([None, 4])),
        oddities=data.draw(st.sampled_from([(), ("unit_missing",)])),
        authorization=data.draw(
            st.sampled_from([None, Authorization(subject="anna-1", by="partner", status="blocked")])
        ),
    )
    traits = StationTraits(
        time_zone="Europe/Berlin",
        clock_offset_s=data.draw(st.sampled_from([None, 0, 3600])),
        register_factor=data.draw(st.sampled_from([None, Decimal(1000)])),
        commissioned_on=data.draw(st.sampled_from([at(-1), at(0), at(0) + A_BIT])),
    )

    plain = row_of_start(fact, traits, 3, at(9))

    assert plain is None or msgspec.to_builtins(plain) == msgspec.to_builtins(
        folded_row(fact, traits)
    )


@pytest.mark.parametrize(
    ("more", "is_plain"),
    [
        ({}, True),
        ({"occurred_at": at(0) - SKEW_MAX}, True),
        ({"occurred_at": at(0) - SKEW_MAX - A_BIT}, False),
        ({"occurred_at": at(0) + SKEW_MAX}, True),
        ({"occurred_at": at(0) + SKEW_MAX + A_BIT}, False),
        ({"occurred_at": None}, False),
        ({"occurred_at": at(0).replace(tzinfo=None)}, False),
        ({"meter_start_wh": Decimal(0)}, True),
        ({"meter_start_wh": Decimal("-0.001")}, False),
        ({"meter_start_wh": None}, False),
        ({"token_uid": None}, False),
        ({"evse_id": None}, True),
        ({"evse_id": None, "connector_id": None}, False),
        ({"offline": True}, False),
        ({"oddities": ("token_odd",)}, False),
        ({"seq_no": 0, "charging_state": ChargingState.CHARGING}, True),
    ],
)
def test_a_start_is_plain_where_nothing_of_it_is_in_doubt(
    more: dict[str, Any], *, is_plain: bool
) -> None:
    assert (row_of_start(start(**more), AC, 0, at(0)) is not None) is is_plain


@pytest.mark.parametrize(
    ("more", "is_plain"),
    [
        ({"commissioned_on": at(0)}, True),
        ({"commissioned_on": at(0) + A_BIT}, False),
        ({"clock_offset_s": 0}, False),
        ({"register_factor": Decimal(1)}, False),
    ],
)
def test_a_start_is_plain_by_what_is_declared_of_its_station(
    more: dict[str, Any], *, is_plain: bool
) -> None:
    assert (row_of_start(START, StationTraits(**more), 0, at(0)) is not None) is is_plain


def over(ends: float = 0, begins: float = -9) -> Extent:
    return Extent([row("0", started_at=at(begins), ended_at=at(ends))], BEGINNING, None)


STOP = Story16()
STOP.stop(0, 2000)
(STOPPED,) = STOP.facts()


@pytest.mark.parametrize(
    ("others", "named", "is_first"),
    [
        pytest.param({}, {"1": [START]}, True, id="alone"),
        pytest.param({"0": over()}, {"1": [START]}, True, id="after one that ended just then"),
        pytest.param({"0": over(1e-4)}, {"1": [START]}, False, id="within another"),
        pytest.param({"0": over(begins=0)}, {"1": [START]}, False, id="with another"),
        pytest.param({"0": over()._replace(facts_from=at(-9))}, {"1": [START]}, False, id="open"),
        pytest.param({"1": over()}, {"1": [START]}, False, id="once more"),
        pytest.param({"2": NEW}, {"1": [START], "2": [START]}, False, id="two"),
        pytest.param({}, {"1": [START, START]}, False, id="twice"),
        pytest.param({}, {"1": [STOPPED]}, False, id="a stop"),
        pytest.param({}, {"1": [START], "": []}, False, id="with what names no transaction"),
        pytest.param({"-1": NEW}, {"-1": [START]}, False, id="without an id"),
        pytest.param({}, {"1": [start(occurred_at=None)]}, False, id="at no time"),
        pytest.param({}, {"1": [start(occurred_at=at(0).replace(tzinfo=None))]}, False, id="naive"),
        pytest.param(
            {"0": over()},
            {"1": [start(occurred_at=at(0).replace(tzinfo=None))]},
            False,
            id="naive, after another one",
        ),
        pytest.param({}, {"1": []}, False, id="nothing"),
    ],
)
def test_a_start_is_the_first_of_its_transaction_beside_what_was_decided_and_over(
    others: dict[str, Extent], named: dict[str, list[StationFact]], *, is_first: bool
) -> None:
    found = first_start(Extents({"1": NEW, **others}, AtRest()), named)

    assert found is (named["1"][0] if is_first else None)


@pytest.mark.parametrize(
    ("others", "is_first"),
    [
        pytest.param([over()], True, id="one that ended just then"),
        pytest.param([over(1e-4)], False, id="one that ends within it"),
        pytest.param([over(begins=0)], False, id="one that begins with it"),
        pytest.param([over(), over(9), over()], False, id="one that was thought to end later"),
    ],
)
def test_a_start_is_the_first_of_its_transaction_beside_what_is_at_rest(
    others: list[Extent], *, is_first: bool
) -> None:
    rest = AtRest()
    for each in others:
        rest.put("0", each.rows[0])

    found = first_start(Extents({"1": NEW}, rest), {"1": [START]})

    assert found is (START if is_first else None)


@pytest.mark.parametrize(
    "more",
    [
        {"started_at": None},
        {"ended_at": None},
        {"window": Window("0", 1, at(-9), None, None, None, None, None)},
    ],
)
def test_beside_one_at_rest_that_is_odd_it_takes_a_fold(more: dict[str, Any]) -> None:
    rest, odd = AtRest(), msgspec.structs.replace(over().rows[0], **more)
    rest.put("0", odd)
    assert first_start(Extents({"1": NEW}, rest), {"1": [START]}) is None
    rest.put("0", over().rows[0])
    assert first_start(Extents({"1": NEW}, rest), {"1": [START]}) is START


@pytest.fixture
def shelf(database: str) -> Iterator[FactShelf]:
    with connect(database) as connection:
        yield FactShelf(connection, 0)


@pytest.mark.parametrize(
    ("said", "is_first"),
    [
        pytest.param(lambda _: None, True, id="nothing"),
        pytest.param(lambda story: story.state(-1, "Preparing"), True, id="a state before it"),
        pytest.param(lambda story: story.state(0, "Preparing"), False, id="a state with it"),
        pytest.param(lambda story: story.boot(-1), False, id="a boot"),
        pytest.param(lambda story: story.sample(-1, wh(1), tx=None), False, id="a loose frame"),
    ],
)
def test_a_start_is_alone_where_nothing_else_was_told_that_bears_on_it(
    shelf: FactShelf,
    said: Callable[[Story16], object],
    *,
    is_first: bool,
) -> None:
    story = Story16()
    said(story)
    before = story.facts()
    story.start(0, 1000)
    (begun,) = story.facts()[len(before) :]
    shelf.new["CS-1", ""] += before
    shelf.new["CS-1", "1"].append(begun)
    live = LiveFold("CS-1", AC, EVER)
    live.follow(shelf, {"1": NEW}, EVER, begun.position)

    assert live.is_first(begun) is is_first
    live.note()
    assert not live.is_first(begun), "it is known by now"
    assert [each.energy_wh for each in live.sessions("1")] == [0]
    assert live.changed >= {"1"}
