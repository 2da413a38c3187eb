"""A partner that has stations, what it tells of our drivers, and the log that keeps it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.envelope import Declared, PartnerMessage, encode_line
from ledger.log.event_log import NewRecord, Position, partition_of
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import OldCorrections, Partner, PartnerRole
from ledger.master_data.tokens import Token
from ledger.partners.messages import cut_message
from ledger.persons.holders import token_holder
from ledger.persons.store import find, find_or_make
from roaming_ocpi.incoming.reading import PartnerReader
from roaming_ocpi.incoming.told import CDRS, MessageReader, ToldCdr

PARTITIONS: Final = 2
PARTY: Final = "NL-TNM"
CARD: Final = "04AABBCC"
NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""When the session of `CDR` began."""
END: Final = NOON + timedelta(hours=2)
CAME: Final = NOON + timedelta(hours=3)
TARIFF: Final[dict[str, Any]] = {
    "country_code": "NL",
    "party_id": "TNM",
    "id": "T1",
    "currency": "EUR",
    "elements": [
        {"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 20.0, "step_size": 1}]}
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}
CDR: Final[dict[str, Any]] = {
    "country_code": "NL",
    "party_id": "TNM",
    "id": "C1",
    "start_date_time": "2026-03-02T12:00:00Z",
    "end_date_time": "2026-03-02T14:00:00Z",
    "session_id": "S1",
    "cdr_token": {
        "country_code": "DE",
        "party_id": "HBC",
        "uid": CARD,
        "type": "RFID",
        "contract_id": "DE-HBC-C000001",
    },
    "auth_method": "WHITELIST",
    "cdr_location": {
        "id": "LOC1",
        "address": "Kade 1",
        "city": "Utrecht",
        "country": "NLD",
        "coordinates": {"latitude": "52.09", "longitude": "5.12"},
        "evse_uid": "1",
        "evse_id": "NL*TNM*E1",
        "connector_id": "1",
        "connector_standard": "IEC_62196_T2",
        "connector_format": "SOCKET",
        "connector_power_type": "AC_3_PHASE",
        "time_zone": "Europe/Amsterdam",
    },
    "currency": "EUR",
    "tariffs": [TARIFF],
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T12:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 20.0}],
            "tariff_id": "T1",
        },
        {
            "start_date_time": "2026-03-02T13:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 12.0}],
            "tariff_id": "T1",
        },
    ],
    "total_cost": {"excl_vat": 8.0, "incl_vat": 9.6},
    "total_energy": 32.0,
    "total_time": 2.0,
    "last_updated": "2026-03-02T14:00:00Z",
}
"""32 kWh at 0.25: 8.00 before taxes, 9.60 with 20 % of VAT, in two periods."""
SESSION: Final[dict[str, Any]] = {
    "country_code": "NL",
    "party_id": "TNM",
    "id": "S1",
    "start_date_time": "2026-03-02T12:00:00Z",
    "end_date_time": "2026-03-02T14:00:00Z",
    "kwh": 32.0,
    "cdr_token": CDR["cdr_token"],
    "auth_method": "WHITELIST",
    "location_id": "LOC1",
    "evse_uid": "1",
    "connector_id": "1",
    "currency": "EUR",
    "total_cost": {"excl_vat": 8.0, "incl_vat": 9.6},
    "status": "COMPLETED",
    "last_updated": "2026-03-02T14:00:05Z",
}
GONE: Final = object()
"""Take this field away."""


def changed(body: Mapping[str, Any], /, **changes: object) -> dict[str, Any]:
    """Return *body* with *changes*; a name with two underscores reaches into an object."""
    made: dict[str, Any] = copy.deepcopy(dict(body))
    for name, value in changes.items():
        *path, last = name.split("__")
        spot: Any = made
        for step in path:
            spot = spot[int(step)] if isinstance(spot, list) else spot[step]
        if value is GONE:
            del spot[last]
        else:
            spot[last] = value
    return made


def cdr_of(**changes: object) -> dict[str, Any]:
    """Return the CDR with *changes*."""
    return changed(CDR, **changes)


def old_cdr_of(**changes: object) -> dict[str, Any]:
    """Return the same CDR as OCPI 2.1.1 writes it, with *changes*."""
    kept = ("id", "start_date_time", "auth_method", "currency", "total_energy", "total_time")
    made = {name: CDR[name] for name in (*kept, "last_updated")}
    made["stop_date_time"], made["auth_id"] = CDR["end_date_time"], CARD
    made["location"] = {"id": "LOC1", "time_zone": "Europe/Amsterdam"}
    component = {"type": "ENERGY", "price": 0.25, "step_size": 1}
    tariff = {name: TARIFF[name] for name in ("id", "currency", "last_updated")}
    made["tariffs"] = [{**tariff, "elements": [{"price_components": [component]}]}]
    made["charging_periods"] = [
        {name: value for name, value in period.items() if name != "tariff_id"}
        for period in CDR["charging_periods"]
    ]
    made["total_cost"] = 8.0
    return changed(made, **changes)


