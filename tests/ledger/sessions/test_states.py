"""The table of states is what the code, the database, the command line and the page go by."""

from __future__ import annotations

from typing import get_args

import pytest

from deploy.commands.books.sessions import State
from ledger.database import connect
from ledger.sessions.states import (
    CAUSES,
    DECIDED,
    MEANINGS,
    MOVES,
    UNDECIDED,
    UNFINISHED,
    IllegalSessionMoveError,
    SessionAct,
    SessionState,
    moved,
)
from ledger.sessions.states_page import states_page
from tests.tree import DOCS

EVERY_PAIR = [(state, act) for state in SessionState for act in SessionAct]


@pytest.mark.parametrize(("state", "act"), EVERY_PAIR, ids=str)
def test_a_session_moves_as_the_table_says_and_not_otherwise(
    state: SessionState, act: SessionAct
) -> None:
    if (state, act) in MOVES:
        assert moved(state, act) is MOVES[state, act]
    else:
        with pytest.raises(IllegalSessionMoveError, match=f"cannot {act}"):
            moved(state, act)


def test_what_is_decided_or_replaced_never_moves_again() -> None:
    moves = {(state, act) for state, act in MOVES if state in DECIDED | {SessionState.REPLACED}}

    # But for its price, which may be corrected, and for a write-off that is taken back.
    assert moves == {(state, SessionAct.CORRECT) for state in DECIDED}


def test_every_state_is_reached_from_open() -> None:
    reached, before = {SessionState.OPEN}, set[SessionState]()
    while reached != before:
        before = set(reached)
        reached |= {target for (state, _), target in MOVES.items() if state in before}

    assert reached == set(SessionState)


def test_nothing_is_rated_before_its_end_is_known() -> None:
    assert (SessionState.OPEN, SessionAct.RATE) not in MOVES


def test_every_state_and_act_has_its_words() -> None:
    assert set(MEANINGS) == set(SessionState)
    assert set(CAUSES) == set(SessionAct)


def test_a_session_without_a_final_decision_is_unfinished_or_held() -> None:
    assert {SessionState.HELD} == UNDECIDED - UNFINISHED
    assert not UNDECIDED & DECIDED


def test_the_page_is_printed_from_the_table() -> None:
    page = (DOCS / "session-states.md").read_text("utf-8")

    assert page == states_page(), "python -m ledger.sessions.states_page > docs/session-states.md"


def test_the_command_line_lists_every_state_but_the_replaced() -> None:
    assert set(get_args(State)) == set(SessionState) - {SessionState.REPLACED}


@pytest.mark.parametrize("state", list(SessionState))
def test_the_database_knows_every_state_and_its_views_show_the_same_sets(
    database: str, state: SessionState
) -> None:
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags,"
            " blockers, reasons, first_fact_at, last_fact_at, heard_at)"
            " VALUES ('s', 0, 'CS-1', '1', %s, '{}', '{}', '{}', now(), now(), now())",
            (state,),
        )
        unfinished = connection.execute("SELECT state FROM unfinished_session").fetchall()
        listed = connection.execute("SELECT state FROM listed_session").fetchall()

    assert unfinished == ([(state,)] if state in UNFINISHED else [])
    assert listed == ([(state,)] if state is not SessionState.REPLACED else [])
