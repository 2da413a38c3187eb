"""Who goes with whom when a person is erased."""

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
from ledger.desk.forgetting.erasure import (
    AmbiguousPersonError,
    UnknownPersonError,
    erase_person,
    find_person,
)
from ledger.persons.holders import station_holder
from ledger.persons.store import find_or_make
from tests.ledger.desk.applying import applied_files

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECLARED = """
customers:
  k-1: {name: Ada, email: ada@engine.example}
  k-2: {name: Charles}
  04both: {name: Both}
tokens:
  04A1: {customer: k-1}
  04A2: {customer: k-1}
  04B1: {customer: k-2}
  04BOTH: {}
"""
LATER = """
customers:
  k-1: {name: Ada King}
tokens:
  04A2: {customer: k-2}
"""


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    prepare(database, Settings(data=tmp_path, partitions=1))
    with connect(database) as connection:
        for text in (DECLARED, LATER):
            applied_files(connection, [(text, "persons.yaml")], by="a test", at=NOW)
        connection.execute(
            "INSERT INTO unknown_token (token_uid, station_id, first_seen_at, last_seen_at)"
            " SELECT subject, 'CS-' || upper(right(name, 1)), now(), now() FROM subject"
            " WHERE name IN ('04a1', '04b1')"
        )
        find_or_make(connection, [station_holder(each) for each in ("CS-1", "CS-9")])
        yield connection


def left(connection: psycopg.Connection[Any]) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM subject")}


def test_a_customer_goes_with_the_tokens_they_ever_had_and_the_texts_of_their_stations(
    connection: psycopg.Connection[Any],
) -> None:
    person = find_person(connection, "k-1")
    erase_person(connection, person)

    assert person.details is not None
    assert (person.details.name, list(person.tokens)) == ("Ada King", ["04a1", "04a2"])
    assert left(connection) == {"k-2", "04b1", "04both", "CS-9"}
    assert connection.execute("SELECT count(*) FROM blob").fetchall() == [(2,)]


def test_a_token_goes_alone_and_everywhere_takes_all_that_nobody_understood(
    connection: psycopg.Connection[Any],
) -> None:
    erase_person(connection, find_person(connection, " 04a1 "), is_everywhere=True)

    assert left(connection) == {"k-1", "k-2", "04a2", "04b1", "04both"}


def test_whom_nobody_knows_or_two_names_mean_is_not_guessed(
    connection: psycopg.Connection[Any],
) -> None:
    with pytest.raises(UnknownPersonError):
        find_person(connection, "04FF")
    with pytest.raises(UnknownPersonError):
        find_person(connection, "k-1", "token")
    with pytest.raises(AmbiguousPersonError):
        find_person(connection, "04both")
    assert find_person(connection, "04both", "customer").kind == "customer"


def test_an_erased_customer_that_is_applied_again_is_somebody_new(
    connection: psycopg.Connection[Any],
) -> None:
    before = find_person(connection, "k-2").subject
    erase_person(connection, find_person(connection, "k-2"))
    applied_files(connection, [(DECLARED, "persons.yaml")], by="a test", at=NOW)

    assert find_person(connection, "k-2").subject != before
    assert before in load_declarations(connection).keys(Kind.CUSTOMER)


def test_applying_again_declares_nothing_and_a_new_address_alone_does(
    connection: psycopg.Connection[Any],
) -> None:
    def planned(text: str, *, is_dry: bool = False) -> list[str]:
        applied = applied_files(
            connection, [(text, "persons.yaml")], by="a test", at=NOW, is_dry=is_dry
        )
        return [applied.names[each.key] for each in applied.planned]

    moved = "customers:\n  k-2: {name: Charles, address: {city: London}}\n"
    same = "customers:\n  k-2: {name: Charles}\n"

    assert planned(LATER) == planned(same) == []
    assert planned(moved, is_dry=True) == planned(moved) == ["k-2"]
    assert planned(moved) == []


def test_a_dry_run_and_a_file_with_problems_make_nobody(
    connection: psycopg.Connection[Any],
) -> None:
    before = left(connection)
    text = "tokens:\n  04NEW: {}\n"
    applied = applied_files(connection, [(text, "new.yaml")], by="x", at=NOW, is_dry=True)

    assert [each.key for each in applied.planned] == ["04new"]
    assert left(connection) == before


def test_a_customers_drivers_go_with_it_and_who_drives_for_others_too_stays(
    connection: psycopg.Connection[Any],
) -> None:
    fleet = """
tokens:
  04A1: {customer: k-1, cost_centre: "4711", driver: " Jo  Sand"}
  04A2: {customer: k-1, driver: Kim Ott}
  04B1: {customer: k-2, driver: Kim Ott}
"""
    applied_files(connection, [(fleet, "fleet.yaml")], by="a test", at=NOW)
    jo, person = find_person(connection, "Jo Sand"), find_person(connection, "k-1")
    assert (jo.kind, list(jo.tokens), jo.stations) == ("driver", ["04a1"], ("CS-1",))
    assert list(person.drivers) == ["Jo Sand"]

    erase_person(connection, person)

    assert left(connection) == {"k-2", "Kim Ott", "04b1", "04both", "CS-9"}


def test_a_driver_goes_and_the_customers_tokens_stay(
    connection: psycopg.Connection[Any],
) -> None:
    fleet = "tokens:\n  04A1: {customer: k-1, driver: Jo Sand}\n"
    applied_files(connection, [(fleet, "fleet.yaml")], by="a test", at=NOW)
    known = load_declarations(connection)
    tokens = [known.token(key, NOW) for key in known.keys(Kind.TOKEN)]
    drivers = {token.driver for token in tokens if token}
    assert drivers == {None, find_person(connection, "Jo Sand").subject}

    erase_person(connection, find_person(connection, "Jo Sand"))

    assert left(connection) == {"k-1", "k-2", "04a1", "04a2", "04b1", "04both", "CS-9"}
