"""The store of declarations: append what changed, load what was known at a version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import Lock
from typing import Any, LiteralString

from psycopg import Connection

from ledger.declared.changes import Change, plan_changes
from ledger.declared.declarations import (
    Declaration,
    Declarations,
    Kind,
    decode_entity,
)
from ledger.declared.earlier import EarlierDeclarations
from ledger.declared.rules import DeclarationProblem, problems_of
from ledger.errors import LedgerError
from ledger.master_data.policies import Policy
from tariffs.model.canonical import canonical_json


def load_declarations(
    connection: Connection[Any],
    version: int | None = None,
    *,
    known: Declarations | None = None,
) -> Declarations:
    """Return the snapshot at *version*, or the newest.

    From an older one that is *known* it costs what was declared since, however much there is; from
    a newer one nothing but what is asked of it.
    """
    if known is not None and version is not None and version < known.version:
        return EarlierDeclarations(known, version)
    known = known or Declarations()
    rows = connection.execute(
        "SELECT version, kind, key, valid_from, body FROM declaration"
        " WHERE version > %s AND version <= coalesce(%s, version) ORDER BY version",
        (known.version, version),
    ).fetchall()
    news = [_read(*row) for row in rows]
    return (known.extended(news) if known.version else Declarations(news)) if news else known


def policy_in_force(connection: Connection[Any], at: datetime) -> Policy:
    """Return the policy as declared for *at*, or the default one, without reading all the rest."""
    rows = connection.execute(
        "SELECT version, kind, key, valid_from, body FROM declaration WHERE kind = 'policy'"
    )
    return Declarations([_read(*row) for row in rows]).policy(at)


class NewestDeclarations:
    """The newest snapshot, kept for the next one who asks, in any thread."""

    def __init__(self) -> None:
        self._known = Declarations()
        self._turn = Lock()

    def of(self, connection: Connection[Any]) -> Declarations:
        """Return everything that is declared by now."""
        with self._turn:
            self._known = load_declarations(connection, known=self._known)
            return self._known


LOCK: LiteralString = "LOCK TABLE declaration IN EXCLUSIVE MODE"
"""Who holds it, in a transaction, declares alone: what was read is still so when it is written."""


# Versions go up in the order in which it is said.
_DECLARE: LiteralString = """
INSERT INTO declaration (kind, key, valid_from, body, declared_at, declared_by)
SELECT kind, key, valid_from, body, %s::timestamptz, %s::text
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[])
    WITH ORDINALITY AS said (kind, key, valid_from, body, place) ORDER BY place
"""


def declare(
    connection: Connection[Any],
    changes: Sequence[Change],
    *,
    by: str,
    at: datetime,
    known: Declarations | None = None,
) -> int:
    """Write what is new in *changes*; return the version that now holds.

    One transaction; the same changes again write nothing and return the same version. Who has an
    older snapshot spares reading what is in it (`known`).

    Raises:
        InvalidDeclarationError: If the result would not hold together; nothing is written.
    """
    with connection.transaction():
        # Serialised, so that whoever sees a version sees every version below it.
        connection.execute(LOCK)
        known = load_declarations(connection, known=known)
        planned = plan_changes(known, changes, at=at)
        problems = problems_of(known, planned)
        if problems:
            raise InvalidDeclarationError(problems)
        # Who declares a hundred thousand holds everybody up who declares anything.
        columns = [
            [change.kind.value for change in planned],
            [change.key for change in planned],
            [change.valid_from for change in planned],
            [canonical_json(change.after).decode() for change in planned],
        ]
        connection.execute(_DECLARE, [at, by, *columns])
        return load_version(connection)


def load_version(connection: Connection[Any]) -> int:
    """Return the newest version, 0 where nothing was declared."""
    row = connection.execute("SELECT coalesce(max(version), 0) FROM declaration").fetchone()
    return int(row[0]) if row else 0


def _read(version: int, kind: str, key: str, valid_from: datetime, body: str) -> Declaration:
    known = Kind(kind)
    return Declaration(version, known, key, valid_from, decode_entity(known, body))


class InvalidDeclarationError(LedgerError):
    """Declarations that do not hold together; `problems` says all of them."""

    def __init__(self, problems: Sequence[DeclarationProblem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
