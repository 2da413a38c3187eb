"""A price that late facts change: the next revision, what it posts, and when a person is asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.books.decisions_store import rated_sessions
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.envelope import Choice
from ledger.master_data.policies import MoneyLimit, Policy
from ledger.rating.decisions import CorrectionCause, SessionRated, SessionRevision
from ledger.rating.reconciling.correcting import is_billed_otherwise
from projections.balances.energy import energy_balance
from projections.balances.trial import trial_balance
from tests.charging_day import (
    MORNING,
    Timed,
    at,
    call,
    declare_fleet,
    event201,
    everywhere,
    register201,
    stamp,
    tick,
    write_log,
)
from tests.faults.broken_books import is_identical, rows, work

SESSION = "CS-NEW-1/C/20260302T071000Z"


def said(
    minutes: float,
    state: str,
    wh: float | None = None,
    *,
    received: float | None = None,
    station: str = "CS-NEW-1",
) -> Timed:
    """Return an event of session C; its station numbers everything 0, so none is missed."""
    payload: dict[str, Any] = {
        "eventType": "Updated",
        "timestamp": stamp(minutes),
        "triggerReason": "ChargingStateChanged",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "C", "chargingState": state},
        "evse": {"id": 1, "connectorId": 1},
    }
    if wh is not None:
        payload["meterValue"] = [register201(minutes, wh)]
    came = minutes if received is None else received
    return call(station, came, "TransactionEvent", payload, {})


WHOLE = (
    event201("CS-NEW-1", 10, "Started", "C", 0, 0, token="FLEET1"),
    said(30, "Charging", 3000),
    event201("CS-NEW-1", 60, "Ended", "C", 0, 5000),
)
PARKED = said(40, "SuspendedEV", 5000, received=70)
"""What was not told in time: the vehicle was full at minute 40."""


def begun(dsn: str, **policy: MoneyLimit | bool) -> str:
    """Return a database in which session C is rated."""
    version = declare_fleet(dsn)
    if policy:
        change = Change(
            kind=Kind.POLICY,
            key="policy",
            entity=msgspec.convert(policy, Policy),
            valid_from=MORNING,
        )
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SET search_path = books, inputs, persons")
            version = declare(connection, [change], by="test", at=MORNING)
    write_log(dsn, [*everywhere(version, -1), *WHOLE])
    work(dsn)
    return dsn


def rating(dsn: str, revision: int) -> SessionRated:
    return rating_of(dsn, SESSION, revision)


def rating_of(dsn: str, session_id: str, revision: int) -> SessionRated:
    with connect(dsn) as connection:
        return rated_sessions(connection, [SessionRevision(session_id, revision)])[0]


def shown(dsn: str) -> tuple[Any, ...]:
    [row] = rows(dsn, "SELECT state, revision, reasons, flags FROM session")
    return row


def test_a_late_fact_makes_the_next_revision_which_says_what_it_corrects(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [PARKED])
    work(dsn)

    first, second = rating(dsn, 1), rating(dsn, 2)
    state, revision, _, flags = shown(dsn)
    assert (state, revision) == ("rated", 2)
    assert "late_fact" in flags
    # 20 minutes of parking at 6 EUR an hour before 19 %.
    assert second.net_minor - first.net_minor == 200
    said_of_it = second.corrects
    assert said_of_it is not None
    assert said_of_it.cause is CorrectionCause.LATE_FACT
    assert (said_of_it.revision, said_of_it.net_minor) == (1, first.net_minor)
    assert said_of_it.energy_wh == first.energy_wh
    [(position, _)] = said_of_it.frames
    assert position == second.moment.position
    assert rows(dsn, "SELECT kind FROM session_decision ORDER BY number") == [
        ("rated",), ("corrected",)
    ]  # fmt: skip


def test_it_takes_back_what_the_earlier_revision_posted_and_its_place_in_the_queue(
    database: str,
) -> None:
    dsn = begun(database)
    write_log(dsn, [PARKED])
    work(dsn)

    entries = rows(dsn, "SELECT entry_id, session_id, revision FROM journal_entry ORDER BY 1")
    assert entries == [
        (f"rated:{SESSION}", SESSION, 1),
        (f"rated:{SESSION}/2", SESSION, 2),
        (f"reversed:{SESSION}", SESSION, 2),
    ]
    owed = "SELECT sum(amount_minor)::int FROM posting WHERE account = 'receivable:unbilled'"
    assert rows(dsn, owed) == [(rating(dsn, 2).gross_minor,)]
    assert rows(dsn, "SELECT revision FROM uninvoiced_session") == [(2,)]
    waits = "SELECT revision, corrects, is_settled_with_partner FROM correction_to_document"
    assert rows(dsn, waits) == [(2, 1, False)]
    with connect(dsn) as connection:
        assert trial_balance(connection).is_balanced
        assert energy_balance(connection).is_balanced
    assert is_identical(dsn)


def test_what_changes_nothing_that_is_billed_corrects_nothing(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [said(45, "Charging", 4000, received=70)])
    work(dsn)

    assert shown(dsn)[:2] == ("rated", 1)
    assert rows(dsn, "TABLE correction_to_document") == []


@pytest.mark.parametrize(
    ("limit", "revision"),
    [
        (Decimal("2.38"), 2),
        (Decimal("2.39"), 1),
        ({"EUR": Decimal("2.38"), "SEK": Decimal(99)}, 2),
        ({"EUR": Decimal("2.39"), "SEK": Decimal(0)}, 1),
        ({"SEK": Decimal(99)}, 2),
    ],
)
def test_a_correction_is_made_from_the_difference_on_that_the_policy_says(
    database: str, limit: MoneyLimit, revision: int
) -> None:
    dsn = begun(database, correct_from=limit)
    write_log(dsn, [PARKED])
    work(dsn)

    assert shown(dsn)[1] == revision
    assert "late_fact" in shown(dsn)[3]
    assert "correction_waits" not in shown(dsn)[3]


def test_where_a_person_must_agree_the_session_says_that_its_correction_waits(
    database: str,
) -> None:
    dsn = begun(database, corrections_agreed=True)
    write_log(dsn, [PARKED])
    work(dsn)

    assert shown(dsn)[:2] == ("rated", 1)
    assert "correction_waits" in shown(dsn)[3]
    assert is_identical(dsn)


def test_a_late_fact_that_makes_a_session_doubtful_moves_no_money(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [event201("CS-NEW-1", 60, "Ended", "C", 0, 9_000_000, received=70)])
    work(dsn)

    state, revision, reasons, flags = shown(dsn)
    assert (state, revision) == ("rated", 1)
    assert "correction_waits" in flags
    assert reasons
    # What settles the doubt settles the question.
    assert rows(dsn, "SELECT count(*) FROM session_decision") == [(1,)]


def test_a_later_correction_counts_from_the_one_before(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [PARKED])
    write_log(dsn, [said(20, "SuspendedEV", 3000, received=80), said(25, "Charging", received=80)])
    work(dsn)

    third = rating(dsn, 3)
    assert third.corrects is not None
    assert (third.corrects.revision, third.corrects.net_minor) == (2, rating(dsn, 2).net_minor)
    owed = "SELECT sum(amount_minor)::int FROM posting WHERE account = 'receivable:unbilled'"
    assert rows(dsn, owed) == [(third.gross_minor,)]


def arrived(lines: Sequence[Timed], chance: random.Random) -> list[Timed]:
    """Return *lines* as a station may bring them: late by minutes, hours or days, in any order."""
    found = []
    for received_at, station, line in lines:
        late = chance.choice([0, 0, 1, 30, 200, 2_000, 5_000]) * chance.random()
        moved = received_at + timedelta(minutes=late)
        found.append((moved, station, msgspec.structs.replace(line, received_at=moved)))
    for minutes in (75, 150, 400, 1_700, 3_500, 9_000):
        found += tick(minutes)
    return sorted(found, key=lambda timed: timed[0])


def told(station: str) -> list[Timed]:
    """Return a session that charges, pauses, charges and parks."""
    return [
        event201(station, 10, "Started", "C", 0, 0, token="FLEET1"),
        said(20, "Charging", 2000, station=station),
        said(25, "SuspendedEV", 2500, station=station),
        said(32, "Charging", 2500, station=station),
        said(40, "Charging", 4000, station=station),
        said(47, "SuspendedEV", 5000, station=station),
        event201(station, 60, "Ended", "C", 0, 5000),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_in_any_order_the_last_revision_is_one_rating_of_all_facts(
    database: str, seed: int
) -> None:
    chance = random.Random(seed)
    lines = [*everywhere(declare_fleet(database), -1), *told("CS-NEW-2")]
    lines += arrived(told("CS-NEW-1"), chance)
    write_log(database, sorted(lines, key=lambda timed: timed[0]), lines_a_record=1)
    work(database)

    last, in_order = final(database, "CS-NEW-1"), final(database, "CS-NEW-2")
    assert in_order.revision == 1
    assert not is_billed_otherwise(last, in_order)
    owed = "SELECT sum(amount_minor)::int FROM posting WHERE account = 'receivable:unbilled'"
    assert rows(database, owed) == [(2 * in_order.gross_minor,)]
    with connect(database) as connection:
        assert energy_balance(connection).is_balanced
        assert trial_balance(connection).is_balanced
    assert is_identical(database)


def final(dsn: str, station: str) -> SessionRated:
    """Return what holds of the station's one session."""
    found = rows(
        dsn, f"SELECT session_id, revision FROM final_decision WHERE station_id = '{station}'"
    )
    assert len(found) == 1, rows(dsn, "SELECT session_id, state, reasons, flags FROM session")
    with connect(dsn) as connection:
        return rated_sessions(connection, [SessionRevision(*found[0])])[0]


