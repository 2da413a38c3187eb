from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from ingest.answers.transactions import PostgresTransactionIds, content_key
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.rpc.fields import PayloadFields
from ledger.database import connect, connect_async
from ledger.persons.holders import token_holder
from tests.at_the_edge import named_subject
from tests.edge import open_edge

INT32_MAX = 2**31 - 1
START = {
    "connectorId": 1,
    "idTag": "04AB",
    "meterStart": 100,
    "timestamp": "2026-03-02T12:00:00Z",
}


@pytest.fixture
async def ids(database: str) -> AsyncIterator[PostgresTransactionIds]:
    ids = PostgresTransactionIds(lambda: connect_async(database))
    yield ids
    await ids.close()


async def test_the_same_content_gets_the_same_id_and_any_other_another(
    ids: PostgresTransactionIds,
) -> None:
    first = await ids.assign("CP1", "a")

    assert await ids.assign("CP1", "a") == first
    assert await ids.assign("CP1", "b") != first
    assert await ids.assign("CP2", "a") != first
    assert 0 < first <= INT32_MAX


async def test_many_starts_at_once_get_ids_of_their_own_and_repeats_share_theirs(
    ids: PostgresTransactionIds,
) -> None:
    asked = [(f"CP{number % 50}", f"key-{number % 100}") for number in range(300)]

    given = await asyncio.gather(*(ids.assign(*key) for key in asked))

    assert dict(zip(asked, given, strict=True)) == {
        key: await ids.assign(*key) for key in dict.fromkeys(asked)
    }
    assert len(set(given)) == len(set(asked)) == 100


async def test_two_processes_agree_on_an_id_and_a_restart_keeps_it(database: str) -> None:
    servers = [PostgresTransactionIds(lambda: connect_async(database)) for _ in range(2)]

    given = await asyncio.gather(*(each.assign("CP1", "a") for each in servers for _ in range(20)))
    for each in servers:
        await each.close()
    restarted = PostgresTransactionIds(lambda: connect_async(database))
    again = await restarted.assign("CP1", "a")
    await restarted.close()

    assert set(given) == {again}


async def test_a_lost_connection_to_the_database_is_opened_again(
    ids: PostgresTransactionIds, database: str
) -> None:
    first = await ids.assign("CP1", "a")
    with connect(database) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert await ids.assign("CP1", "a") == first


async def test_a_database_that_stays_away_is_told_to_everyone_who_waits() -> None:
    async def refuse() -> psycopg.AsyncConnection:
        raise psycopg.OperationalError

    ids = PostgresTransactionIds(refuse, patience_seconds=0.2)

    outcomes = await asyncio.gather(
        *(ids.assign("CP1", key) for key in "abc"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [psycopg.OperationalError] * 3


async def test_two_installations_start_at_different_numbers(database: str) -> None:
    migration = files("deploy.migrations") / "inputs" / "0002_stations.sql"
    starts = set()
    with connect(database) as connection:
        for number in range(5):
            connection.execute(f"CREATE SCHEMA other{number}".encode())
            connection.execute(f"SET search_path = other{number}".encode())
            connection.execute(migration.read_bytes())
            row = connection.execute("SELECT nextval('transaction_number')").fetchone()
            assert row is not None
            starts.add(row[0])

    assert len(starts) == 5


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({}, id="as it was"),
        pytest.param({"idTag": " 04ab"}, id="the token in other case and with blanks"),
        pytest.param({"connectorId": "1", "meterStart": "100"}, id="numbers as text"),
        pytest.param({"meterStart": 100.0, "reservationId": 0}, id="a fraction of nothing"),
    ],
)
def test_one_content_in_another_spelling_is_the_same_start(again: dict[str, Any]) -> None:
    assert _key(START | again) == _key(START)


@pytest.mark.parametrize(
    "other",
    [
        {"connectorId": 2},
        {"idTag": "04AC"},
        {"meterStart": 101},
        {"timestamp": "2026-03-02T12:00:01Z"},
        {"meterStart": None},
    ],
)
def test_any_other_content_is_another_start(other: dict[str, Any]) -> None:
    assert _key(START | other) != _key(START)


@pytest.mark.parametrize("payload", [b"null", b"[]", b'"x"', b'{"meterStart":"1e999999999"}'])
def test_even_garbage_has_a_content(payload: bytes) -> None:
    assert len(content_key(PayloadFields(payload), None)) < 100


async def test_epochs_ascend_for_each_station_and_survive_a_restart(database: str) -> None:
    epochs = PostgresEpochs(lambda: connect_async(database))
    first = await asyncio.gather(
        *(epochs.advance(name, "ocpp1.6") for name in ("A", "B", "A", "A", "B"))
    )
    await epochs.close()
    restarted = PostgresEpochs(lambda: connect_async(database))
    then = await restarted.advance("A", "ocpp1.6")
    await restarted.close()

    assert first == [1, 1, 2, 3, 2]
    assert then == 4


async def test_a_replayed_start_gets_its_id_after_a_restart_of_the_server(database: str) -> None:
    answers = []
    for message_id in ("1000005", "1000006"):
        ids = PostgresTransactionIds(lambda: connect_async(database))
        epochs = PostgresEpochs(lambda: connect_async(database))
        async with open_edge(ids=ids, epochs=epochs) as edge, edge.station() as station:
            answers.append(await station.call("StartTransaction", START, message_id=message_id))
            assert edge.server.connections["CP1"].epoch == len(answers)
        await ids.close()
        await epochs.close()

    assert answers[0] == answers[1]


def _key(payload: dict[str, Any]) -> str:
    holder = token_holder(payload["idTag"])
    assert holder is not None
    return content_key(PayloadFields(json.dumps(payload).encode()), named_subject(holder).id)


async def test_starts_that_no_index_would_hold_get_ids_and_hold_up_nobody(database: str) -> None:
    ids = PostgresTransactionIds(lambda: connect_async(database))
    long = "".join(sha256(bytes([n])).hexdigest() for n in range(125))
    hostile = [
        START | {"timestamp": long},
        START | {"meterStart": long},
        START | {"idTag": long},
        START | {"timestamp": "\0", "idTag": "\0a"},
    ]
    async with open_edge(ids=ids) as edge, edge.station() as bad, edge.station("CP2") as good:
        answers = await asyncio.gather(
            *(bad.call("StartTransaction", each) for each in hostile[:1]),
            good.call("StartTransaction", START),
        )
        answers += [await bad.call("StartTransaction", each) for each in hostile[1:]]
        assert len(edge.frames()) == len(answers)
    await ids.close()

    given = [answer["transactionId"] for answer in answers]
    assert len(set(given)) == len(given)


async def test_two_servers_with_the_same_starts_in_other_orders_do_not_lock_each_other_out(
    database: str,
) -> None:
    servers = [PostgresTransactionIds(lambda: connect_async(database)) for _ in range(2)]
    for round_ in range(20):
        keys = [f"{round_}-{number}" for number in range(200)]
        orders = zip(servers, (keys, keys[::-1]), strict=True)
        asked = [server.assign("CP1", key) for server, order in orders for key in order]
        given = await asyncio.gather(*asked)
        assert given[:200] == given[200:][::-1]
    for server in servers:
        await server.close()

    with connect(database) as connection:
        [deadlocks] = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchall()
    assert deadlocks == (0,)
