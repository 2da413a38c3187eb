"""What the edge is told of stations and tokens is what was declared, as it was spelt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.running.opening import prepare
from deploy.settings import Settings
from ingest.declared_directory import DeclaredDirectory
from ingest.directory import AuthorizationStatus
from ledger.database import connect
from ledger.desk.apply import apply_files
from ledger.log.postgres import PostgresEventLog
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find
from tests.fakes import FixedClock

DECLARED = """
tokens:
  04FAMILY: {}
  04Child-1: {parent: 04FAMILY, group: Residents}
  04Child-2: {parent: 04family}
  04gone: {status: blocked}
"""


@pytest.fixture
def declared(database: str, tmp_path: Path) -> str:
    prepare(database, Settings(data=tmp_path, partitions=1))
    with connect(database) as connection, PostgresEventLog(database) as log:
        declared_at = datetime(2026, 3, 1, tzinfo=UTC)
        files = [(DECLARED, "tokens.yaml")]
        apply_files(connection, files, log=log, by="a test", at=declared_at)
    return database


def subject_of(dsn: str, uid: str) -> str:
    """Return the subject of a token that is in the table already."""
    holder = token_holder(uid)
    assert holder is not None
    with connect(dsn) as connection:
        (subject,) = find(connection, [holder]).values()
    return subject.id


@pytest.fixture
async def directory(declared: str) -> AsyncIterator[DeclaredDirectory]:
    directory = DeclaredDirectory(declared, FixedClock())
    yield directory
    await directory.close()


@pytest.mark.parametrize("uid", ["04child-1", " 04CHILD-1 ", "04child-2"])
async def test_a_parent_token_is_told_as_its_own_declaration_spells_it(
    declared: str, directory: DeclaredDirectory, uid: str
) -> None:
    token = await directory.token(subject_of(declared, uid))

    assert token is not None
    assert (token.status, token.group) == (AuthorizationStatus.ACCEPTED, "04FAMILY")


async def test_a_parent_that_was_erased_is_told_to_nobody(
    declared: str, directory: DeclaredDirectory
) -> None:
    with connect(declared) as connection:
        erase(connection, [subject_of(declared, "04FAMILY")])
    token = await directory.token(subject_of(declared, "04child-1"))

    assert token is not None
    assert (token.status, token.group) == (AuthorizationStatus.ACCEPTED, None)


async def test_a_blocked_token_is_blocked_and_an_undeclared_one_unknown(
    declared: str, directory: DeclaredDirectory
) -> None:
    gone = await directory.token(subject_of(declared, "04GONE"))

    assert gone is not None
    assert gone.status is AuthorizationStatus.BLOCKED
    assert await directory.token("04FFFF") is None
