"""The worker on a real PostgreSQL: exactly once, whatever the grouping, restarts and rivals."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from deploy.postgres import migrate
from ingest.facts.translate import translate
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog
from ledger.rating.decide import decide
from ledger.rating.stored import PACKING
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import StationFold
from ledger.worker.worker import FencedError, Worker
from tests.charging_day import (
    PARTITIONS,
    at,
    charging_day,
    choose,
    declare_fleet,
    event201,
    everywhere,
    start16,
    tick,
    write_log,
)

ALL = range(PARTITIONS)
CONSEQUENCES = {
    "session": "SELECT * FROM session ORDER BY session_id",
    "decision": "SELECT * FROM session_decision ORDER BY session_id, position",
    "line": "SELECT * FROM rated_line ORDER BY session_id, revision, line",
    "entry": "SELECT * FROM journal_entry ORDER BY entry_id",
    "validation": "SELECT * FROM validation ORDER BY partition, position, line",
    "posting": "SELECT * FROM posting ORDER BY entry_id, posting",
    "set aside": "SELECT * FROM set_aside ORDER BY partition, station_id, reason",
    "line set aside": "SELECT * FROM line_set_aside ORDER BY partition, position, line, station_id",
    "position": "SELECT * FROM worker_position ORDER BY partition",
}


@pytest.fixture
def day(database: str) -> str:
    """A database whose log holds the charging day; nobody has worked on it."""
    write_log(database, charging_day(declare_fleet(database)))
    return database


@contextmanager
def new_worker(dsn: str, **options: Any) -> Iterator[Worker]:  # noqa: ANN401 - handed on
    """Yield a worker on the log in *dsn*, by default on all partitions."""
    chosen = {"partitions": ALL, "translate": translate, **options}
    with PostgresEventLog(dsn) as log, Worker(dsn, **{"log": log, **chosen}) as worker:
        yield worker


def work(dsn: str, **options: Any) -> int:  # noqa: ANN401 - handed on
    with new_worker(dsn, **options) as worker:
        done = total = worker.run_once()
        while done:
            done = worker.run_once()
            total += done
    return total


def rows(dsn: str, query: str, schema: str = "books") -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        connection.execute(f"SET search_path = {schema}, inputs")
        return connection.execute(query.encode()).fetchall()


def consequences(dsn: str, schema: str = "books") -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows(dsn, query, schema) for name, query in CONSEQUENCES.items()}


def states(dsn: str) -> dict[str, str]:
    return dict(rows(dsn, "SELECT split_part(session_id, '/', 2), state FROM session"))


def new_schema(dsn: str, name: str) -> str:
    with psycopg.connect(dsn) as connection:
        migrate.apply(connection, "books", schema=name)
    return name


def test_a_day_becomes_sessions_decisions_and_balanced_postings(day: str) -> None:
    work(day)

    assert states(day) == {
        "11": "rated", "12": "rated", "21": "rated", "22": "held", "23": "rated", "A": "rated",
        "B": "held",
    }  # fmt: skip
    assert rows(day, "SELECT count(*), sum(amount_minor) FROM posting") == [(13, 0)]


@pytest.mark.parametrize("records", [1, 2, 3, 1000])
@pytest.mark.parametrize("restarting", [False, True])
def test_grouping_and_restarts_change_no_byte(day: str, *, records: int, restarting: bool) -> None:
    work(day)
    schema = new_schema(day, "other")
    options: dict[str, Any] = {"schema": schema, "group_records": records}

    while restarting and one_group(day, **options):
        pass
    work(day, **options)

    assert consequences(day, schema) == consequences(day)


def test_stations_out_of_mind_come_back_by_what_they_say_and_by_time(
    day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(day)
    schema = new_schema(day, "other")
    monkeypatch.setattr("ledger.worker.partition.ROWS_IN_MIND_MAX", 0)
    work(day, schema=schema, group_records=1)

    assert consequences(day, schema) == consequences(day)


def one_group(dsn: str, **options: Any) -> int:  # noqa: ANN401 - handed on
    with new_worker(dsn, **options) as worker:
        return worker.run_once()


def test_one_worker_a_partition_concludes_what_one_for_all_does(day: str) -> None:
    work(day)
    schema = new_schema(day, "other")

    for partition in reversed(ALL):
        work(day, schema=schema, partitions=[partition])

    assert consequences(day, schema) == consequences(day)


def test_a_second_worker_on_a_partition_is_fenced_and_writes_nothing(day: str) -> None:
    with (
        new_worker(day, group_records=1) as first,
        new_worker(day, group_records=1) as second,
    ):
        first.run_once()
        before = consequences(day)
        with pytest.raises(FencedError):
            second.run_once()
        assert consequences(day) == before
        while first.run_once():
            pass
    assert len(states(day)) == 7


def test_two_workers_at_the_same_time_count_nothing_twice(day: str) -> None:
    work(day)
    schema = new_schema(day, "other")
    fenced: list[FencedError] = []

    def rival() -> None:
        try:
            work(day, schema=schema, group_records=1)
        except FencedError as error:
            fenced.append(error)

    rivals = [threading.Thread(target=rival) for _ in range(2)]
    for thread in rivals:
        thread.start()
    for thread in rivals:
        thread.join()
    work(day, schema=schema)

    assert consequences(day, schema) == consequences(day)


def test_what_was_done_is_not_done_again(day: str) -> None:
    lines = work(day)
    before = consequences(day)

    assert lines == len(charging_day(1))
    assert work(day) == 0
    assert consequences(day) == before


def test_a_transaction_that_fails_leaves_nothing(day: str) -> None:
    with psycopg.connect(day) as connection:
        connection.execute("ALTER TABLE books.journal_entry RENAME accounts TO gone")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        work(day)

    assert rows(day, "SELECT count(*) FROM fact") == [(0,)]
    assert rows(day, "SELECT count(*) FROM session_decision") == [(0,)]
    assert rows(day, "SELECT DISTINCT next_position FROM worker_position") == [(0,)]


def test_a_released_session_is_rated_as_it_is(day: str) -> None:
    work(day)
    held = "CS-OLD-2/22/20260302T082000Z"

    write_log(day, [choose(held, "release", 300)])
    work(day)

    assert states(day)["22"] == "released"
    [(body,)] = rows(day, "SELECT body FROM session_decision WHERE kind = 'released'")
    assert b'"by":"ann"' in PACKING.unpack(body)
    assert b'"stop_lost"' in PACKING.unpack(body)


def test_a_written_off_session_costs_nothing(day: str) -> None:
    work(day)
    before = rows(day, CONSEQUENCES["posting"])

    write_log(day, [choose("CS-NEW-2/B/20260302T071000Z", "write_off", 300)])
    work(day)

    assert states(day)["B"] == "written_off"
    assert rows(day, CONSEQUENCES["posting"]) == before


@pytest.mark.parametrize(
    "session_id",
    [
        pytest.param("CS-OLD-1/11/20260302T070100Z", id="a rated session"),
        pytest.param("CS-OLD-1/99/no-start", id="a session that does not exist"),
        pytest.param("CS-GONE/1/no-start", id="a station that does not exist"),
    ],
)
def test_a_choice_about_no_held_session_is_set_aside(day: str, session_id: str) -> None:
    work(day)
    decided = rows(day, CONSEQUENCES["decision"])

    write_log(day, [choose(session_id, "release", 300)])
    work(day)

    assert rows(day, CONSEQUENCES["decision"]) == decided
    reasons = rows(day, "SELECT lines FROM set_aside WHERE reason = 'choice_without_held_session'")
    assert reasons == [(1,)]


def test_a_choice_made_twice_in_one_record_counts_once(day: str) -> None:
    work(day)
    held = "CS-NEW-2/B/20260302T071000Z"

    write_log(day, [choose(held, "write_off", 300), choose(held, "release", 301)])
    work(day)

    assert states(day)["B"] == "written_off"


def test_the_same_stop_again_after_the_decision_is_a_duplicate_and_no_late_fact(
    database: str,
) -> None:
    write_log(database, charging_day(declare_fleet(database)), lines_a_record=1)

    work(database)

    [(flags,)] = rows(database, "SELECT flags FROM session WHERE transaction_ref = '11'")
    assert flags == ["duplicate_stop"]


def test_lines_that_say_nothing_are_counted_and_stop_nobody(day: str) -> None:
    with PostgresEventLog(day) as log:
        log.append([NewRecord(0, [b"{no json", b'{"kind":"riddle"}']), NewRecord(0, [b"\xff\xfe"])])
    later = start16("CS-OLD-1", 400, 31, "FLEET1", 8000)
    write_log(day, [later])

    work(day)

    assert rows(day, "SELECT lines FROM set_aside WHERE reason = 'line_unreadable'") == [(3,)]
    assert states(day)["31"] == "open"


def test_before_anything_is_declared_a_session_is_held_and_nothing_is_billed(database: str) -> None:
    undeclared = charging_day(declare_fleet(database))[PARTITIONS:]
    write_log(database, [*undeclared, *tick(300)])

    work(database)

    assert set(states(database).values()) == {"held"}
    assert rows(database, "SELECT count(*) FROM posting") == [(0,)]


def test_an_open_session_shows_its_register_while_it_charges(database: str) -> None:
    day = charging_day(declare_fleet(database))
    write_log(database, [timed for timed in day if timed[0] < at(30)])

    work(database)

    shown = "SELECT state, register_wh FROM session WHERE transaction_ref = '11'"
    assert rows(database, shown) == [("open", 3500)]


def test_a_running_worker_follows_what_is_appended(day: str) -> None:
    stop = threading.Event()
    with new_worker(day) as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        write_log(day, [start16("CS-OLD-1", 400, 31, "FLEET1", 8000)])
        seen = False
        for _ in range(1_200):
            seen = "31" in states(day)
            if seen:
                break
            stop.wait(0.05)
        stop.set()
        thread.join()
    assert seen


def test_a_start_that_comes_after_the_hold_makes_the_session_whole(database: str) -> None:
    version = declare_fleet(database)
    ended = event201("CS-NEW-1", 45, "Ended", "C", 1, 4100)
    write_log(database, [*everywhere(version, -1), ended, *tick(120)])
    work(database)
    held = states_by_id(database)
    started = event201("CS-NEW-1", 10, "Started", "C", 0, 100, token="FLEET1", received=200)
    write_log(database, [started])
    work(database)

    assert held == {"CS-NEW-1/C/no-start": "held"}
    assert states_by_id(database) == {
        "CS-NEW-1/C/no-start": "replaced",
        "CS-NEW-1/C/20260302T071000Z": "rated",
    }


def test_a_start_that_moves_after_the_rating_corrects_it_under_its_id(database: str) -> None:
    version = declare_fleet(database)
    whole = [
        event201("CS-NEW-1", 10, "Started", "C", 0, 100, token="FLEET1"),
        event201("CS-NEW-1", 45, "Ended", "C", 1, 4100),
    ]
    write_log(database, [*everywhere(version, -1), *whole])
    work(database)
    # The start again, half a minute earlier: by its content that is when it began.
    again = event201("CS-NEW-1", 9.5, "Started", "C", 0, 100, token="FLEET1", received=47)
    write_log(database, [again])
    work(database)

    [(session_id, state, flags)] = rows(database, "SELECT session_id, state, flags FROM session")
    assert (session_id, state) == ("CS-NEW-1/C/20260302T071000Z", "rated")
    assert "late_fact" in flags
    kinds = rows(database, "SELECT kind, revision FROM session_decision ORDER BY number")
    assert kinds == [("rated", 1), ("corrected", 2)]


def test_a_session_that_cannot_be_rated_is_held_and_stops_no_other(
    day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_once(session: ChargingSession, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        if session.transaction_ref == "11" and session.is_complete:
            raise ZeroDivisionError("a station's \ud800\0 " + "x" * 600)
        return decide(session, *given, **named)

    monkeypatch.setattr("ledger.worker.rater.decide", fail_once)
    work(day)

    assert states(day)["11"] == "held"
    assert states(day)["12"] == "rated"
    [(reasons,)] = rows(day, "SELECT reasons FROM session WHERE transaction_ref = '11'")
    assert reasons == ["rating_failed"]
    [(body,)] = rows(
        day, "SELECT body FROM session_decision WHERE kind = 'held' AND session_id LIKE '%/11/%'"
    )
    [reason] = json.loads(PACKING.unpack(body))["reasons"]
    said = reason["parameters"]
    assert (reason["code"], said["error"]) == ("rating_failed", "ZeroDivisionError")
    assert said["message"].startswith("a station's ? xxx")
    assert len(said["message"]) < 500


def states_by_id(dsn: str) -> dict[str, str]:
    return dict(rows(dsn, "SELECT session_id, state FROM session"))


def test_a_station_whose_fold_fails_is_set_aside_and_stops_no_other(
    day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = StationFold.sessions

    def fail(fold: StationFold, transaction: str) -> tuple[ChargingSession, ...]:
        if fold.station_id == "CS-OLD-1":
            raise ZeroDivisionError(transaction)
        return sessions(fold, transaction)

    monkeypatch.setattr(StationFold, "sessions", fail)
    work(day)

    assert states(day)["A"] == "rated"
    assert "11" not in states(day)
    aside = "SELECT DISTINCT station_id, reason FROM line_set_aside"
    assert rows(day, aside) == [("CS-OLD-1", "not_folded")]