def credit_of(**changes: object) -> dict[str, Any]:
    """Return the credit CDR of the CDR, with *changes*."""
    taken = {"total_cost": {"excl_vat": -8.0, "incl_vat": -9.6}}
    named = {"id": "C1-C", "credit": True, "credit_reference_id": "C1"}
    return changed(CDR, **{**taken, **named, **changes})


class Told(NamedTuple):
    """A message to be appended: what it is and its body, as text or as what it stands for."""

    body: Any
    what: str = CDRS
    at: datetime = CAME
    party: str = PARTY
    direction: Any = "in"


def sealed_line(connection: psycopg.Connection[Any], told: Told) -> PartnerMessage:
    """Return the line that the log keeps of a message."""
    text = told.body if isinstance(told.body, str) else json.dumps(told.body)
    message = PartnerMessage(
        received_at=told.at,
        party=told.party,
        what=told.what,
        body=text,
        direction=told.direction,
    )
    cut = cut_message(message)
    found = find_or_make(connection, cut.holders)
    return cut.sealed({each: found[each.kind, each.name] for each in cut.holders})


def append(dsn: str, *told: Told, each_alone: bool = True) -> list[Position]:
    """Append messages to the log, each as a record of its own, or all of a party as one."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        lines = [encode_line(sealed_line(connection, each)) for each in told]
        party = told[0].party
        places = [partition_of(each.party, partitions=PARTITIONS) for each in told]
        if not each_alone:
            assert all(each.party == party for each in told)
            return log.append([NewRecord(places[0], lines)])
        return log.append(
            [NewRecord(place, [line]) for place, line in zip(places, lines, strict=True)]
        )


def append_lines(dsn: str, lines: Sequence[bytes], *, party: str = PARTY) -> None:
    """Append raw lines, one record."""
    with PostgresEventLog(dsn) as log:
        log.append([NewRecord(partition_of(party, partitions=PARTITIONS), lines)])


def declare_roaming(
    dsn: str, *, corrections: OldCorrections = OldCorrections.STATEMENT, card: str = CARD
) -> None:
    """Make the log; declare the partner, and a card of ours; say so in each partition."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        make_log(connection, PARTITIONS)
        connection.execute("SET search_path = books, inputs, persons")
        holder = token_holder(card)
        assert holder is not None
        [subject] = find_or_make(connection, [holder]).values()
        ours = LegalEntity(
            name="Harbour Charging GmbH",
            country="DE",
            time_zone="Europe/Berlin",
            invoice_prefix="HC",
            party="DE-HBC",
        )
        partner = Partner(
            name="TNM",
            legal_entity="harbour",
            roles=(PartnerRole.CPO,),
            old_corrections=corrections,
        )
        version = declare(
            connection,
            [
                Change(kind=Kind.LEGAL_ENTITY, key="harbour", entity=ours),
                Change(kind=Kind.PARTNER, key=PARTY, entity=partner),
                Change(kind=Kind.TOKEN, key=subject.id, entity=Token()),
            ],
            by="test",
            at=NOON,
        )
        marker = encode_line(Declared(received_at=NOON, version=version))
        log.append([NewRecord(partition, [marker]) for partition in range(PARTITIONS)])


def subject_of(dsn: str, card: str = CARD) -> str:
    """Return the subject id of a card."""
    holder = token_holder(card)
    assert holder is not None
    with connect(dsn) as connection:
        [subject] = find(connection, [holder]).values()
    return subject.id


def read_all(dsn: str) -> None:
    """Take all that the log has."""
    with PostgresEventLog(dsn) as log:
        reader = PartnerReader(dsn, log=log, partitions=range(PARTITIONS))
        with closing(reader):
            reader.run_to_end()


def payloads(dsn: str) -> list[bytes]:
    """Return all records of the log, unpacked."""
    with PostgresEventLog(dsn) as log:
        return [
            record.payload
            for partition in range(PARTITIONS)
            for record in log.read(partition, 0, records=10_000)
        ]


class Found(NamedTuple):
    """A CDR as the table has it."""

    verdict: str
    codes: tuple[str, ...]
    net: Decimal | None
    credits: str | None
    credited_by: str | None


def verdicts(dsn: str) -> dict[str, Found]:
    """Return what became of each CDR."""
    query = "SELECT cdr_id, verdict, codes, net, credits, credited_by FROM partner_cdr"
    with connect(dsn) as connection:
        rows = connection.execute(query).fetchall()
    return {
        name: Found(verdict, tuple(each["code"] for each in codes), *rest)
        for name, verdict, codes, *rest in rows
    }


def told_cdr(body: Mapping[str, Any], *, at: datetime = CAME) -> ToldCdr:
    """Return a CDR as it is read from the log, without any."""
    text = json.dumps(body).replace(CARD, SUBJECT)
    line = PartnerMessage(received_at=at, party=PARTY, what=CDRS, body=text)
    return MessageReader().cdr(line, Position(0, 0, 0))


SUBJECT: Final = f"p-{'0' * 32}"
"""Who has the card in `told_cdr`."""


def rows_of(dsn: str, table: str) -> list[Any]:
    """Return a table's rows as JSON, in one order."""
    with connect(dsn) as connection:
        query = f"SELECT to_jsonb(t)::text FROM {table} AS t ORDER BY 1"
        return [msgspec.json.decode(row) for (row,) in connection.execute(query.encode())]
