"""What two people decide is decided once, whoever agrees, withdraws or is killed at that moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import POLICY_KEY, Kind
from ledger.declared.store import declare
from ledger.desk import corrections, second_person
from ledger.desk.choices import Chosen
from ledger.desk.crediting.agreeing import ProposedCredit, credit_or_propose, proposed_credit
from ledger.desk.second_person import Moved, ProposedChoice, choose_or_propose
from ledger.desk.withdrawing.withdrawn import (
    About,
    NotProposedError,
    Withdrawal,
    withdraw,
    withdrawn_of,
)
from ledger.log import outbox
from ledger.log.envelope import Choice
from ledger.log.outbox import carry
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.policies import Policy
from ledger.users.pairs import check_pair
from projections.crediting.chosen import choices_of, parts_of
from tests.charging_day import Timed, at, start16, status16, stop16, tick
from tests.faults.broken_books import is_identical, rows
from tests.faults.faulty_log import FaultyLog, die
from tests.ledger.desk.test_recording import CHOICE, HELD, logged
from tests.ledger.held_up import OUTBOX, held_up
from tests.ledger.worker.crediting.test_credited_documents import MONTH_OVER, issue
from tests.projections.books_of_a_day import books_of_a_day

MUCH = Moved("EUR", 200_000)
LARGEST = """
SELECT number FROM invoiced_session GROUP BY number ORDER BY count(*) DESC, number LIMIT 1
"""


def say(dsn: str, by: str, fault: str = "") -> Chosen | ProposedChoice:
    """Be somebody who has a held session released, which moves much."""
    choice = replace(CHOICE, by=by, revision=1)
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        behind: Any = FaultyLog(log, fault) if fault else log
        return choose_or_propose(connection, choice, MUCH, log=behind, work_off=work_off)


def agree_and_die(dsn: str, fault: str) -> None:
    say(dsn, "ben", fault)


def take_back(dsn: str) -> None:
    with connect(dsn) as connection, connection.transaction():
        withdraw(connection, About.SESSION, HELD, Withdrawal("ann", "a mistake", at(301)))


def by_whom(dsn: str) -> list[str]:
    """Return who stands beside each choice in the log."""
    with PostgresEventLog(dsn) as log:
        return [each.by for each in logged(log, Choice) if isinstance(each, Choice)]


@pytest.fixture
def proposed(database: str) -> str:
    books_of_a_day(database)
    assert isinstance(say(database, "ann"), ProposedChoice)
    return database


def test_what_is_agreed_to_is_not_withdrawn_at_the_same_moment(proposed: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        with held_up(proposed, OUTBOX) as (_, held):
            agreeing = pool.submit(say, proposed, "ben")
            held(1)
            withdrawing = pool.submit(take_back, proposed)
            held(2, withdrawing)
        assert isinstance(agreeing.result(), Chosen)
        with pytest.raises(NotProposedError):
            withdrawing.result()

    assert by_whom(proposed) == ["ann, ben"]
    with connect(proposed) as connection:
        assert withdrawn_of(connection, About.SESSION, HELD) == []


def test_what_is_withdrawn_is_not_agreed_to(proposed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who agrees has read it, and it goes before he has said so."""

    def check_and_lose(*given: Any) -> None:  # noqa: ANN401 - as the real one
        check_pair(*given)
        take_back(proposed)

    monkeypatch.setattr(second_person, "check_pair", check_and_lose)
    with pytest.raises(NotProposedError, match=f"nothing about {HELD} waits"):
        say(proposed, "ben")

    assert by_whom(proposed) == []
    assert rows(proposed, "SELECT count(*) FROM outbox") == [(0,)]


