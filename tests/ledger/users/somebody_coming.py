"""Somebody who comes in: the constants and the second factor that tests of accounts share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from ledger.users.giving import Giver
from ledger.users.own_account import begin_factor, confirm_factor
from ledger.users.proving.refusals import Comer
from ledger.users.proving.second_factor import code_at, key_in, offered_address

NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
PASSWORD = "four words in a row"
GIVER = Giver("root")
HERE = Comer("192.0.2.7")


def key_of(connection: Connection[Any], name: str = "anna") -> bytes:
    """The key of a second factor that was set for *name* just now."""
    begin_factor(connection, name, PASSWORD, HERE, NOW)
    key = key_in(offered_address(connection, name) or "")
    assert confirm_factor(connection, name, code_at(key, NOW), NOW)
    return key
