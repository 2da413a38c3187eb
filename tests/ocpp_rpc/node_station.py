"""`station.js` under node: a station whose library holds our messages to its own schemas."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FETCH_SECONDS_MAX = 300
ANSWER_SECONDS_MAX = 30


class NodeStation:
    """The running station: what it is asked, and what of ours it refuses."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.refused: list[Any] = []

    async def call(self, action: str, payload: Any) -> Any:  # noqa: ANN401 - any JSON
        """Let it send a call; return the payload of our answer."""
        number = len(self._answers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._tell({"call": action, "payload": payload, "id": number})
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            said = await self._answers[number]
        assert "error" not in said, (action, said)
        return said["result"]

    async def answer_with(self, answers: Mapping[str, Any]) -> None:
        """Let it answer each call with what *answers* have for its action."""
        await self._tell({"answers": answers})

    async def _tell(self, line: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        await self._process.stdin.drain()

    async def listen(self) -> None:
        """Take what it says until it ends."""
        assert self._process.stdout is not None
        async for text in self._process.stdout:
            said = json.loads(text)
            if "id" in said:
                self._answers[said["id"]].set_result(said)
            elif "asked" in said:
                self.asked.append((said["asked"], said["payload"]))
            else:
                self.refused.append(said)


@asynccontextmanager
async def node_station(
    address: str, identity: str, password: str, protocol: str
) -> AsyncIterator[NodeStation]:
    """Connect a station; it ends with the context."""
    command = ("node", "station.js", address, identity, password, protocol)
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=library(),
        limit=1 << 20,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    connected = json.loads(await process.stdout.readline())
    assert connected == {"connected": protocol}
    station = NodeStation(process)
    listening = asyncio.create_task(station.listen())
    try:
        yield station
    finally:
        process.stdin.close()
        await process.wait()
        await listening


def library() -> Path:
    """Return a folder with the station and its library, fetched once by npm; skip without it."""
    lacking = [name for name in ("node", "npm") if shutil.which(name) is None]
    if lacking:
        pytest.skip(
            f"a station by ocpp-rpc wants {' and '.join(lacking)}: apt-get install nodejs npm"
        )
    files = ("package.json", "package-lock.json", "station.js")
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in files))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wattledger"
    folder = cache / f"ocpp-rpc-{digest.hexdigest()[:12]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            for name in files:
                shutil.copy(HERE / name, made)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(
                command, cwd=made, check=True, timeout=FETCH_SECONDS_MAX, capture_output=True
            )
            if not folder.exists():
                made.rename(folder)
    return folder
