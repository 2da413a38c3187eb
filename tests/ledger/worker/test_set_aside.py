"""Whatever raises: that line is left out, those beside it count, and it can be taken again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest

from deploy.postgres import migrate
from ledger.database import connect
from ledger.desk.taking_again import NotSetAsideError, asides_at
from ledger.facts.station_facts import SessionEnded, StationFact, transaction_of
from ledger.log.envelope import Frame
from ledger.log.event_log import Position
from ledger.sessions import station_fold
from projections.balances.energy import energy_balance
from tests.charging_day import (
    charging_day,
    choose,
    declare_fleet,
    everywhere,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.faults.broken_books import (
    BAD,
    BOOKS,
    GOOD,
    PARTITION_MODULE,
    PLAIN,
    Broken,
    asides,
    is_identical,
    let_again,
    rows,
    states,
    story,
    work,
)  # fmt: skip


def is_bad(fact: StationFact) -> bool:
    return isinstance(fact, SessionEnded) and fact.meter_stop_wh == 6666


def not_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(frame: Frame, *, position: int, line: int) -> Sequence[StationFact]:
        if "6666" in frame.frame:
            raise ZeroDivisionError(frame.station)
        return PLAIN(frame, position=position, line=line)

    monkeypatch.setattr("tests.faults.broken_books.translate", fail)


def not_recalled(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fact: StationFact) -> str:
        if is_bad(fact):
            raise psycopg.DataError
        return transaction_of(fact)

    monkeypatch.setattr(f"{PARTITION_MODULE}.transaction_of", fail)


def not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = station_fold.StationFold.sessions

    def fail(fold: station_fold.StationFold, transaction: str) -> Any:  # noqa: ANN401 - handed on
        told = fold.told.transactions.get(transaction)
        if told and any(is_bad(fact) for fact in told.ends):
            raise RecursionError(transaction)
        return sessions(fold, transaction)

    monkeypatch.setattr(station_fold.StationFold, "sessions", fail)


@pytest.fixture
def unstorable(database: str) -> Callable[[bool], None]:
    """Let the database refuse what follows from the bad stop, or take it again."""

    def refuse(*, is_broken: bool) -> None:
        change = (
            "ADD CONSTRAINT refused CHECK (energy_wh IS DISTINCT FROM 5666 OR state <> 'rated')"
            if is_broken
            else "DROP CONSTRAINT refused"
        )
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"ALTER TABLE books.session {change}".encode())

    return lambda is_broken: refuse(is_broken=is_broken)


@pytest.mark.parametrize(
    ("step", "broken"),
    [
        ("not_translated", not_translated),
        ("not_taken", not_recalled),
        ("not_folded", not_folded),
        ("not_taken", None),
    ],
    ids=["translate", "recall", "fold", "store"],
)
@pytest.mark.parametrize("lines_a_record", [1, 3, 100])
def test_the_line_that_raises_is_set_aside_alone_and_taken_again_after_a_fix(
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    unstorable: Callable[[bool], None],
    step: str,
    broken: Broken | None,
    lines_a_record: int,
) -> None:
    version = declare_fleet(database)
    write_log(
        database, [*everywhere(version, -1), *story(), *tick(200)], lines_a_record=lines_a_record
    )
    with monkeypatch.context() as breaking:
        if broken:
            broken(breaking)
        else:
            unstorable(True)
        work(database)

        assert asides(database) == [(BAD, step, True)]
        assert states(database) == {"11": "held", "12": "rated", "21": "rated"}
        assert rows(database, "SELECT energy_wh FROM session WHERE transaction_ref = '21'") == [
            (5000,)
        ]
        if broken:
            assert is_identical(database)
        else:
            unstorable(False)

    assert is_identical(database), "the code is mended: what was set aside stays so at its place"
    [done] = let_again(database, 300)

    assert not done.is_set_aside
    assert asides(database) == [(BAD, step, False)]
    assert states(database) == {"11": "rated", "12": "rated", "21": "rated"}
    assert rows(database, "SELECT energy_wh FROM session WHERE transaction_ref = '11'") == [(5666,)]
    assert is_identical(database)
    with connect(database) as connection:
        assert energy_balance(connection).is_balanced
        with pytest.raises(NotSetAsideError):
            asides_at(connection, done.at)


def test_what_still_raises_is_set_aside_once_more(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_folded(monkeypatch)
    write_log(database, [*everywhere(declare_fleet(database), -1), *story(), *tick(200)])
    work(database)

    [done] = let_again(database, 300)

    assert done.is_set_aside
    assert asides(database) == [(BAD, "not_folded", False), (BAD, "not_folded", True)]
    assert is_identical(database)


def test_a_reading_that_the_fold_meets_later_is_set_aside_not_the_stop(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading is in the books already: no fold was made of it until the stop came."""
    sessions = station_fold.StationFold.sessions

    def fail(fold: station_fold.StationFold, transaction: str) -> Any:  # noqa: ANN401 - handed on
        told = fold.told.transactions.get(transaction)
        if told and any(r.value == 2000 for fact in told.updates for r in fact.readings):
            raise OverflowError(transaction)
        return sessions(fold, transaction)

    monkeypatch.setattr(station_fold.StationFold, "sessions", fail)
    lines = [each for each in story() if each[1] == BAD]
    write_log(database, [*everywhere(declare_fleet(database), -1), *lines], lines_a_record=1)
    work(database, group_records=1)

    [(position, set_aside_at)] = rows(database, "SELECT position, set_aside_at FROM line_set_aside")
    assert position < set_aside_at
    assert states(database) == {"11": "rated", "12": "rated"}
    monkeypatch.setattr(station_fold.StationFold, "sessions", sessions)
    assert is_identical(database)

    let_again(database, 300)

    [(flags,)] = rows(database, "SELECT flags FROM session WHERE transaction_ref = '11'")
    assert flags == ["late_fact"]
    assert is_identical(database)


