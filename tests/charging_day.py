"""A small charging day as the event log holds it: stations of both protocols, and what goes wrong.

Tests of the worker and of the read models run on it; `DAY` is written once and never drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.envelope import Choice, Declared, Frame, LogLine, Tick, encode_line
from ledger.log.event_log import NewRecord, partition_of
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.master_data.assignments import Assignment
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token
from tariffs.adjustments.adjustment import GroupGrant, ValidationGrant
from tariffs.files.tariff_file import read_tariff_file
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tests.at_the_edge import keep_customer, keep_named_subjects, sealed

PARTITIONS = 2
MORNING = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
OLD, NEW = "ocpp1.6", "ocpp2.0.1"
STATIONS = {"CS-OLD-1": OLD, "CS-OLD-2": OLD, "CS-NEW-1": NEW, "CS-NEW-2": NEW}

Timed = tuple[datetime, str, LogLine]
"""When it was received, the station whose partition it goes to, the line."""


def at(minutes: float) -> datetime:
    """Return the moment *minutes* into the day."""
    return MORNING + timedelta(minutes=minutes)


def stamp(minutes: float) -> str:
    return at(minutes).strftime("%Y-%m-%dT%H:%M:%SZ")


def declare_fleet(dsn: str) -> int:
    """Declare a site, its stations, three tokens and a tariff; return the version."""
    energy = PriceComponent(
        dimension=Dimension.ENERGY, price=Decimal("0.40"), vat=Decimal(19), step_size=1
    )
    parking = PriceComponent(
        dimension=Dimension.PARKING_TIME, price=Decimal(6), vat=Decimal(19), step_size=60
    )
    tariff = Tariff(
        id="DAY",
        currency="EUR",
        elements=(TariffElement(price_components=(energy, parking), restrictions=Restrictions()),),
        adjustments=(
            GroupGrant(group="residents", dimensions=(Dimension.ENERGY,)),
            ValidationGrant(code="STAMP", dimensions=(Dimension.ENERGY,), percent=Decimal(50)),
        ),
    )
    seller = LegalEntity(
        name="Watt GmbH",
        country="DE",
        time_zone="Europe/Berlin",
        invoice_prefix="W",
        vat_id="DE136695976",
    )
    site = Site(time_zone="Europe/Berlin", country="DE", legal_entity="watt", currency="EUR")
    changes = [
        Change(kind=Kind.LEGAL_ENTITY, key="watt", entity=seller),
        Change(kind=Kind.SITE, key="yard", entity=site),
        *(Change(kind=Kind.STATION, key=key, entity=Station(site="yard")) for key in STATIONS),
        Change(kind=Kind.TOKEN, key="fleet1", entity=Token(customer="fleet")),
        Change(kind=Kind.TOKEN, key="bearer1", entity=Token()),
        Change(kind=Kind.TOKEN, key="home1", entity=Token(customer="home", group="residents")),
        Change(kind=Kind.TARIFF, key="DAY", entity=published(tariff), valid_from=MORNING),
        Change(
            kind=Kind.ASSIGNMENT,
            key=Assignment(tariff="DAY", site="yard").key(),
            entity=Assignment(tariff="DAY", site="yard"),
            valid_from=MORNING,
        ),
    ]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        keep_named_subjects(connection, "FLEET1", "BEARER1", "HOME1")
        fleet = Customer(details=keep_customer(connection, "fleet", "Fleet Ltd"))
        home = Customer(
            details=keep_customer(connection, "home", "A Resident"), invoicing=Invoicing.PER_MONTH
        )
        changes += [
            Change(kind=Kind.CUSTOMER, key="fleet", entity=fleet),
            Change(kind=Kind.CUSTOMER, key="home", entity=home),
        ]
        return declare(connection, changes, by="test", at=MORNING - timedelta(days=1))


def declare_day(dsn: str, text: str) -> int:
    """Declare the tariff of the file *text* in place of the fleet's; return the version."""
    tariff, problems = read_tariff_file(text, "day.yaml")
    assert tariff is not None, problems
    change = Change(kind=Kind.TARIFF, key="DAY", entity=published(tariff), valid_from=MORNING)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        return declare(connection, [change], by="test", at=MORNING)


