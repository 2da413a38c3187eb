"""How much waits of each kind, and since when: counted up to a bound, so that it costs no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from projections.waiting.kinds import HELD, HELD_FOR, KINDS, WaitingOrder, WaitingQuery

COUNTED_MAX: Final = 1_000
"""Of a kind so many are counted; where there are more, that is said."""
REASONS_LOOKED_AT: Final = 2_000
"""Reasons are counted among so many held sessions, the oldest."""
_EACH: Final = {"after_at": None, "after_key": None, "after_minor": None}
_COUNTED: LiteralString = """
SELECT count(*), (array_agg(at))[1], (array_agg(key))[1], (array_agg(place))[1]
FROM ({} LIMIT %(limit)s) AS waiting
"""
_BY_REASON: LiteralString = """
SELECT reason, count(*), min(at), (array_agg(place ORDER BY at))[1]
FROM ({} LIMIT %(limit)s) AS held CROSS JOIN unnest(codes) AS reason
GROUP BY reason ORDER BY 2 DESC, 1
"""


class WaitingCount(NamedTuple):
    """How many wait, at least where it `is_more`; the oldest is `oldest_key`, at `place`.

    `oldest`: since when that waits; None where no table says so.
    """

    kind: str
    number: int
    is_more: bool
    oldest: datetime | None
    oldest_key: str
    place: str


class HeldReason(NamedTuple):
    """So many sessions are held for a reason, the oldest since `oldest`, at a station."""

    reason: str
    number: int
    oldest: datetime
    station_id: str


class WaitingItem(NamedTuple):
    """One thing that waits, as its kind's query tells it (`projections.waiting.kinds`)."""

    key: str
    place: str | None
    at: datetime | None
    minor: int | None
    currency: str | None
    codes: Sequence[str]
    about: str


class BehindItem(NamedTuple):
    """Where a list goes on: behind the item of that key, which waits since then, for that much."""

    at: datetime | None
    key: str
    minor: int | None = None


def waiting_counts(connection: Connection[Any], asked: Mapping[str, object]) -> list[WaitingCount]:
    """Return how much waits of each kind; *asked*: `asked_within`."""
    return [_counted(connection, kind, asked) for kind in KINDS]


def held_reasons(connection: Connection[Any], asked: Mapping[str, object]) -> list[HeldReason]:
    """Return for which reasons sessions are held, the most frequent first."""
    query = _BY_REASON.format(_within(KINDS[HELD].query, asked))
    said = {**_EACH, **asked, "limit": REASONS_LOOKED_AT}
    return [HeldReason(*row) for row in connection.execute(query, said)]


def waiting_items(
    connection: Connection[Any],
    kind: str,
    asked: Mapping[str, object],
    *,
    limit: int,
    after: BehindItem | None = None,
    reason: str | None = None,
    order: WaitingOrder = WaitingOrder.OLDEST,
) -> list[WaitingItem]:
    """Return what waits of a kind in an *order* that it has (`WaitingKind.queries`).

    *after*: only behind this one. *reason*: of held sessions only those that are held for it.
    """
    behind = _EACH if after is None else {f"after_{k}": v for k, v in after._asdict().items()}
    said = {**asked, **behind, "reason": reason, "limit": limit}
    queries = HELD_FOR if kind == HELD and reason else KINDS[kind].queries
    query = _within(queries[order], asked)
    return [WaitingItem(*row) for row in connection.execute(query + " LIMIT %(limit)s", said)]


def _counted(connection: Connection[Any], kind: str, asked: Mapping[str, object]) -> WaitingCount:
    query = _COUNTED.format(_within(KINDS[kind].query, asked))
    said = {**_EACH, **asked, "limit": COUNTED_MAX + 1}
    [(count, oldest, key, place)] = connection.execute(query, said).fetchall()
    number, is_more = min(count, COUNTED_MAX), count > COUNTED_MAX
    return WaitingCount(kind, number, is_more, oldest, key or "", place or "")


def _within(query: WaitingQuery, asked: Mapping[str, object]) -> LiteralString:
    return query.whole if asked["stations"] is None else query.cut
