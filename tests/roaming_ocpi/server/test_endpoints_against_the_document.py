"""Every route for partners against its description: schemathesis asks for all that it allows.

What is asked goes through the interface as it is served, with a partner that is registered.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path

import httpx
import pytest

from ledger.database import connect
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.server.linked_partner import linked_partner
from tests.roaming_ocpi.server.offered_to_all import offered_to_all

EXAMPLES = 2
SECONDS_MAX = 150
"""Some 20 where nothing else runs."""
CALLS_MIN = 500
"""Of each version, that got through to a module."""
ASKED = """
SELECT version, count(*) FROM roaming_call WHERE version IS NOT NULL GROUP BY version
"""
CONFIGURATION = f"""
seed = 1
headers = {{ Authorization = "Token ${{TOKEN}}" }}
generation.database = "none"
generation.max-examples = {EXAMPLES}
request-timeout = 30
# What a body must be is the specification's matter; there is none of ours at a random id.
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "403", "404", "405", "409"]
checks.negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "409", "414"]

[parameters]
"path.country_code" = "NL"
"path.party_id" = "TNM"

[phases.stateful]
enabled = false

# It ends the connection: nothing more could be asked.
[[operations]]
include-path-regex = "credentials$"
include-method = "DELETE"
enabled = false
"""


@pytest.mark.timeout(SECONDS_MAX + 30)
async def test_no_route_for_partners_does_what_its_description_does_not_say(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with offered_to_all(database, tmp_path, monkeypatch) as address:
        token = await linked_partner(database)
        headers = {"Authorization": f"Token {token}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as client:
            versions = await client.get("/ocpi/versions")
            code, said = await _judged(address, token, tmp_path)
            ended = [await client.delete("/ocpi/2.2.1/credentials") for _ in range(2)]

    assert versions.status_code == 200, versions.text
    assert code == 0, said[-20_000:]
    assert [each.status_code for each in ended] == [200, 401]
    with connect(database) as connection:
        kept = connection.execute(
            "SELECT jsonb_agg(to_jsonb(roaming_call))::text FROM roaming_call"
        )
        [(audit,)] = kept.fetchall()
        asked = dict(connection.execute(ASKED).fetchall())
    assert len(audit) > 100_000, "every call is kept"
    assert asked.keys() == set(OcpiVersion)
    assert min(asked.values()) > CALLS_MIN, asked
    plain = base64.b64decode(token).decode()
    secrets = (token, plain, "their-token-for-us")
    assert not [each for each in secrets if each in audit or each in caplog.text]


async def _judged(address: str, token: str, folder: Path) -> tuple[int | None, str]:
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    judging = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from schemathesis.cli import schemathesis; schemathesis()",
        "run",
        f"{address}/schema/openapi.json",
        "--include-path-regex=^/ocpi",
        "--no-color",
        cwd=folder,
        env={**os.environ, "TOKEN": token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SECONDS_MAX):
        said, _ = await judging.communicate()
    return judging.returncode, said.decode()
