"""What comes after a decision: held sessions are decided again, final decisions stand."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Literal

import psycopg
import pytest
from msgspec.structs import replace

from deploy.postgres import migrate
from ingest.facts.translate import translate
from ledger.log.authorization import Authorization
from ledger.log.postgres import PostgresEventLog
from ledger.rating.stored import PACKING
from ledger.worker.worker import Worker
from tests.charging_day import (
    PARTITIONS,
    Timed,
    at,
    call,
    choose,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    stamp,
    start16,
    stop16,
    tick,
    write_log,
)

LOST = "CS-OLD-1/31/20260302T071000Z"
GAPPY = "CS-NEW-1/C/20260302T071000Z"


def work(dsn: str, *, group_records: int = 64, schema: str = "books") -> None:
    with (
        PostgresEventLog(dsn) as log,
        Worker(
            dsn,
            log=log,
            partitions=range(PARTITIONS),
            translate=translate,
            group_records=group_records,
            schema=schema,
        ) as worker,
    ):
        while worker.run_once():
            pass


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        return connection.execute(query.encode()).fetchall()


def decided(dsn: str) -> list[str]:
    return [kind for (kind,) in rows(dsn, "SELECT kind FROM session_decision ORDER BY position")]


def shown(dsn: str) -> tuple[Any, ...]:
    [row] = rows(dsn, "SELECT session_id, state, reasons, flags, energy_wh FROM session")
    return row


@pytest.fixture
def lost_stop(database: str) -> str:
    """A session held because its stop did not come for more than a day."""
    version = declare_fleet(database)
    begun = [start16("CS-OLD-1", 10, 31, "FLEET1", 1000), meter16("CS-OLD-1", 20, 31, 2000)]
    write_log(database, [*everywhere(version, -1), *begun, *tick(2000)])
    work(database)
    return database


@pytest.fixture
def gap(database: str) -> str:
    """A session held because two of its messages are missing."""
    version = declare_fleet(database)
    known = [
        event201("CS-NEW-1", 10, "Started", "C", 0, 0, token="FLEET1"),
        event201("CS-NEW-1", 40, "Ended", "C", 3, 3000),
    ]
    write_log(database, [*everywhere(version, -1), *known, *tick(200)])
    work(database)
    return database


def test_a_session_held_for_its_lost_stop_is_rated_when_the_stop_comes(lost_stop: str) -> None:
    assert shown(lost_stop)[:3] == (LOST, "held", ["stop_lost"])

    write_log(lost_stop, [stop16("CS-OLD-1", 60, 31, 5000, received=2100)])
    work(lost_stop)

    assert shown(lost_stop)[:3] == (LOST, "rated", [])
    assert shown(lost_stop)[4] == 4000
    assert decided(lost_stop) == ["held", "rated"]
    assert rows(lost_stop, "SELECT sum(amount_minor), count(*) > 0 FROM posting") == [(0, True)]


@pytest.mark.parametrize("lines_a_record", [1, 2])
def test_a_release_takes_a_reading_that_came_before_it_in_its_record(
    lost_stop: str, lines_a_record: int
) -> None:
    lines = [meter16("CS-OLD-1", 2050, 31, 7000), choose(LOST, "release", 2051)]
    write_log(lost_stop, lines, lines_a_record=lines_a_record)
    work(lost_stop)

    [(body,)] = rows(lost_stop, "SELECT body FROM session_decision WHERE kind = 'released'")
    assert Decimal(json.loads(PACKING.unpack(body))["energy_wh"]) == 6000


def test_a_session_held_for_a_gap_is_rated_when_the_last_missing_message_comes(gap: str) -> None:
    write_log(gap, [event201("CS-NEW-1", 20, "Updated", "C", 1, 1000, received=300)])
    work(gap)
    after_one = shown(gap)[1:3]
    write_log(gap, [event201("CS-NEW-1", 30, "Updated", "C", 2, 2000, received=310)])
    work(gap)

    assert after_one == ("held", ["seq_gap"])
    assert shown(gap)[:3] == (GAPPY, "rated", [])
    assert decided(gap) == ["held", "rated"]


def test_a_held_session_that_stays_doubtful_is_held_for_what_is_doubtful_now(
    lost_stop: str,
) -> None:
    write_log(lost_stop, [stop16("CS-OLD-1", 60, 31, 9_000_000, received=2100)])
    work(lost_stop)

    _, state, reasons, _, _ = shown(lost_stop)
    assert state == "held"
    assert "stop_lost" not in reasons
    assert reasons
    assert decided(lost_stop) == ["held", "held"]


def test_readings_of_a_held_session_are_shown_without_a_new_decision(lost_stop: str) -> None:
    write_log(lost_stop, [meter16("CS-OLD-1", 2090, 31, 3500)])
    work(lost_stop)

    assert shown(lost_stop)[1] == "held"
    assert shown(lost_stop)[4] == 2500
    assert decided(lost_stop) == ["held"]


def test_the_same_message_again_decides_nothing_again(gap: str) -> None:
    write_log(gap, [event201("CS-NEW-1", 40, "Ended", "C", 3, 3000, received=300)])
    work(gap)

    assert decided(gap) == ["held"]


def test_what_makes_a_rated_session_doubtful_is_flagged_and_changes_no_decision(gap: str) -> None:
    missing = [event201("CS-NEW-1", 10 * n + 10, "Updated", "C", n, 1000 * n) for n in (1, 2)]
    write_log(gap, missing)
    work(gap)
    body = rows(gap, "SELECT body FROM session_decision WHERE kind = 'rated'")

    write_log(gap, [event201("CS-NEW-1", 40, "Ended", "C", 4, 3900, received=400)])
    work(gap)

    _, state, _, flags, energy = shown(gap)
    assert (state, energy) == ("rated", 3000)
    assert "late_fact" in flags
    assert rows(gap, "SELECT body FROM session_decision WHERE kind = 'rated'") == body


def test_what_comes_after_a_write_off_changes_no_decision(lost_stop: str) -> None:
    write_log(lost_stop, [choose(LOST, "write_off", 2050)])
    write_log(lost_stop, [stop16("CS-OLD-1", 60, 31, 5000, received=2100)])
    work(lost_stop)

    assert shown(lost_stop)[1] == "written_off"
    assert "late_fact" in shown(lost_stop)[3]
    assert decided(lost_stop) == ["held", "written_off"]


def test_deciding_again_does_not_depend_on_grouping_or_restarts(lost_stop: str) -> None:
    write_log(lost_stop, [stop16("CS-OLD-1", 60, 31, 9_000_000, received=2100)])
    write_log(lost_stop, [meter16("CS-OLD-1", 59, 31, 4900)], lines_a_record=1)
    work(lost_stop)
    query = "SELECT position, kind, body FROM session_decision ORDER BY position"
    once = rows(lost_stop, query)

    with psycopg.connect(lost_stop) as connection:
        migrate.apply(connection, "books", schema="other")
    for _ in range(8):
        work(lost_stop, group_records=1, schema="other")

    with psycopg.connect(lost_stop) as connection:
        connection.execute("SET search_path = other, inputs")
        assert connection.execute(query.encode()).fetchall() == once


def test_a_moved_start_goes_on_its_own_session_and_an_older_one_is_rated_beside_it(
    database: str,
) -> None:
    version = declare_fleet(database)
    first = [
        event201("CS-NEW-1", 120, "Started", "R", 0, 9000, token="FLEET1"),
        event201("CS-NEW-1", 150, "Ended", "R", 1, 14_000),
    ]
    write_log(database, [*everywhere(version, -1), *first])
    work(database)
    late = [
        event201("CS-NEW-1", 10, "Started", "R", 0, 1000, token="FLEET1", received=200),
        event201("CS-NEW-1", 30, "Ended", "R", 1, 3000, received=200),
        event201("CS-NEW-1", 119.5, "Started", "R", 0, 9000, token="FLEET1", received=200),
    ]
    write_log(database, late, lines_a_record=10)
    work(database)

    rated = rows(database, "SELECT session_id, body FROM session_decision ORDER BY position")

    # Under the id by which it was rated, whose moment is no longer that of its start.
    assert sorted(session_id for session_id, _ in rated) == [
        "CS-NEW-1/R/20260302T071000Z",
        "CS-NEW-1/R/20260302T090000Z",
        "CS-NEW-1/R/20260302T090000Z",
    ]
    assert decided(database) == ["rated", "rated", "corrected"]


def answered(started: Timed, status: Literal["accepted", "blocked"], minutes: float) -> Timed:
    """Return a start as it is logged when it comes again, with what its token was found to be."""
    _, station, line = started
    found = Authorization(subject="guest1", by="partner", status=status, party="NL-TNM")
    return at(minutes), station, replace(line, received_at=at(minutes), authorization=found)


def test_a_start_that_comes_again_with_its_partner_s_word_rates_what_was_held(
    database: str,
) -> None:
    started = start16("CS-OLD-1", 10, 31, "GUEST1", 1000)
    first = [*everywhere(declare_fleet(database), -1), started, stop16("CS-OLD-1", 60, 31, 5000)]
    write_log(database, first)
    work(database)
    assert decided(database) == ["held"]

    write_log(database, [answered(started, "accepted", 70)])
    work(database)

    assert decided(database) == ["held", "rated"]


def test_another_word_to_a_start_that_comes_again_changes_nothing(database: str) -> None:
    started = answered(start16("CS-OLD-1", 10, 31, "GUEST1", 1000), "accepted", 10)
    first = [*everywhere(declare_fleet(database), -1), started, stop16("CS-OLD-1", 60, 31, 5000)]
    write_log(database, first)
    work(database)

    write_log(database, [answered(started, "blocked", 70)])
    work(database)

    assert decided(database) == ["rated"]
    assert "late_fact" not in shown(database)[3]


def state201(minutes: float, state: str, *, received: float) -> Timed:
    """Return an event of session C that tells a state and no reading."""
    payload = {
        "eventType": "Updated",
        "timestamp": stamp(minutes),
        "triggerReason": "ChargingStateChanged",
        "seqNo": 0,  # as some stations number everything
        "transactionInfo": {"transactionId": "C", "chargingState": state},
    }
    return call("CS-NEW-1", received, "TransactionEvent", payload, {})


@pytest.mark.parametrize(
    ("minutes", "state", "is_late"),
    [(30, "Charging", False), (30, "SuspendedEV", True), (20, "Idle", True)],
    ids=["as it was", "parking", "the plug was free"],
)
def test_a_state_that_comes_after_the_rating_corrects_what_it_changes(
    database: str, minutes: float, state: str, *, is_late: bool
) -> None:
    version = declare_fleet(database)
    whole = [
        event201("CS-NEW-1", 10, "Started", "C", 0, 0, token="FLEET1"),
        event201("CS-NEW-1", 18, "Updated", "C", 0, 3000),
        event201("CS-NEW-1", 60, "Ended", "C", 0, 3000),
        state201(19, "Charging", received=61),
    ]
    write_log(database, [*everywhere(version, -1), *whole])
    work(database)
    assert decided(database) == ["rated"]
    write_log(database, [state201(minutes, state, received=70)])
    work(database)

    assert decided(database) == (["rated", "corrected"] if is_late else ["rated"])
    assert ("late_fact" in shown(database)[3]) is is_late


@pytest.mark.parametrize("ref", [-1, 999])
def test_a_stop_without_a_valid_id_that_tells_a_rated_one_again_is_a_duplicate(
    database: str, ref: int
) -> None:
    begun = start16("CS-OLD-1", 10, 31, "FLEET1", 1000)
    first = [*everywhere(declare_fleet(database), -1), begun, stop16("CS-OLD-1", 60, 31, 5000)]
    write_log(database, first)
    work(database)
    write_log(database, [stop16("CS-OLD-1", 60.5, ref, 5000, received=61)])
    work(database)

    _, state, _, flags, _ = shown(database)
    assert state == "rated"
    assert {"duplicate_stop", "resolved_by_context"} <= set(flags)
    assert "late_fact" not in flags
    assert decided(database) == ["rated"]


def test_a_stop_without_an_id_that_comes_after_a_release_corrects_it(database: str) -> None:
    begun = [
        start16("CS-OLD-1", 10, 31, "FLEET1", 1000),
        start16("CS-OLD-1", 40, 32, "FLEET1", 2000),
    ]
    first = [*everywhere(declare_fleet(database), -1), *begun, *tick(120)]
    write_log(database, first)
    write_log(database, [choose(LOST, "release", 121)])
    work(database)
    write_log(database, [stop16("CS-OLD-1", 30, -1, 1800, received=122)])
    work(database)

    [(state, flags)] = rows(
        database,
        "SELECT state, flags FROM session WHERE started_at IS NOT NULL ORDER BY started_at LIMIT 1",
    )
    assert state == "rated"
    assert {"late_fact", "resolved_by_context"} <= set(flags)
    assert "duplicate_stop" not in flags
    query = "SELECT kind, body FROM session_decision WHERE kind IN {} ORDER BY number"
    found = rows(database, query.format("('released', 'corrected')"))
    assert [kind for kind, _ in found] == ["released", "corrected"]
    # Released up to its last sign, which was its start; corrected to its stop.
    ends = [json.loads(PACKING.unpack(body))["ended_at"] for _, body in found]
    assert ends == ["2026-03-02T07:10:00Z", "2026-03-02T07:30:00Z"]


def test_a_stop_without_an_id_that_ends_a_session_is_no_late_fact(database: str) -> None:
    begun = start16("CS-OLD-1", 10, 31, "FLEET1", 1000)
    stopped = stop16("CS-OLD-1", 60, -1, 5000)
    write_log(database, [*everywhere(declare_fleet(database), -1), begun, stopped])
    work(database)

    assert shown(database)[1] == "rated"
    assert "late_fact" not in shown(database)[3]
