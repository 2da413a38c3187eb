"""Stations as they last told of themselves; lists by their indexes."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from deploy.cli import run
from ledger.worker.stored.station_states import CONNECTORS_KEPT, PROBLEMS_KEPT, SECURITY_EVENTS_KEPT
from projections.sessions import list_sessions
from projections.stations.detail import StationDetail, WantedCertificate, read_station_detail
from projections.stations.registered import read_stations
from tests.charging_day import (
    MORNING,
    Timed,
    at,
    call,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    stamp,
    start16,
    status16,
    write_log,
)
from tests.projections.books_of_a_day import ask, go_on

ONE, TWO = "CS-OLD-1", "CS-NEW-1"
SESSIONS: Any = """
INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags, blockers,
    reasons, token_uid, started_at, first_fact_at, last_fact_at, heard_at)
SELECT 'S/' || n, 0, 'ST-' || n %% 50, n::text, CASE WHEN n > 29990 THEN 'open' ELSE 'rated' END,
    '{}', '{}', '{}', 'token' || n %% 500, at, at, at, at
FROM generate_series(1, 30000) AS n, LATERAL (SELECT %s + n * interval '1 s' AS at) AS moment
"""


def boot16(station: str, minutes: float, **told: str) -> Timed:
    said = {"chargePointVendor": "Volt", "chargePointModel": "V1", **told}
    return call(station, minutes, "BootNotification", said, {})


def security(station: str, minutes: float, event: str) -> Timed:
    told = {"type": event, "timestamp": stamp(minutes)}
    return call(station, minutes, "SecurityEventNotification", told, {})


@pytest.fixture
def fleet(database: str) -> str:
    write_log(database, list(everywhere(declare_fleet(database), 0)))
    return database


def detail(dsn: str, station: str) -> StationDetail:
    with ask(dsn) as connection:
        found = read_station_detail(connection, station, at=at(10_000))
    assert found is not None
    return found


def test_a_station_is_shown_with_what_it_wants_signed(fleet: str) -> None:
    assert detail(fleet, ONE).certificate_request is None

    with ask(fleet) as connection:
        connection.execute("INSERT INTO station_setting (station_id) VALUES (%s)", (ONE,))
    assert detail(fleet, ONE).certificate_request is None

    change = "UPDATE station_setting SET certificate_request = %s, certificate_requested_at = %s"
    with ask(fleet) as connection:
        connection.execute(change, ("-----BEGIN", at(1)))

    assert detail(fleet, ONE).certificate_request == WantedCertificate(
        csr="-----BEGIN", received_at=at(1)
    )


def test_a_station_is_shown_as_it_told_of_itself_last(fleet: str) -> None:
    faulted = {
        "connectorId": 2, "status": "Faulted", "errorCode": "GroundFailure",
        "vendorErrorCode": "E17", "info": "left side", "timestamp": stamp(7),
    }  # fmt: skip
    whole = {"connectorId": 0, "status": "Available", "errorCode": "NoError"}
    go_on(
        fleet,
        [
            boot16(ONE, 1, firmwareVersion="1.0", chargePointSerialNumber="SN-7"),
            status16(ONE, 2, "Available"),
            call(ONE, 3, "StatusNotification", whole, {}),
            boot16(ONE, 4, firmwareVersion="1.1"),
            status16(ONE, 5, "Preparing"),
            start16(ONE, 6, 1, "FLEET1", 1_000),
            call(ONE, 7, "StatusNotification", faulted, {}),
            meter16(ONE, 30, 1, 3_500),
        ],
    )

    found = detail(fleet, "cs-old-1")

    assert (found.vendor, found.model, found.serial, found.firmware) == (
        "Volt",
        "V1",
        "SN-7",
        "1.1",
    )
    assert (found.booted_at, found.last_frame_at) == (_received(4), _received(30))
    assert (found.status, found.error, found.connection) == ("Available", None, None)
    told = [(e.evse, e.status, e.error, e.problem, e.since) for e in found.connectors]
    assert told == [
        (1, "Preparing", None, None, at(5)),
        (2, "Faulted", "GroundFailure", "E17 left side", at(7)),
    ]
    assert [each.is_declared for each in found.connectors] == [False, False]
    (session,) = found.sessions
    assert found.running == [session.ref]
    # 2.5 kWh at 0.40 before VAT.
    assert (session.energy_wh, session.net, session.gross) == (
        Decimal(2_500),
        "1.00",
        "1.19",
    )


def test_what_an_open_session_metered_is_its_energy_so_far(fleet: str) -> None:
    go_on(fleet, [event201(TWO, 1, "Started", "A", 0, 100, token="FLEET1")])
    assert [each.energy_wh for each in detail(fleet, TWO).sessions] == [0]

    go_on(fleet, [event201(TWO, 9, "Updated", "A", 1, 1_350)])

    assert [each.energy_wh for each in detail(fleet, TWO).sessions] == [1_250]


def test_the_last_fifty_security_events_are_kept(fleet: str) -> None:
    told = [security(ONE, n, f"Event{n}") for n in range(1, SECURITY_EVENTS_KEPT + 2)]
    # Those of a station more go with nobody else's.
    go_on(fleet, [security(TWO, 0.5, "Other"), *told])

    kept = detail(fleet, ONE).security_events

    assert [each.type for each in kept] == [f"Event{n}" for n in range(51, 1, -1)]
    assert (kept[0].told_at, kept[0].received_at) == (at(51), _received(51))
    assert len({each.spot for each in kept}) == SECURITY_EVENTS_KEPT
    assert [each.type for each in detail(fleet, TWO).security_events] == ["Other"]


def notified(minutes: float, *events: tuple[str, object, int]) -> Timed:
    """Return a NotifyEvent of problems: component, value, EVSE (0: of the station)."""
    data = [
        {
            "eventId": number,
            "timestamp": stamp(minutes),
            "trigger": "Alerting",
            "actualValue": str(value),
            "techCode": "E17",
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": name, **({"evse": {"id": evse}} if evse else {})},
            "variable": {"name": "Problem"},
        }
        for number, (name, value, evse) in enumerate(events)
    ]
    told = {"generatedAt": stamp(minutes), "seqNo": 0, "eventData": data}
    return call(TWO, minutes, "NotifyEvent", told, {})


def test_problems_last_until_they_are_over(fleet: str) -> None:
    go_on(
        fleet,
        [
            notified(1, ("Connector", "true", 2), ("TokenReader", "true", 0)),
            notified(2, ("Connector", "true", 1), ("Connector", "false", 2)),
        ],
    )
    # What is over in one record and what it began in another, and both in one.
    go_on(fleet, [notified(3, ("TokenReader", "false", 0), ("FiscalMetering", "true", 0))])

    found = [(e.component, e.evse, e.code, e.since) for e in detail(fleet, TWO).problems]

    assert found == [("FiscalMetering", 0, "E17", at(3)), ("Connector", 1, "E17", at(2))]


def test_problems_without_end_are_kept_as_far_as_anybody_reads(fleet: str) -> None:
    names = [f"Part{number:02}" for number in range(PROBLEMS_KEPT + 1)]
    go_on(fleet, [notified(n, (name, "true", 0)) for n, name in enumerate(names)])

    assert [each.component for each in detail(fleet, TWO).problems] == names[1:]


def test_a_station_that_names_connectors_without_end_keeps_the_last(fleet: str) -> None:
    named = range(1, CONNECTORS_KEPT + 2)
    go_on(fleet, [status16(ONE, n, "Available", n) for n in named])

    kept = [each.evse for each in detail(fleet, ONE).connectors]

    assert kept == list(named)[1:]


def test_a_security_event_changes_no_session(fleet: str) -> None:
    go_on(fleet, [start16(ONE, 1, 1, "FLEET1", 0), security(ONE, 2, "TamperDetectionActivated")])

    with ask(fleet) as connection:
        ((flags, energy),) = connection.execute("SELECT flags, energy_wh FROM session").fetchall()
        facts = connection.execute("SELECT count(*) FROM fact").fetchone()
    assert (flags, energy, facts) == ([], 0, (1,))


def test_pages_of_stations_follow_their_ids(fleet: str) -> None:
    with ask(fleet) as connection:
        first = read_stations(connection, at=at(0), limit=2)
        rest = read_stations(connection, at=at(0), after=first[-1].id, limit=9)

    assert [each.id for each in (*first, *rest)] == [TWO, "CS-NEW-2", ONE, "CS-OLD-2"]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "session_newest"),
        ({"station_id": "ST-7"}, "session_newest_of_station"),
        ({"subject": "token77"}, "session_newest_of_token"),
    ],
)
def test_a_list_of_sessions_reads_no_more_than_it_shows(
    database: str, wanted: dict[str, str], index: str
) -> None:
    with ask(database) as connection:
        connection.execute(SESSIONS, (MORNING,))
        connection.execute("ANALYZE session")
        listed = list_sessions(connection, limit=20, **wanted)  # type: ignore[arg-type]  # by name
        before = _entries_read(connection, index)
        for _ in range(10):  # as many as make the server plan once for all
            assert list_sessions(connection, limit=20, **wanted) == listed  # type: ignore[arg-type]
        read = _entries_read(connection, index) - before

    assert len(listed) == 20
    assert listed == sorted(listed, key=lambda each: each.begun_at, reverse=True)
    assert 200 <= read <= 400


def test_the_open_sessions_are_found_among_the_unfinished(database: str) -> None:
    with ask(database) as connection:
        connection.execute(SESSIONS, (MORNING,))
        connection.execute("ANALYZE session")
        before = _entries_read(connection, "session_newest")
        found = list_sessions(connection, is_open=True, limit=50)

        assert [each.session_id for each in found] == [f"S/{n}" for n in range(30_000, 29_990, -1)]
        assert _entries_read(connection, "session_newest") == before
        assert not list_sessions(connection, is_open=False, session_id="S/30000", limit=1)


def test_the_commands_show_what_the_interface_shows(
    fleet: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", fleet)
    go_on(fleet, [boot16(ONE, 1, firmwareVersion="1.0"), status16(ONE, 2, "Faulted")])

    assert run(["station", "list", "--site", "yard", "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [
        TWO,
        "CS-NEW-2",
        ONE,
        "CS-OLD-2",
    ]
    assert run(["station", "list", "--connected", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(["station", "show", ONE, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["model"], shown["connectors"][0]["status"], shown["commands"]) == (
        "V1",
        "Faulted",
        [],
    )
    assert run(["station", "show", ONE]) == 0
    assert "faults      1: Faulted" in capsys.readouterr().out
    assert run(["station", "show", "CS-9"]) == 1
    assert "no station CS-9 is declared" in capsys.readouterr().err


def _received(minutes: float) -> Any:  # noqa: ANN401 - a moment
    return at(minutes) + timedelta(seconds=1)


def _entries_read(connection: Any, index: str) -> int:  # noqa: ANN401 - whatever rows it has
    connection.execute("SELECT pg_stat_force_next_flush()")
    read = connection.execute(
        "SELECT idx_tup_read FROM pg_stat_user_indexes"
        " WHERE indexrelname = %s AND schemaname = 'books'",
        (index,),
    ).fetchone()
    return int(read[0])
