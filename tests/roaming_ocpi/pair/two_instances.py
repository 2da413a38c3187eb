"""Two instances of ours, a CPO and an eMSP: two databases, two processes, one handshake."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.database import connect, connect_options
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.desk.settling.desk import settlement_desk
from ledger.log.envelope import PartnerMessage, decode_lines
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tokens import Token
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make, opened_messages
from ledger.settlements.record import SettlementState
from ledger.settlements.statement import SettlementSide
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.handshake import Handshaker
from roaming_ocpi.registration.link import Link
from roaming_ocpi.registration.links import link_of
from roaming_ocpi.registration.sending import Registered, register
from roaming_ocpi.registration.store import INVITATION_HOURS, invite, new_token
from roaming_ocpi.settlement.completeness.comparing import CompletenessReport, their_list
from roaming_ocpi.settlement.completeness.list_files import LineProblems, csv_list, read_lines
from roaming_ocpi.settlement.completeness.listed_cdr import listed_cdr
from roaming_ocpi.settlement.completeness.our_list import ComparedPeriod, our_list
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.documents import decode_json
from tests.charging_day import PARTITIONS, at, everywhere, write_log
from tests.roaming_ocpi.sessions.partners_drivers import PARTNERS_TOKEN, TNM, declare_partners
from tests.tree import ROOT

CPO = "DE-HBC"
MONTH = "2026-03"
AFTER_THE_MONTH = datetime(2026, 4, 2, 9, tzinfo=UTC)
READY_SECONDS = 60


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class RoamingInstance:
    """One side: its database, and its process while it runs, wrong by `skew_s`."""

    party: str
    dsn: str
    data: Path
    port: int
    skew_s: int = 0
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/ocpi"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.roaming_ocpi.pair.instance_process",
            self.dsn,
            str(self.data),
            str(self.port),
            str(self.skew_s),
            str(PARTITIONS),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(READY_SECONDS):
            assert (await self.process.stdout.readline()).decode().strip() == self.address

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process as told, or kill it."""
        if self.process is not None:
            self.process.send_signal(how)
            await self.process.wait()
            self.process = None


class AgreedSide(NamedTuple):
    """What a side agreed to: what is due to it, the CDRs' side, and how many were left out."""

    due_minor: int
    cdrs: SettlementSide
    excluded: int


class Totals(NamedTuple):
    """What one side comes to: CDRs, credits, and their sums."""

    cdrs: int
    credits: int
    net: Decimal
    energy_kwh: Decimal


@dataclass
class Pair:
    """The CPO and the eMSP, registered with each other."""

    cpo: RoamingInstance
    emsp: RoamingInstance

    def sent(self) -> Totals:
        """Return what the CPO made for its partner."""
        [(cdrs, credits_, net, energy)] = rows(
            self.cpo.dsn,
            "SELECT count(*) FILTER (WHERE kind = 'cdr'), count(*) FILTER (WHERE kind = 'credit'),"
            " coalesce(sum(net_minor), 0), coalesce(sum(energy_wh), 0) FROM roaming_cdr"
            " WHERE party = 'NL-TNM'",
        )
        return Totals(cdrs, credits_, Decimal(net) / 100, Decimal(energy) / 1000)

    def taken(self) -> Totals:
        """Return what the eMSP has in its own table of what it was told."""
        cdrs = taken_cdrs(self.emsp.dsn)
        credits_ = sum(bool(each.get("credit")) for each in cdrs)
        return Totals(
            len(cdrs) - credits_,
            credits_,
            sum((net_of(each) for each in cdrs), Decimal(0)),
            sum((energy_of(each) for each in cdrs), Decimal(0)),
        )


def net_of(cdr: dict[str, Any]) -> Decimal:
    """Return what a CDR costs before taxes, in whichever version."""
    total = cdr["total_cost"]
    if isinstance(total, dict):
        total = total.get("before_taxes", total.get("excl_vat"))
    return Decimal(total)


def energy_of(cdr: dict[str, Any]) -> Decimal:
    """Return the kWh of a CDR; a credit takes them back."""
    return Decimal(cdr["total_energy"]) * (-1 if net_of(cdr) < 0 else 1)


def taken_cdrs(dsn: str) -> list[dict[str, Any]]:
    """Return the CDRs that an eMSP took, in the order in which they came."""
    found = rows(dsn, "SELECT body FROM received_cdr ORDER BY position, line")
    return [decode_json(body.encode()) for (body,) in found]


def told_sessions(dsn: str) -> list[dict[str, Any]]:
    """Return the sessions that an eMSP was told, as they were told last."""
    found = rows(dsn, "SELECT body FROM received_session ORDER BY session_key")
    return [decode_json(body.encode()) for (body,) in found]


