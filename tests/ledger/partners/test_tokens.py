"""Tokens of partners: the last row of a party holds, nothing else is ever changed or readable."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.partners.party import BadPartyError, party_named
from ledger.partners.tokens import (
    CHUNK_ROWS,
    LOOK_UP,
    BadPartnerTokenError,
    PartnerToken,
    ToldToken,
    Whitelist,
    add_partner_tokens,
    asked_about,
    told_token,
)
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find
from tests.ledger.partners.opened_contracts import opened_contract

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
NL, DE = "NL-TNM", "DE-ABC"
CARD = PartnerToken("04AABB", "NL-TNM-C00001", True, Whitelist.ALWAYS)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        yield connection


def subject_of(connection: psycopg.Connection[Any], uid: str = CARD.uid) -> str:
    holder = token_holder(uid)
    assert holder is not None
    (subject,) = find(connection, [holder]).values()
    return subject.id


def told(connection: psycopg.Connection[Any], at: datetime = AT) -> ToldToken | None:
    rows = connection.execute(LOOK_UP, asked_about(subject_of(connection))).fetchall()
    return told_token(rows, at)


def count(connection: psycopg.Connection[Any]) -> int:
    ((rows,),) = connection.execute("SELECT count(*) FROM partner_token").fetchall()
    return int(rows)


def test_the_last_row_of_a_party_holds(connection: psycopg.Connection[Any]) -> None:
    add_partner_tokens(connection, NL, [CARD], at=AT)
    add_partner_tokens(connection, NL, [CARD._replace(is_valid=False)], at=AT)

    found = told(connection)

    assert found is not None
    assert (found.party, found.is_valid, count(connection)) == (NL, False, 2)


def test_the_same_again_makes_no_row(connection: psycopg.Connection[Any]) -> None:
    other = CARD._replace(uid="04CCDD", expires_at=AT)
    later = other._replace(expires_at=AT.astimezone(timezone(timedelta(hours=1))))

    assert add_partner_tokens(connection, NL, [CARD, other], at=AT) == 2
    assert add_partner_tokens(connection, NL, [CARD, later], at=AT + timedelta(days=1)) == 0
    assert add_partner_tokens(connection, DE, [CARD], at=AT) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"contract_id": "NL-TNM-C00002"},
        {"is_valid": False},
        {"whitelist": Whitelist.NEVER},
        {"expires_at": AT},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_change_makes_a_row(connection: psycopg.Connection[Any], change: Any) -> None:  # noqa: ANN401 - one field of any type
    add_partner_tokens(connection, NL, [CARD], at=AT)

    assert add_partner_tokens(connection, NL, [CARD._replace(**change)], at=AT) == 1


def test_one_card_has_one_subject_however_it_is_spelt(
    connection: psycopg.Connection[Any],
) -> None:
    spelt = [CARD, CARD._replace(uid=" 04aabb ", is_valid=False)]

    assert add_partner_tokens(connection, NL, spelt, at=AT) == 1
    found = told(connection)
    assert found is not None
    assert not found.is_valid, "the last one of a uid holds"


def test_a_second_party_does_not_take_a_card_that_may_charge(
    connection: psycopg.Connection[Any],
) -> None:
    add_partner_tokens(connection, NL, [CARD], at=AT)
    add_partner_tokens(connection, DE, [CARD], at=AT)

    def party(at: datetime = AT) -> str:
        found = told(connection, at)
        assert found is not None
        return found.party

    assert party() == NL
    add_partner_tokens(connection, NL, [CARD._replace(expires_at=AT)], at=AT)
    assert party(AT - timedelta(microseconds=1)) == NL
    assert party(AT) == DE
    add_partner_tokens(connection, NL, [CARD._replace(whitelist=Whitelist.NEVER)], at=AT)
    assert party() == DE
    add_partner_tokens(connection, DE, [CARD._replace(is_valid=False)], at=AT)
    assert party() == NL, "where none may charge, the first says why"


def test_nobody_told_it(connection: psycopg.Connection[Any]) -> None:
    assert connection.execute(LOOK_UP, asked_about("p-unknown")).fetchall() == []
    assert told_token([], AT) is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE partner_token SET is_valid = false",
        "DELETE FROM partner_token",
        "TRUNCATE partner_token",
    ],
)
def test_what_was_told_stays(connection: psycopg.Connection[Any], change: str) -> None:
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="what was recorded"):
        connection.execute(change.encode())


def test_who_is_erased_leaves_nothing_readable(connection: psycopg.Connection[Any]) -> None:
    add_partner_tokens(connection, NL, [CARD], at=AT)
    found, subject = told(connection), subject_of(connection)
    assert found is not None
    assert opened_contract(connection, subject, found.contract) == CARD.contract_id

    erase(connection, [subject])

    assert opened_contract(connection, subject, found.contract) is None
    rows = connection.execute("SELECT row::text FROM partner_token AS row").fetchall()
    assert len(rows) == 1
    assert not {CARD.uid, "C00001"} & {part for part in (CARD.uid, "C00001") if part in str(rows)}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"uid": ""}, "uid is no printable", id="no uid"),
        pytest.param({"uid": "04\0AA"}, "uid is no printable", id="a NUL"),
        pytest.param({"uid": "04\ud800"}, "uid is no printable", id="half a character"),
        pytest.param({"uid": "04ÄA"}, "uid is no printable", id="not ASCII"),
        pytest.param({"uid": "undefined"}, "stands for no token", id="no token at all"),
        pytest.param({"uid": "0" * 37}, "uid has 37 characters", id="a long uid"),
        pytest.param({"contract_id": " "}, "contract_id is no printable", id="no contract"),
        pytest.param({"contract_id": "a\nb"}, "contract_id is no printable", id="a line feed"),
        pytest.param({"contract_id": "c" * 37}, "contract_id has 37", id="a long contract"),
        pytest.param({"whitelist": "ALWAYS"}, "whitelist is none of always", id="a whitelist"),
        pytest.param({"expires_at": AT.replace(tzinfo=None)}, "no time zone", id="no zone"),
        pytest.param({"expires_at": AT.replace(year=1969)}, "in no year", id="before all time"),
        pytest.param({"expires_at": AT.replace(year=9000)}, "in no year", id="after all time"),
    ],
)
def test_what_no_token_can_say_is_refused_by_its_row(
    connection: psycopg.Connection[Any], *, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BadPartnerTokenError, match=problem) as refused:
        add_partner_tokens(connection, NL, [CARD, CARD._replace(**change)], at=AT)

    assert refused.value.row == 2
    assert count(connection) == 0


@pytest.mark.parametrize(
    "change", [{"uid": "0" * 36}, {"contract_id": "c" * 36}, {"expires_at": AT.replace(year=8999)}]
)
def test_what_a_token_may_just_say_is_kept(
    connection: psycopg.Connection[Any], change: dict[str, Any]
) -> None:
    assert add_partner_tokens(connection, NL, [CARD._replace(**change)], at=AT) == 1


def test_what_came_before_a_bad_chunk_is_kept(connection: psycopg.Connection[Any]) -> None:
    tokens = [CARD._replace(uid=f"{number:08}") for number in range(CHUNK_ROWS + 1)]

    with pytest.raises(BadPartnerTokenError, match=f"token {CHUNK_ROWS + 1} of NL-TNM"):
        add_partner_tokens(connection, NL, [*tokens[:-1], CARD._replace(uid="")], at=AT)
    assert count(connection) == CHUNK_ROWS
    assert add_partner_tokens(connection, NL, tokens, at=AT) == 1


def test_a_party_is_named_one_way() -> None:
    assert party_named("nl", "tNm") == "NL-TNM"


@pytest.mark.parametrize(
    ("country", "party_id"),
    [("", ""), ("N", "TNM"), ("NLD", "TNM"), ("NL", "TN"), ("NL", "TNMX"), ("NL", "T-M"),
     ("ß", "TNM"), ("N\0", "TNM"), ("12", "TNM"), ("NL", "TN\n")],
)  # fmt: skip
def test_what_names_no_party_is_refused(country: str, party_id: str) -> None:
    with pytest.raises(BadPartyError, match="name no party"):
        party_named(country, party_id)


@pytest.mark.parametrize("party", ["nl-TNM", "NLTNM", "NL-TNM-", "NL-", "", "N\0-TNM"])
def test_tokens_of_no_party_are_refused(connection: psycopg.Connection[Any], party: str) -> None:
    with pytest.raises(BadPartyError):
        add_partner_tokens(connection, party, [CARD], at=AT)
