"""A partner's card at a station: what is answered, logged and billed, and what needs no table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.running.opening import prepare
from deploy.running.replay import replay_and_compare
from deploy.settings import Settings
from ingest.answers.transactions import PostgresTransactionIds
from ingest.declared_directory import DeclaredDirectory
from ingest.facts.translate import translate
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect, connect_async
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.passwords import hash_password
from ledger.desk.apply import declare_all
from ledger.log.authorization import Authorization
from ledger.log.envelope import Frame
from ledger.log.postgres import PostgresEventLog
from ledger.log.postgres_lines import PostgresLineWriter
from ledger.log.reading import numbered_lines
from ledger.master_data.stations import Station as DeclaredStation
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find, find_or_make
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from ledger.worker.worker import Worker
from projections.replay.replay import ReplayReport
from tests import depot
from tests.edge import PASSWORD, Edge, Station, open_edge
from tests.fakes import NOON, FixedClock
from tests.ledger.partners.opened_contracts import opened_contract

YESTERDAY = NOON - timedelta(days=1)
BEGUN = NOON - timedelta(hours=1)
GUEST = PartnerToken("04GUEST", "NL-TNM-C1", True, Whitelist.ALWAYS)
TOKENS = [
    GUEST,
    PartnerToken("04OFFLINE", "NL-TNM-C2", True, Whitelist.ALLOWED_OFFLINE),
    PartnerToken("04NEVER", "NL-TNM-C3", True, Whitelist.NEVER),
    PartnerToken("04GONE", "NL-TNM-C4", False, Whitelist.ALWAYS),
    PartnerToken("04OVER", "NL-TNM-C5", True, Whitelist.ALWAYS, BEGUN),
    PartnerToken("04OURS", "NL-TNM-C6", True, Whitelist.ALWAYS),
]


@pytest.fixture
def operator(database: str, tmp_path: Path) -> str:
    """The depot, with a station that may connect and the tokens of NL-TNM."""
    prepare(database, Settings(data=tmp_path, partitions=1))
    station = DeclaredStation(site="harbour", password_hash=hash_password(PASSWORD))
    with connect(database) as connection:
        (blocked,) = find_or_make(connection, [_holder("04OURS")]).values()
        refused = Token(kind=TokenKind.ROAMING, partner="NL-TNM", status=TokenStatus.BLOCKED)
        more = [
            Change(kind=Kind.STATION, key="ST-1", entity=station, valid_from=BEGINNING),
            Change(kind=Kind.TOKEN, key=blocked.id, entity=refused, valid_from=BEGINNING),
        ]
        with PostgresEventLog(database) as log:
            declare_all(connection, [*depot.changes(), *more], log=log, by="a test", at=YESTERDAY)
        add_partner_tokens(connection, "NL-TNM", TOKENS, at=YESTERDAY)
    return database


def _holder(uid: str) -> Any:  # noqa: ANN401 - handed on
    return token_holder(uid)


def subject_of(dsn: str, uid: str) -> str:
    with connect(dsn) as connection:
        (subject,) = find(connection, [_holder(uid)]).values()
    return subject.id


@asynccontextmanager
async def connected(dsn: str, protocol: str) -> AsyncIterator[tuple[Edge, Station]]:
    """Connect ST-1 to an edge with the product's own parts behind it."""
    directory = DeclaredDirectory(dsn, FixedClock())
    subjects = PostgresSubjects(lambda: connect_async(dsn))
    ids = PostgresTransactionIds(lambda: connect_async(dsn))
    try:
        async with (
            await PostgresLineWriter.open(dsn, partitions=1) as log,
            open_edge(log=log, directory=directory, subjects=subjects, ids=ids) as edge,
            edge.station("ST-1", protocol=protocol) as station,
        ):
            yield edge, station
    finally:
        for each in (directory, subjects, ids):
            await each.close()


def frames(dsn: str) -> list[Frame]:
    with PostgresEventLog(dsn) as log:
        records = log.read(0, 0, records=10_000)
    lines = [line for record in records for _, line in numbered_lines(record.payload)]
    return [line for line in lines if isinstance(line, Frame)]


def recorded(dsn: str, action: str) -> list[Authorization | None]:
    return [each.authorization for each in frames(dsn) if f'"{action}"' in each.frame]


def work(dsn: str) -> None:
    with (
        PostgresEventLog(dsn) as log,
        Worker(dsn, log=log, partitions=[0], translate=translate) as worker,
    ):
        while worker.run_once():
            pass


