"""People with roles, and their own tokens."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.database import connect
from ledger.users.access_tokens import make_token
from ledger.users.roles import Grant
from ledger.users.store import add_user
from ledger.users.user import User

AT = datetime(2026, 3, 1, tzinfo=UTC)


def token_of_person(dsn: str, name: str, *grants: Grant, by: str = "ann") -> str:
    """Make an account with *grants*, and return its own token; *by*: who lets that person in."""
    with connect(dsn) as connection:
        add_user(connection, User(name=name, full_name=name, grants=grants), by=by, at=AT)
        return make_token(connection, f"{name} laptop", (), by=name, person=name)


def bearing(token: str) -> dict[str, str]:
    """Return the headers of a request with *token*."""
    return {"Authorization": f"Bearer {token}"}
