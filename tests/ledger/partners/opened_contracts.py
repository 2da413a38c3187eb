"""Contracts that are sealed in records, opened as who writes a CDR does."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from ledger.persons.sealing import Subject, unseal
from ledger.persons.store import keys_of


def opened_contract(connection: Connection[Any], subject: str, contract: str) -> str | None:
    """Return the id of a sealed contract, None once its bearer is erased."""
    key = keys_of(connection, [subject]).get(subject)
    return None if key is None else unseal(Subject(subject, key), contract)
