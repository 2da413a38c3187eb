"""The worker's peer: `eventsourcing`'s ProjectionRunner, one frame one event one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from ingest.facts.translate import translate
from ledger.facts.station_facts import Measurand, SessionUpdated
from ledger.facts.stored import pack_facts
from ledger.log.envelope import Frame, decode_lines, encode_line

_SCHEMA: Final = "peer"
_TIMEOUT: Final = 300.0


class Meter(Aggregate):
    """A station's frames as events."""

    def __init__(self, station: str) -> None:
        self.station = station

    @staticmethod
    def create_id(station: str) -> UUID:
        """Return the id of a station's aggregate."""
        return uuid5(NAMESPACE_URL, station)

    @event("Sent")
    def send(self, line: str) -> None:
        """Note a line of the log."""


class Meters(Application[UUID]):
    """The peer's store of frames."""


class RegisterView(PostgresTrackingRecorder):
    """The peer's read model: the last register by station, and the facts."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*given, **named)
        schema = Identifier(self.datastore.schema)
        self.sql_create_statements += [
            SQL("CREATE TABLE {}.register (station text PRIMARY KEY, wh numeric)").format(schema),
            SQL("CREATE TABLE {}.fact (station text, position bigint, facts bytea)").format(schema),
        ]
        self._upsert = SQL(
            "INSERT INTO {}.register VALUES (%s, %s)"
            " ON CONFLICT (station) DO UPDATE SET wh = excluded.wh"
        ).format(schema)
        self._insert = SQL("INSERT INTO {}.fact VALUES (%s, %s, %s)").format(schema)

    def take(self, fact: SessionUpdated, tracking: Tracking) -> None:
        """Write what *fact* says and how far the events are taken, in one transaction."""
        registers = [
            reading.value
            for reading in fact.readings
            if reading.measurand is Measurand.ENERGY_REGISTER_WH
        ]
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            row = (fact.station_id, tracking.notification_id, pack_facts([fact]))
            cursor.execute(self._insert, row, prepare=True)
            cursor.execute(self._upsert, (fact.station_id, registers[-1]), prepare=True)


class Registers(Projection[RegisterView]):
    """Takes one event after the other, as the library calls it."""

    name = "registers"
    topics = ()

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:  # noqa: ANN401 - the library's signature
        """Translate a frame and write what it says."""
        line = getattr(domain_event, "line", None)
        if line is None:
            return
        [frame] = decode_lines(line.encode())
        if not isinstance(frame, Frame):
            return
        for fact in translate(frame, position=tracking.notification_id, line=0):
            if isinstance(fact, SessionUpdated):
                self.view.take(fact, tracking)


def measure_peer(dsn: str, frames: Sequence[Frame], cpu_seconds: Callable[[], float]) -> float:
    """Return how many *frames* the peer takes per second of processor time."""
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SCHEMA peer")
    env = _environment(dsn)
    last = _save(Meters(env), frames)
    before = cpu_seconds()
    with ProjectionRunner(
        application_class=Meters,
        projection_class=Registers,
        view_class=RegisterView,
        env=env,
    ) as runner:
        runner.wait(last, timeout=_TIMEOUT)
        spent = cpu_seconds() - before
    return len(frames) / spent


def _save(application: Meters, frames: Sequence[Frame]) -> int:
    """Store *frames* as events; return the last notification's id."""
    meters: dict[str, Meter] = {}
    for frame in frames:
        meter = meters.setdefault(frame.station, Meter(frame.station))
        meter.send(encode_line(frame).decode())
    for meter in meters.values():
        application.save(meter)
    last = application.recorder.max_notification_id()
    application.close()
    return last or 0


def _environment(dsn: str) -> dict[str, str]:
    given = conninfo_to_dict(dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_SCHEMA": _SCHEMA,
        "POSTGRES_DBNAME": str(given["dbname"]),
        "POSTGRES_HOST": str(given["host"]),
        "POSTGRES_PORT": str(given["port"]),
        "POSTGRES_USER": str(given["user"]),
        "POSTGRES_PASSWORD": "",
    }
