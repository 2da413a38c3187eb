"""The handshake with a partner that is not ours, and its judgement of our side: `ocpi-kit`.

`make outside` runs it; it wants cargo with a nightly toolchain, which builds the tool once.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.json import encode
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.envelope import Declared, encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog, make_log
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tokens import Token, TokenKind
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make
from roaming_ocpi.registration.sending import end, register, renew
from roaming_ocpi.registration.spelling import spelt_token
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import decode_json
from tests.at_the_edge import keep_named_subjects
from tests.charging_day import PARTITIONS, at, declare_fleet, everywhere, start16, stop16
from tests.projections.books_of_a_day import go_on
from tests.projections.documents.delivery.mail_server import free_port
from tests.roaming_ocpi.foreign.test_extrawest import JUDGED, PULLED, declare_places, instance
from tests.roaming_ocpi.pair.two_instances import invited, net_of, now, register_with, rows
from tests.roaming_ocpi.registration.linking_instance import OURS, linking_instance, told
from tests.roaming_ocpi.relay.taking_partner import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
OCPI_KIT = "0.4.0"
PARTY = {"cpo": "NL-TNM", "emsp": "DE-ABC"}
"""Who the tool's mock is; its tokens are constants of its own."""
TOKEN_A, TOKEN_C = "test-token-a", "test-token-c"


@pytest.fixture(scope="session")
def ocpi() -> Path:
    """The tool, kept for the next run."""
    if shutil.which("cargo") is None:
        pytest.skip("our side is judged by a tool that cargo builds: apt-get install rustup")
    folder = Path.home() / ".cache" / "wattledger" / "outside" / f"ocpi-kit-{OCPI_KIT}"
    tool = folder / "bin" / "ocpi"
    if not tool.exists():
        build = ["cargo", "+nightly", "install", "ocpi-kit", "--version", OCPI_KIT, "--locked"]
        subprocess.run([*build, "--features", "cli", "--root", str(folder)], check=True)
    return tool


@asynccontextmanager
async def mock(ocpi: Path, role: str, version: str) -> AsyncIterator[str]:
    """Have the tool be a partner; yield where its versions are."""
    place = f"127.0.0.1:{free_port()}"
    words = ["--insecure", "serve-mock", "--role", role, "--version", version, "--bind", place]
    process = await asyncio.create_subprocess_exec(ocpi, *words)
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(100):
                try:
                    await client.get(f"http://{place}/versions")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield f"http://{place}/versions"
    finally:
        process.kill()
        await process.wait()


def partner(role: str, version: str) -> Partner:
    roles = (PartnerRole(role),)
    return Partner(name="Mock", legal_entity="us", roles=roles, versions=(version,))


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
@pytest.mark.parametrize("role", ["cpo", "emsp"])
async def test_it_is_registered_with_renewed_and_ended(
    database: str, ocpi: Path, role: str, version: str
) -> None:
    party = PARTY[role]
    async with (
        linking_instance(database, OURS, (party, partner(role, version)), is_whole=True) as ours,
        mock(ocpi, role, version) as url,
    ):
        came = await register(ours.ours, party, TOKEN_A, url, by="anna", told=told)
        again = await renew(ours.ours, party, by="anna", told=told)
        ended = await end(ours.ours, party, by="anna", why="done")

    assert [(each.version, each.is_checked) for each in (came, again)] == [(version, True)] * 2
    assert {"cdrs", "locations", "sessions", "tariffs", "tokens"} <= set(came.modules)
    assert ended.untold is None


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
async def test_it_finds_nothing_wrong_with_our_side(
    database: str, ocpi: Path, version: str
) -> None:
    party = PARTY["emsp"]
    async with (
        linking_instance(database, OURS, (party, partner("emsp", version)), is_whole=True) as ours,
        mock(ocpi, "emsp", version) as url,
    ):
        given = await joined(ours.address, version, await ours.invited(party), url)
        said = await ran(ocpi, "--insecure", "conformance", ours.versions_url, "--token", given)

    assert " 0 failed, 0 warnings" in said


