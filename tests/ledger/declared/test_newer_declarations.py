"""A snapshot that is extended by what was declared since is the one that is loaded whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
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
