"""How much each partner told of each kind, and how often it was refused more: a row for each.

A count goes up in the transaction that keeps what is counted, so it is what is there, and costs one
statement whatever there is. A refusal takes nothing back: it is written after that transaction.

Tests: tests/ledger/partners/test_told_counts.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import AsyncConnection, Connection

from ledger.partners.bounds import Bound, PartnerBounds, day_of

# In one order: of two who count at once, none waits for one that waits for it. The row is held
# until the transaction ends, so what is counted last is held shortest.
_ADD: Final[LiteralString] = """
INSERT INTO told_count AS known (party, bound, day, counted)
SELECT %s, * FROM unnest(%s::text[], %s::date[], %s::bigint[])
ON CONFLICT (party, bound) DO UPDATE SET day = greatest(known.day, excluded.day),
    counted = CASE WHEN excluded.day > known.day THEN excluded.counted
        ELSE greatest(known.counted + excluded.counted, 0) END
RETURNING bound, counted
"""
_LOOK: Final[LiteralString] = """
SELECT bound, day, counted FROM told_count WHERE party = %s AND bound = ANY (%s)
ORDER BY bound FOR UPDATE
"""
_REFUSED: Final[LiteralString] = """
INSERT INTO told_count AS known (party, bound, refused, refused_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (party, bound) DO UPDATE SET
    refused = known.refused + excluded.refused, refused_at = excluded.refused_at
"""
_STATE: Final[LiteralString] = """
SELECT bound, day, counted, refused, refused_at FROM told_count WHERE party = %s ORDER BY bound
"""
ALL_REFUSED: Final[LiteralString] = """
SELECT bound, sum(refused)::bigint FROM told_count WHERE refused > 0 GROUP BY bound
"""


class ToldCount(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one kind is there (of today, where it is counted by the day), and was refused."""

    bound: Bound
    counted: int
    refused: int = 0
    refused_at: datetime | None = None

    @property
    def refusals(self) -> tuple[int, datetime | None]:
        """How often more was refused, and when last."""
        return self.refused, self.refused_at


class ToldCounts:
    """Counts what partners tell, within *bounds*."""

    def __init__(self, bounds: PartnerBounds) -> None:
        self.bounds = bounds

    async def add(
        self, connection: AsyncConnection[Any], party: str, more: Mapping[Bound, int], at: datetime
    ) -> None:
        """Count what *party* tells, in the caller's transaction; below 0 is less.

        Raises:
            TooMuchToldError: If that makes too much of a kind; the transaction must end with it.
        """
        if asked := _asked(party, more, at):
            rows = await (await connection.execute(_ADD, asked)).fetchall()
            self._check(party, more, rows, at)

    def add_now(
        self, connection: Connection[Any], party: str, more: Mapping[Bound, int], at: datetime
    ) -> None:
        """Do what `add` does, over a connection that waits."""
        if asked := _asked(party, more, at):
            self._check(party, more, connection.execute(_ADD, asked).fetchall(), at)

    async def room(
        self, connection: AsyncConnection[Any], party: str, kinds: Iterable[Bound], at: datetime
    ) -> dict[Bound, int]:
        """Return how many more of each kind *party* may tell, and hold that for the transaction."""
        kinds = list(kinds)
        rows = await (await connection.execute(_LOOK, (party, kinds))).fetchall()
        return self._room(kinds, rows, at)

    def room_now(
        self, connection: Connection[Any], party: str, kinds: Iterable[Bound], at: datetime
    ) -> dict[Bound, int]:
        """Do what `room` does, over a connection that waits."""
        kinds = list(kinds)
        return self._room(kinds, connection.execute(_LOOK, (party, kinds)).fetchall(), at)

    def _room(
        self, kinds: Sequence[Bound], rows: Sequence[tuple[str, date | None, int]], at: datetime
    ) -> dict[Bound, int]:
        known = {bound: _of_today(Bound(bound), day, count, at) for bound, day, count in rows}
        return {each: max(self.bounds.most(each) - known.get(each, 0), 0) for each in kinds}

    def _check(
        self, party: str, more: Mapping[Bound, int], rows: Sequence[tuple[str, int]], at: datetime
    ) -> None:
        for name, counted in rows:
            if more[Bound(name)] > 0:
                self.bounds.check(party, Bound(name), counted, at)


def note_refused(
    connection: Connection[Any], party: str, bound: Bound, at: datetime, *, times: int = 1
) -> None:
    """Note that *party* was refused more of a kind."""
    connection.execute(_REFUSED, (party, bound, times, at))


async def note_one_refused(
    connection: AsyncConnection[Any], party: str, bound: Bound, at: datetime
) -> None:
    """Note that *party* was refused one more of a kind."""
    await connection.execute(_REFUSED, (party, bound, 1, at))


def told_counts(connection: Connection[Any], party: str, at: datetime) -> list[ToldCount]:
    """Return how much *party* told, and was refused."""
    return [
        ToldCount(
            bound=Bound(bound),
            counted=_of_today(Bound(bound), day, counted, at),
            refused=refused,
            refused_at=refused_at,
        )
        for bound, day, counted, refused, refused_at in connection.execute(_STATE, (party,))
    ]


def _of_today(bound: Bound, day: date | None, counted: int, at: datetime) -> int:
    today = day_of(bound, at)
    is_before = today is not None and (day is None or day < today)
    return 0 if is_before else counted


def _asked(party: str, more: Mapping[Bound, int], at: datetime) -> tuple[object, ...] | None:
    """Return the parameters of _ADD, None where there is nothing to count."""
    told = sorted(bound for bound, number in more.items() if number)
    if not told:
        return None
    return party, told, [day_of(each, at) for each in told], [more[each] for each in told]
