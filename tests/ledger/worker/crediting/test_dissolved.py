"""Sessions that late frames show to be none: what was rated of them is taken back.

A reference that is started again within a minute is one session, unless a stop lies between. Here
the stop is that of an earlier session, whose start comes late.
"""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import pytest

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.master_data.policies import Policy
from ledger.rating.decisions import CorrectionCause
from projections.balances.energy import energy_balance
from projections.balances.trial import trial_balance
from tests.charging_day import (
    MORNING,
    Timed,
    declare_fleet,
    everywhere,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.ledger.worker.crediting.test_given_back import owed
from tests.ledger.worker.judged.test_corrections import rating_of

STATION, OTHER = "CS-OLD-1", "CS-OLD-2"
NONE = f"{STATION}/7/20260302T071330Z"
"""The session that is none: its start is the one of 13:00, told again."""


HELD = "SELECT session_id, reasons FROM listed_session WHERE state = 'held'"


def told(station: str = STATION) -> list[Timed]:
    """Return the frames of two sessions under one reference, as they happened."""
    return [
        start16(station, 10, 7, "BEARER1", 1000),
        stop16(station, 13, 7, 3000),
        start16(station, 13, 7, "FLEET1", 3000),
        start16(station, 13.5, 7, "FLEET1", 3000),
        stop16(station, 14, 7, 4000),
    ]


def later(line: Timed, minutes: float) -> Timed:
    """Return *line* as it comes *minutes* later."""
    received_at, station, said = line
    moved = received_at + timedelta(minutes=minutes)
    return moved, station, msgspec.structs.replace(said, received_at=moved)


def sessions(dsn: str) -> dict[str, tuple[str, int, bool]]:
    """Return state, revision and whether it is none, by the moment in a session's id."""
    found = rows(dsn, "SELECT right(session_id, 7), state, revision, flags FROM session")
    return {
        moment: (state, revision, "dissolved" in flags) for moment, state, revision, flags in found
    }


def billed_early(dsn: str, policy: Policy | None = None) -> str:
    """Return a database in which the start of the first session is still to come."""
    version = declare_fleet(dsn)
    if policy is not None:
        change = Change(kind=Kind.POLICY, key="policy", entity=policy, valid_from=MORNING)
        with connect(dsn) as connection:
            version = declare(connection, [change], by="test", at=MORNING)
    write_log(dsn, [*everywhere(version, -1), *told()[1:]], lines_a_record=1)
    work(dsn)
    assert sessions(dsn)["071330Z"] == ("rated", 1, False)
    assert rating_of(dsn, NONE, 1).gross_minor > 0
    return dsn


def test_what_was_rated_of_a_session_that_is_none_is_taken_back(database: str) -> None:
    dsn = billed_early(database)
    write_log(dsn, [later(told()[0], 60)])
    work(dsn)

    found = sessions(dsn)
    assert found["071330Z"] == ("rated", 2, True)
    second = rating_of(dsn, NONE, 2)
    assert second.gross_minor == 0
    assert second.energy_wh == 0
    assert second.corrects is not None
    assert second.corrects.cause is CorrectionCause.DISSOLVED
    assert rows(dsn, f"SELECT FROM uninvoiced_session WHERE session_id = '{NONE}'") == []
    with connect(dsn) as connection:
        assert trial_balance(connection).is_balanced
        assert energy_balance(connection).is_balanced
    assert is_identical(dsn)


def test_what_is_a_session_after_all_is_rated_again(database: str) -> None:
    """The stop of the one before it comes last of all: between two starts, so these are two."""
    dsn = billed_early(database)
    write_log(dsn, [later(told()[0], 60)])
    work(dsn)
    assert sessions(dsn)["071330Z"] == ("rated", 2, True)
    write_log(dsn, [later(stop16(STATION, 13.25, 7, 3000), 70)])
    work(dsn)

    assert sessions(dsn)["071330Z"] == ("rated", 3, False)
    third = rating_of(dsn, NONE, 3)
    assert third.gross_minor == rating_of(dsn, NONE, 1).gross_minor > 0
    assert third.not_billed is None
    with connect(dsn) as connection:
        assert trial_balance(connection).is_balanced
        assert energy_balance(connection).is_balanced
    assert is_identical(dsn)


def test_where_a_person_must_agree_it_waits_for_one(database: str) -> None:
    dsn = billed_early(database, Policy(corrections_agreed=True))
    write_log(dsn, [later(told()[0], 60)])
    work(dsn)
    [(reasons, flags)] = rows(
        dsn, f"SELECT reasons, flags FROM session WHERE session_id = '{NONE}'"
    )
    assert reasons == ["session_dissolved"]
    assert {"correction_waits", "late_fact"} <= set(flags)
    assert sessions(dsn)["071330Z"] == ("rated", 1, False)

    write_log(dsn, [chosen_about("correct", 90, session_id=NONE)])
    work(dsn)

    assert sessions(dsn)["071330Z"] == ("rated", 2, True)
    said_of_it = rating_of(dsn, NONE, 2).corrects
    assert said_of_it is not None
    assert (said_of_it.cause, said_of_it.by) == (CorrectionCause.DISSOLVED, "ann")
    assert is_identical(dsn)


@pytest.mark.parametrize("seed", range(16))
def test_in_any_order_nothing_is_owed_twice(database: str, seed: int) -> None:
    """What is owed in the end is one rating of all frames, told in their order elsewhere."""
    chance = random.Random(seed)
    shuffled = chance.sample(told(), 5)
    lines = [later(line, 60 + 10 * number) for number, line in enumerate(shuffled)]
    lines += [*everywhere(declare_fleet(database), -1), *told(OTHER), *tick(3_000), *tick(9_000)]
    write_log(database, sorted(lines, key=lambda timed: timed[0]), lines_a_record=1)
    work(database)

    # One whose end was not known when a later one was rated is held for that, for a person.
    for session_id, reasons in rows(database, HELD):
        assert reasons == ["decided_before"]
        write_log(database, [chosen_about("release", 9_100, session_id=session_id)])
    work(database)
    waits = "SELECT session_id FROM session WHERE 'correction_waits' = ANY (flags)"
    assert rows(database, HELD) == rows(database, waits) == []
    net = """
    SELECT station_id, sum(net_minor)::int, sum(tax_minor)::int
    FROM final_decision JOIN rated_line USING (session_id, revision) GROUP BY station_id
    """
    by_station = {station: tuple(sums) for station, *sums in rows(database, net)}
    assert by_station[STATION] == by_station[OTHER]
    assert owed(database) == 2 * sum(by_station[OTHER])
    with connect(database) as connection:
        assert energy_balance(connection).is_balanced
        assert trial_balance(connection).is_balanced
    assert is_identical(database)


def test_what_is_none_already_is_not_taken_back_again(database: str) -> None:
    dsn = billed_early(database)
    write_log(dsn, [later(told()[0], 60)])
    write_log(dsn, [chosen_about("correct", 90, session_id=NONE)])
    work(dsn)

    assert sessions(dsn)["071330Z"] == ("rated", 2, True)
    assert rows(dsn, "SELECT reason FROM set_aside") == [("choice_without_held_session",)]
