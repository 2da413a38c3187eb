"""A snapshot that is extended by what was declared since is the one that is loaded whole."""

from __future__ import annotations

from datetime import timedelta

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import NewestDeclarations, declare, load_declarations
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


def test_where_nothing_is_new_it_is_the_very_same(database: str) -> None:
    newest = NewestDeclarations()
    with connect(database) as connection:
        assert newest.of(connection).version == 0
        declare(connection, changes(), by="t", at=NOON)
        known = newest.of(connection)

        assert newest.of(connection) is known
        assert load_declarations(connection, known.version, known=known) is known
