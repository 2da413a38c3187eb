"""The rows of `session` that the worker has in mind: unfinished ones, and those just decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.facts.station_facts import Measurand, SessionUpdated
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import (
    UNFINISHED,
    SessionAct,
    SessionState,
    moved,
)

RECENT: Final = timedelta(hours=2)
"""How long a decided session stays a candidate for frames that name no transaction of ours."""
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
NEXT_DAY: Final = timedelta(days=1)
"""How long after an open session's last fact the next start on its connector still bounds it."""


class SessionRow(msgspec.Struct, kw_only=True):
    """One row of `session`; the fields are its columns, in their order."""

    session_id: str
    partition: int
    station_id: str
    transaction_ref: str
    state: SessionState
    flags: list[str] = []
    blockers: list[str] = []
    reasons: list[str] = []
    evse_id: int | None = None
    connector_id: int | None = None
    token_uid: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stop_reason: str | None = None
    energy_wh: Decimal | None = None
    meter_start_wh: Decimal | None = None
    meter_stop_wh: Decimal | None = None
    register_wh: Decimal | None = None
    first_fact_at: datetime
    last_fact_at: datetime
    heard_at: datetime
    validations: list[str] = []

    def __post_init__(self) -> None:
        self.state = SessionState(self.state)  # a column's text

    @property
    def is_unfinished(self) -> bool:
        """True while no decision was taken."""
        return self.state in UNFINISHED

    @property
    def has_start(self) -> bool:
        """True where the station told its start, and so may use its id."""
        return self.started_at is not None

    @property
    def lacks_end(self) -> bool:
        """True where only its stop, another session or time can move it: no reading does."""
        is_held = self.state is SessionState.HELD and self.ended_at is None
        return is_held or self.state is SessionState.OPEN

    def read_on(self, fact: SessionUpdated) -> None:
        """Note a reading of a session without end: shown until a fold says what it means."""
        self.last_fact_at = max(self.last_fact_at, fact.received_at)
        for reading in fact.readings:
            if reading.measurand is Measurand.ENERGY_REGISTER_WH and reading.phase is None:
                risen = reading.value - (self.register_wh or reading.value)
                # Who is to release a held session must see about what will be billed.
                if self.state is SessionState.HELD and self.energy_wh is not None and risen > 0:
                    self.energy_wh += risen
                self.register_wh = reading.value
                return

    def follow(self, session: ChargingSession) -> None:
        """Move as the fold says of an unfinished session: its end came, or is none any more."""
        if session.is_ended and self.state is SessionState.OPEN:
            self.state = moved(self.state, SessionAct.END)
        elif not session.is_ended and self.state is SessionState.WAITING:
            self.state = moved(self.state, SessionAct.REOPEN)

    def describe(self, session: ChargingSession, heard_at: datetime) -> None:
        """Take over what the fold says of an undecided session."""
        self.flags, self.blockers = list(session.flags), list(session.blockers)
        self.evse_id, self.connector_id = session.evse_id, session.connector_id
        self.token_uid = session.token_uid
        self.started_at, self.ended_at = session.started_at, session.ended_at
        self.stop_reason = session.stop_reason
        self.energy_wh = session.energy_wh
        self.meter_start_wh = session.meter_start_wh
        self.meter_stop_wh = session.meter_stop_wh
        self.first_fact_at = session.first_received_at
        self.last_fact_at = session.last_received_at
        self.heard_at = heard_at
        registers = [p.register_wh for p in session.points if p.register_wh is not None]
        self.register_wh = registers[-1] if registers else session.meter_start_wh


# One statement for all rows; a COPY cannot update.
UPSERT: LiteralString = """
INSERT INTO session SELECT * FROM json_populate_recordset(NULL::session, %s::json)
ON CONFLICT (session_id) DO UPDATE SET
    state = excluded.state, flags = excluded.flags, blockers = excluded.blockers,
    reasons = excluded.reasons, evse_id = excluded.evse_id, connector_id = excluded.connector_id,
    token_uid = excluded.token_uid, started_at = excluded.started_at,
    ended_at = excluded.ended_at, stop_reason = excluded.stop_reason,
    energy_wh = excluded.energy_wh,
    meter_start_wh = excluded.meter_start_wh, meter_stop_wh = excluded.meter_stop_wh,
    register_wh = excluded.register_wh, first_fact_at = excluded.first_fact_at,
    last_fact_at = excluded.last_fact_at, heard_at = excluded.heard_at,
    validations = excluded.validations
"""
# Whole transactions: with one session of two in mind a restart would fold another one.
OF_STATIONS: LiteralString = """
SELECT session.* FROM session JOIN (
    SELECT DISTINCT station_id, transaction_ref FROM session AS late
    WHERE station_id = ANY (%s) AND (state = ANY (%s) OR last_fact_at >= least(%s, (
        SELECT min(first_fact_at) FROM unfinished_session AS unfinished
        WHERE unfinished.station_id = late.station_id
    )))
) AS in_mind USING (station_id, transaction_ref)
"""
AROUND: LiteralString = """
SELECT * FROM session
WHERE station_id = %s AND last_fact_at >= %s AND first_fact_at <= %s
"""
UNFINISHED_STATIONS: LiteralString = """
SELECT DISTINCT station_id FROM unfinished_session WHERE partition = %s
"""
OF_SESSION: LiteralString = "SELECT * FROM session WHERE session_id = %s"
OF_TRANSACTIONS: LiteralString = """
SELECT session.* FROM session
JOIN unnest(%s::text[], %s::text[]) AS wanted (station_id, transaction_ref)
    USING (station_id, transaction_ref)
"""


