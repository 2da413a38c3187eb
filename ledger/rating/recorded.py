"""What the recorded decisions found: the inputs that a replay takes from nowhere else.

How shared grants stood hangs on which worker came first; what a time zone was depends on the tzdata
of that day. Both are recorded, and a replay of any order of partitions, under any tzdata, comes to
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection, sql

from ledger.rating.decisions import AllowanceUse, SessionRated, decode_decision
from ledger.rating.entitlements import PINNED_ZONES, AllowanceKey, Standing, ZoneReading

_RECORDED: LiteralString = """
SELECT body FROM {schema}.session_decision
WHERE session_id = %s AND kind IN ('rated', 'released')
"""


class RecordedDecisions:
    """The ratings in *schema*, by session; the one that was asked for last is kept."""

    def __init__(self, connection: Connection[Any], schema: str) -> None:
        self._connection = connection
        self._query = sql.SQL(_RECORDED).format(schema=sql.Identifier(schema))
        self._last: tuple[str, SessionRated | None] = ("", None)

    def rating(self, session_id: str) -> SessionRated | None:
        """Return how the session was rated; None if it was not."""
        if self._last[0] != session_id:
            row = self._connection.execute(self._query, (session_id,)).fetchone()
            decision = decode_decision(row[0]) if row else None
            found = decision if isinstance(decision, SessionRated) else None
            self._last = session_id, found
        return self._last[1]


class RecordedAllowances:
    """How keys stood when the recorded decisions were taken: for a replay, in any order."""

    def __init__(self, decisions: RecordedDecisions) -> None:
        self._decisions = decisions

    def standings(self, session_id: str, keys: Sequence[AllowanceKey]) -> tuple[Standing, ...]:
        """Return what the recorded decision about the session found; nothing if there is none."""
        rated = self._decisions.rating(session_id)
        found = {
            AllowanceKey(use.key, use.period): Standing(use.number - 1, use.used_before)
            for use in (rated.allowances if rated else ())
        }
        return tuple(found.get(key, Standing()) for key in keys)

    def take(self, uses: Iterable[AllowanceUse]) -> None:
        """Keep nothing: each decision brings its own standing."""

    def store(self) -> None:
        """Write nothing."""


class RecordedZones:
    """What time zones were when the recorded decisions were taken; else what they are today."""

    def __init__(self, decisions: RecordedDecisions) -> None:
        self._decisions = decisions

    def read(
        self, session_id: str, zone: str, starts_at: datetime, ends_at: datetime
    ) -> ZoneReading:
        """Return what the recorded decision about the session took *zone* to be.

        Raises:
            UnknownZoneError: If none is recorded, and there is none of that name.
        """
        rated = self._decisions.rating(session_id)
        for each in rated.offsets if rated else ():
            if rated and each.zone == zone:
                return ZoneReading(rated.tzdata_version, each.offsets)
        return PINNED_ZONES.read(session_id, zone, starts_at, ends_at)
