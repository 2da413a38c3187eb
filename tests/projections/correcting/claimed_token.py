"""A day whose bearer's token turns out to be the fleet's, from the day's morning on."""

from __future__ import annotations

from datetime import timedelta

import psycopg

from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.master_data.tokens import Token
from tests.charging_day import MORNING, charging_day, declare_fleet, everywhere, write_log
from tests.faults.broken_books import work


def claimed_token(dsn: str) -> str:
    """Work off a charging day, and then that a customer has the token of two of its sessions."""
    write_log(dsn, charging_day(declare_fleet(dsn)))
    work(dsn)
    change = Change(kind=Kind.TOKEN, key="bearer1", entity=Token(customer="fleet"))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        version = declare(connection, [change], by="test", at=MORNING - timedelta(days=1))
    write_log(dsn, list(everywhere(version, 300)))
    work(dsn)
    return dsn
