"""A snapshot that is extended by what was declared since is the one that is loaded whole."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from typing import Any

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.declared.store import (
    NewestDeclarations,
    declare,
    load_declarations,
    policy_in_force,
)
from ledger.master_data.policies import Policy
from ledger.master_data.tokens import Token, TokenStatus
from tests.depot import NOON, changes

BLOCKED = Token(status=TokenStatus.BLOCKED)
MANY = 50_000
NEWER_BYTES_MAX = 60_000
"""What a snapshot with one token more may take: a copy of all of them takes fifty times that."""


def all_of(known: Declarations) -> list[object]:
    return [known.version, *(known.history(k, key) for k in Kind for key in known.keys(k))]


def test_what_is_extended_is_what_is_loaded_whole(database: str) -> None:
    newest = NewestDeclarations()
    with connect(database) as connection:
        declare(connection, changes(), by="t", at=NOON)
        first = newest.of(connection)
        block = Change(kind=Kind.TOKEN, key="anna-1", entity=BLOCKED, valid_from=NOON)
        # Declared later, and valid before: it takes its place by its own time.
        before = Change(
            kind=Kind.TOKEN, key="anna-1", entity=Token(), valid_from=NOON - timedelta(days=1)
        )
        declare(connection, [block], by="t", at=NOON)
        version = declare(connection, [before], by="t", at=NOON)

        found = newest.of(connection)
        whole = load_declarations(connection)
        older = load_declarations(connection, first.version, known=found)

    assert all_of(found) == all_of(whole)
    assert found.version == version
    assert all_of(older) == all_of(first) == all_of(found.at_version(first.version))
    assert found.token("anna-1", NOON) == BLOCKED
    assert found.token("anna-1", NOON - timedelta(hours=1)) == Token()


def test_an_earlier_version_is_read_from_a_newer_one_alone(database: str) -> None:
    newest = NewestDeclarations()
    with connect(database) as connection:
        declare(connection, changes(), by="t", at=NOON)
        for hours in (3, 1, 2):
            at = NOON + timedelta(hours=hours)
            block = Change(kind=Kind.TOKEN, key="anna-1", entity=BLOCKED, valid_from=at)
            policy = Change(
                kind=Kind.POLICY, key="policy", entity=Policy(wait_s=hours), valid_from=at
            )
            declare(connection, [block, policy], by="t", at=NOON)
        known = newest.of(connection)
        whole = {each: load_declarations(connection, each) for each in range(1, known.version)}
        policies = {
            hours: policy_in_force(connection, NOON + timedelta(hours=hours)) for hours in range(5)
        }

    # Without a connection: nothing is asked of the database.
    nobody: Any = None
    for version, wanted in whole.items():
        found = load_declarations(nobody, version, known=known)
        assert all_of(found) == all_of(wanted)
        for hours in range(5):
            at = NOON + timedelta(hours=hours)
            assert found.policy(at) == wanted.policy(at)
            assert found.token("anna-1", at) == wanted.token("anna-1", at)
        news = [
            row for kind in Kind for key in known.keys(kind) for row in known.history(kind, key)
        ]
        news = [row for row in news if row.version > version]
        assert all_of(found.extended(news)) == all_of(known)
    assert len(whole) > 5
    assert policies == {hours: known.policy(NOON + timedelta(hours=hours)) for hours in range(5)}
    assert len(set(policies.values())) > 2


def test_where_nothing_is_new_it_is_the_very_same(database: str) -> None:
    newest = NewestDeclarations()
    with connect(database) as connection:
        assert newest.of(connection).version == 0
        declare(connection, changes(), by="t", at=NOON)
        known = newest.of(connection)

        assert newest.of(connection) is known
        assert load_declarations(connection, known.version, known=known) is known


def token_row(version: int, token: Token = BLOCKED) -> Declaration:
    return Declaration(version, Kind.TOKEN, f"t-{version % MANY}", NOON, token)


def test_one_more_among_many_takes_what_it_is_itself() -> None:
    known = Declarations(token_row(version) for version in range(1, MANY))
    known = known.extended([token_row(MANY)])
    tracemalloc.start()
    for version in range(MANY + 1, MANY + 20):
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        known = known.extended([token_row(version, Token())])
        assert tracemalloc.get_traced_memory()[1] - before < NEWER_BYTES_MAX
    tracemalloc.stop()

    assert known.version == MANY + 19
    assert known.token("t-19", NOON) == Token()
    assert known.token("t-20", NOON) == BLOCKED


def test_the_keys_of_a_kind_are_sorted_once_however_much_of_others_comes() -> None:
    known = Declarations([token_row(1), token_row(3)])
    tokens, sites = known.keys(Kind.TOKEN), known.keys(Kind.SITE)
    again = known.extended([token_row(3, Token())])
    more = again.extended([token_row(4)]).extended([token_row(2), token_row(0)])

    assert again.keys(Kind.TOKEN) is tokens
    assert more.keys(Kind.SITE) is sites
    assert more.keys(Kind.TOKEN) == ("t-0", "t-1", "t-2", "t-3", "t-4")
    assert more.keys(Kind.TOKEN) is more.keys(Kind.TOKEN)
    assert known.keys(Kind.TOKEN) == ("t-1", "t-3")
