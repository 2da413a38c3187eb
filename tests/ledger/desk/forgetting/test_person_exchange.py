"""What is declared names subjects: tokens and customers are exchanged before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.desk.apply import ProblemsError
from ledger.desk.publish import Holding, publish_files
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.assignments import Assignment
from ledger.persons.holders import customer_holder, token_holder
from ledger.persons.store import find, readable
from tests.ledger.desk.applying import applied_files
from tests.tree import EXAMPLES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARIFF = EXAMPLES / "tariffs" / "energy-only.yaml"
DECLARED = """
customers:
  k-1: {name: Ada}
tokens:
  04FAMILY: {}
  04A1: {customer: k-1, parent: 04family}
tariff_assignments:
  - {tariff: energy-only, token: " 04A1"}
"""


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    prepare(database, Settings(data=tmp_path, partitions=1))
    with connect(database) as connection:
        yield connection


def publish(connection: psycopg.Connection[Any], *assignments: Assignment) -> list[str]:
    with PostgresEventLog(connection.info.dsn) as log:
        done = publish_files(
            connection,
            [(TARIFF.read_text("utf-8"), "tariff.yaml")],
            log=log,
            by="a test",
            at=NOW,
            holding=Holding(assignments=assignments),
        )
    return [readable(each.key, done.names) for each in done.planned]


def ids(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the subjects of all that DECLARED names, by name."""
    tokens = [each for uid in ("04A1", "04FAMILY") if (each := token_holder(uid))]
    found = find(connection, [*tokens, customer_holder("k-1")])
    return {name: subject.id for (_, name), subject in found.items()}


def test_a_declaration_names_subjects_wherever_a_file_names_tokens_and_customers(
    connection: psycopg.Connection[Any],
) -> None:
    publish(connection)
    applied = applied_files(connection, [(DECLARED, "persons.yaml")], by="a test", at=NOW)
    known, subjects = load_declarations(connection), ids(connection)
    token = known.token(subjects["04a1"], NOW)

    assert token is not None
    assert (token.customer, token.parent) == (subjects["k-1"], subjects["04family"])
    assert known.keys(Kind.TOKEN) == tuple(sorted([subjects["04a1"], subjects["04family"]]))
    assert known.keys(Kind.CUSTOMER) == (subjects["k-1"],)
    assert known.keys(Kind.ASSIGNMENT) == (f"token={subjects['04a1']}",)
    assert {applied.names[each] for each in subjects.values()} == {"04a1", "04family", "k-1"}
    rows = connection.execute("SELECT key || body FROM declaration").fetchall()
    assert not [text for (text,) in rows if "04A1" in text.upper() or "Ada" in text]


def test_a_tariff_that_is_published_for_a_token_names_its_subject(
    connection: psycopg.Connection[Any],
) -> None:
    planned = publish(connection, Assignment(tariff="energy-only", token="04A1"))

    assert planned == ["energy-only", "token=04a1"]
    assert load_declarations(connection).keys(Kind.ASSIGNMENT) == (
        f"token={ids(connection)['04a1']}",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tokens:\n  NULL: {}\n", "stations send 'NULL' where there is no token"),
        ("tokens:\n  04A1: {parent: 04FF}\n", "2:3: there is no token '04ff'"),
        ("customers:\n  k-1: {name: ' '}\n", "2:9: a customer needs a name"),
        ("tokens:\n  04a1: {}\n  04A1: {}\n", "3:3: token 04a1 is declared twice"),
    ],
)
def test_a_problem_names_who_it_is_about_as_the_file_does(
    connection: psycopg.Connection[Any], text: str, problem: str
) -> None:
    with pytest.raises(ProblemsError) as refused:
        applied_files(connection, [(text, "persons.yaml")], by="a test", at=NOW)

    assert problem in str(refused.value)
