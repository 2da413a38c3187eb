"""What is brought back to mind for a record: as far back as it bears, and none that is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.facts.flags import Flag
from ledger.facts.station_facts import SessionUpdated, StationFact
from ledger.facts.station_traits import StationTraits
from ledger.rating.decisions import Moment
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import SessionState
from ledger.worker import recollection as recollection_module
from ledger.worker.fact_shelf import FactShelf
from ledger.worker.judging.findings import Findings
from ledger.worker.live_folds import LiveFolds
from ledger.worker.recollection import Recollection
from ledger.worker.session_rows import RECENT, SessionRow
from ledger.worker.station_memory import StationMemory
from ledger.worker.stored.session_store import load_stations, store_rows
from tests.charging_day import at
from tests.ledger.worker.in_mind.rows_of_sessions import folded, row
from tests.ledger.worker.judged.one_partition import Calls

OPEN, RATED = SessionState.OPEN, SessionState.RATED
NOW = 1000.0


class Mind:
    """A recollection over books that hold some rows, and one station's memory."""

    def __init__(self, connection: psycopg.Connection[Any], rows: Sequence[SessionRow]) -> None:
        store_rows(connection, rows, [])
        self.findings, self.memory = Findings(), StationMemory()
        shelf = FactShelf(connection, 0)
        self.recollection = Recollection(
            connection, shelf, self.findings, LiveFolds(shelf), lambda *_: StationTraits()
        )

    def names(self) -> list[str]:
        return sorted(key.removeprefix("ST-1/") for key in self.memory.rows)

    def extent(self, named: dict[str, Sequence[StationFact]], minute: float = NOW) -> list[str]:
        found = self.recollection.extent("ST-1", self.memory, named, moment(minute))
        return sorted(found)

    def beside(self, session: ChargingSession, minute: float = NOW) -> bool:
        """Whether it is held for a part of a register that another one of long ago has."""
        found = self.recollection.beside(session, self.memory, moment(minute))
        return Flag.REGISTER_SHARED in found.blockers


def moment(minute: float) -> Moment:
    return Moment(partition=0, position=1, at=at(minute))


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        yield connection


def told(minute: float, transaction: str) -> SessionUpdated:
    return SessionUpdated(
        station_id="ST-1",
        position=1,
        line=0,
        received_at=at(minute),
        transaction_ref=transaction,
        evse_id=1,
        connector_id=1,
        occurred_at=at(minute),
        readings=(),
    )