def test_of_two_who_agree_at_once_one_does(proposed: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        with held_up(proposed, OUTBOX) as (_, held):
            agreeing = [pool.submit(say, proposed, name) for name in ("ben", "carl")]
            held(2)
        told = [each.exception() for each in agreeing]

    assert sorted(type(each).__name__ for each in told) == ["NoneType", "NotProposedError"]
    assert len(by_whom(proposed)) == 1


def test_who_is_killed_once_he_agreed_leaves_nothing_to_agree_to(proposed: str) -> None:
    die(agree_and_die, proposed, "killed before the append")

    assert rows(proposed, "SELECT count(*) FROM choice_proposal") == [(0,)]
    with connect(proposed) as connection, PostgresEventLog(proposed) as log:
        carry(connection, log)
        work_off(proposed, log)
    assert by_whom(proposed) == ["ann, ben"]
    assert is_identical(proposed)


def test_what_is_made_in_place_of_a_proposal_leaves_it_on_record(proposed: str) -> None:
    choice = replace(CHOICE, by="carl", choice="write_off", revision=1)
    with connect(proposed) as connection, PostgresEventLog(proposed) as log:
        choose_or_propose(connection, choice, Moved("EUR", 1), log=log, work_off=work_off)
        kept = withdrawn_of(connection, About.SESSION, HELD)

    assert [(each.proposed_by, each.choice, each.withdrawn_by) for each in kept] == [
        ("ann", "release", "carl")
    ]


def test_where_a_line_went_that_nobody_knows_any_more_stops_nobody(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many people say something at once that the outbox keeps the places of others."""
    books_of_a_day(database)
    monkeypatch.setattr(outbox, "CARRIED_KEPT", 0)
    choice = replace(CHOICE, revision=1)
    with connect(database) as connection, PostgresEventLog(database) as log:
        made = choose_or_propose(connection, choice, Moved("", 0), log=log, work_off=work_off)

    assert isinstance(made, Chosen)
    assert made.state == "released"


def parked(begins: float, ref: int) -> list[Timed]:
    """Return a session of a resident's, who pays for parking, by the month."""
    station, wh = "CS-OLD-1", 1_000 * ref
    return [
        start16(station, begins, ref, "HOME1", wh),
        status16(station, begins + 10, "SuspendedEV"),
        stop16(station, begins + 40, ref, wh + 1_000),
    ]


@pytest.fixture
def invoice(database: str) -> str:
    """The number of an invoice over several sessions, of which two people give anything back."""
    books_of_a_day(database, *parked(300, 77), *parked(400, 78), *tick(500))
    issue(database, MONTH_OVER)
    change = Change(
        kind=Kind.POLICY, key=POLICY_KEY, entity=Policy(payment_approval_above=Decimal(0))
    )
    with connect(database) as connection, connection.transaction():
        declare(connection, [change], by="a test", at=at(0))
    [(number,)] = rows(database, LARGEST)
    return str(number)


def give_back(dsn: str, by: str, now: datetime, fault: str = "") -> ProposedCredit | None:
    """Be somebody who gives the whole of the largest invoice back."""
    [(number,)] = rows(dsn, LARGEST)
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        parts = parts_of(connection, number)
        assert len(parts) > 1
        choices = choices_of(parts, "credit", by, "goodwill", now)
        behind: Any = FaultyLog(log, fault) if fault else log
        return credit_or_propose(connection, number, parts, choices, log=behind, work_off=work_off)


def agree_to_credit_and_die(dsn: str, fault: str) -> None:
    corrections.AT_ONCE = 1  # type: ignore[misc] # a process of its own
    give_back(dsn, "ben", at(MONTH_OVER + 11), fault)


def test_a_kill_leaves_all_of_a_credit_that_two_agreed_to_or_nothing(
    database: str, invoice: str
) -> None:
    assert give_back(database, "ann", at(MONTH_OVER + 10)) is not None
    with connect(database) as connection:
        proposal = proposed_credit(connection, invoice)
    die(agree_to_credit_and_die, database, "killed before the append")

    assert proposal is not None
    assert rows(database, "SELECT count(*) FROM credit_proposal") == [(0,)]
    with connect(database) as connection, PostgresEventLog(database) as log:
        carry(connection, log)
        work_off(database, log)
    assert by_whom(database) == ["ann, ben"] * len(proposal.sessions)
    assert is_identical(database)
