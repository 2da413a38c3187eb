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

EXAMPLES, EXAMPLES_LONG = 50, 1_000
"""Of each operation, beside what the description's own limits are worth."""
ACCEPTED = '["2xx", "401", "403", "404", "409", "422", "429"]'
UNFIT = '["2xx", "400", "404", "409", "422"]'
MASTER_DATA = '["2xx", "400", "404", "409", "412", "422", "428"]'
SECONDS_MAX, SECONDS_MAX_LONG = 600, 2_900
"""Some 60 where nothing else runs; the long one some 900."""
CONFIGURATION = f"""
seed = 1
headers = {{ Authorization = "Bearer ${{TOKEN}}" }}
generation.database = "none"
generation.max-examples = EXAMPLES
# A key that was drawn before for another request.
checks.positive_data_acceptance.expected-statuses = {ACCEPTED}
request-timeout = 30

[parameters]
"path.station_id" = "{HERE}"

[phases.stateful]
enabled = false

# What a payload may be is the official schemas' matter.
[[operations]]
include-path = "/stations/{{station_id}}/calls"
checks.positive_data_acceptance.expected-statuses = {UNFIT}

[[operations]]
include-path = "/stations/{{station_id}}/password"
checks.positive_data_acceptance.expected-statuses = {UNFIT}

# Which addresses can be posted to, and what there is to tell again.
[[operations]]
include-path = "/webhooks"
checks.positive_data_acceptance.expected-statuses = {UNFIT}

[[operations]]
include-path = "/webhooks/{{webhook}}/replays"
checks.positive_data_acceptance.expected-statuses = {UNFIT}

# Which usage and which master data make sense, no schema says.
[[operations]]
include-path = "/price-quotes"
checks.positive_data_acceptance.expected-statuses = {UNFIT}

[[operations]]
include-path = "/customers/{{key}}/statement"
checks.positive_data_acceptance.expected-statuses = {UNFIT}

[[operations]]
include-path = "/reports/trial-balance"
checks.positive_data_acceptance.expected-statuses = {UNFIT}

[[operations]]
include-path = "/master-data/{{section}}/{{key}}"
checks.positive_data_acceptance.expected-statuses = {MASTER_DATA}
checks.negative_data_rejection.expected-statuses = ["4xx"]

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
    await find_nothing(database, exits, tmp_path, EXAMPLES, SECONDS_MAX)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS_MAX_LONG + 30)
async def test_nothing_is_found_for_long(
    database: str, exits: AsyncExitStack, tmp_path: Path
) -> None:
    await find_nothing(database, exits, tmp_path, EXAMPLES_LONG, SECONDS_MAX_LONG)


async def find_nothing(
    database: str, exits: AsyncExitStack, folder: Path, examples: int, seconds_max: int
) -> None:
    """Ask for everything, *examples* times each."""
    site_of_stations(database)
    charge(database)
    await connected(exits, database)
    said_so = CONFIGURATION.replace("EXAMPLES", str(examples))
    (folder / "schemathesis.toml").write_text(said_so)
    async with served(database, *Scope) as client:
        token = client.headers["authorization"].removeprefix("Bearer ")
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
            "run",
            f"{client.base_url}/schema/openapi.json",
            "--no-color",
            cwd=folder,
            env={**os.environ, "TOKEN": token},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(seconds_max):
            said, _ = await running.communicate()

    assert running.returncode == 0, said.decode()[-20_000:]
