"""`cdr_in`, `cdr_taken`: CDRs of partners from the log into the books, and from HTTP into the log.

A CDR has four periods, a tariff that the partner published and one of a thousand tokens; its
session was told before. It is read, validated, priced again and stored: CDRs a second of processor
time of the reader and PostgreSQL together. Taken in, it is sealed, logged and kept by its id.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from bench.ocpi import START, bench_cdr
from bench.peers.worked_log import cpu_seconds, empty_log
from bench.pricing import bench_tariff
from bench.run import Row, beside
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.database import connect, connect_options
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.envelope import Declared, PartnerMessage, encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog
from ledger.log.postgres_lines import PostgresLineWriter
from ledger.master_data.tokens import Token
from ledger.partners.messages import cut_message
from ledger.persons.holders import token_holder
from ledger.persons.sealing import Subject
from ledger.persons.store import find_or_make
from roaming_ocpi.incoming.reading import PartnerReader
from roaming_ocpi.incoming.taking.intake import GivenObject, PartnerIntake
from roaming_ocpi.incoming.told import CDRS, SESSIONS
from tariffs.cdr.pricing import price_cdr
from tariffs.kernel.pricing import compile_tariff
from tariffs.ocpi.cdr_fast import CdrDecoder
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion

_CDRS: Final = 10_000
_TOKENS: Final = 1_000
_TAKEN: Final = 1_500
_AT_ONCE: Final = 64
_ALONE: Final = 500
_LINES_A_RECORD: Final = 50
_AT_LEAST: Final = 2_000.0
_PARTY: Final = "DE-ABC"
_CAME: Final = START + timedelta(days=4)
_DECLARED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TARIFF: Final = """
INSERT INTO partner_tariff
    (party, tariff_id, number, received_at, last_updated, version, body, sha256, deleted)
