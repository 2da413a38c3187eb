"""Sessions in figures, and the held ones with their reasons."""

from __future__ import annotations

import pytest

from projections.sessions import flag_counts, held_sessions, list_sessions, session_counts
from tariffs.phrases.phrase import phrase
from tests.charging_day import choose
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database)


def test_sessions_are_counted_by_state_and_by_flag(books: str) -> None:
    with ask(books) as connection:
        assert session_counts(connection) == {"held": 2, "rated": 5}
        flags = flag_counts(connection)

    assert flags["stop_lost"] == 1
    assert flags["seq_gap"] == 1


def test_the_list_begins_with_the_newest(books: str) -> None:
    with ask(books) as connection:
        listed = list_sessions(connection, limit=2)

    assert [session.session_id.split("/")[1] for session in listed] == ["23", "22"]


def test_a_held_session_says_why_in_words(books: str) -> None:
    with ask(books) as connection:
        held = {each.session.session_id.split("/")[1]: each for each in held_sessions(connection)}

    assert set(held) == {"22", "B"}
    assert held["B"].reasons == ("Sequence numbers are missing; messages may still come.",)
    assert held["B"].codes == (phrase("seq_gap"),)
    assert held["22"].reasons == (
        "The stop never arrived: the next session began on this connector.",
    )
    assert held["22"].codes == (phrase("stop_lost", shown_by="next_session"),)


def test_a_decided_session_is_held_no_more(books: str) -> None:
    go_on(books, [choose("CS-NEW-2/B/20260302T071000Z", "write_off", 300)])

    with ask(books) as connection:
        assert [each.session.session_id for each in held_sessions(connection)] == [
            "CS-OLD-2/22/20260302T082000Z"
        ]


def test_a_session_names_the_stations_transaction_and_why_it_stopped(books: str) -> None:
    with ask(books) as connection:
        listed = {each.transaction_id: each for each in list_sessions(connection)}

    assert {"21", "22", "23", "A", "B"} <= set(listed)
    assert listed["21"].session_id.split("/")[1] == "21"
    assert listed["21"].stop_reason == "EVDisconnected"
    assert (listed["22"].ended_at, listed["22"].stop_reason) == (None, None)
