"""Tokens by site and hours, groups and master passes: what stations are told, and what is rated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ocpp.messages import get_validator

from deploy.running.opening import prepare
from deploy.settings import Settings
from ingest.declared_directory import FRESH_SECONDS, DeclaredDirectory
from ingest.directory import StationAccess
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.desk.apply import apply_files
from ledger.log.envelope import Frame
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.tokens import Token, TokenStatus
from ledger.persons.holders import token_holder
from ledger.persons.sealing import Subject
from ledger.persons.store import find
from tests.edge import PASSWORD, open_edge
from tests.fakes import FixedClock

MASTER = f"""
valid_from: 2020-01-01T00:00:00Z
legal_entities:
  watt: {{name: Watt, country: DE, time_zone: Europe/Berlin, invoice_prefix: W,
    vat_id: DE136695976}}
sites:
  harbour: {{time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}}
  hotel: {{time_zone: Europe/Berlin, country: DE, legal_entity: watt, currency: EUR}}
stations:
  CP1: {{site: harbour, password: {PASSWORD}}}
tokens:
  FREE: {{}}
  HERE: {{sites: [harbour]}}
  THERE: {{sites: [hotel]}}
  BOTH: {{sites: [hotel, harbour]}}
  DAY: {{hours: [{{start: "07:00:00", end: "19:00:00", days: [MONDAY]}}]}}
  NIGHT: {{hours: [{{start: "19:00:00", end: "07:00:00"}}]}}
  MASTERS: {{}}
  GUARD: {{parent: MASTERS, is_master_pass: true}}
"""
# A Monday, 13:00 in Berlin.
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class TableSubjects:
    """Subjects as the declarations' tokens got them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def of(self, holders: Any) -> dict[Any, Subject]:  # noqa: ANN401 - as the port has it
        await asyncio.sleep(0)
        with connect(self._dsn) as connection:
            known = find(connection, holders)
        return {each: known[each.kind, each.name] for each in holders}


@pytest.fixture
def declared(database: str, tmp_path: Path) -> str:
    prepare(database, Settings(data=tmp_path, partitions=1))
    with connect(database) as connection, PostgresEventLog(database) as log:
        apply_files(connection, [(MASTER, "m.yaml")], log=log, by="t", at=NOON - timedelta(days=9))
    return database


@pytest.fixture
async def directory(declared: str) -> AsyncIterator[DeclaredDirectory]:
    directory = DeclaredDirectory(declared, FixedClock())
    yield directory
    await directory.close()


async def asked(
    declared: str, directory: DeclaredDirectory, protocol: str, *calls: tuple[str, dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Frame]]:
    """Return what CP1 is answered, and its lines in the log."""
    async with (
        open_edge(directory=directory, subjects=TableSubjects(declared)) as edge,
        edge.station(protocol=protocol) as station,
    ):
        answers = [await station.call(*each) for each in calls]
    for (action, _), answer in zip(calls, answers, strict=True):
        get_validator(3, action, protocol.removeprefix("ocpp")).validate(answer)
    return answers, [line for line in edge.log.lines() if isinstance(line, Frame)]


def authorize(token: str) -> tuple[str, dict[str, Any]]:
    return "Authorize", {"idToken": {"idToken": token, "type": "ISO14443"}}


def event(token: str, kind: str = "Started", trigger: str = "Authorized") -> Any:  # noqa: ANN401
    return "TransactionEvent", {
        "eventType": kind,
        "timestamp": "2026-03-02T12:00:00Z",
        "triggerReason": trigger,
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T"},
        "idToken": {"idToken": token, "type": "ISO14443"},
    }


@pytest.mark.parametrize(
    ("token", "status", "recorded"),
    [
        ("FREE", "Accepted", "accepted"),
        ("HERE", "Accepted", "accepted"),
        ("BOTH", "Accepted", "accepted"),
        ("THERE", "NotAtThisLocation", "elsewhere"),
        ("DAY", "Accepted", "accepted"),
        ("NIGHT", "NotAtThisTime", "untimely"),
    ],
)
async def test_a_token_is_told_where_and_when_it_may_not(
    declared: str, directory: DeclaredDirectory, token: str, status: str, recorded: str
) -> None:
    new, lines = await asked(
        declared, directory, "ocpp2.0.1", authorize(token), event(token), event(token, "Ended")
    )
    start = {"connectorId": 1, "idTag": token, "meterStart": 1, "timestamp": "2026-03-02T12:00:00Z"}
    old, _ = await asked(
        declared,
        directory,
        "ocpp1.6",
        ("Authorize", {"idTag": token}),
        ("StartTransaction", start),
        ("StopTransaction", {**start, "meterStop": 2, "transactionId": 1}),
    )

    # Who stops it may do so wherever and whenever it runs.
    assert [each["idTokenInfo"]["status"] for each in new] == [status, status, "Accepted"]
    in_old_words = "Accepted" if status == "Accepted" else "Blocked"
    told = [each["idTagInfo"]["status"] for each in old]
    assert told == [in_old_words, in_old_words, "Accepted"]
    assert old[1]["transactionId"] > 0
    found = [line.authorization.status for line in lines if line.authorization]
    assert found == [recorded, recorded, "accepted"]