def heard_lines(dsn: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what stands in an eMSP's log: what it is, and the object, in order."""
    found: list[tuple[str, dict[str, Any]]] = []
    with PostgresEventLog(dsn) as log, connect(dsn) as connection:
        for partition in range(PARTITIONS):
            for record in log.read(partition, 0, records=10_000):
                lines = [e for e in decode_lines(record.payload) if type(e) is PartnerMessage]
                found += [
                    (line.what, decode_json(line.body.encode()))
                    for line in opened_messages(connection, lines)
                ]
    return found


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def registered_pair(
    cpo_dsn: str, emsp_dsn: str, data: Path, *, versions: tuple[str, ...] = (), skew_s: int = 0
) -> AsyncIterator[Pair]:
    """Run both and register the eMSP with the CPO; whatever still runs is ended."""
    # It is the day of the sessions: what comes months later would be a dispute.
    back_s = round((at(600) - now()).total_seconds())
    cpo = RoamingInstance(CPO, cpo_dsn, data / "cpo", free_port(), back_s)
    emsp = RoamingInstance(TNM, emsp_dsn, data / "emsp", free_port(), back_s + skew_s)
    declare_emsp(emsp_dsn, versions)
    pair = Pair(cpo, emsp)
    try:
        for each in (cpo, emsp):
            each.data.mkdir()
            await each.start()
        await _register(pair)
        yield pair
    finally:
        for each in (cpo, emsp):
            await each.end(signal.SIGKILL)


def declare_cpo(dsn: str) -> int:
    """Declare the CPO's side with its fleet; return the version."""
    return declare_partners(dsn)


def declare_emsp(dsn: str, versions: tuple[str, ...]) -> None:
    """Declare the eMSP's side."""
    us = LegalEntity(
        name="TNM", country="NL", time_zone="Europe/Amsterdam", invoice_prefix="T-", party=TNM
    )
    them = Partner(name="Harbour", legal_entity="tnm", roles=(PartnerRole.CPO,), versions=versions)
    changes = [
        Change(kind=Kind.LEGAL_ENTITY, key="tnm", entity=us),
        Change(kind=Kind.PARTNER, key=CPO, entity=them),
    ]
    driver = token_holder(PARTNERS_TOKEN)
    assert driver is not None
    with connect(dsn) as connection:
        [subject] = find_or_make(connection, [driver]).values()
        changes.append(Change(kind=Kind.TOKEN, key=subject.id, entity=Token()))
        version = declare(connection, changes, by="test", at=at(-60))
    write_log(dsn, list(everywhere(version, -59)))


async def _register(pair: Pair) -> None:
    """Let the CPO invite, and the eMSP register."""
    token = await invited(pair.cpo, TNM)
    await register_with(pair.emsp, CPO, token, f"{pair.cpo.address}/versions")


async def invited(instance: RoamingInstance, party: str) -> str:
    """Let *instance* invite *party*; return the token of the invitation."""
    token = new_token()
    async with _pool(instance.dsn) as pool, pool.connection() as connection:
        await invite(connection, party, token, hours=INVITATION_HOURS, at=now(), by="anna")
    return token


async def register_with(
    instance: RoamingInstance, party: str, token: str, versions_url: str
) -> Registered:
    """Let *instance* register with *party* by the token that it gave."""
    client = HttpPartnerClient(allow_private=True, now=now, heard=lambda _: None)

    async def declared() -> Declarations:
        with connect(instance.dsn) as connection:
            return load_declarations(connection)

    try:
        async with _pool(instance.dsn) as pool:
            ours = Handshaker(pool, now, declared, client, instance.address)
            return await register(ours, party, token, versions_url, by="ben", told=lambda _: None)
    finally:
        await client.close()


async def pulled(pair: Pair, module: ModuleId) -> list[dict[str, Any]]:
    """Return what the eMSP finds when it asks the CPO for its list, in small pages."""
    async with linked(pair.emsp.dsn, CPO) as (client, link):
        url = link.endpoints[module, InterfaceRole.SENDER]
        pages = client.pages(link, url, query={"limit": "2"})
        return [each async for page in pages for each in page]


@asynccontextmanager
async def linked(dsn: str, party: str) -> AsyncIterator[tuple[HttpPartnerClient, Link]]:
    """Yield a way to *party* as the side of the database *dsn* has it, and its link."""
    client = HttpPartnerClient(allow_private=True, now=now, heard=lambda _: None)
    try:
        async with _pool(dsn) as pool:
            link = await link_of(pool, party)
        assert link is not None
        yield client, link
    finally:
        await client.close()


@asynccontextmanager
async def _pool(dsn: str) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    options = {"options": connect_options(dsn), "autocommit": True}
    async with AsyncConnectionPool[AsyncConnection[Any]](
        dsn, kwargs=options, min_size=1, max_size=3, open=False
    ) as pool:
        yield pool


def settled_month(pair: Pair) -> dict[str, AgreedSide]:
    """Let who did not yet agree to the month; return by party what each agreed to."""
    agreed = {}
    for side, other in ((pair.cpo, pair.emsp), (pair.emsp, pair.cpo)):
        with connect(side.dsn) as connection:
            declared = load_declarations(connection)
            with settlement_desk(connection, declared) as desk:
                [scope] = desk.scopes(other.party, MONTH)
                standing = desk.standing(scope)
                if standing.record.state != SettlementState.AGREED.value:
                    standing = desk.agree(scope, by="ben", at=AFTER_THE_MONTH)
                settlement = standing.settlement
        mine = settlement.sent if side is pair.cpo else settlement.received
        agreed[side.party] = AgreedSide(settlement.due_minor, mine, len(settlement.excluded))
    return agreed


def audited_lists(pair: Pair, folder: Path) -> list[CompletenessReport]:
    """Let each side write its list of the month, and compare the other's with its own."""
    sides = ((pair.cpo, pair.emsp), (pair.emsp, pair.cpo))
    for side, other in sides:
        with connect(side.dsn) as connection:
            lines = csv_list(our_list(connection, _period(side, other)))
            (folder / f"{side.party}.csv").write_text("".join(lines), "utf-8")
    reports = []
    for side, other in sides:
        problems = LineProblems()
        with (
            connect(side.dsn) as connection,
            their_list(connection, _period(side, other)) as table,
            (folder / f"{other.party}.csv").open("rb") as file,
        ):
            table.take(read_lines(file, listed_cdr, problems), problems)
            reports.append(table.compared(problems, limit=50))
    return reports


def _period(side: RoamingInstance, other: RoamingInstance) -> ComparedPeriod:
    entity = "tnm" if side.party == TNM else "watt"
    begins, ends = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    return ComparedPeriod(other.party, begins, ends, {entity: side.party})
