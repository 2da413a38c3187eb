"""The fold is total: every time, number and text that a fact can hold, in any order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.facts.flags import Flag
from ledger.facts.station_clock import FARTHEST
from ledger.facts.station_facts import (
    ChargingState,
    ConnectorStatusChanged,
    Measurand,
    QueueReported,
    Reading,
    ReadingContext,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationFact,
)
from ledger.facts.station_traits import StationTraits
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told
from projections.balances.station_energy import station_energy

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ZONES = st.sampled_from(
    [None, UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12, minutes=-30))]
)
ENDS = st.sampled_from([datetime.min, datetime.max, datetime(1970, 1, 1), datetime(9999, 12, 31)])  # noqa: DTZ001, DTZ901 - zones are drawn
TIMES = (
    st.none()
    | st.builds(lambda at, zone: at.replace(tzinfo=zone), ENDS | st.datetimes(), ZONES)
    | st.integers(0, 240).map(lambda minutes: NOON + timedelta(minutes=minutes))
)
NUMBERS = st.none() | st.sampled_from(
    [Decimal(0), Decimal(-1), Decimal("1e30"), Decimal("1e-28"), Decimal(9) * 10**27]
) | st.integers(0, 10**9).map(Decimal)  # fmt: skip
REFERENCES = st.sampled_from(["1", "2", "-", "", "\0", "\U0001f600" * 40])
PLACES = st.none() | st.sampled_from([0, 1, 2, -1, 2**31 - 1])


@st.composite
def facts(draw: st.DrawFn) -> list[StationFact]:
    """Draw some facts of one station, in the order in which it said them."""
    received = count()
    return [draw(_fact(next(received))) for _ in range(draw(st.integers(1, 9)))]


@st.composite
def _fact(draw: st.DrawFn, number: int) -> StationFact:
    head: dict[str, Any] = {
        "station_id": "CS-1",
        "position": number,
        "line": 0,
        "received_at": NOON + timedelta(minutes=7 * number),
    }
    place = draw(PLACES)
    told_there: dict[str, Any] = {
        "evse_id": place,
        "connector_id": place,
        "occurred_at": draw(TIMES),
    }
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return QueueReported(
            **head, transaction_ref=draw(REFERENCES), messages_in_queue=draw(st.booleans())
        )
    if kind == 1:
        state = draw(st.sampled_from(ChargingState))
        return ConnectorStatusChanged(**head, **told_there, charging_state=state, error_code=None)
    said: dict[str, Any] = {
        **told_there,
        "transaction_ref": draw(REFERENCES),
        "token_uid": draw(st.sampled_from([None, "p-1", "p-2"])),
        "seq_no": draw(st.none() | st.integers(-(10**20), 10**20)),
        "readings": tuple(draw(st.lists(_readings(), max_size=3))),
        "charging_state": draw(st.none() | st.sampled_from(ChargingState)),
    }
    if kind == 2:
        return SessionStarted(**head, **said, meter_start_wh=draw(NUMBERS))
    if kind == 3:
        return SessionEnded(**head, **said, meter_stop_wh=draw(NUMBERS))
    return SessionUpdated(**head, **said)


def _readings() -> st.SearchStrategy[Reading]:
    return st.builds(
        Reading,
        TIMES,
        st.sampled_from(Measurand),
        NUMBERS.filter(lambda number: number is not None),
        st.sampled_from(ReadingContext),
        st.sampled_from([None, "L1", "L2", "\0"]),
    )


def _sessions(said: list[StationFact], traits: StationTraits) -> list[ChargingSession]:
    fold = fold_station("CS-1", told(said), traits)
    references = {
        "",
        *fold.spoken,
        *(getattr(fact, "transaction_ref", None) or "" for fact in said),
    }
    return [session for each in sorted(references) for session in fold.sessions(each)]


@given(said=facts(), zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles"]))
@settings(max_examples=300, deadline=None)
def test_no_fact_makes_the_fold_or_the_balance_raise(said: list[StationFact], zone: str) -> None:
    traits = StationTraits(time_zone=zone)

    sessions = _sessions(said, traits)
    station_energy(said, sessions, traits)

    moments = [at for each in sessions for at in (each.started_at, each.ended_at) if at]
    assert all(datetime(1900, 1, 1, tzinfo=UTC) <= at <= FARTHEST for at in moments)


@pytest.mark.slow
@given(said=facts())
@settings(max_examples=5_000, deadline=None)
def test_no_fact_of_many_more_makes_the_fold_raise(said: list[StationFact]) -> None:
    traits = StationTraits(time_zone="Europe/Berlin")

    station_energy(said, _sessions(said, traits), traits)


def _start(**parts: Any) -> SessionStarted:  # noqa: ANN401 - fields of a fact
    given_parts = {
        "station_id": "CS-1", "position": 0, "line": 0, "received_at": NOON,
        "transaction_ref": "1", "evse_id": 1, "connector_id": 1, "token_uid": "p-1",
        "occurred_at": NOON, "meter_start_wh": Decimal(1000), **parts,
    }  # fmt: skip
    return SessionStarted(**given_parts)


@pytest.mark.parametrize("at", [FARTHEST, datetime.max.replace(tzinfo=UTC)])
def test_one_reading_that_no_clock_dates_moves_no_start_and_no_stop(at: datetime) -> None:
    reading = Reading(at, Measurand.ENERGY_REGISTER_WH, Decimal(2000))
    update = SessionUpdated(
        station_id="CS-1", position=1, line=0, received_at=NOON + timedelta(minutes=30),
        transaction_ref="1", evse_id=1, connector_id=1, occurred_at=at, readings=(reading,),
    )  # fmt: skip
    end = SessionEnded(
        station_id="CS-1", position=2, line=0, received_at=NOON + timedelta(hours=1),
        transaction_ref="1", evse_id=None, connector_id=None, token_uid="p-1",
        occurred_at=NOON + timedelta(hours=1), meter_stop_wh=Decimal(6000),
    )  # fmt: skip
    following = _start(
        position=3, transaction_ref="2", received_at=NOON + timedelta(hours=2),
        occurred_at=NOON + timedelta(hours=2),
    )  # fmt: skip

    first, second = _sessions([_start(), update, end, following], StationTraits())

    assert (first.started_at, first.ended_at) == (NOON, NOON + timedelta(hours=1))
    assert first.energy_wh == Decimal(5000)
    assert first.flags == (Flag.TIME_UNREADABLE,)
    assert second.started_at == NOON + timedelta(hours=2)


def test_a_clock_that_runs_twenty_years_ahead_is_a_clock() -> None:
    ahead = NOON + timedelta(days=7168)  # a counter of weeks that began again

    (session,) = _sessions([_start(occurred_at=ahead)], StationTraits())

    assert session.started_at == NOON
    assert Flag.CLOCK_AHEAD in session.flags