VALUES (%s, 'bench', 1, %s, %s, '2.2.1', %s, '\\x00', false)
"""


def rows(_seconds: float) -> list[Row]:
    """Measure both rows, each once."""
    with empty_log() as postgres:
        texts = [_text(number) for number in range(_CDRS)]
        _declare(postgres)
        _fill(postgres, texts)
        read = _read(postgres)
    with empty_log() as postgres:
        _declare(postgres)
        taken = asyncio.run(_take(postgres, texts[:_TAKEN], at_once=_AT_ONCE))
        one_by_one = asyncio.run(_take(postgres, texts[_TAKEN : _TAKEN + _ALONE], at_once=1))
    unit = "CDRs of partners"
    return [
        beside(
            "cdr_in",
            read,
            f"{unit} validated, priced and stored per CPU second, log to books",
            "at least",
            _AT_LEAST,
        ),
        beside(
            "cdr_taken",
            taken,
            f"{unit} taken per CPU second, durable in the log and kept by id",
            "one after the other",
            one_by_one,
        ),
    ]


def _card(number: int) -> str:
    return f"04A2{number % _TOKENS:06}"


def _text(number: int) -> tuple[str, str]:
    """Return a session and its CDR: right, and no two of a token at the same time."""
    value: dict[str, Any] = json.loads(bench_cdr(number))
    shift = timedelta(hours=5 * (number // _TOKENS)) + (START - _moment(value["start_date_time"]))
    for name in ("start_date_time", "end_date_time", "last_updated"):
        value[name] = _shifted(value[name], shift)
    for period in value["charging_periods"]:
        period["start_date_time"] = _shifted(period["start_date_time"], shift)
    value["cdr_token"]["uid"] = _card(number)
    read = CdrDecoder().decode(json.dumps(value).encode())
    assert read is not None
    priced = price_cdr(read.cdr, _COMPILED)
    net, gross = (Decimal(each).scaleb(-2) for each in (priced.before_minor, priced.after_minor))
    value["total_cost"] = {"excl_vat": float(net), "incl_vat": float(gross)}
    session = {
        "country_code": "DE",
        "party_id": "ABC",
        "id": value["session_id"],
        "start_date_time": value["start_date_time"],
        "end_date_time": value["end_date_time"],
        "kwh": value["total_energy"],
        "currency": "EUR",
        "total_cost": value["total_cost"],
        "status": "COMPLETED",
        "last_updated": value["last_updated"],
    }
    return json.dumps(session), json.dumps(value)


_COMPILED: Final = compile_tariff(bench_tariff())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _shifted(text: str, by: timedelta) -> str:
    return (_moment(text) + by).strftime("%Y-%m-%dT%H:%M:%SZ")


def _declare(postgres: EmbeddedPostgres) -> None:
    """Declare the tokens, say so in the log, and have the tariff published."""
    holders = [each for n in range(_TOKENS) if (each := token_holder(_card(n)))]
    body = encode_ocpi(write_tariff(bench_tariff(), OcpiVersion.V2_2_1)[0])
    with connect(postgres.dsn) as connection, PostgresEventLog(postgres.dsn) as log:
        subjects = find_or_make(connection, holders).values()
        changes = [Change(kind=Kind.TOKEN, key=each.id, entity=Token()) for each in subjects]
        version = declare(connection, changes, by="bench", at=_DECLARED_AT)
        connection.execute(_TARIFF, (_PARTY, _DECLARED_AT, _DECLARED_AT, body))
        line = encode_line(Declared(received_at=_DECLARED_AT, version=version))
        log.append([NewRecord(0, [line])])


def _fill(postgres: EmbeddedPostgres, texts: Sequence[tuple[str, str]]) -> None:
    with connect(postgres.dsn) as connection, PostgresEventLog(postgres.dsn) as log:
        holders = [each for n in range(_TOKENS) if (each := token_holder(_card(n)))]
        known = find_or_make(connection, holders)

        def line(what: str, body: str) -> bytes:
            message = PartnerMessage(received_at=_CAME, party=_PARTY, what=what, body=body)
            cut = cut_message(message)
            subjects: dict[Any, Subject] = {
                each: known[each.kind, each.name] for each in cut.holders
            }
            return encode_line(cut.sealed(subjects))

        for some in _chunks(texts):
            log.append([NewRecord(0, [line(SESSIONS, session) for session, _ in some])])
            log.append([NewRecord(0, [line(CDRS, cdr) for _, cdr in some])])


def _chunks(texts: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    for index in range(0, len(texts), _LINES_A_RECORD):
        yield texts[index : index + _LINES_A_RECORD]


def _read(postgres: EmbeddedPostgres) -> float:
    with PostgresEventLog(postgres.dsn) as log:
        reader = PartnerReader(postgres.dsn, log=log, partitions=[0])
        with closing(reader):
            before = cpu_seconds(postgres)
            reader.run_to_end()
            spent = cpu_seconds(postgres) - before
    with connect(postgres.dsn) as connection:
        found = connection.execute(
            "SELECT count(*) FROM partner_cdr WHERE verdict = 'accepted' AND codes = '[]'"
        )
        [(accepted,)] = found.fetchall()
    assert accepted == _CDRS, accepted
    return _CDRS / spent


async def _take(
    postgres: EmbeddedPostgres, texts: Sequence[tuple[str, str]], *, at_once: int
) -> float:
    log = await PostgresLineWriter.open(postgres.dsn, partitions=1)
    given = [GivenObject(_PARTY, decode_json(cdr.encode()), cdr, _CAME) for _, cdr in texts]
    async with AsyncConnectionPool[AsyncConnection[Any]](
        postgres.dsn,
        kwargs={"options": connect_options(postgres.dsn), "autocommit": True},
        min_size=8,
        max_size=8,
        open=False,
    ) as pool:
        intake = PartnerIntake(pool, log)
        before = cpu_seconds(postgres)
        for index in range(0, len(given), at_once):
            some = given[index : index + at_once]
            await asyncio.gather(*(intake.take_cdr(each) for each in some))
        spent = cpu_seconds(postgres) - before
    await log.close()
    return len(given) / spent
