"""A release and a write-off that a person takes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.database import connect
from ledger.rating.decisions import CorrectionCause
from projections.balances.energy import energy_balance
from projections.balances.trial import trial_balance
from projections.sessions import held_sessions
from tests.charging_day import declare_fleet, event201, everywhere, tick, write_log
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.ledger.worker.crediting.test_given_back import owed
from tests.ledger.worker.judged.test_corrections import SESSION, begun, chosen, final, rating, shown

DOUBTFUL = event201("CS-NEW-1", 60, "Ended", "C", 0, 9_000_000)
"""A stop with more energy than its connector delivers: held."""


def held(dsn: str) -> str:
    """Return a database in which session C is held."""
    version = declare_fleet(dsn)
    start = event201("CS-NEW-1", 10, "Started", "C", 0, 0, token="FLEET1")
    write_log(dsn, [*everywhere(version, -1), start, DOUBTFUL, *tick(200)])
    work(dsn)
    return dsn


def waited(dsn: str) -> str:
    """Return a database in which session C was released."""
    held(dsn)
    write_log(dsn, [chosen_about("release", 210)])
    work(dsn)
    assert shown(dsn)[0] == "released", shown(dsn)
    return dsn


def test_a_release_that_is_taken_back_is_not_billed_and_waits_for_a_person(database: str) -> None:
    dsn = waited(database)
    write_log(dsn, [chosen_about("take_back", 220)])
    work(dsn)

    state, revision, reasons, flags = shown(dsn)
    assert (state, revision, reasons) == ("rated", 2, ["release_taken_back"])
    assert "correction_waits" in flags
    second = rating(dsn, 2)
    assert second.gross_minor == owed(dsn) == 0
    assert second.corrects is not None
    assert second.corrects.cause is CorrectionCause.RELEASE_TAKEN_BACK
    assert second.corrects.net_minor == rating(dsn, 1).net_minor > 0
    assert rows(dsn, "TABLE uninvoiced_session") == []
    with connect(dsn) as connection:
        [waiting] = held_sessions(connection)
        assert "release_taken_back" in waiting.reasons[0]
        assert trial_balance(connection).is_balanced
        assert energy_balance(connection).is_balanced
    assert is_identical(dsn)


def test_a_person_may_have_it_priced_after_all(database: str) -> None:
    dsn = waited(database)
    write_log(dsn, [chosen_about("take_back", 220)])
    write_log(dsn, [chosen(SESSION, 230)])
    work(dsn)

    third = rating(dsn, 3)
    assert third.gross_minor == rating(dsn, 1).gross_minor == owed(dsn)
    assert third.not_billed is None
    assert "correction_waits" not in shown(dsn)[3]
    assert rows(dsn, "SELECT revision FROM uninvoiced_session") == [(3,)]
    assert is_identical(dsn)


def test_a_write_off_that_is_taken_back_is_rated_as_its_next_revision(database: str) -> None:
    dsn = held(database)
    write_log(dsn, [chosen_about("write_off", 210)])
    work(dsn)
    assert shown(dsn)[0] == "written_off"
    write_log(dsn, [chosen_about("take_back", 220)])
    work(dsn)

    assert shown(dsn)[:2] == ("rated", 2)
    second = rating(dsn, 2)
    assert second.gross_minor == owed(dsn) > 0
    assert second.corrects is not None
    said_of_it = second.corrects
    assert (said_of_it.cause, said_of_it.revision, said_of_it.net_minor) == (
        CorrectionCause.WRITE_OFF_TAKEN_BACK, 1, 0
    )  # fmt: skip
    assert rows(dsn, "SELECT revision FROM uninvoiced_session") == [(2,)]
    assert rows(dsn, "TABLE correction_to_document") == []
    with connect(dsn) as connection:
        assert trial_balance(connection).is_balanced
        assert energy_balance(connection).is_balanced
    assert is_identical(dsn)
    assert final(dsn, "CS-NEW-1").release is not None


@pytest.mark.parametrize("prepared", [held, begun])
def test_what_was_neither_released_nor_written_off_is_not_taken_back(
    database: str, prepared: Callable[[str], str]
) -> None:
    dsn = prepared(database)
    before = shown(dsn)
    write_log(dsn, [chosen_about("take_back", 230)])
    work(dsn)

    assert shown(dsn) == before
    assert rows(dsn, "SELECT lines FROM set_aside") == [(1,)]
