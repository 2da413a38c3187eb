"""The handshake with a partner that is not ours, and its judgement of our side: `ocpi-kit`.

`make outside` runs it; it wants cargo with a nightly toolchain, which builds the tool once.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from msgspec.json import encode

from ledger.master_data.partners import Partner, PartnerRole
from roaming_ocpi.registration.sending import end, register, renew
from tests.projections.documents.delivery.mail_server import free_port
from tests.roaming_ocpi.registration.linking_instance import OURS, linking_instance, told

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
        country, _, party_id = party.partition("-")
        role = {
            "role": "EMSP",
            "party_id": party_id,
            "country_code": country,
            "business_details": {"name": "Mock"},
        }
        token = base64.b64encode((await ours.invited(party)).encode()).decode()
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            posted = await client.post(
                f"{ours.address}/{version}/credentials",
                content=encode({"token": TOKEN_C, "url": url, "roles": [role]}),
                headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
            )
        given = posted.json()["data"]["token"]
        words = ["--insecure", "conformance", ours.versions_url, "--token", given]
        process = await asyncio.create_subprocess_exec(ocpi, *words, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    assert " 0 failed, 0 warnings" in said.decode()
