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


@pytest.fixture
async def directory(declared: str) -> AsyncIterator[DeclaredDirectory]:
    directory = DeclaredDirectory(declared, FixedClock())
    yield directory
    await directory.close()


@pytest.mark.parametrize(
    ("uid", "parent"), [("04child-1", "04FAMILY"), (" 04CHILD-1 ", "04FAMILY")]
)
async def test_a_parent_token_keeps_its_case_on_the_wire(
    directory: DeclaredDirectory, uid: str, parent: str
) -> None:
    token = await directory.token(uid)

    assert token is not None
    assert token.group == parent


async def test_a_parent_is_found_in_whatever_case_it_is_named(
    directory: DeclaredDirectory,
) -> None:
    token = await directory.token("04child-2")

    assert token is not None
    assert (token.status, token.group) == (AuthorizationStatus.ACCEPTED, "04family")


async def test_a_blocked_token_is_blocked_and_an_undeclared_one_unknown(
    directory: DeclaredDirectory,
) -> None:
    gone = await directory.token("04GONE")

    assert gone is not None
    assert gone.status is AuthorizationStatus.BLOCKED
    assert await directory.token("04FFFF") is None
