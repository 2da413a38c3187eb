"""One token has one subject, whoever looks it up, and a known one costs no commit."""

from __future__ import annotations

import asyncio

from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect, connect_async
from ledger.persons.holders import Holder, station_holder, token_holder
from ledger.persons.store import (
    erase,
    find,
    find_or_make,
    keys_of,
    names_in,
    names_of,
    spelt_in,
)


def token(uid: str) -> Holder:
    holder = token_holder(uid)
    assert holder is not None
    return holder


def opened_subjects(dsn: str, *, fresh_seconds: float = 30.0, most: int = 100) -> PostgresSubjects:
    return PostgresSubjects(
        lambda: connect_async(dsn), fresh_seconds=fresh_seconds, remembered_max=most
    )


async def test_servers_that_see_a_token_at_once_agree_on_its_subject(database: str) -> None:
    servers = [opened_subjects(database) for _ in range(4)]
    holders = [token(f"04{number:06X}") for number in range(50)]
    found = await asyncio.gather(
        *(
            server.of(holders[:: (1 if index % 2 else -1)])
            for index, server in enumerate(servers)
            for _ in range(5)
        )
    )
    for server in servers:
        await server.close()

    assert all(each == found[0] for each in found)
    assert len({subject.id for subject in found[0].values()}) == len(holders)


async def test_a_token_in_any_spelling_has_one_subject_and_others_have_others(
    database: str,
) -> None:
    subjects = opened_subjects(database)
    asked = [token("04AB"), token(" 04ab "), token("04AC"), station_holder("04ab")]
    found = await subjects.of(asked)
    again = await subjects.of(asked[:1])
    await subjects.close()

    assert found[asked[0]] == found[asked[1]] == again[asked[0]]
    assert len({subject.id for subject in found.values()}) == 3


async def test_what_is_remembered_asks_nobody_and_what_is_not_writes_nothing(
    database: str,
) -> None:
    subjects = opened_subjects(database, most=1)
    first = await subjects.of([token("A1")])
    await subjects.of([token("A2")])
    with connect(database) as connection:
        erase(connection, [first[token("A1")].id])
        after_a2 = await subjects.of([token("A2")])
        known = find(connection, [token("A2")])
    new = await subjects.of([token("A1")])
    await subjects.close()

    assert list(after_a2.values()) == list(known.values())
    assert new[token("A1")] != first[token("A1")]


async def test_an_erased_token_that_comes_again_is_somebody_new(database: str) -> None:
    subjects = opened_subjects(database, fresh_seconds=0.0)
    holder = token("04AB")
    before = (await subjects.of([holder]))[holder]
    with connect(database) as connection:
        assert erase(connection, [before.id]) == 1
        assert (names_of(connection, [before.id]), keys_of(connection, [before.id])) == ({}, {})
    after = (await subjects.of([holder]))[holder]
    await subjects.close()

    assert {after.id, after.key}.isdisjoint({before.id, before.key})


async def test_a_token_as_long_as_a_frame_has_a_subject_too(database: str) -> None:
    subjects = opened_subjects(database)
    long = [token("é" * 300_000 + end) for end in "ab"]
    found = await subjects.of([*long, token("x\ud800\0y")])
    await subjects.close()

    assert len({subject.id for subject in found.values()}) == 3


def test_what_is_declared_is_spelt_as_declared(database: str) -> None:
    with connect(database) as connection:
        seen = find_or_make(connection, [token("04ab")])
        declared = find_or_make(connection, [token("04AB")], is_declared=True)
        spelt = connection.execute("SELECT spelt FROM subject").fetchall()
        told = [f"of {each.id}" for each in declared.values()]
        shown, compared = spelt_in(connection, told), names_in(connection, told)

    assert list(shown.values()) == ["04AB"]
    assert list(compared.values()) == ["04ab"]
    assert seen == declared
    assert spelt == [("04AB",)]