def test_a_tick_that_raises_for_one_station_holds_for_all_others(
    database: str, unstorable: Callable[[bool], None]
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            f"ALTER TABLE books.session ADD CONSTRAINT refused"
            f" CHECK (state <> 'held' OR station_id <> '{BAD}')".encode()
        )
    lines = [start16(BAD, 1, 11, "FLEET1", 0), start16(GOOD, 1, 21, "FLEET1", 0)]
    write_log(database, [*everywhere(declare_fleet(database), -1), *lines, *tick(3000)])
    work(database)
    assert asides(database) == [(BAD, "not_timed_out", True)]
    assert states(database) == {"11": "open", "21": "held"}

    more = [start16(BAD, 3001, 12, "FLEET1", 0, 2), stop16(BAD, 3002, 12, 1000), *tick(6100)]
    write_log(database, more)
    work(database)
    assert asides(database) == [(BAD, "not_timed_out", True)], "once, not at every tick"
    assert states(database) == {"11": "open", "12": "rated", "21": "held"}

    unstorable(False)
    let_again(database, 6200)

    assert states(database) == {"11": "held", "12": "rated", "21": "held"}
    assert is_identical(database)


def test_a_choice_that_raises_is_set_aside_and_its_session_stays_held(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    write_log(database, charging_day(declare_fleet(database)))
    work(database)
    write_log(database, [choose("CS-OLD-2/22/20260302T082000Z", "release", 300)])
    with monkeypatch.context() as breaking:
        breaking.setattr("ledger.worker.rater.release", fail)
        work(database)
    assert asides(database) == [("CS-OLD-2", "not_taken", True)]
    assert states(database)["22"] == "held"

    let_again(database, 400)

    assert states(database)["22"] == "released"
    assert is_identical(database)


@pytest.mark.parametrize("records", [1, 2, 1000])
def test_grouping_and_restarts_set_the_same_lines_aside(
    database: str, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    not_folded(monkeypatch)
    not_translated(monkeypatch)
    write_log(database, [*charging_day(declare_fleet(database)), *story()])
    work(database)
    with psycopg.connect(database) as connection:
        migrate.apply(connection, "books", schema="other")
        connection.commit()
    work(database, schema="other", group_records=records)

    def books(schema: str) -> list[list[tuple[Any, ...]]]:
        with connect(database, tables=f"{schema}, inputs") as connection:
            return [connection.execute(query.encode()).fetchall() for query in BOOKS.values()]

    assert books("other") == books("books")
    assert asides(database)


def test_a_word_about_a_line_that_is_not_set_aside_changes_nothing(database: str) -> None:
    write_log(database, [*everywhere(declare_fleet(database), -1), *story()])
    work(database)
    before = [rows(database, query) for query in BOOKS.values()]

    with connect(database) as connection, pytest.raises(NotSetAsideError):
        asides_at(connection, Position(0, 0, 0))

    assert [rows(database, query) for query in BOOKS.values()] == before
