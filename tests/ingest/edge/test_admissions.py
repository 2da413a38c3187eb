"""Proofs and refusals in the database: kept over restarts, and bounded whatever strangers do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.postgres import migrate
from deploy.running.edge_secret import FILE_NAME, BadSecretError, edge_secret
from ingest.edge import admissions as admissions_module
from ingest.edge.admissions import (
    KEPT_MAX,
    SAID,
    Admissions,
    PostgresAdmissions,
    Reason,
    Refused,
    Times,
)
from ingest.edge.known_keys import KnownKeys, Proof
from ledger.database import connect, connect_async
from tests.edge import SECRET
from tests.fakes import NOON, FixedClock


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresAdmissions]:
    with psycopg.connect(database) as connection:
        migrate.apply(connection, "inputs")
    store = PostgresAdmissions(partial(connect_async, database))
    yield store
    await store.close()


def rows(database: str, query: Any) -> list[Any]:  # noqa: ANN401 - a query
    with connect(database) as connection:
        return connection.execute(query).fetchall()


async def test_a_proof_is_found_again_by_who_has_the_same_secret(
    store: PostgresAdmissions,
) -> None:
    for password in ("one", "two"):
        known = KnownKeys(SECRET)
        known.remember("cp1", password.encode(), "hash")
        await Admissions(store, known, FixedClock()).save()
    after, other = KnownKeys(SECRET), KnownKeys(b"other")
    for each in (after, other):
        await Admissions(store, each, FixedClock()).load()

    assert after.is_known("cp1", b"two", "hash") is True
    assert after.is_known("cp1", b"one", "hash") is False
    assert after.is_known("cp1", b"two", "another hash") is None
    assert other.is_known("cp1", b"two", "hash") is None


async def test_the_table_of_proofs_tells_no_password(
    store: PostgresAdmissions, database: str
) -> None:
    known = KnownKeys(SECRET)
    known.remember("cp1", b"a password", "a hash")
    await Admissions(store, known, FixedClock()).save()

    ((kept,),) = rows(database, "SELECT credential_seen::text FROM credential_seen")
    assert b"a password".hex() not in kept
    assert SECRET.hex() not in kept


async def test_refusals_add_up_by_who_and_why(store: PostgresAdmissions, database: str) -> None:
    clock = FixedClock()
    admissions = Admissions(store, KnownKeys(SECRET), clock)
    for reason in (Reason.WRONG_PASSWORD, Reason.WRONG_PASSWORD, Reason.USER_NAME):
        admissions.refuse(reason, "CP1", "192.0.2.1")
        clock.moment += timedelta(seconds=1)
        await admissions.save()

    found = rows(
        database,
        "SELECT reason, identity, address, last_at - first_at, times FROM refused_connection"
        " ORDER BY 1",
    )
    assert found == [
        ("user_name", "CP1", "192.0.2.1", timedelta(0), 1),
        ("wrong_password", "CP1", "192.0.2.1", timedelta(seconds=1), 2),
    ]
    assert rows(database, "SELECT reason, times FROM refusal_count ORDER BY 1") == [
        ("user_name", 1),
        ("wrong_password", 2),
    ]


async def test_strangers_push_out_the_oldest_strangers_and_no_station(
    store: PostgresAdmissions, database: str
) -> None:
    station = {Refused(Reason.WRONG_PASSWORD, "CP1", "b"): Times(NOON, NOON, 1)}
    await store.save("key", {}, station)
    for each in range(3):
        later = NOON + timedelta(seconds=each)
        flood = {
            Refused(Reason.UNKNOWN_IDENTITY, f"x{each}-{n}", "a"): Times(later, later, 1)
            for n in range(KEPT_MAX // 2)
        }
        await store.save("key", {}, flood)

    assert rows(
        database,
        "SELECT reason, min(identity), count(*) FROM refused_connection GROUP BY 1 ORDER BY 1",
    ) == [("unknown_identity", "x1-0", KEPT_MAX), ("wrong_password", "CP1", 1)]
    assert rows(database, "SELECT reason, times FROM refusal_count ORDER BY 1") == [
        ("unknown_identity", 3 * (KEPT_MAX // 2)),
        ("wrong_password", 1),
    ]


async def test_of_too_many_proofs_those_used_last_are_loaded_the_oldest_first(
    store: PostgresAdmissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admissions_module, "REMEMBERED_MAX", 2)
    for name in ("a", "b", "c", "b"):
        await store.save("key", {name: Proof(b"", b"")}, {})

    assert list(await store.proofs("key")) == ["c", "b"]


async def test_a_store_that_is_away_is_asked_once_and_told_of(store: PostgresAdmissions) -> None:
    asked = 0

    async def connect() -> psycopg.AsyncConnection:
        nonlocal asked
        asked += 1
        return await connect_async("host=/nowhere")

    away = PostgresAdmissions(connect)

    with pytest.raises(psycopg.OperationalError):
        await away.save("key", {"cp1": Proof(b"", b"")}, {})
    assert asked == 1
    await away.close()
    await store.save("key", {}, {})


def test_each_reason_has_its_words() -> None:
    assert set(SAID) == set(Reason)


def test_the_secret_stays_the_same_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    first = edge_secret(tmp_path)

    assert len(first) == 32
    assert edge_secret(tmp_path) == first
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_broken_secret_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"short")

    with pytest.raises(BadSecretError, match="5 bytes, not 32; delete it"):
        edge_secret(tmp_path)
