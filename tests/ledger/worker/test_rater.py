"""How long a session waits, and as what a held one is decided again: by the version in use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.books.periods import ClosedMonths
from ledger.declared.changes import Change
from ledger.declared.declarations import POLICY_KEY, Kind
from ledger.declared.store import declare
from ledger.facts.flags import Flag
from ledger.log.envelope import Choice
from ledger.master_data.policies import Policy
from ledger.rating.decisions import SessionHeld, SessionRated, SessionWrittenOff
from ledger.sessions.states import SessionAct, SessionState
from ledger.worker.rater import Rater
from ledger.worker.session_rows import NEVER, WaitsSince
from tests.charging_day import at
from tests.depot import NOON, changes, moment_of, session
from tests.ledger.worker.in_mind.rows_of_sessions import row

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
OPEN, WAITING = SessionState.OPEN, SessionState.WAITING
SOON = Policy(wait_s=60, silence_s=600)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        yield connection


@pytest.fixture
def version(connection: psycopg.Connection[Any]) -> int:
    """The depot, and a day later a policy that waits less."""
    declare(connection, changes(), by="test", at=at(-9))
    later = Change(kind=Kind.POLICY, key=POLICY_KEY, entity=SOON, valid_from=NOON + DAY)
    return declare(connection, [later], by="test", at=at(-8))


@pytest.mark.parametrize(
    ("state", "flags", "heard_at", "deadline"),
    [
        (WAITING, [], 30, at(30) + HOUR),
        (WAITING, [], 90, at(30) + HOUR),
        (OPEN, [], 20, at(30) + DAY),
        (OPEN, [], 90, at(90) + DAY),
        (OPEN, [Flag.STOP_LOST], 90, at(30) + HOUR),
        (OPEN, [Flag.SEQ_GAP], 90, at(90) + DAY),
        (WAITING, [Flag.STOP_LOST], 90, at(30) + HOUR),
    ],
)
def test_when_a_session_has_waited_long_enough(
    connection: psycopg.Connection[Any],
    state: SessionState,
    flags: list[str],
    heard_at: float,
    deadline: datetime,
) -> None:
    rater, waiting = Rater(connection, 0, ClosedMonths()), row(state=state, flags=flags)

    assert rater.deadline(waiting.waits_since(at(heard_at)), at(100)) == deadline


def test_of_a_station_the_first_session_s_time_counts_and_of_none_no_time(
    connection: psycopg.Connection[Any],
) -> None:
    rater = Rater(connection, 0, ClosedMonths())

    assert rater.deadline(WaitsSince(), at(100)) == NEVER
    assert rater.deadline(WaitsSince(at(0), at(0) + DAY), at(100)) == at(0) + DAY
    assert (
        rater.deadline(WaitsSince(at(0), at(0) + DAY - HOUR - SECOND), at(100))
        == at(0) + DAY - SECOND
    )


def test_it_waits_as_long_as_the_policy_says_that_holds_then(
    connection: psycopg.Connection[Any], version: int
) -> None:
    rater, begins = Rater(connection, version, ClosedMonths()), NOON + DAY

    assert rater.waits(begins - SECOND) == (3600, 86400)
    assert rater.wait(begins - SECOND) == HOUR
    assert rater.waits(begins) == (60, 600)
    assert rater.wait(begins) == timedelta(seconds=60)
    rater.use(version - 1)
    assert rater.waits(begins) == (3600, 86400), "another version, asked at the same moment"
    rater.use(version)
    assert rater.waits(begins) == (60, 600)


def test_traits_are_those_of_the_station_the_moment_and_the_version(
    connection: psycopg.Connection[Any], version: int
) -> None:
    rater = Rater(connection, version, ClosedMonths())
    site = rater.traits("ST-1", NOON)

    assert site.time_zone == "Europe/Berlin"
    assert rater.traits("ST-1", NOON) is site, "a record asks again and again"
    assert rater.traits("ST-9", NOON).time_zone == "UTC"
    assert rater.traits("ST-1", NOON) == site
    assert rater.traits("ST-1", NOON + DAY) == site
    rater.use(version - 1)
    assert rater.traits("ST-1", NOON) == site
    assert Rater(connection, 0, ClosedMonths()).traits("ST-1", NOON).time_zone == "UTC"


def test_a_held_session_that_changed_waited_long_enough(
    connection: psycopg.Connection[Any], version: int
) -> None:
    rater, charging = Rater(connection, version, ClosedMonths()), session(blockers=[Flag.SEQ_GAP])
    moment, known = moment_of(charging), row(state=SessionState.HELD, revision=2)

    assert rater.decide(charging, known, moment, NOON) is None
    again = rater.decide_again(charging, known, moment, NOON)
    mended = rater.decide_again(session(), known, moment, NOON)

    assert (again.act, again.reasons) == (SessionAct.HOLD, ("seq_gap",))
    assert isinstance(again.decision, SessionHeld)
    assert again.decision.declared_version == version
    assert (mended.act, mended.reasons) == (SessionAct.RATE, ())
    assert {again.decision.revision, mended.decision.revision} == {2}


def test_a_session_whose_rating_fails_is_held_and_a_lost_transaction_is_no_session_s_fault(
    connection: psycopg.Connection[Any], version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rater, charging = Rater(connection, version, ClosedMonths()), session()
    moment = moment_of(charging)

    def fail(error: Exception) -> None:
        def decide(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("ledger.worker.rater.decide", decide)

    fail(ZeroDivisionError("by nothing"))
    failed = rater.decide(charging, row(), moment, NOON)
    assert failed is not None
    assert (failed.act, failed.reasons) == (SessionAct.HOLD, ("rating_failed",))
    fail(psycopg.errors.DeadlockDetected("lost"))
    with pytest.raises(psycopg.errors.DeadlockDetected):
        rater.decide(charging, row(), moment, NOON)


@pytest.mark.parametrize(
    ("choice", "act", "kind"),
    [
        ("release", SessionAct.RELEASE, SessionRated),
        ("write_off", SessionAct.WRITE_OFF, SessionWrittenOff),
    ],
)
def test_a_person_s_choice_is_followed_as_it_is(
    connection: psycopg.Connection[Any],
    version: int,
    choice: Any,  # noqa: ANN401 - one of two words
    act: SessionAct,
    kind: type[object],
) -> None:
    rater, charging = Rater(connection, version, ClosedMonths()), session(blockers=[Flag.SEQ_GAP])
    chosen = Choice(
        received_at=NOON,
        station="ST-1",
        session_id="ST-1/1",
        choice=choice,
        by="ann",
        reason="seen",
    )
    known = row(validations=["STAMP"])

    verdict = rater.choose(charging, known, moment_of(charging), chosen)

    assert verdict.act is act
    assert isinstance(verdict.decision, kind)
    said = msgspec.to_builtins(verdict.decision)
    assert (said.get("validations", ()) == ("STAMP",)) is (choice == "release")
    assert (said.get("release") or said)["by"] == "ann"


def test_decisions_are_numbered_from_the_one_given_on(
    connection: psycopg.Connection[Any], version: int
) -> None:
    rater = Rater(connection, version, ClosedMonths())
    decided = []
    for number in (1, 2):
        charging = session(number)
        verdict = rater.decide(charging, row(), moment_of(charging), NOON)
        assert verdict is not None
        decided.append(verdict.decision)

    with connection.transaction():
        assert rater.store([], 5) == 5
        assert rater.store(decided, 5) == 7
    numbers = connection.execute("SELECT number FROM session_decision ORDER BY 1").fetchall()
    assert numbers == [(5,), (6,)]