async def joined(address: str, version: str, invitation: str, url: str) -> str:
    """Have the tool's eMSP at *url* register with our side; return the token that it is given."""
    country, _, party_id = PARTY["emsp"].partition("-")
    role = {
        "role": "EMSP",
        "party_id": party_id,
        "country_code": country,
        "business_details": {"name": "Mock"},
    }
    headers = {
        "Authorization": f"Token {spelt_token(invitation, is_plain=False)}",
        "Content-Type": "application/json",
    }
    body = encode({"token": TOKEN_C, "url": url, "roles": [role]})
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        posted = await client.post(
            f"{address}/{version}/credentials", content=body, headers=headers
        )
    return str(posted.json()["data"]["token"])


async def ran(ocpi: Path, *words: str | Path, given: bytes = b"") -> str:
    """Return what the tool says to *given*; it must end well."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        ocpi, *words, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate(given)
    assert process.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
async def test_it_takes_a_day_of_ours_finds_it_valid_and_prices_it_the_same(
    database: str, ocpi: Path, tmp_path: Path, version: str
) -> None:
    declared = declare_guest(database, version)
    await asyncio.to_thread(go_on, database, [*everywhere(declared, -1), *DAY])
    # On today's clock: the tool compares ours with its own.
    ours = instance(PEER, database, tmp_path / "ours", skew_s=0)
    async with mock(ocpi, "emsp", version) as url:
        try:
            await ours.start()
            invitation = await invited(ours, PARTY["emsp"])
            token = await joined(ours.address, version, invitation, url)
            await until(lambda: len(rows(database, ATTEMPTS)) >= 4, 60)
            attempts = rows(database, ATTEMPTS)
            shown = {each: await listed(ours.address, version, each, token) for each in VALID_AS}
            place = f"{ours.address}/versions"
            said = await ran(ocpi, "--insecure", "conformance", place, "--token", token)
        finally:
            await ours.end()

    assert attempts == [(kind, "delivered") for kind in ("cdr", "cdr", "session", "session")]
    assert " 0 failed" in said
    assert said.count("[!]") == len(MISREAD[version])
    assert set(re.findall(r"missing field `(\w+)`", said)) == set(MISREAD[version].values())
    assert {module: len(objects) for module, objects in shown.items()} == {
        "locations": 1, "tariffs": 1, "sessions": 2, "cdrs": 2,
    }  # fmt: skip
    for module, what in VALID_AS.items():
        for each in shown[module]:
            words = ("validate", "--as", what, "--version", version, "-")
            assert "conformant" in await ran(ocpi, *words, given=encoded(each))
    if version == PRICED:
        prices = [await priced(ocpi, tmp_path, cdr) for cdr in shown["cdrs"]]
        assert prices == [(net_of(each), tax_of(each)) for each in shown["cdrs"]]


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
async def test_what_it_has_as_a_cpo_is_read_and_judged(
    database: str, ocpi: Path, tmp_path: Path, version: str
) -> None:
    declare_readers(database, version)
    # On the day of its CDR.
    skew_s = round((ITS_DAY - now()).total_seconds())
    ours = instance(READER, database, tmp_path / "ours", skew_s=skew_s)
    async with mock(ocpi, "cpo", version) as url:
        try:
            await ours.start()
            await register_with(ours, PARTY["cpo"], TOKEN_A, url)
            # It reads lists when it starts, and then every so often.
            await ours.end()
            await ours.start()
            await until(lambda: rows(database, JUDGED), 60)
            await until(lambda: len(rows(database, PULLED)) == 4, 60)
        finally:
            await ours.end()

    # Neither its periods nor its connector name a tariff: it may be right, and nobody can tell.
    assert rows(database, JUDGED) == [("CDR1", "flagged", ["cdr_tariff_unknown"], Decimal(3))]
    assert rows(database, PULLED) == [
        ("cdrs", 0, None), ("locations", 0, None), ("sessions", 0, None), ("tariffs", 0, None),
    ]  # fmt: skip


READER = "DE-TNM"
"""Whose driver's CDR the tool's CPO has."""
ITS_DAY = datetime(2024, 1, 15, 12, tzinfo=UTC)


def declare_readers(dsn: str, version: str) -> None:
    """Declare our eMSP, the driver, and the tool as the CPO."""
    us = LegalEntity(
        name="Readers", country="DE", time_zone="Europe/Berlin", invoice_prefix="R", party=READER
    )
    them = replace(partner("cpo", version), legal_entity="readers")
    driver = token_holder("012345678")
    assert driver is not None
    with connect(dsn) as connection:
        [subject] = find_or_make(connection, [driver]).values()
        changes = [
            Change(kind=Kind.LEGAL_ENTITY, key="readers", entity=us),
            Change(kind=Kind.PARTNER, key=PARTY["cpo"], entity=them),
            Change(kind=Kind.TOKEN, key=subject.id, entity=Token()),
        ]
        before = ITS_DAY - timedelta(days=9)
        declared = declare(connection, changes, by="test", at=before)
        make_log(connection, PARTITIONS)
    marker = encode_line(Declared(received_at=before, version=declared))
    with PostgresEventLog(dsn) as log:
        log.append([NewRecord(partition, [marker]) for partition in range(PARTITIONS)])


PEER = "NL-TNM"
"""Whom the tool's eMSP takes sessions from, whoever registers."""
PRICED = "2.3.0"
"""The one version that the tool prices."""
MISREAD = {
    "2.2.1": {"sessions": "before_taxes", "cdrs": "tax_included", "tariffs": "tax_included"},
    "2.3.0": {},
}
"""What it misses in lists of 2.2.1, for it reads them as 2.3.0's; one by one they are valid."""
VALID_AS = {"locations": "location", "tariffs": "tariff", "sessions": "session", "cdrs": "cdr"}
ATTEMPTS = "SELECT kind, came_of_it FROM outgoing_attempt ORDER BY kind"
GUEST = "ABC1"
DAY = [
    start16("CS-OLD-1", 0, 7, GUEST, 0),
    stop16("CS-OLD-1", 60, 7, 7_777),
    start16("CS-OLD-2", 70, 9, GUEST, 0),
    stop16("CS-OLD-2", 150, 9, 9_013),
]