def chosen(session_id: str, minutes: float) -> Timed:
    """Return the line of a person who has a session corrected."""
    line = Choice(
        received_at=at(minutes),
        station="CS-NEW-1",
        session_id=session_id,
        choice="correct",
        by="ann",
        reason="the late stop is right",
    )
    return line.received_at, line.station, line


def test_a_person_has_a_session_corrected_whose_correction_waits(database: str) -> None:
    dsn = begun(database, corrections_agreed=True)
    write_log(dsn, [PARKED])
    write_log(dsn, [chosen(SESSION, 80)])
    work(dsn)

    state, revision, reasons, flags = shown(dsn)
    assert (state, revision, reasons) == ("rated", 2, [])
    assert "correction_waits" not in flags
    said_of_it = rating(dsn, 2).corrects
    assert said_of_it is not None
    assert (said_of_it.cause, said_of_it.by) == (CorrectionCause.PERSON, "ann")
    assert said_of_it.reason == "the late stop is right"
    assert is_identical(dsn)


def test_a_person_s_word_settles_what_is_doubtful(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [event201("CS-NEW-1", 60, "Ended", "C", 0, 9000, received=70)])
    work(dsn)
    before = shown(dsn)
    write_log(dsn, [chosen(SESSION, 80)])
    work(dsn)

    assert "correction_waits" in before[3]
    assert before[1] == 1
    assert "correction_waits" not in shown(dsn)[3]


