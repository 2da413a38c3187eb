"""What a session's row alone decides: whose time it covers, who goes on it, what readings add."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.facts.station_facts import Measurand, Reading, SessionUpdated
from ledger.sessions.session import ChargingSession, SessionPoint
from ledger.sessions.states import SessionState
from ledger.worker.session_rows import SessionRow
from tests.charging_day import at
from tests.ledger.worker.in_mind.rows_of_sessions import folded, row

OPEN, WAITING, HELD, RATED = (
    SessionState.OPEN,
    SessionState.WAITING,
    SessionState.HELD,
    SessionState.RATED,
)
LATER = at(30) + timedelta(microseconds=1)
EARLIER = at(30) - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("decided", "session", "is_covered"),
    [
        pytest.param(row(), folded(begins=10, ends=20), True, id="within"),
        pytest.param(row(), folded(begins=-10, ends=40), True, id="around"),
        pytest.param(row(), folded(begins=30, ends=40), False, id="from its very end"),
        pytest.param(row(), folded(started_at=EARLIER, ends=40), True, id="just before its end"),
        pytest.param(row(begins=30), folded(ends=30), False, id="up to its very start"),
        pytest.param(row(begins=30), folded(ended_at=LATER), True, id="just beyond its start"),
        pytest.param(row(begins=30), folded(ends=None), True, id="open before its start"),
        pytest.param(row(ends=None), folded(begins=0, ends=9), False, id="an open one: its start"),
        pytest.param(
            row(ends=None), folded(begins=-1, ends=9), True, id="over an open one's start"
        ),
        pytest.param(row("B"), folded("B"), False, id="itself"),
        pytest.param(row(), folded(evse_id=2), False, id="at another EVSE"),
        pytest.param(row(), folded(evse_id=None), True, id="at an EVSE it does not name"),
        pytest.param(row(evse_id=None), folded(evse_id=2), True, id="at one that was not named"),
        pytest.param(row(started_at=None), folded(), False, id="one without a start"),
        pytest.param(row(), folded(begins=None), False, id="no start"),
        *(
            pytest.param(row(state=state), folded(), state in {"rated", "released", "written_off"})
            for state in SessionState
        ),
    ],
)
def test_what_was_decided_covers_time_of_another_session(
    decided: SessionRow, session: ChargingSession, *, is_covered: bool
) -> None:
    assert decided.covers(session) is is_covered


def reading(wh: object, minute: float = 10, **more: object) -> SessionUpdated:
    """Return a reading of the register, or of whatever *more* says."""
    told: dict[str, object] = {"measurand": Measurand.ENERGY_REGISTER_WH, "phase": None} | more
    sample = Reading(
        occurred_at=at(minute),
        measurand=told["measurand"],  # type: ignore[arg-type] # as given
        value=Decimal(str(wh)),
        phase=told["phase"],  # type: ignore[arg-type] # as given
    )
    return updated(sample, minute=minute)


def updated(
    *readings: Reading, minute: float = 10, evse: int | None = None, seq: int | None = None
) -> SessionUpdated:
    return SessionUpdated(
        station_id="ST-1",
        position=1,
        line=0,
        received_at=at(minute),
        transaction_ref="A",
        evse_id=evse,
        connector_id=None,
        occurred_at=at(minute),
        readings=readings,
        seq_no=seq,
    )


@pytest.mark.parametrize(
    ("state", "energy", "register", "told", "energy_then", "register_then"),
    [
        (HELD, 500, 1500, "1600", 600, 1600),
        (HELD, 500, 1500, "1501", 501, 1501),
        (HELD, 500, 1500, "1500", 500, 1500),
        (HELD, 500, 1500, "1400", 500, 1400),
        (HELD, 500, None, "1600", 500, 1600),
        (HELD, None, 1500, "1600", None, 1600),
        (OPEN, 500, 1500, "1600", 500, 1600),
        (RATED, 500, 1500, "1600", 500, 1600),
    ],
)
def test_a_reading_of_a_held_session_adds_what_the_register_rose(
    state: SessionState,
    energy: int | None,
    register: int | None,
    told: str,
    energy_then: int | None,
    register_then: int,
) -> None:
    read = row(
        state=state,
        ends=None,
        energy_wh=None if energy is None else Decimal(energy),
        register_wh=None if register is None else Decimal(register),
    )

    read.read_on(reading(told))

    assert read.energy_wh == energy_then
    assert read.register_wh == register_then
    assert read.last_fact_at == at(10)


def test_the_first_reading_of_the_whole_register_counts_and_no_other() -> None:
    power = reading(90, measurand=Measurand.POWER_W).readings
    of_a_phase = reading(95, phase="L1").readings
    both = reading(120).readings + reading(130).readings
    read = row(state=HELD, ends=None, energy_wh=Decimal(0), register_wh=Decimal(100))

    read.read_on(updated(*power, *of_a_phase, *both, minute=-5))

    assert [read.energy_wh, read.register_wh] == [20, 120]
    assert read.last_fact_at == at(0), "what was received before is no later sign"


@pytest.mark.parametrize(
    ("evse", "connector", "seq", "told", "is_elsewhere"),
    [
        (1, 5, 3, 2, True),
        (1, 5, 3, 1, False),
        (1, 5, None, 2, False),
        (1, 5, 3, None, False),
        (None, 5, 3, 5, False),
        (None, 5, 3, 1, True),
        (None, None, 3, 1, False),
    ],
)
def test_a_numbered_reading_may_name_another_place(
    evse: int | None,
    connector: int | None,
    seq: int | None,
    told: int | None,
    *,
    is_elsewhere: bool,
) -> None:
    read = row(evse_id=evse, connector_id=connector)

    assert read.is_elsewhere(updated(evse=told, seq=seq)) is is_elsewhere


@pytest.mark.parametrize(
    ("gone", "sessions", "heir"),
    [
        pytest.param(row(), [], None, id="none"),
        pytest.param(
            row(begins=10),
            [folded("far", begins=5), folded("near", begins=12), folded("farther", begins=16)],
            "near",
            id="whose start lies nearest",
        ),
        pytest.param(row(), [folded("his", token_uid="bob")], None, id="another's token"),
        pytest.param(row(token_uid=None), [folded("his")], "his", id="whose token was not known"),
        pytest.param(row(), [folded("there", evse_id=2)], None, id="another EVSE"),
        pytest.param(row(), [folded("there", evse_id=None)], None, id="an EVSE that is not named"),
        pytest.param(row(evse_id=None), [folded("there", evse_id=2)], "there", id="none was named"),
        pytest.param(
            row(started_at=None, heard=(20, 30)),
            [folded("heard", begins=None, first_received_at=at(19)), folded("b", begins=30)],
            "heard",
            id="by when they were first heard of",
        ),
    ],
)
def test_who_goes_on_what_a_session_began(
    gone: SessionRow, sessions: list[ChargingSession], heir: str | None
) -> None:
    assert gone.heir(sessions) == (None if heir is None else f"ST-1/{heir}")


@pytest.mark.parametrize(
    ("state", "ends", "then"),
    [
        (OPEN, 30, WAITING),
        (OPEN, None, OPEN),
        (WAITING, 30, WAITING),
        (WAITING, None, OPEN),
    ],
)
def test_an_unfinished_session_ends_and_opens_again_as_its_fold_says(
    state: SessionState, ends: float | None, then: SessionState
) -> None:
    moving = row(state=state)

    moving.follow(folded("A", ends=ends))

    assert moving.state is then


@pytest.mark.parametrize(
    ("state", "ends", "lacks"),
    [
        (OPEN, None, True),
        (OPEN, 30, True),
        (HELD, None, True),
        (HELD, 30, False),
        (WAITING, None, False),
        (RATED, None, False),
    ],
)
def test_readings_go_on_only_where_no_end_was_told(
    state: SessionState, ends: float | None, *, lacks: bool
) -> None:
    assert row(state=state, ends=ends).lacks_end is lacks


TWICE, CONFLICT, CONTEXT = Flag.DUPLICATE_STOP, Flag.CONFLICTING_STOP, Flag.RESOLVED_BY_CONTEXT


@pytest.mark.parametrize(
    ("state", "before", "told", "then"),
    [
        (RATED, [], [TWICE], [TWICE]),
        (RATED, [TWICE], [TWICE], [TWICE]),
        (RATED, [CONFLICT], [TWICE], [TWICE]),
        (RATED, [CONFLICT, CONTEXT], [TWICE], sorted([CONFLICT, CONTEXT, TWICE])),
        (RATED, [Flag.SEQ_GAP], [Flag.METER_RESET], [Flag.SEQ_GAP]),
        (HELD, [], [TWICE], []),
    ],
)
def test_a_final_decision_keeps_its_flags_but_for_what_is_told_again(
    state: SessionState, before: list[str], told: list[str], then: list[str]
) -> None:
    known = row(state=state, flags=before)

    assert known.note_told_again(folded("A", flags=tuple(told))) is (before != then)
    assert known.flags == then


def test_a_row_lies_where_its_session_does_and_says_whether_that_moved() -> None:
    known, begun = row(), row().lies
    assert begun is not None

    assert not known.lie(folded("A", window=begun))
    assert known.window is None, "the columns say it"
    moved = replace(begun, starts_at=at(-5))
    assert known.lie(folded("A", window=moved))
    assert known.window == known.lies == moved
    assert known.is_of(moved)
    assert not known.is_of(begun)
    assert not known.lie(folded("A", window=moved))
    assert known.lie(folded("A", window=moved, facts_from=at(-5)))
    assert known.begins == at(-5)
    assert row(started_at=None).lies is None
    assert not row(started_at=None).is_of(begun)
    assert row(evse_id=None, connector_id=7).lies == replace(begun, place=7)


def test_what_is_shown_is_the_last_register_that_was_used() -> None:
    points = tuple(
        SessionPoint(at(minute), Decimal(0), 1, 0, None if wh is None else Decimal(wh))
        for minute, wh in ((0, 100), (5, 200), (9, None))
    )
    shown, unread = row(), row()

    shown.describe(folded("A", points=points, meter_start_wh=Decimal(90)), at(40))
    unread.describe(folded("A", points=points[2:], meter_start_wh=Decimal(90)), at(40))

    assert [shown.register_wh, unread.register_wh] == [200, 90]
    assert shown.heard_at == at(40)
