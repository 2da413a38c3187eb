"""The program as a person runs it: a process that serves, and commands beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-c", "from deploy.cli import main; main()")
READY_SECONDS_MAX = 60


class Wattledger:
    """The commands over one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environment = {
            name: value for name, value in os.environ.items() if "WATTLEDGER" not in name
        }
        self.environment["WATTLEDGER_METRICS_PORT"] = "0"
        # A test leaves no server behind.
        self.environment["WATTLEDGER_DATABASE_IDLE_SECONDS"] = "0"

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PROGRAM, *map(str, arguments), "--data", str(self.data)],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            timeout=90,
        )

    def done(self, *arguments: object) -> str:
        """Run a command that has to succeed; return its output."""
        finished = self.run(*arguments)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def read(self, *arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Return what a command prints as JSON."""
        return json.loads(self.done(*arguments, "--json"))

    @contextmanager
    def up(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Run `wattledger up`; yield its process and its address, and end it as Ctrl-C does."""
        process = subprocess.Popen(
            [*PROGRAM, "up", "--port", "0", "--data", str(self.data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield process, _address(process)
        finally:
            process.terminate()
            process.communicate(timeout=60)

    @contextmanager
    def part(self, name: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Run one part alone; yield its process and what it says once it is ready."""
        process = subprocess.Popen(
            [*PROGRAM, "run", name, *arguments, "--data", str(self.data)],
            stdout=subprocess.PIPE,
            text=True,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            assert said, f"{name} ended with {process.wait()}"
            yield process, said
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def until(self, *arguments: object, seconds: float = 60) -> Any:  # noqa: ANN401 - JSON
        """Return what a command lists, once it lists anything."""
        limit = time.monotonic() + seconds
        while not (found := self.read(*arguments)):
            assert time.monotonic() < limit, f"{arguments} stayed empty"
        return found


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"(wss?://[\w.]+:\d+)/", line):
            return found[1]
    raise AssertionError("".join(said))
