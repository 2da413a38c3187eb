"""`wattledger up` as a person runs it, and the means to kill any part of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import psycopg

from deploy.postgres.embedded import EmbeddedPostgres
from ledger.database import connect
from tests.faults.load_station import master_data
from tests.tree import ROOT

# A part that dies all the time would be started again only after a while: here it is at once.
SETTINGS = {
    "WATTLEDGER_METRICS_PORT": "0",
    # Its stations charge faster than any.
    "WATTLEDGER_SESSIONS_A_MINUTE": "0",
}
PROGRAM = """
from deploy.running import supervisor
supervisor.STEADY_SECONDS = 0.0
supervisor.BACK_OFF_SECONDS = 0.05
from deploy.cli import main
main()
"""
READY_SECONDS_MAX = 60.0


def wait_until(
    is_so: Callable[[], bool], what: str, seconds_max: float = READY_SECONDS_MAX
) -> None:
    """Wait until *is_so*; fail with *what* when that takes too long."""
    limit = time.monotonic() + seconds_max
    while not is_so():
        assert time.monotonic() < limit, f"{what} within {seconds_max:.0f} s"
        time.sleep(0.05)


def kill_nine(pids: Iterable[int]) -> None:
    """Kill processes without a chance to say anything; some may be gone already."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class RunningSystem:
    """A system over one data folder, with *count* declared stations."""

    def __init__(self, data: Path, *, count: int) -> None:
        self.data = data
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        data.mkdir(parents=True, exist_ok=True)
        self._printed = data / "up.out"
        self._place = ("--data", str(data))
        fleet = data / "fleet.yaml"
        fleet.write_text(master_data(count))
        tariff = ROOT / "examples" / "tariffs" / "energy-only.yaml"
        self.command("tariff", "publish", str(tariff), "--valid-from", "2020-01-01")
        self.command("apply", str(fleet))
        self.database = EmbeddedPostgres(data)
        self._up = self._start()

    @property
    def url(self) -> str:
        """Where stations connect."""
        return f"ws://127.0.0.1:{self.port}"

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """Yield a connection to the books and the log."""
        with connect(self.database.dsn) as connection:
            yield connection

    def pid(self, part: str) -> int:
        """Return the process id that *part* last started with, by its log."""
        text = (self.data / "wattledger.log").read_text("utf-8")
        found = re.findall(rf"wattledger\.{part}: started, process (\d+)", text)
        return int(found[-1]) if found else 0

    def kill(self, victim: str) -> None:
        """Kill -9 a part by name, `postgres` or `postmaster`, or `everything` but PostgreSQL."""
        match victim:
            case "postgres":
                pids = self.database.processes()
            case "postmaster":
                pids = {self.database.pid or 0}
            case "everything":
                self._up.kill()
                self._up.wait()
                self._up = self._start()
                return
            case part:
                pids = {self.pid(part)}
        kill_nine(pids - {0})

    def command(self, *arguments: str) -> None:
        """Run a command on the data folder; fail with what it printed."""
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments, *self._place],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def stop(self) -> str:
        """Stop everything in the ordinary way; return what was printed."""
        self._up.terminate()
        self._up.wait(timeout=60)
        self.database.stop()
        return self._printed.read_text("utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._up.poll() is None:
            self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._printed.open("ab") as printed:
            return subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "up", *self._place, "--port", str(self.port)],
                stdout=printed,
                stderr=printed,
                cwd=ROOT,
                env={**os.environ, **SETTINGS},
            )
