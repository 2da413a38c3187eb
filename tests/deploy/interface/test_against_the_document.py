"""The interface against its own description: schemathesis asks for everything that it allows."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.interface.access import Scope
from tests.deploy.interface.served_interface import connected, served
from tests.deploy.interface.site_of_stations import HERE, charge, site_of_stations

EXAMPLES = 8
"""Of each operation, beside what the description's own limits are worth."""
SECONDS_MAX = 240
"""Some 40 where nothing else runs."""
CONFIGURATION = f"""
seed = 1
headers = {{ Authorization = "Bearer ${{TOKEN}}" }}
generation.database = "none"
generation.max-examples = {EXAMPLES}
request-timeout = 30

[parameters]
"path.station_id" = "{HERE}"

[phases.stateful]
enabled = false

# What a payload may be is the official schemas' matter.
[[operations]]
include-path = "/stations/{{station_id}}/calls"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]

[[operations]]
include-path = "/stations/{{station_id}}/password"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]

# Half a second each, until every process knows of it.
[[operations]]
include-path = "/tokens/{{uid}}"
generation.max-examples = 5
phases.coverage.enabled = true
"""


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.timeout(SECONDS_MAX + 30)
async def test_nothing_is_found(database: str, exits: AsyncExitStack, tmp_path: Path) -> None:
    site_of_stations(database)
    charge(database)
    await connected(exits, database)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    async with served(database, *Scope) as client:
        token = client.headers["authorization"].removeprefix("Bearer ")
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
            "run",
            f"{client.base_url}/schema/openapi.json",
            "--no-color",
            cwd=tmp_path,
            env={**os.environ, "TOKEN": token},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(SECONDS_MAX):
            said, _ = await running.communicate()

    assert running.returncode == 0, said.decode()[-20_000:]