def declare_guest(dsn: str, version: str) -> int:
    """Declare our fleet, where it is, and the tool as a partner with a driver."""
    declare_fleet(dsn)
    declare_places(dsn)
    us = LegalEntity(
        name="Watt", country="DE", time_zone="Europe/Berlin", invoice_prefix="W", party=PEER
    )
    them = replace(partner("emsp", version), legal_entity="watt", live_sessions=True)
    roaming = Token(kind=TokenKind.ROAMING, partner=PARTY["emsp"])
    changes = [
        Change(kind=Kind.LEGAL_ENTITY, key="watt", entity=us),
        Change(kind=Kind.PARTNER, key=PARTY["emsp"], entity=them),
        Change(kind=Kind.TOKEN, key=GUEST.lower(), entity=roaming),
    ]
    with connect(dsn) as connection:
        keep_named_subjects(connection, GUEST)
        return declare(connection, changes, by="test", at=at(-20))


async def listed(address: str, version: str, module: str, token: str) -> list[dict[str, Any]]:
    """Return a list of ours as the partner is shown it."""
    headers = {"Authorization": f"Token {spelt_token(token, is_plain=False)}"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.get(f"{address}/cpo/{version}/{module}", headers=headers)
    shown: list[dict[str, Any]] = decode_json(answer.content)["data"]
    return shown


async def priced(ocpi: Path, folder: Path, cdr: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """Return what the tool makes of a CDR: net and taxes.

    Not whether it says that the CDR reconciles: it does not round the cost of a dimension.
    """
    (folder / "cdr.json").write_bytes(encoded(cdr))
    (folder / "tariff.json").write_bytes(encoded(cdr["tariffs"][0]))
    words = ("--tariff", folder / "tariff.json", "--time-zone", "Europe/Berlin", "--json")
    process = await asyncio.create_subprocess_exec(
        ocpi, "price", *words, folder / "cdr.json", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    breakdown = json.loads(said, parse_float=Decimal)
    net = Decimal(breakdown["total_excl_vat"])
    return net, Decimal(breakdown["total_incl_vat"]) - net


def tax_of(cdr: dict[str, Any]) -> Decimal:
    return sum((Decimal(tax["amount"]) for tax in cdr["total_cost"]["taxes"]), Decimal(0))