async def test_a_station_may_remember_an_answer_until_the_hours_end(
    declared: str, directory: DeclaredDirectory
) -> None:
    answers, _ = await asked(declared, directory, "ocpp2.0.1", authorize("DAY"))

    assert answers[0]["idTokenInfo"]["cacheExpiryDateTime"] == "2026-03-02T18:00:00.000Z"


async def test_hours_count_by_when_the_station_says_it_started(
    declared: str, directory: DeclaredDirectory
) -> None:
    action, told = event("NIGHT")
    night = {**told, "timestamp": "2026-03-02T03:00:00Z"}
    unset = {**told, "timestamp": "1970-01-01T03:00:00Z"}

    answers, _ = await asked(declared, directory, "ocpp2.1", (action, night), (action, unset))

    assert [each["idTokenInfo"]["status"] for each in answers] == ["Accepted", "NotAtThisTime"]


async def test_a_master_pass_stops_and_never_starts(
    declared: str, directory: DeclaredDirectory
) -> None:
    stop = event("GUARD", "Updated", "StopAuthorized")
    new, _ = await asked(
        declared,
        directory,
        "ocpp2.0.1",
        *(authorize("GUARD"), event("GUARD"), stop, event("GUARD", "Ended")),
    )
    old, _ = await asked(declared, directory, "ocpp1.6", ("Authorize", {"idTag": "GUARD"}))

    told = [each["idTokenInfo"]["status"] for each in new]
    assert told == ["Accepted", "Blocked", "Accepted", "Accepted"]
    assert new[0]["idTokenInfo"]["groupIdToken"] == {"idToken": "MASTERS", "type": "Central"}
    # 1.6 knows no master pass: what may ask may start.
    assert old[0]["idTagInfo"]["status"] == "Blocked"


async def test_a_block_holds_on_every_process_within_a_second(declared: str) -> None:
    directories = [DeclaredDirectory(declared, FixedClock()) for _ in range(2)]
    holder = token_holder("FREE")
    assert holder is not None
    with connect(declared) as connection:
        subject = find(connection, [holder])[holder.kind, holder.name].id

        async def statuses() -> set[str]:
            tokens = await asyncio.gather(*(each.token(subject) for each in directories))
            return {str(token.status) for token in tokens if token}

        assert await statuses() == {"Accepted"}
        blocked = Change(kind=Kind.TOKEN, key=subject, entity=Token(status=TokenStatus.BLOCKED))
        declare(connection, [blocked], by="test", at=NOON - timedelta(days=1))
    assert FRESH_SECONDS < 1
    await asyncio.sleep(FRESH_SECONDS)
    assert await statuses() == {"Blocked"}
    for each in directories:
        await each.close()


async def test_a_station_that_is_declared_elsewhere_is_there_without_connecting_again(
    declared: str, directory: DeclaredDirectory
) -> None:
    station = f"CP1: {{site: hotel, password: {PASSWORD}}}"
    moved = f"valid_from: 2020-01-01T00:00:00Z\nstations:\n  {station}"
    edges = open_edge(directory=directory, subjects=TableSubjects(declared))
    async with edges as edge, edge.station(protocol="ocpp2.0.1") as connected:

        async def statuses() -> list[str]:
            answers = [await connected.call(*authorize(token)) for token in ("HERE", "THERE")]
            return [each["idTokenInfo"]["status"] for each in answers]

        assert await statuses() == ["Accepted", "NotAtThisLocation"]
        with connect(declared) as connection, PostgresEventLog(declared) as log:
            at = NOON - timedelta(days=8)
            apply_files(connection, [(moved, "m.yaml")], log=log, by="t", at=at)
        await asyncio.sleep(FRESH_SECONDS)

        assert await statuses() == ["NotAtThisLocation", "Accepted"]


async def test_a_station_has_the_zone_of_its_site(directory: DeclaredDirectory) -> None:
    station = await directory.station("cp1")

    assert station is not None
    assert (station.site, station.time_zone) == ("harbour", "Europe/Berlin")
    assert replace(station, site="hotel") != station
    assert StationAccess(station_id="x", password_hashes=()).time_zone == "UTC"