class StationMemory:
    """What the worker has in mind about one station.

    `plain` are the transactions whose sessions all lack their end, with their rows: a reading in
    one of them changes no decision and needs no fold. `owned` are the transactions whose frames
    carry an id that the station may use. `waiting_since` is the last fact of the session that has
    waited longest, None where none waits.
    """

    __slots__ = ("heard_at", "owned", "plain", "rows", "waiting_since")

    def __init__(self) -> None:
        self.rows: dict[str, SessionRow] = {}
        self.plain: dict[str, list[SessionRow]] = {}
        self.owned: set[str] = set()
        self.waiting_since: datetime | None = None
        self.heard_at = BEGINNING

    def settle(self) -> None:
        """Work out again what the rows mean for the frames to come."""
        transactions: dict[str, list[SessionRow]] = {}
        for row in self.rows.values():
            transactions.setdefault(row.transaction_ref, []).append(row)
        # A stop of nobody's makes a session too, but its id is no more the station's than before.
        self.owned = {row.transaction_ref for row in self.rows.values() if row.has_start}
        self.waiting_since = min(
            (row.last_fact_at for row in self.rows.values() if row.state is SessionState.WAITING),
            default=None,
        )
        self.plain = {
            transaction: rows
            for transaction, rows in transactions.items()
            if all(row.lacks_end for row in rows)
        }

    @property
    def is_waiting(self) -> bool:
        """True while an ended session waits for what is missing."""
        return self.waiting_since is not None

    def is_overdue(self, at: datetime, wait: timedelta) -> bool:
        """Whether at *at* a session has waited for as long as *wait*: then time decides it."""
        return self.waiting_since is not None and self.waiting_since + wait <= at

    def unfinished(self) -> list[SessionRow]:
        """Return the rows that no decision was taken about."""
        return [row for row in self.rows.values() if row.is_unfinished]

    def unfinished_of(self, token_uid: str | None) -> SessionRow | None:
        """Return the newest unfinished session of a token."""
        rows = [row for row in self.unfinished() if token_uid and row.token_uid == token_uid]
        # The id breaks ties, so that a replay chooses the same.
        return max(rows, key=lambda row: (row.first_fact_at, row.session_id), default=None)

    def let_go(self, before: datetime) -> None:
        """Forget transactions that were over before *before* and before every unfinished session.

        A transaction is in mind with all its sessions or not at all.
        """
        since = min([before, *(row.first_fact_at for row in self.unfinished())])
        kept = {
            row.transaction_ref
            for row in self.rows.values()
            if row.is_unfinished or row.last_fact_at >= since
        }
        self.rows = {key: row for key, row in self.rows.items() if row.transaction_ref in kept}


def unfinished_stations(connection: Connection[Any], partition: int) -> list[str]:
    """Return the stations of *partition* that have unfinished sessions."""
    return [station for (station,) in connection.execute(UNFINISHED_STATIONS, (partition,))]


def load_stations(
    connection: Connection[Any], stations: Iterable[str], *, since: datetime
) -> dict[str, StationMemory]:
    """Return what `session` holds of *stations*: the transactions with something new.

    That is: with an unfinished session, or with a fact since then or since the first unfinished
    session began.
    """
    found = {station_id: StationMemory() for station_id in stations}
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    for row in cursor.execute(OF_STATIONS, (list(found), list(UNFINISHED), since)):
        found[row.station_id].rows[row.session_id] = row
    for memory in found.values():
        memory.heard_at = max((row.heard_at for row in memory.rows.values()), default=BEGINNING)
        memory.settle()
    return found


def load_session(connection: Connection[Any], session_id: str) -> SessionRow | None:
    """Return one row."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    return cursor.execute(OF_SESSION, (session_id,)).fetchone()


def load_around(connection: Connection[Any], row: SessionRow) -> list[SessionRow]:
    """Return the sessions of its station that may bear on *row*: those until the next day."""
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    until = row.last_fact_at + NEXT_DAY
    return cursor.execute(AROUND, (row.station_id, row.first_fact_at, until)).fetchall()


def load_transactions(
    connection: Connection[Any], wanted: Iterable[tuple[str, str]]
) -> list[SessionRow]:
    """Return every row of the *wanted* (station, transaction) pairs, however old."""
    pairs = sorted(wanted)
    if not pairs:
        return []
    cursor = connection.cursor(row_factory=class_row(SessionRow))
    parameters = ([station for station, _ in pairs], [transaction for _, transaction in pairs])
    return cursor.execute(OF_TRANSACTIONS, parameters).fetchall()


def store_rows(
    connection: Connection[Any], rows: Iterable[SessionRow], gone: Iterable[str]
) -> None:
    """Write *rows* as they are now; delete the sessions *gone*."""
    dropped = list(gone)
    if dropped:
        connection.execute("DELETE FROM session WHERE session_id = ANY (%s)", (dropped,))
    encoded = msgspec.json.encode(list(rows))
    if encoded != b"[]":
        connection.execute(UPSERT, (encoded.decode(),))
