"""What stations last said of themselves, for people: model, connectors, events, file transfers.

Kept as rows beside the sessions, because no list may read the log: what is written costs a row for
a boot, a changed connector or a security event, however long a station has been there. A frame that
was received later holds; the station's clock decides nothing.

    a boot without firmware after one with it    -> the firmware stays as it was told
    the 51st security event                      -> the oldest one goes; the log has it
    a station that names thousands of connectors -> the ones that it named last are kept
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.facts.station_facts import (
    ComponentProblem,
    ConnectorStatusChanged,
    ProblemsTold,
    SecurityEventTold,
    StationBooted,
    StationFact,
    TransferTold,
)

SECURITY_EVENTS_KEPT: Final = 50
CONNECTORS_KEPT: Final = 128
PROBLEMS_KEPT: Final = 50
TRANSFERS_KEPT: Final = 50
"""Of each station; more than any has."""
_NO_ERROR: Final = "NoError"

_BOOTS: LiteralString = """
INSERT INTO station_state (station_id, vendor, model, serial, firmware, boot_reason, booted_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[])
ON CONFLICT (station_id) DO UPDATE SET
    vendor = coalesce(excluded.vendor, station_state.vendor),
    model = coalesce(excluded.model, station_state.model),
    serial = coalesce(excluded.serial, station_state.serial),
    firmware = coalesce(excluded.firmware, station_state.firmware),
    boot_reason = excluded.boot_reason, booted_at = excluded.booted_at
WHERE station_state.booted_at <= excluded.booted_at
"""
_CONNECTORS: LiteralString = """
INSERT INTO connector_state (station_id, evse_id, connector_id, status, error, problem, told_at,
    received_at)
