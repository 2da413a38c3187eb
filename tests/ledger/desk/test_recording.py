"""What a person says comes to pass once, whoever is killed while it goes into the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import load_version
from ledger.desk import corrections, recording
from ledger.desk.apply import apply_files, declare_all
from ledger.desk.choices import choose
from ledger.desk.recording import NotTakenYetError
from ledger.log.envelope import Choice, Declared, LogLine
from ledger.log.outbox import NotCarriedError, carry
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.customers import Customer
from projections.log_reading import read_all
from tests.charging_day import at, charging_day, declare_fleet, write_log
from tests.faults.faulty_log import FaultyLog, die
from tests.projections.books_of_a_day import books_of_a_day, replayed

HELD = "CS-OLD-2/22/20260302T082000Z"
CHOICE = Choice(
    received_at=at(300),
    station=HELD.split("/", maxsplit=1)[0],
    session_id=HELD,
    choice="release",
    by="ann",
    reason="seen on the meter",
)
KILLS = ["killed before the append", "killed after the append"]


def state(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SELECT state FROM session WHERE session_id = %s", (HELD,)).fetchone()
    assert row is not None
    return str(row[0])


def logged(log: PostgresEventLog, kind: type[LogLine]) -> list[LogLine]:
    return [each.line for each in read_all(log) if isinstance(each.line, kind)]


def release(dsn: str, fault: str) -> None:
    """Be `wattledger sessions release`, with no system up."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        faulty: Any = FaultyLog(log, fault)
        choose(connection, HELD, choice=CHOICE, log=faulty, work_off=work_off)


def declare_more(dsn: str, fault: str) -> None:
    """Be a command that declares something."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        faulty: Any = FaultyLog(log, fault)
        change = Change(kind=Kind.CUSTOMER, key="late", entity=Customer(details="p-late"))
        declare_all(connection, [change], log=faulty, by="test", at=at(400))


@pytest.mark.parametrize(("kill", "copies"), [(KILLS[0], 1), (KILLS[1], 2)])
def test_a_choice_of_a_killed_command_is_made_once_by_the_next_one(
    database: str, *, kill: str, copies: int
) -> None:
    books_of_a_day(database)
    die(release, database, kill)

    with connect(database) as connection, PostgresEventLog(database) as log:
        before = state(connection)
        carry(connection, log)
        work_off(database, log)

        assert (before, state(connection)) == ("held", "released")
        assert logged(log, Choice) == [CHOICE] * copies
    assert replayed(database).is_identical


def test_a_choice_whose_answer_is_lost_says_so_and_comes_to_pass(database: str) -> None:
    books_of_a_day(database)

    with pytest.raises(NotCarriedError, match="do not say it again"):
        release(database, "the answer is lost")

    with connect(database) as connection, PostgresEventLog(database) as log:
        carry(connection, log)
        work_off(database, log)
        assert state(connection) == "released"
    assert replayed(database).is_identical


@pytest.mark.parametrize("kill", KILLS)
def test_a_declaration_of_a_killed_command_holds_after_the_next_one(
    database: str, *, kill: str
) -> None:
    write_log(database, charging_day(declare_fleet(database)))
    with connect(database) as connection:
        before = load_version(connection)
    die(declare_more, database, kill)

    with connect(database) as connection, PostgresEventLog(database) as log:
        # The same once more, or anything else: it changes nothing, and brings the markers.
        apply_files(connection, [], log=log, by="test", at=at(401) + timedelta(days=1))
        work_off(database, log)

        held = connection.execute("SELECT DISTINCT declared_version FROM worker_position")
        assert held.fetchall() == [(load_version(connection),)] == [(before + 1,)]
        assert Declared(received_at=at(400), version=before + 1) in logged(log, Declared)
    assert replayed(database).is_identical


def test_all_that_was_asked_for_is_recorded_also_where_nobody_takes_it_in_time(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    books_of_a_day(database)
    monkeypatch.setattr(recording, "WAIT_SECONDS_MAX", 0.0)
    monkeypatch.setattr(corrections, "AT_ONCE", 1)
    asked = [replace(CHOICE, reason=f"reason {each}") for each in range(3)]

    with connect(database) as connection, PostgresEventLog(database) as log:
        with pytest.raises(NotTakenYetError):
            corrections.correct_all(connection, asked, log=log, work_off=None)

        assert logged(log, Choice) == asked
