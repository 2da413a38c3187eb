"""The store of declarations: append what changed, load what was known at a version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection

from ledger.declared.declarations import (
    BEGINNING,
    Declaration,
    Declarations,
    Entity,
    Kind,
    decode_entity,
)
from ledger.declared.rules import DeclarationProblem, problems_of
from ledger.errors import LedgerError
from tariffs.model.canonical import canonical_json

# Declarations that change a price never reach back by themselves: the driver must have seen it.
_NEVER_BACKDATED = frozenset({Kind.TARIFF, Kind.ASSIGNMENT, Kind.POLICY})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something to declare. `entity` None withdraws.

    `valid_from` None: from the moment of declaring; the first declaration of a site, station,
    legal entity, customer or token holds from the beginning, as there was nothing else before it.
    """

    kind: Kind
    key: str
    entity: Entity | None
    valid_from: datetime | None = None


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that would be written, and what it replaces (None: nothing)."""

    kind: Kind
    key: str
    valid_from: datetime
    before: Entity | None
    after: Entity | None


def load_declarations(connection: Connection[Any], version: int | None = None) -> Declarations:
    """Return the snapshot at *version*, or the newest."""
    rows = connection.execute(
        "SELECT version, kind, key, valid_from, body FROM declaration"
        " WHERE version <= coalesce(%s, version) ORDER BY version",
        (version,),
    )
    return Declarations(_read(*row) for row in rows)


def plan_changes(
    known: Declarations, changes: Iterable[Change], *, at: datetime
) -> tuple[PlannedChange, ...]:
    """Return what declaring *changes* at the moment *at* would write; pure, for a dry run."""
    planned = []
    for change in changes:
        valid_from = change.valid_from or _default_start(known, change, at)
        before = known.in_force(change.kind, change.key, valid_from)
        entity = before.entity if before else None
        if entity != change.entity:
            planned.append(
                PlannedChange(
                    kind=change.kind,
                    key=change.key,
                    valid_from=valid_from,
                    before=entity,
                    after=change.entity,
                )
            )
    return tuple(planned)


def declare(
    connection: Connection[Any], changes: Sequence[Change], *, by: str, at: datetime
) -> int:
    """Write what is new in *changes*; return the version that now holds.

    One transaction; the same changes again write nothing and return the same version.

    Raises:
        InvalidDeclarationError: If the result would not hold together; nothing is written.
    """
    with connection.transaction():
        # Serialised, so that whoever sees a version sees every version below it.
        connection.execute("LOCK TABLE declaration IN EXCLUSIVE MODE")
        known = load_declarations(connection)
        planned = plan_changes(known, changes, at=at)
        problems = problems_of(known, planned)
        if problems:
            raise InvalidDeclarationError(problems)
        for change in planned:
            connection.execute(
                "INSERT INTO declaration (kind, key, valid_from, body, declared_at, declared_by)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    change.kind,
                    change.key,
                    change.valid_from,
                    canonical_json(change.after).decode(),
                    at,
                    by,
                ),
            )
        return load_version(connection)


def load_version(connection: Connection[Any]) -> int:
    """Return the newest version, 0 where nothing was declared."""
    row = connection.execute("SELECT coalesce(max(version), 0) FROM declaration").fetchone()
    return int(row[0]) if row else 0


def _default_start(known: Declarations, change: Change, at: datetime) -> datetime:
    is_first = not known.history(change.kind, change.key)
    return BEGINNING if is_first and change.kind not in _NEVER_BACKDATED else at


def _read(version: int, kind: str, key: str, valid_from: datetime, body: str) -> Declaration:
    known = Kind(kind)
    return Declaration(version, known, key, valid_from, decode_entity(known, body))


class InvalidDeclarationError(LedgerError):
    """Declarations that do not hold together; `problems` says all of them."""

    def __init__(self, problems: Sequence[DeclarationProblem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
