"""A fact that comes between what a person looked at and his choice: the choice does nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.desk.choices import Chosen
from ledger.log.event_log import NewRecord, Position
from ledger.log.postgres import PostgresEventLog
from projections.deciding import choosing
from projections.deciding.choosing import ChoiceWish, MovesOtherwiseError, make_choice
from projections.sessions import SessionSummary, list_sessions
from tests.charging_day import Timed, at, meter16, write_log
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.desk.test_recording import CHOICE, HELD
from tests.projections.books_of_a_day import books_of_a_day

INSTANT = timedelta(microseconds=1)


def late_reading(minutes: float = 290) -> Timed:
    """Return a reading of the session whose stop is lost, which its station tells late."""
    _, station, line = meter16("CS-OLD-2", 100, 22, 5500)
    return at(minutes), station, replace(line, received_at=at(minutes))


def standing(dsn: str) -> tuple[str, datetime]:
    [found] = rows(dsn, f"SELECT state, last_fact_at FROM session WHERE session_id = '{HELD}'")
    return found[0], found[1]


@pytest.mark.parametrize(
    ("unseen", "state"),
    [
        pytest.param(timedelta(0), "released", id="all of it was seen"),
        pytest.param(INSTANT, "held", id="the last fact was not"),
        pytest.param(None, "released", id="nobody says what was seen"),
    ],
)
def test_a_choice_holds_of_the_facts_that_were_seen(
    database: str, unseen: timedelta | None, state: str
) -> None:
    books_of_a_day(database, late_reading())
    before, last = standing(database)
    assert (before, last) == ("held", at(290))
    until = None if unseen is None else last - unseen
    write_log(database, [(at(300), CHOICE.station, replace(CHOICE, facts_until=until))])
    work(database)

    assert standing(database)[0] == state
    assert is_identical(database)


class OvertakenLog:
    """A log into which a station tells something just before a person's choice."""

    def __init__(self, log: PostgresEventLog, dsn: str) -> None:
        self.partitions, self.ends, self._log, self._dsn = log.partitions, log.ends, log, dsn
        self._is_told = False

    def append(self, records: Sequence[NewRecord]) -> Sequence[Position]:
        if not self._is_told:
            self._is_told = True
            write_log(self._dsn, [late_reading()])
        return self._log.append(records)


def release(dsn: str, *, is_overtaken: bool) -> object:
    wish = ChoiceWish(HELD, "release", "ann", "seen on the meter")
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        behind: Any = OvertakenLog(log, dsn) if is_overtaken else log
        declared = load_declarations(connection)
        return make_choice(
            connection,
            declared,
            wish,
            at=at(300),
            log=behind,
            work_off=lambda where, _: work_off(where, log),
        )


def test_who_chooses_is_told_that_it_comes_to_something_else_by_now(database: str) -> None:
    books_of_a_day(database)

    with pytest.raises(MovesOtherwiseError, match="look at it again"):
        release(database, is_overtaken=True)

    assert standing(database) == ("held", at(290))
    made = release(database, is_overtaken=False)
    assert isinstance(made, Chosen)
    assert made.state == "released"
    assert is_identical(database)


def test_what_nobody_looked_at_is_not_chosen_if_it_can_be_by_now(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was under way when it was looked at, so nothing says what it would come to."""
    books_of_a_day(database)

    def under_way(*given: Any, **named: Any) -> list[SessionSummary]:  # noqa: ANN401 - as the real one
        return [dataclasses.replace(each, state="open") for each in list_sessions(*given, **named)]

    monkeypatch.setattr(choosing, "list_sessions", under_way)
    with pytest.raises(MovesOtherwiseError):
        release(database, is_overtaken=False)

    assert standing(database)[0] == "held"
