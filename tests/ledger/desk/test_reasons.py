"""Nothing is decided without a reason, which is kept with it; blanks are none."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from psycopg import Connection

from deploy.running.turns import work_off
from ledger.database import connect
from ledger.desk.corrections import correct_all
from ledger.desk.crediting.agreeing import credit_or_propose
from ledger.desk.recording import ReasonlessChoiceError
from ledger.desk.second_person import Moved, choose_or_propose
from ledger.log.event_log import EventLog
from ledger.log.postgres import PostgresEventLog
from projections.crediting.chosen import choices_of, parts_of
from tests.charging_day import at
from tests.faults.broken_books import rows
from tests.ledger.desk.test_recording import CHOICE
from tests.projections.books_of_a_day import books_of_a_day


def release(connection: Connection[Any], log: EventLog) -> None:
    """Have a session released, saying blanks."""
    choice = replace(CHOICE, reason=" \t", revision=1)
    choose_or_propose(connection, choice, Moved("EUR", 1), log=log, work_off=work_off)


def correct(connection: Connection[Any], log: EventLog) -> None:
    """Have two sessions corrected, saying nothing of one of them."""
    choice = replace(CHOICE, choice="correct")
    correct_all(connection, [choice, replace(choice, reason="")], log=log, work_off=work_off)


def give_back(connection: Connection[Any], log: EventLog) -> None:
    """Have an invoice credited, saying nothing."""
    [(number,), *_] = connection.execute("SELECT number FROM issued_invoice ORDER BY 1").fetchall()
    parts = parts_of(connection, number)
    choices = choices_of(parts, "credit", "ann", "", at(400))
    credit_or_propose(connection, number, parts, choices, log=log, work_off=work_off)


@pytest.mark.parametrize("decide", [release, correct, give_back])
def test_nothing_is_decided_without_a_reason(database: str, decide: Any) -> None:  # noqa: ANN401 - one of the above
    books_of_a_day(database)
    with (
        connect(database) as connection,
        PostgresEventLog(database) as log,
        pytest.raises(ReasonlessChoiceError, match="say why"),
    ):
        decide(connection, log)

    assert rows(database, "SELECT count(*) FROM outbox") == [(0,)]
    assert rows(database, "SELECT count(*) FROM choice_proposal") == [(0,)]
