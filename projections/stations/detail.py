"""One station with what goes on there: running sessions and what they cost, security events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.declared.store import NewestDeclarations
from projections.session_costs import with_costs
from projections.sessions import SessionSummary, list_sessions
from projections.stations.registered import RegisteredStation, read_station
from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text

RUNNING_MAX = 100
EVENTS_MAX = 100
_EVENTS: LiteralString = """
SELECT event_type, partition, position, line, told_at, received_at
FROM security_event WHERE station_id = %s
ORDER BY position DESC, line DESC LIMIT %s
"""


_SETTINGS: LiteralString = """
SELECT boot, told, boot_interval_s, items_get, items_set, bytes_get, bytes_set
FROM station_setting WHERE station_id = %s
"""
_UNSET: Final = ("Accepted", "Accepted", None, None, None, None, None)
_CERTIFICATE: LiteralString = """
SELECT certificate_request, certificate_requested_at FROM station_setting
WHERE station_id = %s AND certificate_request IS NOT NULL
"""
_PROBLEMS: LiteralString = """
SELECT component, evse_id, connector_id, code, coalesce(told_at, received_at)
FROM station_problem WHERE station_id = %s ORDER BY evse_id, connector_id, component LIMIT 100
"""


class RunningSession(msgspec.Struct, frozen=True, kw_only=True):
    """An open session: what was metered and what it costs so far, before and with taxes.

    Where it has no price yet, `net` to `currency` are null and `reasons` say why, as codes.
    """

    ref: str
    transaction_id: str | None
    evse: int | None
    connector: int | None
    token: str | None
    started_at: datetime | None
    energy_wh: Decimal | None
    net: str | None = None
    gross: str | None = None
    currency: str | None = None
    reasons: tuple[str, ...] = ()


class StationProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A component that has a problem now (OCPP 2.x); EVSE 0 is the whole station."""

    component: str
    evse: int
    connector: int
    code: str | None
    since: datetime


class ToldSecurityEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a station said that concerns its security; `told_at` is its own time.

    `spot` is where it stands in the log ("0/17/3"), with what else the station said of it.
    """

    type: str
    spot: str
    told_at: datetime | None
    received_at: datetime


class ShownPerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """How much a station takes in one message of a call; null: not known."""

    get_variables: int | None
    set_variables: int | None


class ShownSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a station is set beside its declaration. `registered` is what its last boot was answered.

    `boot` is what the next one is, and after how many seconds it boots again (null: 30).
    """

    boot: str
    boot_interval_s: int | None
    registered: str
    items_per_message: ShownPerMessage
    bytes_per_message: ShownPerMessage


class WantedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a station wants signed (PEM), as it sent it last because somebody asked it to."""

    csr: str
    received_at: datetime


class StationDetail(RegisteredStation, frozen=True, kw_only=True):
    """A station with its open sessions, its problems, and its last security events.

    The newest of these come first. `certificate_request` is null where nobody asked it for one.
    """

    settings: ShownSettings
    certificate_request: WantedCertificate | None
    problems: list[StationProblem]
    sessions: list[RunningSession]
    security_events: list[ToldSecurityEvent]


def read_station_detail(
    connection: Connection[Any],
    station_id: str,
    *,
    at: datetime,
    newest: NewestDeclarations | None = None,
) -> StationDetail | None:
    """Return one station, however its id is spelt; None if it is not declared at *at*."""
    station = read_station(connection, station_id, at=at)
    if station is None:
        return None
    opened = list_sessions(connection, station_id=station.id, is_open=True, limit=RUNNING_MAX)
    events = connection.execute(_EVENTS, (station.id, EVENTS_MAX)).fetchall()
    problems = connection.execute(_PROBLEMS, (station.id,)).fetchall()
    return StationDetail(
        **msgspec.structs.asdict(station),
        settings=_settings(connection, station.id),
        certificate_request=_wanted(connection, station.id),
        problems=[
            StationProblem(component=name, evse=evse, connector=connector, code=code, since=since)
            for name, evse, connector, code, since in problems
        ],
        sessions=[_running(each) for each in with_costs(connection, opened, newest)],
        security_events=[
            ToldSecurityEvent(
                type=kind,
                spot=f"{partition}/{position}/{line}",
                told_at=told_at,
                received_at=received_at,
            )
            for kind, partition, position, line, told_at, received_at in events
        ],
    )


def _settings(connection: Connection[Any], station_id: str) -> ShownSettings:
    row = connection.execute(_SETTINGS, (station_id,)).fetchone()
    boot, registered, interval, items_get, items_set, bytes_get, bytes_set = row or _UNSET
    return ShownSettings(
        boot=boot,
        boot_interval_s=interval,
        registered=registered,
        items_per_message=ShownPerMessage(get_variables=items_get, set_variables=items_set),
        bytes_per_message=ShownPerMessage(get_variables=bytes_get, set_variables=bytes_set),
    )


def _wanted(connection: Connection[Any], station_id: str) -> WantedCertificate | None:
    row = connection.execute(_CERTIFICATE, (station_id,)).fetchone()
    return None if row is None else WantedCertificate(csr=row[0], received_at=row[1])


def _running(session: SessionSummary) -> RunningSession:
    cost = session.cost
    running = RunningSession(
        ref=session.session_id,
        transaction_id=session.transaction_id,
        evse=session.evse_id,
        connector=session.connector_id,
        token=session.token_uid,
        started_at=session.started_at,
        energy_wh=session.energy_wh,
    )
    if cost is None or cost.currency is None or cost.gross_minor is None:
        reasons = cost.codes if cost is not None else ()
        return msgspec.structs.replace(running, reasons=reasons)
    exponent = currency_exponent(cost.currency)
    return msgspec.structs.replace(
        running,
        net=minor_text(cost.net_minor or 0, exponent),
        gross=minor_text(cost.gross_minor, exponent),
        currency=cost.currency,
    )