def test_a_choice_in_the_record_of_a_correction_is_one_too_many(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [PARKED, chosen(SESSION, 80)])
    work(dsn)

    said_of_it = rating(dsn, 2).corrects
    assert said_of_it is not None
    assert said_of_it.cause is CorrectionCause.LATE_FACT
    assert rows(dsn, "SELECT reason, lines FROM set_aside") == [("choice_without_held_session", 1)]
    assert is_identical(dsn)


def test_a_correction_that_changes_nothing_is_no_revision(database: str) -> None:
    dsn = begun(database)
    write_log(dsn, [chosen(SESSION, 80)])
    work(dsn)

    assert shown(dsn)[:2] == ("rated", 1)
    assert rows(dsn, "SELECT * FROM set_aside") == []


@pytest.mark.parametrize("name", ["CS-NEW-1/C/no-such", SESSION])
def test_what_was_never_priced_is_not_corrected(database: str, name: str) -> None:
    version = declare_fleet(database)
    write_log(database, [*everywhere(version, -1), WHOLE[0], chosen(name, 80)])
    work(database)

    assert rows(database, "SELECT count(*) FROM session_decision") == [(0,)]
    assert rows(database, "SELECT lines FROM set_aside") == [(1,)]


def test_a_session_whose_start_moved_is_corrected_under_the_id_it_was_rated_by(
    database: str,
) -> None:
    dsn = begun(database, corrections_agreed=True)
    moved = event201("CS-NEW-1", 9.5, "Started", "C", 0, 0, token="FLEET1", received=70)
    write_log(dsn, [moved])
    write_log(dsn, [chosen(SESSION, 80)])
    work(dsn)

    assert shown(dsn)[:2] == ("rated", 2)
    assert rating(dsn, 2).started_at == at(9.5)
    assert is_identical(dsn)
