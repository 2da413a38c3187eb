"""A partner's card at a station of ours, its partner asked over HTTP: answered and billed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.clock import SystemClock
from deploy.roaming.asking import LateAsker
from deploy.running.opening import prepare
from deploy.running.parts import PartContext
from deploy.settings import Settings
from ingest.answers.transactions import PostgresTransactionIds
from ingest.declared_directory import DeclaredDirectory
from ingest.directory import Purpose, Showing, StationAccess
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
from ledger.master_data.partners import RealTime, SilentPartner
from ledger.master_data.stations import Station as DeclaredStation
from ledger.partners.token_lists import note_pushed
from ledger.partners.tokens import PartnerToken, Whitelist, add_partner_tokens
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from ledger.worker.worker import Worker
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.tokens.asker import RealTimeAsker
from roaming_ocpi.tokens.known_tokens import KnownTokens
from roaming_ocpi.wire.status import Status
from tests.edge import PASSWORD, Station, open_edge
from tests.fakes import NOON, FixedClock
from tests.ledger.partners.opened_contracts import opened_contract
from tests.roaming_ocpi.tokens.test_asking_in_real_time import SENDER, AnsweringPartner
from tests.roaming_ocpi.tokens.two_sides import AT_THEIRS, Clock, declare, link_to, served

BEGUN = NOON - timedelta(hours=1)
CARDS = [PartnerToken(f"04{each.name}", f"NL-TNM-{each.name}", True, each) for each in Whitelist]
PATIENT = RealTime(timeout_ms=500)


class Depot:
    """The depot's stations, and the partner that is asked."""

    def __init__(self, database: str, station: Station, partner: AnsweringPartner) -> None:
        self.database, self.station, self.partner = database, station, partner

    async def authorize(self, uid: str) -> str:
        answer = await self.station.call("Authorize", {"idTag": uid})
        return str(answer["idTagInfo"]["status"])

    async def charge(self, uid: str, number: int = 1) -> str:
        """Start at a connector of its own and stop; return what the start was answered."""
        start = {"connectorId": number, "idTag": uid, "meterStart": 0}
        started = await self.station.call(
            "StartTransaction", start | {"timestamp": BEGUN.isoformat()}
        )
        stop = {"transactionId": started["transactionId"], "meterStop": 10_000}
        await self.station.call("StopTransaction", stop | {"timestamp": NOON.isoformat()})
        return str(started["idTagInfo"]["status"])

    def recorded(self, action: str = "StartTransaction") -> list[Authorization | None]:
        with PostgresEventLog(self.database) as log:
            records = log.read(0, 0, records=10_000)
        lines = [line for record in records for _, line in numbered_lines(record.payload)]
        return [
            line.authorization
            for line in lines
            if isinstance(line, Frame) and f'"{action}"' in line.frame
        ]

    def rated(self) -> list[SessionRated]:
        with (
            PostgresEventLog(self.database) as log,
            Worker(self.database, log=log, partitions=[0], translate=translate) as worker,
        ):
            while worker.run_once():
                pass
        with connect(self.database) as connection:
            rows = connection.execute("SELECT body FROM session_decision ORDER BY position")
            found = [unpack_decision(body) for (body,) in rows]
        return [each for each in found if isinstance(each, SessionRated)]


@asynccontextmanager
async def depot(
    database: str, folder: Path, terms: RealTime = PATIENT, *, is_fresh: bool = True
) -> AsyncIterator[Depot]:
    prepare(database, Settings(data=folder, partitions=1))
    declare(database, at=NOON - timedelta(days=1), real_time=terms)
    station = DeclaredStation(site="harbour", password_hash=hash_password(PASSWORD))
    with connect(database) as connection, PostgresEventLog(database) as log:
        change = Change(kind=Kind.STATION, key="ST-1", entity=station, valid_from=BEGINNING)
        declare_all(connection, [change], log=log, by="a test", at=NOON - timedelta(days=1))
        add_partner_tokens(connection, "NL-TNM", CARDS, at=NOON - timedelta(days=1))
        if is_fresh:
            note_pushed(connection, "NL-TNM", NOON - timedelta(hours=1))
    partner = AnsweringPartner()
    async with served(database, lambda _: [partner.module()], callers=AT_THEIRS) as side:
        client = HttpPartnerClient(allow_private=True, now=Clock().now, heard=lambda _: None)
        link = link_to(side.address, {SENDER: "/ocpi/emsp/2.2.1/tokens"})

        async def link_of(party: str) -> Any:  # noqa: ANN401 - a link, or none
            return link if party == "NL-TNM" else None

        asker = RealTimeAsker(
            client=client, links=link_of, tokens=KnownTokens(side.resources.database)
        )
        directory = DeclaredDirectory(database, FixedClock(), asker)
        subjects = PostgresSubjects(lambda: connect_async(database))
        ids = PostgresTransactionIds(lambda: connect_async(database))
        try:
            async with (
                await PostgresLineWriter.open(database, partitions=1) as lines,
                open_edge(log=lines, directory=directory, subjects=subjects, ids=ids) as edge,
                edge.station("ST-1") as connected,
            ):
                yield Depot(database, connected, partner)
        finally:
            await asyncio.gather(*(e.close() for e in (directory, subjects, ids)), client.close())


