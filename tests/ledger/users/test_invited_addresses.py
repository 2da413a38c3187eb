"""Who was invited by an address of e-mail is whoever has that very address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.users.giving import add_account
from ledger.users.identities import InvitedBy, NotInvitedError, come_by_identity, invite
from ledger.users.user import User
from tests.ledger.users.somebody_coming import GIVER, NOW

ISSUER = "https://login.example"


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as opened:
        add_account(opened, User(name="anna", full_name="Anna A."), GIVER, NOW)
        yield opened


@pytest.mark.parametrize(
    ("invited", "comes"),
    [
        pytest.param("anna@strasse.example", "anna@stra\u00dfe.example", id="another domain"),
        pytest.param("anna@stra\u00dfe.example", "anna@strasse.example", id="the other way"),
        pytest.param("mike@depot.example", "mi\u212ae@depot.example", id="the sign of kelvin"),
        pytest.param("sofia@depot.example", "\u017fofia@depot.example", id="a long s"),
        pytest.param("fine@depot.example", "\ufb01ne@depot.example", id="a ligature"),
        pytest.param("anna@depot.example", "anna@depot.example.", id="another text"),
    ],
)
def test_another_address_is_another_however_unicode_folds_it(
    connection: Connection[Any], invited: str, comes: str
) -> None:
    invite(connection, "anna", invited, InvitedBy.EMAIL, GIVER, NOW)

    with pytest.raises(NotInvitedError):
        come_by_identity(connection, ISSUER, "sub-mallory", comes, NOW)


@pytest.mark.parametrize(
    ("invited", "comes"),
    [
        ("Anna@Depot.EXAMPLE", "anna@depot.example"),
        (" anna@stra\u00dfe.example", "ANNA@stra\u00dfe.Example "),
    ],
)
def test_capitals_and_blanks_around_an_address_are_nothing(
    connection: Connection[Any], invited: str, comes: str
) -> None:
    invite(connection, "anna", invited, InvitedBy.EMAIL, GIVER, NOW)

    assert come_by_identity(connection, ISSUER, "sub-anna", comes, NOW) == "anna"