def test_two_hours_and_what_is_unfinished_come_back_at_once(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(load_stations)
    monkeypatch.setattr(recollection_module, "load_stations", calls)
    recent, old = row("A", heard=(0, NOW - 120)), row("B", heard=(0, NOW - 120 - 1 / 60))
    mind = Mind(connection, [recent, old, row("gone", heard=(0, NOW))])
    mind.findings.gone = {"ST-1/gone"}

    assert mind.extent({}) == ["A"]
    assert mind.names() == ["A"]
    assert mind.memory.since == at(NOW) - RECENT
    assert mind.extent({}) == ["A"]
    assert calls.count == 1, "as far back it looked before"
    mind.extent({}, NOW - 1)
    assert calls.count == 2
    assert mind.names() == ["A", "B"]


def test_a_session_of_long_ago_comes_back_by_its_transaction(
    connection: psycopg.Connection[Any],
) -> None:
    first = row("R", begins=0, session_id="ST-1/R/1")
    second = row("R", begins=100, session_id="ST-1/R/2", facts_from=at(100))
    gone = row("R", begins=200, session_id="ST-1/R/3", facts_from=at(200))
    mind = Mind(connection, [first, second, gone, row("B")])
    mind.findings.gone = {"ST-1/R/3"}

    assert mind.extent({"R": [told(150, "R")], "": [told(150, "")]}) == ["R"]
    assert mind.names() == ["R/1", "R/2"]


def test_rows_come_back_by_their_own_ids_but_for_those_that_are_gone(
    connection: psycopg.Connection[Any],
) -> None:
    mind = Mind(connection, [row("A"), row("B"), row("gone")])
    mind.findings.gone = {"ST-1/gone"}

    mind.recollection.sessions(mind.memory, [])
    assert mind.names() == []
    mind.recollection.sessions(mind.memory, ["ST-1/A", "ST-1/gone", "ST-1/none"])
    assert mind.names() == ["A"]


def lies(
    name: str,
    begins: float,
    ends: float | None,
    first: int,
    last: int,
    **more: Any,  # noqa: ANN401 - any column
) -> SessionRow:
    """Return the row of a session that has that part of the register."""
    registers = {"meter_start_wh": Decimal(first), "meter_stop_wh": Decimal(last)}
    return row(name, begins=begins, ends=ends, **(registers | more))


def session(
    begins: float = 0,
    ends: float | None = 60,
    *,
    first: int = 1000,
    last: int = 6000,
    **more: Any,  # noqa: ANN401 - any field
) -> ChargingSession:
    """Return a late session; its register stands at *first* and *last* Wh."""
    window = lies("L", begins, ends, first, last).lies
    return folded("L", begins=begins, ends=ends, **({"window": window} | more))


WITHIN = lies("A", 30, 40, 2000, 4000)


@pytest.mark.parametrize(("ended_at", "is_held"), [(at(60), True), (None, False)])
def test_a_session_is_laid_beside_those_of_long_ago_once_it_has_ended(
    connection: psycopg.Connection[Any], ended_at: datetime | None, *, is_held: bool
) -> None:
    mind = Mind(connection, [WITHIN])

    assert mind.beside(session(ended_at=ended_at), 60) is is_held


@pytest.mark.parametrize(("minute", "is_held"), [(180, False), (180 + 1 / 60, True), (60, False)])
def test_it_is_laid_beside_what_began_after_it_where_that_may_be_out_of_mind(
    connection: psycopg.Connection[Any], minute: float, *, is_held: bool
) -> None:
    """A worker that begins here decides as one that has it in mind still."""
    mind = Mind(connection, [lies("A", 60, 90, 5000, 7000)])

    assert mind.beside(session(), minute) is is_held


@pytest.mark.parametrize(
    ("other", "is_held"),
    [
        pytest.param(WITHIN, True, id="a part of it"),
        pytest.param(lies("A", 70, 80, 6000, 9000), False, id="none of it"),
        pytest.param(lies("A", -50, 40, 0, 2000), True, id="one that began before"),
        pytest.param(lies("A", -50, -10, 0, 900), False, id="what was before it"),
        pytest.param(lies("L", 30, 40, 2000, 4000, session_id="ST-1/L/2"), False, id="its own id"),
        pytest.param(lies("A", 30, 40, 2000, 4000, evse_id=2), False, id="at another place"),
        pytest.param(lies("A", 30, 40, 2000, 4000, started_at=None), False, id="without a start"),
    ],
)
@pytest.mark.parametrize("is_new", [False, True])
def test_it_is_held_where_another_has_a_part_of_its_register(
    connection: psycopg.Connection[Any], other: SessionRow, *, is_held: bool, is_new: bool
) -> None:
    mind = Mind(connection, [] if is_new else [other])
    if is_new:
        mind.findings.change(other)

    assert mind.beside(session()) is is_held


def test_what_is_new_counts_at_its_own_station_and_as_it_is_now(
    connection: psycopg.Connection[Any],
) -> None:
    mind = Mind(connection, [WITHIN])
    mind.findings.change(lies("A", 30, 40, 2000, 4000, state=SessionState.REPLACED))
    mind.findings.change(lies("B", 30, 40, 2000, 4000, station_id="ST-2"))

    assert not mind.beside(session())
    mind.findings.change(lies("C", 30, 40, 2000, 4000))
    assert mind.beside(session())


def test_what_is_gone_or_at_no_place_holds_nothing(connection: psycopg.Connection[Any]) -> None:
    mind = Mind(connection, [WITHIN, lies("B", 45, 50, 4500, 5000, evse_id=7)])
    window = session().window
    assert window is not None

    assert mind.beside(session())
    assert not mind.beside(session(window=None))
    no_place = lies("L", 0, 60, 1000, 6000, evse_id=None, connector_id=None).lies
    assert not mind.beside(session(window=no_place))
    mind.findings.gone = {"ST-1/A"}
    assert not mind.beside(session())


def test_of_several_only_those_that_share_are_held(connection: psycopg.Connection[Any]) -> None:
    """Whatever the order in which they come back."""
    others = [lies("A", 200, 300, 7000, 8000), lies("B", 210, 220, 7200, 7400)]
    mind = Mind(connection, [*others, lies("C", -90, -80, 0, 500)])

    assert not mind.beside(session())
    assert mind.beside(session(305, 330, first=7300, last=8100))
