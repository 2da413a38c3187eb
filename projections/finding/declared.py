"""What is declared of one thing, and of all of a kind by their keys, as people name them.

Tokens, customers and drivers are declared by subject ids; who looks for one knows its name. No
password's hash is told, nor where a customer's name and address lie.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.persons.holders import customer_holder, token_holder
from ledger.persons.store import find, names_of
from projections.stations.registered import declared_id

_HIDDEN: Final = frozenset({"password_hash", "details"})


class DeclaredThing(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared of a thing, and since when it holds; `version` numbers the declaration."""

    kind: str
    key: str
    version: int
    holds_from: datetime
    entity: dict[str, Any]


def declared_thing(
    connection: Connection[Any], declarations: Declarations, kind: Kind, key: str, at: datetime
) -> DeclaredThing | None:
    """Return what holds *at* a moment of the thing of that *key*; None: nothing is declared."""
    declared_as = _declared_as(connection, kind, key)
    row = None if declared_as is None else declarations.in_force(kind, declared_as, at)
    if row is None or row.entity is None:
        return None
    [thing] = _things(connection, [row])
    return thing


def declared_things(
    connection: Connection[Any],
    declarations: Declarations,
    kind: Kind,
    at: datetime,
    *,
    limit: int,
    after: str | None = None,
) -> tuple[Sequence[DeclaredThing], str | None]:
    """Return what holds *at* a moment of all of a kind, and behind which key the next ones begin.

    In the order in which they are declared by: of tokens and customers that is no order of names.
    """
    keys = declarations.keys(kind)
    rows: list[Declaration] = []
    start = 0 if after is None else bisect_right(keys, after)
    for key in keys[start:]:
        row = declarations.in_force(kind, key, at)
        if row is None or row.entity is None:
            continue
        if len(rows) == limit:
            return _things(connection, rows), rows[-1].key
        rows.append(row)
    return _things(connection, rows), None


def _declared_as(connection: Connection[Any], kind: Kind, key: str) -> str | None:
    if kind is Kind.STATION:
        return declared_id(connection, key)
    if kind not in {Kind.TOKEN, Kind.CUSTOMER}:
        return key
    holder = token_holder(key) if kind is Kind.TOKEN else customer_holder(key)
    if holder is None:
        return None
    subject = find(connection, [holder]).get((holder.kind, holder.name))
    return None if subject is None else subject.id


def _things(connection: Connection[Any], rows: Sequence[Declaration]) -> list[DeclaredThing]:
    entities = [_shown(row) for row in rows]
    ids = [each for row, entity in zip(rows, entities, strict=True) for each in _ids(row, entity)]
    names = names_of(connection, ids)
    return [
        DeclaredThing(
            kind=row.kind.value,
            key=names.get(row.key, row.key),
            version=row.version,
            holds_from=row.valid_from,
            entity={
                name: names.get(value, value) if isinstance(value, str) else value
                for name, value in entity.items()
            },
        )
        for row, entity in zip(rows, entities, strict=True)
    ]


def _shown(row: Declaration) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(row.entity)
    return {name: value for name, value in built.items() if name not in _HIDDEN}


def _ids(row: Declaration, entity: dict[str, Any]) -> list[str]:
    return [row.key, *(value for value in entity.values() if isinstance(value, str))]
