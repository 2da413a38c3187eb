"""Assignments as they hold at a moment, a page of them, by what they name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Kind, decode_entity
from ledger.master_data.assignments import Assignment

SIDES: Final = ("site", "station", "token_group", "partner", "token")
"""What an assignment may name beside its tariff; `sides` of `held_assignments`."""
_LIST: LiteralString = """
SELECT one.key, one.valid_from, one.declared_at, one.declared_by, one.body, later.valid_from,
    later.body
FROM declaration AS one
LEFT JOIN LATERAL (
    SELECT valid_from, body FROM declaration
    WHERE kind = 'assignment' AND key = one.key AND valid_from > %(at)s
    ORDER BY valid_from, version DESC LIMIT 1
) AS later ON true
WHERE one.kind = 'assignment' AND one.key > %(after)s AND one.valid_from <= %(at)s
  AND one.body <> 'null'
"""
_NEWEST: LiteralString = """
  AND NOT EXISTS (
    SELECT FROM declaration AS newer
    WHERE newer.kind = 'assignment' AND newer.key = one.key AND newer.valid_from <= %(at)s
      AND (newer.valid_from, newer.version) > (one.valid_from, one.version))
ORDER BY one.key LIMIT %(limit)s
"""
# Only what is asked for stands in the statement: each condition has an index of its own.
_OF: LiteralString = " AND one.key = ANY (%(of)s::text[])"
_BY: Final[Mapping[str, LiteralString]] = {
    "tariff": " AND one.body::jsonb ->> 'tariff' = %(tariff)s",
    "site": " AND one.body::jsonb ->> 'site' = %(site)s",
    "station": " AND one.body::jsonb ->> 'station' = %(station)s",
    "token_group": " AND lower(one.body::jsonb ->> 'token_group') = lower(%(token_group)s)",
    "partner": " AND one.body::jsonb ->> 'partner' = %(partner)s",
    "token": " AND one.body::jsonb ->> 'token' = %(token)s",
}


class HeldAssignment(NamedTuple):
    """An assignment that holds, since when and by whom.

    `next_from`: when another one takes its place, None where none is declared; `next_tariff`: that
    one's, "" where it is withdrawn.
    """

    key: str
    assignment: Assignment
    valid_from: datetime
    declared_at: datetime
    declared_by: str
    next_from: datetime | None
    next_tariff: str


def held_assignments(
    connection: Connection[Any],
    *,
    at: datetime,
    tariff: str = "",
    sides: Mapping[str, str] | None = None,
    of: Collection[str] | None = None,
    after: str = "",
    limit: int = 50,
) -> Sequence[HeldAssignment]:
    """Return assignments by key, as of a moment.

    Args:
        connection: To the books.
        at: As of when.
        tariff: Only those of this tariff; "": of any.
        sides: Only those that name all of these; a token by its subject id.
        of: Only those with these keys; None: any.
        after: The key of the last one of the page before.
        limit: How many at most.
    """
    filters = {name: value for name, value in {"tariff": tariff, **(sides or {})}.items() if value}
    given = {
        "at": at,
        "of": None if of is None else sorted(of),
        "after": after,
        "limit": limit,
        **filters,
    }
    statement = _LIST
    if of is not None:
        statement += _OF
    for name in filters:
        statement += _BY[name]
    # Planned for what is asked for each time: a site may have one assignment, or a million.
    rows = connection.execute(statement + _NEWEST, given, prepare=False)
    return [_held(*row) for row in rows]


def _held(
    key: str,
    valid_from: datetime,
    declared_at: datetime,
    declared_by: str,
    body: str,
    next_from: datetime | None,
    next_body: str | None,
) -> HeldAssignment:
    found, after = (_entity(each) for each in (body, next_body or "null"))
    assert found is not None, key
    next_tariff = after.tariff if after else ""
    return HeldAssignment(key, found, valid_from, declared_at, declared_by, next_from, next_tariff)


def _entity(body: str) -> Assignment | None:
    entity = decode_entity(Kind.ASSIGNMENT, body)
    return entity if isinstance(entity, Assignment) else None
