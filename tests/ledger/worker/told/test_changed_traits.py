"""A station that changes: what it told before is read as it was then, whenever that is decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Literal

import psycopg
import pytest

from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Entity, Kind
from ledger.declared.store import declare
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.rating.stored import PACKING
from tests.charging_day import (
    Timed,
    at,
    call,
    choose,
    declare_fleet,
    everywhere,
    meter16,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_late_facts import rows, work

OLD = "CS-OLD-1"
IN_KWH = Station(site="yard", register_factor=Decimal(1000))
IN_WH = Station(site="yard")
pytestmark = pytest.mark.parametrize("restarts", [False, True])


def change(dsn: str, kind: Kind, key: str, *told: tuple[Entity, float | None]) -> int:
    """Declare *told* with the minute from which each holds (None: from the beginning)."""
    version = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        for entity, since in told:  # one after the other: what holds already is not declared anew
            begins = BEGINNING if since is None else at(since)
            news = Change(kind=kind, key=key, entity=entity, valid_from=begins)
            version = declare(connection, [news], by="test", at=at(-1))
    return version


def decide(dsn: str, lines: Sequence[Timed], *, restarts: bool) -> None:
    for some in [[each] for each in lines] if restarts else [lines]:
        write_log(dsn, some, lines_a_record=1)
        work(dsn)


def billed(dsn: str) -> list[tuple[str, int]]:
    """Return what was decided about each session, with the energy that it says."""
    found = rows(dsn, "SELECT kind, body FROM session_decision ORDER BY partition, number")
    bodies = [(kind, json.loads(PACKING.unpack(body))) for kind, body in found]
    return [(kind, int(Decimal(body["energy_wh"]))) for kind, body in bodies]


@pytest.mark.parametrize("way", ["told in kWh until then", "told in kWh since then"])
def test_a_unit_that_changes_with_a_firmware_changes_nothing_that_was_told_before(
    database: str, way: Literal["told in kWh until then"], *, restarts: bool
) -> None:
    is_kwh_first = way == "told in kWh until then"
    before, since = (IN_KWH, IN_WH) if is_kwh_first else (IN_WH, IN_KWH)
    first = (1, 3) if is_kwh_first else (1000, 3000)
    then = (3000, 8000) if is_kwh_first else (3, 8)
    declare_fleet(database)
    version = change(database, Kind.STATION, OLD, (before, None), (since, 2100))
    lines = [
        *everywhere(version, -1),
        start16(OLD, 10, 31, "FLEET1", first[0]),
        meter16(OLD, 20, 31, first[1]),
        *tick(2000),
        start16(OLD, 2110, 32, "FLEET1", then[0]),
        stop16(OLD, 2170, 32, then[1]),
        choose(f"{OLD}/31/20260302T071000Z", "release", 2200),
    ]

    decide(database, lines, restarts=restarts)

    assert billed(database) == [("held", 2000), ("rated", 5000), ("released", 2000)]


def _local(minutes: float) -> str:
    """Return that moment as clocks in Berlin show it, without their zone."""
    return (at(minutes) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")


def _sampled(minutes: float, wh: int, *, received: float) -> Timed:
    values = [{"timestamp": _local(minutes), "sampledValue": [{"value": str(wh)}]}]
    told = {"connectorId": 1, "transactionId": 31, "meterValue": values}
    return call(OLD, received, "MeterValues", told, {})


def test_a_site_that_keeps_another_time_moves_no_session_of_before(
    database: str, *, restarts: bool
) -> None:
    declare_fleet(database)
    berlin, london = (
        Site(time_zone=zone, country="DE", legal_entity="watt", currency="EUR")
        for zone in ("Europe/Berlin", "Europe/London")
    )
    version = change(database, Kind.SITE, "yard", (berlin, None), (london, 100))
    start = {"connectorId": 1, "idTag": "FLEET1", "meterStart": 1000, "timestamp": _local(10)}
    stop = {"transactionId": 31, "meterStop": 6000, "timestamp": _local(70)}
    reply = {"transactionId": 31, "idTagInfo": {"status": "Accepted"}}
    lines = [
        *everywhere(version, -1),
        call(OLD, 10, "StartTransaction", start, reply),
        _sampled(30, 3000, received=30),
        call(OLD, 70, "StopTransaction", stop, {}),
        *tick(90),
        _sampled(50, 5000, received=120),
        *tick(200),
    ]

    decide(database, lines, restarts=restarts)

    found = rows(database, "SELECT session_id, state, started_at, ended_at FROM session")
    assert found == [(f"{OLD}/31/20260302T071000Z", "rated", at(10), at(70))]
    assert billed(database) == [("rated", 5000)]