def replayed(dsn: str) -> ReplayReport:
    with PostgresEventLog(dsn) as log:
        return replay_and_compare(dsn, log)


def decided(dsn: str) -> dict[str, list[str]]:
    """Return state and reasons of each session, by its reference."""
    with connect(dsn) as connection:
        rows = connection.execute("SELECT transaction_ref, state, reasons FROM session")
        return {ref: [state, *(reasons or [])] for ref, state, reasons in rows}


def ratings(dsn: str) -> list[SessionRated]:
    with connect(dsn) as connection:
        rows = connection.execute("SELECT body FROM session_decision ORDER BY position")
        found = [unpack_decision(body) for (body,) in rows]
    return [each for each in found if isinstance(each, SessionRated)]


def empty_the_table(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica; SET search_path = inputs")
        assert connection.execute("DELETE FROM partner_token").rowcount > 0


async def start16(station: Station, uid: str, number: int) -> dict[str, Any]:
    """Start at a connector of its own."""
    payload = {"connectorId": number, "idTag": uid, "meterStart": 0}
    answer: dict[str, Any] = await station.call(
        "StartTransaction", payload | {"timestamp": BEGUN.isoformat()}
    )
    return answer


async def stop16(station: Station, transaction: int) -> None:
    payload = {"transactionId": transaction, "meterStop": 10_000}
    await station.call("StopTransaction", payload | {"timestamp": NOON.isoformat()})


@pytest.mark.parametrize(
    ("uid", "answer", "status", "outcome"),
    [
        pytest.param("04guest", "Accepted", "accepted", ["rated"], id="may always charge"),
        pytest.param("04OFFLINE", "Accepted", "accepted", ["rated"], id="nobody can be asked"),
        pytest.param("04NEVER", "Invalid", "unasked", ["held", "token_unasked"], id="never"),
        pytest.param("04GONE", "Blocked", "blocked", ["held", "token_blocked"], id="not valid"),
        pytest.param("04OVER", "Expired", "expired", ["held", "token_expired"], id="expired"),
    ],
)
async def test_a_partner_s_card_is_answered_recorded_and_billed_as_its_partner_says(
    operator: str, *, uid: str, answer: str, status: str, outcome: list[str]
) -> None:
    async with connected(operator, "ocpp1.6") as (_, station):
        authorized = await station.call("Authorize", {"idTag": uid})
        started = await start16(station, uid, 1)
        await stop16(station, started["transactionId"])
    work(operator)

    assert authorized["idTagInfo"]["status"] == started["idTagInfo"]["status"] == answer
    (asked,), (begun,) = recorded(operator, "Authorize"), recorded(operator, "StartTransaction")
    assert asked == begun
    assert begun is not None
    assert (begun.subject, begun.by, begun.status) == (
        subject_of(operator, uid), "partner", status
    )  # fmt: skip
    assert begun.party == "NL-TNM"
    assert begun.until == (BEGUN if uid == "04OVER" else None)
    assert list(decided(operator).values()) == [outcome]
    assert recorded(operator, "StopTransaction") == [None]


async def test_what_we_declare_or_do_not_know_is_recorded_as_ours(operator: str) -> None:
    async with connected(operator, "ocpp1.6") as (_, station):
        declared = await start16(station, "04ours", 1)
        unknown = await start16(station, "04FF", 2)

    ours, nobody_s = recorded(operator, "StartTransaction")
    assert declared["idTagInfo"]["status"] == "Blocked"
    assert ours is not None
    assert (ours.by, ours.status, ours.party) == ("declared", "blocked", "NL-TNM")
    assert ours.contract is None
    assert unknown["idTagInfo"]["status"] == "Invalid"
    assert nobody_s == Authorization(
        subject=subject_of(operator, "04FF"), by="policy", status="invalid"
    )


async def test_a_card_is_billed_as_it_was_answered_whatever_the_table_says_since(
    operator: str,
) -> None:
    async with connected(operator, "ocpp1.6") as (_, station):
        begun = (await start16(station, "04GUEST", 1))["transactionId"]
        refused = (await start16(station, "04GONE", 2))["transactionId"]
        with connect(operator) as connection:
            now = [GUEST._replace(is_valid=False), TOKENS[3]._replace(is_valid=True)]
            add_partner_tokens(connection, "NL-TNM", now, at=NOON)
            add_partner_tokens(connection, "DE-ABC", [GUEST], at=NOON)
        await stop16(station, begun)
        await stop16(station, refused)
        again = await start16(station, "04GUEST", 3)
    work(operator)

    assert decided(operator)[str(begun)] == ["rated"]
    assert decided(operator)[str(refused)] == ["held", "token_blocked"]
    (rated,) = ratings(operator)
    assert rated.payer.party == "NL-TNM"
    assert again["idTagInfo"]["status"] == "Accepted", "of another partner by now"


async def test_replay_needs_no_table_of_tokens(operator: str) -> None:
    async with connected(operator, "ocpp1.6") as (_, station):
        for number, token in enumerate(TOKENS, 1):
            started = await start16(station, token.uid, number)
            await stop16(station, started["transactionId"])
    work(operator)
    assert len(ratings(operator)) == 2

    empty_the_table(operator)

    report = replayed(operator)
    assert report.is_identical, report.shown
    assert report.compared_by_kind["decision"] == len(TOKENS)


async def test_who_is_erased_leaves_a_decision_without_a_readable_contract(operator: str) -> None:
    async with connected(operator, "ocpp1.6") as (_, station):
        started = await start16(station, "04GUEST", 1)
        await stop16(station, started["transactionId"])
    work(operator)
    (rated,) = ratings(operator)
    subject, contract = rated.token_uid or "", rated.payer.contract or ""
    with connect(operator) as connection:
        assert opened_contract(connection, subject, contract) == "NL-TNM-C1"

        erase(connection, [subject])

        assert opened_contract(connection, subject, contract) is None
    assert not any("TNM-C1" in repr(each) for each in (rated, *frames(operator)))
    assert replayed(operator).is_identical


def event(kind: str, number: int, uid: str | None, *, ref: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    moment = BEGUN + timedelta(minutes=30 * number)
    sampled = {"value": 5_000 * number, "measurand": "Energy.Active.Import.Register"}
    value = {"timestamp": moment.isoformat(), "sampledValue": [sampled]}
    told = {
        "eventType": kind,
        "timestamp": moment.isoformat(),
        "triggerReason": "Authorized",
        "seqNo": number,
        "transactionInfo": {"transactionId": ref},
        "evse": {"id": int(ref[1:]), "connectorId": 1},
        "meterValue": [value],
    }
    token = {"idToken": {"idToken": uid, "type": "ISO14443"}} if uid else {}
    return told | token | more


async def test_an_event_that_names_the_card_first_records_it(operator: str) -> None:
    async with connected(operator, "ocpp2.0.1") as (_, station):
        for number, (kind, uid) in enumerate(
            [("Started", None), ("Updated", "04GUEST"), ("Ended", "04GONE")]
        ):
            await station.call("TransactionEvent", event(kind, number, uid, ref="T1"))
    work(operator)

    start, update, end = recorded(operator, "TransactionEvent")
    assert start is None
    assert update is not None
    assert update.status == "accepted"
    assert end is not None, "who stopped it is in the log, and pays nothing"
    (rated,) = ratings(operator)
    assert rated.payer.party == "NL-TNM"


async def test_what_was_charged_offline_is_accepted_and_recorded_as_it_is(operator: str) -> None:
    async with connected(operator, "ocpp2.0.1") as (_, station):
        for ref, uid in (("T1", "04GUEST"), ("T2", "04GONE")):
            for number, kind in enumerate(("Started", "Updated", "Ended")):
                told = event(kind, number, uid if number == 0 else None, ref=ref, offline=True)
                answer = await station.call("TransactionEvent", told)
                assert number or answer == {"idTokenInfo": {"status": "Accepted"}}
    work(operator)

    assert decided(operator) == {"T1": ["rated"], "T2": ["held", "token_blocked"]}


async def test_a_frame_that_is_answered_again_is_recorded_again(operator: str) -> None:
    async with connected(operator, "ocpp1.6") as (_, station):
        start = (
            '{"connectorId":1,"idTag":"04GUEST","meterStart":1,"timestamp":"2026-03-02T12:00:00Z"}'
        )
        text = f'[2,"1","StartTransaction",{start}]'
        first = await station.send(text)
        with connect(operator) as connection:
            add_partner_tokens(connection, "NL-TNM", [GUEST._replace(is_valid=False)], at=NOON)
        second = await station.send(text)

    assert first == second
    told = recorded(operator, "StartTransaction")
    assert told[0] == told[1]
    assert told[0] is not None
    assert told[0].status == "accepted"