def call(
    station: str, minutes: float, action: str, payload: dict[str, Any], reply: dict[str, Any]
) -> Timed:
    """Return a call of *station* as the edge logs it."""
    text = json.dumps([2, f"{action}-{minutes}", action, payload])
    line = Frame(
        received_at=at(minutes) + timedelta(seconds=1),
        station=station,
        protocol=STATIONS[station],
        epoch=1,
        frame=text,
        reply=json.dumps([3, f"{action}-{minutes}", reply]),
    )
    line = sealed(line)
    return line.received_at, station, line


def register(minutes: float, wh: float) -> dict[str, Any]:
    sampled = {"value": str(wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
    return {"timestamp": stamp(minutes), "sampledValue": [sampled]}


def register201(minutes: float, wh: float) -> dict[str, Any]:
    sampled = {"value": wh, "measurand": "Energy.Active.Import.Register"}
    return {"timestamp": stamp(minutes), "sampledValue": [sampled]}


def start16(
    station: str, minutes: float, ref: int, token: str, wh: int, connector: int = 1
) -> Timed:
    payload = {
        "connectorId": connector, "idTag": token, "meterStart": wh, "timestamp": stamp(minutes)
    }  # fmt: skip
    reply = {"transactionId": ref, "idTagInfo": {"status": "Accepted"}}
    return call(station, minutes, "StartTransaction", payload, reply)


def meter16(station: str, minutes: float, ref: int, wh: float, connector: int = 1) -> Timed:
    payload = {
        "connectorId": connector, "transactionId": ref, "meterValue": [register(minutes, wh)]
    }  # fmt: skip
    return call(station, minutes, "MeterValues", payload, {})


def stop16(
    station: str, minutes: float, ref: int, wh: int, *, received: float | None = None
) -> Timed:
    payload = {"transactionId": ref, "meterStop": wh, "timestamp": stamp(minutes)}
    if ref > 0:
        payload["reason"] = "EVDisconnected"
    return call(station, received or minutes, "StopTransaction", payload, {})


def status16(station: str, minutes: float, status: str, connector: int = 1) -> Timed:
    payload = {
        "connectorId": connector, "status": status, "errorCode": "NoError",
        "timestamp": stamp(minutes),
    }  # fmt: skip
    return call(station, minutes, "StatusNotification", payload, {})


def event201(  # noqa: PLR0913
    station: str,
    minutes: float,
    kind: str,
    ref: str,
    seq: int,
    wh: float,
    *,
    token: str | None = None,
    received: float | None = None,
    evse: int | None = 1,
) -> Timed:
    payload: dict[str, Any] = {
        "eventType": kind,
        "timestamp": stamp(minutes),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": seq,
        "transactionInfo": {"transactionId": ref, "chargingState": "Charging"},
        "meterValue": [register201(minutes, wh)],
    }
    if evse is not None:
        payload["evse"] = {"id": evse, "connectorId": 1}
    if token:
        payload["idToken"] = {"idToken": token, "type": "ISO14443"}
    return call(station, received or minutes, "TransactionEvent", payload, {})


def tick(minutes: float) -> Iterable[Timed]:
    """Yield a tick for every partition."""
    found: set[int] = set()
    for station in STATIONS:
        number = partition_of(station, partitions=PARTITIONS)
        if number not in found:
            found.add(number)
            yield at(minutes), station, Tick(received_at=at(minutes))


def everywhere(version: int, minutes: float) -> Iterable[Timed]:
    """Yield the line that says which declarations hold, for every partition."""
    for moment, station, line in tick(minutes):
        yield moment, station, Declared(received_at=line.received_at, version=version)


def charging_day(version: int) -> list[Timed]:
    """Return the lines of the day, in the order of their receipt."""
    day: list[Timed] = [*everywhere(version, -1)]
    # A plain session, with a neighbour on connector 2 that parks for half an hour.
    day += [status16("CS-OLD-1", 0, "Preparing"), start16("CS-OLD-1", 1, 11, "FLEET1", 1000)]
    day += [start16("CS-OLD-1", 2, 12, "BEARER1", 5000, 2)]
    for minute in range(5, 60, 5):
        day.append(meter16("CS-OLD-1", minute, 11, 1000 + minute * 100))
        day.append(meter16("CS-OLD-1", minute + 1, 12, 5000 + min(minute, 30) * 100, 2))
    day += [status16("CS-OLD-1", 35, "SuspendedEV", 2)]
    day += [stop16("CS-OLD-1", 60, 11, 7000), stop16("CS-OLD-1", 65, 12, 8000)]
    # The same stop once more, and readings after it.
    day += [stop16("CS-OLD-1", 60, 11, 7000, received=62), meter16("CS-OLD-1", 63, 11, 7000)]
    # A resident, and a second session under the id of the first (ids are reused).
    day += [start16("CS-OLD-2", 3, 21, "HOME1", 0), meter16("CS-OLD-2", 20, 21, 2000)]
    day += [stop16("CS-OLD-2", 40, 21, 4000)]
    day += [start16("CS-OLD-2", 80, 22, "FLEET1", 4000), meter16("CS-OLD-2", 90, 22, 5000)]
    # The stop of 22 is lost: the next session begins; its own stop names -1.
    day += [start16("CS-OLD-2", 120, 23, "FLEET1", 6000), meter16("CS-OLD-2", 130, 23, 7000)]
    day += [stop16("CS-OLD-2", 140, -1, 8000)]
    # 2.0.1, whole; its last event overtakes the one before it.
    day += [event201("CS-NEW-1", 10, "Started", "A", 0, 100, token="BEARER1")]
    day += [event201("CS-NEW-1", 10 + n * 10, "Updated", "A", n, 100 + n * 1000) for n in (1, 2)]
    day += [event201("CS-NEW-1", 45, "Ended", "A", 4, 4100)]
    day += [event201("CS-NEW-1", 40, "Updated", "A", 3, 3100, received=46)]
    # A gap that is never quite filled: of two missing messages one comes, much later.
    day += [event201("CS-NEW-2", 10, "Started", "B", 0, 0, token="FLEET1")]
    day += [event201("CS-NEW-2", 20, "Updated", "B", 1, 1000)]
    day += [event201("CS-NEW-2", 30, "Ended", "B", 4, 3000)]
    day += [event201("CS-NEW-2", 25, "Updated", "B", 2, 2400, received=170)]
    # Nonsense.
    day += [call("CS-OLD-1", 70, "Dance", {}, {}), *tick(55), *tick(100), *tick(150), *tick(205)]
    return sorted(day, key=lambda timed: timed[0])


def choose(session_id: str, choice: str, minutes: float) -> Timed:
    """Return the line of a person's choice about a held session."""
    station = session_id.split("/", 1)[0]
    line = Choice(
        received_at=at(minutes),
        station=station,
        session_id=session_id,
        choice="release" if choice == "release" else "write_off",
        by="ann",
        reason="seen on the meter",
    )
    return line.received_at, station, line


def write_log(dsn: str, lines: Sequence[Timed], *, lines_a_record: int = 3) -> None:
    """Append *lines* to the log, some in each record; make the log if there is none."""
    by_partition: dict[int, list[bytes]] = {number: [] for number in range(PARTITIONS)}
    for _, station, line in lines:
        number = partition_of(station, partitions=PARTITIONS)
        by_partition[number].append(encode_line(line))
    with psycopg.connect(dsn, autocommit=True) as connection:
        make_log(connection, PARTITIONS)
    with PostgresEventLog(dsn) as log:
        log.append(
            [
                NewRecord(number, encoded[i : i + lines_a_record])
                for number, encoded in by_partition.items()
                for i in range(0, len(encoded), lines_a_record)
            ]
        )
