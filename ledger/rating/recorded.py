"""What the recorded decisions found: the inputs that a replay takes from nowhere else.

How shared grants stood hangs on which worker came first; what a time zone was, on the tzdata of
that day. Both are recorded, and a replay comes to the same bytes in any order of partitions and
under any tzdata.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, LiteralString

from psycopg import Connection, sql

from ledger.rating.decisions import AllowanceUse, Decision, SessionRated, SessionRevision
from ledger.rating.entitlements import AllowanceKey, Standing
from ledger.rating.stored import unpack_decision
from ledger.rating.time_zones import PINNED_ZONES, TOLD_BY_ZONE, ZoneReading
from tariffs.offsets import UtcOffset, UtcOffsets, covered_from
from tariffs.zones import TZDATA_VERSION

AHEAD: Final = 256
"""So many decisions from the one that is asked for on are read with it."""
_OF_SESSION_AND_NEXT: LiteralString = """
WITH asked AS (
    SELECT partition, min(number) AS number FROM {schema}.session_decision
    WHERE session_id = %(session)s AND number >= %(number)s GROUP BY partition
), wanted AS (
    SELECT next.session_id FROM asked CROSS JOIN LATERAL (
        SELECT session_id FROM {schema}.session_decision AS decision
        WHERE decision.partition = asked.partition AND decision.number >= asked.number
        ORDER BY decision.number LIMIT %(ahead)s
    ) AS next UNION SELECT %(session)s
)
SELECT session_id, body FROM wanted JOIN {schema}.session_decision USING (session_id)
ORDER BY session_id, position
"""
_TOLD_BY_ZONE: LiteralString = """
SELECT body FROM {schema}.session_decision
JOIN {schema}.session AS session USING (session_id)
WHERE session.station_id = %s AND session.flags && %s::text[]
"""


class RecordedDecisions:
    """The decisions in *schema*. A replay asks for them in the order of their numbers.

    So with those about a session come those about the sessions that were decided next. What has
    `next_number` or a higher one was not decided again yet.
    """

    def __init__(self, connection: Connection[Any], schema: str) -> None:
        self._connection = connection
        name = sql.Identifier(schema)
        # As bytes: what is composed would be put together at each call.
        self._of_session_and_next, self._told_by_zone = (
            sql.SQL(each).format(schema=name).as_bytes(connection)
            for each in (_OF_SESSION_AND_NEXT, _TOLD_BY_ZONE)
        )
        self._packed: Mapping[str, Sequence[bytes]] = {}
        self._last: tuple[str, tuple[Decision, ...]] = ("", ())
        self._clocks: dict[str, Mapping[str, UtcOffsets]] = {}
        self.next_number = 0

    def of(self, session_id: str) -> tuple[Decision, ...]:
        """Return every decision about a session, the first one first."""
        if self._last[0] != session_id:
            packed = self._packed.get(session_id)
            if packed is None:
                found = self._read(session_id)
                packed = found.get(session_id, ())
                # One that is alone comes out of its turn: what is kept is of use still.
                self._packed = found if len(found) > 1 else self._packed
            self._last = session_id, tuple(map(unpack_decision, packed))
        return self._last[1]

    def _read(self, session_id: str) -> Mapping[str, Sequence[bytes]]:
        """Return the bodies about a session and about those that were decided after it."""
        found: dict[str, list[bytes]] = {}
        given = {"session": session_id, "number": self.next_number, "ahead": AHEAD}
        for each, body in self._connection.execute(self._of_session_and_next, given):
            found.setdefault(each, []).append(body)
        return found

    def clock(self, station_id: str, zone: str) -> UtcOffsets:
        """Return what the station's *zone* was where times were found by it; () as of today.

        All decisions of the station give one zone: about sessions whose times do not need it, it
        says nothing, nor is it asked.
        """
        known = self._clocks.get(station_id)
        if known is None:
            flags = list(map(str, TOLD_BY_ZONE))
            rows = self._connection.execute(self._told_by_zone, (station_id, flags))
            decisions = [unpack_decision(body) for (body,) in rows]
            zones = {each.zone for decision in decisions for each in decision.offsets}
            known = self._clocks[station_id] = {each: _joined(decisions, each) for each in zones}
        return known.get(zone, ())


def _joined(decisions: Iterable[Decision], zone: str) -> UtcOffsets:
    """Return the offsets that *decisions* recorded of *zone*, each from its session's time on."""
    changes: list[UtcOffset] = []
    is_of_today = True
    for decision in sorted(decisions, key=attrgetter("moment.at")):
        began = getattr(decision, "started_at", None) or decision.moment.at
        for first, *later in (each.offsets for each in decision.offsets if each.zone == zone):
            is_of_today = is_of_today and decision.tzdata_version == TZDATA_VERSION
            changes += [UtcOffset(covered_from(began, (first, *later)), first.seconds), *later]
    if is_of_today:
        return ()
    changes.sort(key=attrgetter("starts_at"))
    return UtcOffset(None, changes[0].seconds), *changes[1:]


class RecordedAllowances:
    """How keys stood when the recorded decisions were taken: for a replay, in any order."""

    def __init__(self, decisions: RecordedDecisions) -> None:
        self._decisions = decisions

    def standings(
        self, session: SessionRevision, keys: Sequence[AllowanceKey]
    ) -> tuple[Standing, ...]:
        """Return what this recorded rating of the session found; nothing if there is none."""
        found = {
            AllowanceKey(use.key, use.period): Standing(use.number - 1, use.used_before)
            for decision in self._decisions.of(session.session_id)
            if isinstance(decision, SessionRated) and decision.revision == session.revision
            for use in decision.allowances
        }
        return tuple(found.get(key, Standing()) for key in keys)

    def take(self, uses: Iterable[AllowanceUse]) -> None:
        """Keep nothing: each decision brings its own standing."""

    def store(self) -> None:
        """Write nothing."""


class RecordedZones:
    """What time zones were at a recorded decision; what they are today, where there is none."""

    def __init__(self, decisions: RecordedDecisions, session_id: str, position: int) -> None:
        self._decisions, self._session_id, self._position = decisions, session_id, position

    def read(self, zone: str, starts_at: datetime, ends_at: datetime) -> ZoneReading:
        """Return what the decision at this position took *zone* to be.

        Raises:
            UnknownZoneError: If none is recorded, and there is none of that name.
        """
        for decision in self._decisions.of(self._session_id):
            for each in decision.offsets if decision.moment.position == self._position else ():
                if each.zone == zone and decision.tzdata_version is not None:
                    return ZoneReading(decision.tzdata_version, each.offsets)
        return PINNED_ZONES.read(zone, starts_at, ends_at)