@pytest.mark.parametrize(
    ("uid", "is_fresh", "asks"),
    [
        ("04ALWAYS", True, 0), ("04ALWAYS", False, 0), ("04ALLOWED", True, 0),
        ("04ALLOWED", False, 1), ("04ALLOWED_OFFLINE", True, 1), ("04NEVER", True, 1),
    ],
)  # fmt: skip
async def test_a_partner_is_asked_where_its_token_and_the_list_s_age_want_it(
    database: str, tmp_path: Path, *, uid: str, is_fresh: bool, asks: int
) -> None:
    async with depot(database, tmp_path, is_fresh=is_fresh) as ours:
        answers = [await ours.authorize(uid), await ours.charge(uid)]

        assert answers == ["Accepted", "Accepted"]
        assert len(ours.partner.asked) == asks, "Authorize and the start are one use"
        (found,) = ours.recorded()
        assert found is not None
        assert found.asked == ("answered" if asks else None)
        (rated,) = ours.rated()
        assert (rated.payer.kind, rated.payer.party) == ("partner", "NL-TNM")


async def test_the_partner_s_answer_stands_on_the_session_with_its_reference(
    database: str, tmp_path: Path
) -> None:
    async with depot(database, tmp_path) as ours:
        token = {"uid": "04NEVER", "contract_id": "NL-TNM-NEW"}
        ours.partner.data = {
            "allowed": "ALLOWED", "token": token, "authorization_reference": "AUTH-1",
        }  # fmt: skip
        await ours.charge("04NEVER")
        (found,), (rated,) = ours.recorded(), ours.rated()

    assert found is not None
    assert (found.party, found.asked, found.reference) == ("NL-TNM", "answered", "AUTH-1")
    assert rated.payer.reference == "AUTH-1"
    with connect(database) as connection:
        contract = opened_contract(connection, found.subject, rated.payer.contract or "")
    assert contract == "NL-TNM-NEW"


@pytest.mark.parametrize(
    ("allowed", "answer", "status"),
    [
        ("BLOCKED", "Blocked", "blocked"),
        ("EXPIRED", "Expired", "expired"),
        ("NO_CREDIT", "Blocked", "blocked"),
        ("NOT_ALLOWED", "Blocked", "elsewhere"),
    ],
)
async def test_what_the_partner_refuses_is_refused_and_not_billed(
    database: str, tmp_path: Path, allowed: str, answer: str, status: str
) -> None:
    async with depot(database, tmp_path) as ours:
        ours.partner.data = {"allowed": allowed}
        answers = [await ours.authorize("04NEVER"), await ours.charge("04NEVER")]
        (found,) = ours.recorded()

        assert answers == [answer] * 2
        assert found is not None
        assert (found.status, found.asked) == (status, "answered")
        assert ours.rated() == []


@pytest.mark.parametrize(
    ("uid", "when_silent", "answer", "asked"),
    [
        ("04ALLOWED_OFFLINE", SilentPartner.REFUSE, "Accepted", "silent"),
        ("04NEVER", SilentPartner.REFUSE, "Invalid", "silent"),
        ("04NEVER", SilentPartner.ACCEPT, "Accepted", "silent"),
    ],
)
async def test_what_a_silent_partner_s_token_may_is_policy(
    database: str, tmp_path: Path, *, uid: str, when_silent: SilentPartner, answer: str, asked: str
) -> None:
    terms = RealTime(timeout_ms=200, when_silent=when_silent)
    async with depot(database, tmp_path, terms) as ours:
        ours.partner.seconds = 3.0
        began = asyncio.get_running_loop().time()
        assert await ours.charge(uid) == answer
        assert asyncio.get_running_loop().time() - began < 2.0
        (found,) = ours.recorded()
        assert found is not None
        assert found.asked == asked
        assert [each.payer.party for each in ours.rated()] == ["NL-TNM"] * (answer == "Accepted")


async def test_an_unknown_token_is_asked_about_only_where_that_is_declared(
    database: str, tmp_path: Path
) -> None:
    async with depot(database, tmp_path) as ours:
        assert await ours.authorize("04FFFF") == "Invalid"
        assert ours.partner.asked == []

        declare(database, at=NOON, real_time=RealTime(unknown_tokens=True))
        await asyncio.sleep(0.6)  # until the declaration is looked at again
        assert await ours.authorize("04FFFF") == "Accepted"
        assert len(ours.partner.asked) == 1
        ours.partner.status = Status.UNKNOWN_TOKEN
        assert await ours.authorize("04EEEE") == "Invalid"


async def test_who_stops_a_session_is_not_asked_about(database: str, tmp_path: Path) -> None:
    async with depot(database, tmp_path) as ours:
        start = {"connectorId": 1, "idTag": "04ALWAYS", "meterStart": 0}
        started = await ours.station.call(
            "StartTransaction", start | {"timestamp": BEGUN.isoformat()}
        )
        stop = {"transactionId": started["transactionId"], "meterStop": 1, "idTag": "04NEVER"}
        await ours.station.call("StopTransaction", stop | {"timestamp": NOON.isoformat()})

        assert ours.partner.asked == []


async def test_where_nobody_is_registered_the_list_decides(database: str, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, partitions=1)
    prepare(database, settings)
    declare(database)
    subjects = {}
    with connect(database) as connection:
        add_partner_tokens(connection, "NL-TNM", CARDS, at=NOON)
        for card in CARDS:
            holder = token_holder(card.uid)
            assert holder is not None
            (found,) = find(connection, [holder]).values()
            subjects[card.uid] = found.id
    asker = LateAsker(
        PartContext(settings=settings, clock=SystemClock(), dsn=database, holder="test")
    )
    directory = DeclaredDirectory(database, FixedClock(), asker)
    place = StationAccess(station_id="ST-1", password_hashes=(), site="harbour")
    showing = Showing(place, NOON, Purpose.ASK)
    try:
        answers = [await directory.token(subjects[card.uid], showing) for card in CARDS]
    finally:
        for each in (directory, asker):
            await each.close()

    assert [each.status if each else None for each in answers] == [
        *["Accepted"] * 3,
        "Invalid",
    ]
    assert [each.is_unasked if each else None for each in answers] == [False, False, False, True]
    assert {each.asked for each in answers if each} == {None}