SELECT * FROM unnest(%s::text[], %s::integer[], %s::integer[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (station_id, evse_id, connector_id) DO UPDATE SET
    status = excluded.status, error = excluded.error, problem = excluded.problem,
    told_at = excluded.told_at, received_at = excluded.received_at
WHERE connector_state.received_at <= excluded.received_at
"""
_FEWER_CONNECTORS: LiteralString = """
DELETE FROM connector_state USING (
    SELECT station_id, evse_id, connector_id, row_number() OVER (
        PARTITION BY station_id ORDER BY received_at DESC, evse_id, connector_id) AS number
    FROM connector_state WHERE station_id = ANY (%s)
) AS known
WHERE (connector_state.station_id, connector_state.evse_id, connector_state.connector_id)
    = (known.station_id, known.evse_id, known.connector_id) AND number > %s
"""
_PROBLEMS: LiteralString = """
INSERT INTO station_problem (station_id, component, evse_id, connector_id, code, told_at,
    received_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::integer[], %s::text[],
    %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (station_id, component, evse_id, connector_id) DO UPDATE SET
    code = excluded.code, told_at = excluded.told_at, received_at = excluded.received_at
"""
_OVER: LiteralString = """
DELETE FROM station_problem USING unnest(%s::text[], %s::text[], %s::integer[], %s::integer[])
    AS gone (station_id, component, evse_id, connector_id)
WHERE (station_problem.station_id, station_problem.component, station_problem.evse_id,
       station_problem.connector_id)
    = (gone.station_id, gone.component, gone.evse_id, gone.connector_id)
"""
_FEWER_PROBLEMS: LiteralString = """
DELETE FROM station_problem USING (
    SELECT station_id, component, evse_id, connector_id, row_number() OVER (
        PARTITION BY station_id ORDER BY received_at DESC, component, evse_id, connector_id
    ) AS number
    FROM station_problem WHERE station_id = ANY (%s)
) AS known
WHERE (station_problem.station_id, station_problem.component, station_problem.evse_id,
       station_problem.connector_id)
    = (known.station_id, known.component, known.evse_id, known.connector_id) AND number > %s
"""
_EVENTS: LiteralString = """
INSERT INTO security_event (station_id, partition, position, line, event_type, told_at, received_at)
SELECT * FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::integer[], %s::text[],
    %s::timestamptz[], %s::timestamptz[])
ON CONFLICT DO NOTHING
"""
_FEWER_EVENTS: LiteralString = """
DELETE FROM security_event USING unnest(%s::text[]) AS told (station_id), LATERAL (
    SELECT position, line FROM security_event AS each WHERE each.station_id = told.station_id
    ORDER BY position DESC, line DESC OFFSET %s LIMIT 1
) AS last
WHERE security_event.station_id = told.station_id
  AND (security_event.position, security_event.line) <= (last.position, last.line)
"""
_TRANSFERS: LiteralString = """
INSERT INTO transfer_status (station_id, partition, position, line, kind, request_id, status,
    received_at)
SELECT * FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::integer[], %s::text[],
    %s::integer[], %s::text[], %s::timestamptz[])
ON CONFLICT DO NOTHING
"""
_FEWER_TRANSFERS: LiteralString = """
DELETE FROM transfer_status USING unnest(%s::text[]) AS told (station_id), LATERAL (
    SELECT position, line FROM transfer_status AS each WHERE each.station_id = told.station_id
    ORDER BY position DESC, line DESC OFFSET %s LIMIT 1
) AS last
WHERE transfer_status.station_id = told.station_id
  AND (transfer_status.position, transfer_status.line) <= (last.position, last.line)
"""


class StationStates:
    """The news of stations in one transaction, written at its end."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._boots: dict[str, list[StationBooted]] = defaultdict(list)
        self._statuses: dict[tuple[str, int, int], ConnectorStatusChanged] = {}
        self._problems: dict[tuple[str, str, int, int], _Problem] = {}
        self._events: dict[str, deque[SecurityEventTold]] = defaultdict(
            lambda: deque(maxlen=SECURITY_EVENTS_KEPT)
        )
        self._transfers: dict[str, deque[TransferTold]] = defaultdict(
            lambda: deque(maxlen=TRANSFERS_KEPT)
        )

    def note(self, fact: StationFact) -> None:
        """Take over what *fact* says of its station, if it does."""
        match fact:
            case ConnectorStatusChanged():
                evse_id = fact.connector_id if fact.evse_id is None else fact.evse_id
                if evse_id is not None:
                    self._statuses[fact.station_id, evse_id, fact.connector_id or 0] = fact
            case StationBooted():
                # All that are news: the last one may leave out what one before it said.
                self._boots[fact.station_id].append(fact)
            case ProblemsTold():
                for each in fact.problems:
                    place = fact.station_id, each.component, each.evse_id, each.connector_id
                    self._problems[place] = _Problem(each, fact)
            case SecurityEventTold():
                self._events[fact.station_id].append(fact)
            case TransferTold():
                self._transfers[fact.station_id].append(fact)
            case _:
                pass

    def store(self, connection: Connection[Any]) -> None:
        """Write what was noted, within the caller's transaction, and begin anew."""
        if self._boots:
            _store(connection, _BOOTS, [_boot(*each) for each in self._boots.items()])
        if self._statuses:
            _store(connection, _CONNECTORS, [_status(*each) for each in self._statuses.items()])
            stations = sorted({station_id for station_id, *_ in self._statuses})
            connection.execute(_FEWER_CONNECTORS, (stations, CONNECTORS_KEPT))
        if self._problems:
            self._store_problems(connection)
        if self._events:
            events = [each for told in self._events.values() for each in told]
            _store(connection, _EVENTS, [_event(self._partition, each) for each in events])
            connection.execute(_FEWER_EVENTS, (sorted(self._events), SECURITY_EVENTS_KEPT))
        if self._transfers:
            transfers = [each for told in self._transfers.values() for each in told]
            _store(connection, _TRANSFERS, [_transfer(self._partition, e) for e in transfers])
            connection.execute(_FEWER_TRANSFERS, (sorted(self._transfers), TRANSFERS_KEPT))
        self._boots.clear()
        self._statuses.clear()
        self._problems.clear()
        self._events.clear()
        self._transfers.clear()

    def _store_problems(self, connection: Connection[Any]) -> None:
        over = [place for place, each in self._problems.items() if each.problem.is_over]
        rows = [
            (*place, problem.code, _moment(problem.occurred_at), told.received_at)
            for place, (problem, told) in self._problems.items()
            if not problem.is_over
        ]
        if over:
            _store(connection, _OVER, over)
        if rows:
            _store(connection, _PROBLEMS, rows)
            stations = sorted({station_id for station_id, *_ in self._problems})
            connection.execute(_FEWER_PROBLEMS, (stations, PROBLEMS_KEPT))


class _Problem(NamedTuple):
    """A problem, and the fact that told it."""

    problem: ComponentProblem
    told: ProblemsTold


def _store(
    connection: Connection[Any], statement: LiteralString, rows: Sequence[Sequence[object]]
) -> None:
    connection.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _boot(station_id: str, boots: list[StationBooted]) -> tuple[object, ...]:
    def last(name: str) -> str | None:
        said = (getattr(boot, name) for boot in reversed(boots))
        return next((each for each in said if each is not None), None)

    named = [last(name) for name in ("vendor", "model", "serial", "firmware")]
    return station_id, *named, boots[-1].reason, boots[-1].received_at


def _status(place: tuple[str, int, int], fact: ConnectorStatusChanged) -> tuple[object, ...]:
    error = None if fact.error_code == _NO_ERROR else fact.error_code
    told_at = _moment(fact.occurred_at)
    return *place, fact.status, error, fact.problem, told_at, fact.received_at


def _event(partition: int, fact: SecurityEventTold) -> tuple[object, ...]:
    where = fact.station_id, partition, fact.position, fact.line
    return *where, fact.event_type or "", _moment(fact.occurred_at), fact.received_at


def _transfer(partition: int, fact: TransferTold) -> tuple[object, ...]:
    where = fact.station_id, partition, fact.position, fact.line
    return *where, str(fact.kind), fact.request_id, fact.status or "", fact.received_at


def _moment(told: datetime | None) -> datetime | None:
    """Return a time that a station told; whose hour it is without a zone, only a fold may ask."""
    return None if told is None or told.tzinfo is None else told
