"""The PostgreSQL server that runs over the files in one folder, seen from outside: find it, end it.

Loads the standard library alone, for the keeper is a small process that lives long.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deploy.errors import DeployError

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
PAUSE_SECONDS = 0.02
_STATUS_LINE = 7  # LOCK_FILE_LINE_PM_STATUS, counted from 0
SOCKET = ".s.PGSQL.5432"
SOCKET_DIRECTORY_MAX = 107 - len("/" + SOCKET)  # what sun_path holds


class EmbeddedPostgresError(DeployError):
    """The embedded PostgreSQL did not do what it was asked; `log` ends with the server's words."""

    def __init__(self, what: str, log: Path) -> None:
        self.what, self.log = what, log
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        last = "\n".join(text.splitlines()[-5:])
        super().__init__(f"the embedded PostgreSQL {what}; its log, {log}, ends:\n{last}")


class RunningServer:
    """The server over `home`, whoever started it. Its processes work in that very directory."""

    def __init__(self, data: Path) -> None:
        self.home = data / "postgresql"
        self.log = data / "postgresql.log"
        self.sockets = _socket_directory(self.home)
        self._kept_home: int | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running server (the postmaster), None when there is none."""
        try:
            pid = int((self.home / "postmaster.pid").read_bytes().split(b"\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    def is_ready(self) -> bool:
        """Say whether the server says that it takes connections: its pid file's last line."""
        try:
            lines = (self.home / "postmaster.pid").read_bytes().split(b"\n")
        except OSError:
            return False
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == b"ready"

    def processes(self) -> set[int]:
        """Return the ids of all PostgreSQL processes that work on this folder."""
        names = (entry.name for entry in Path("/proc").glob("[0-9]*"))
        return {pid for pid in map(int, names) if self._is_ours(pid)}

    def end(self) -> None:
        """End the server if it runs, the friendly way first."""
        pid = self.pid
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            # Not the pid file tells: it goes a moment before the process.
            if pid is None or not self._is_ours(pid):
                break
            self._end_by(how, pid)
        self._remove_socket_directory()

    def hold_home(self) -> None:
        """Know `home` for itself from now on, not by its name, so that its end can be noticed."""
        self._kept_home = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY)

    def is_homeless(self) -> bool:
        """Say whether the held directory is no longer where it was."""
        assert self._kept_home is not None
        try:
            there = self.home.stat()
        except OSError:
            return True
        return not os.path.samestat(there, os.fstat(self._kept_home))

    def end_homeless(self) -> None:
        """End all processes of a server whose files are gone: nothing is left to be careful of."""
        for how in (signal.SIGQUIT, signal.SIGKILL):
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
            with suppress(EmbeddedPostgresError):
                self.wait_until(lambda: not self.processes(), "did not stop", 5.0)
        self._remove_socket_directory()

    def wait_until(
        self, is_so: Callable[[], bool], otherwise: str, seconds_max: float = READY_SECONDS_MAX
    ) -> None:
        """Wait until *is_so*.

        Raises:
            EmbeddedPostgresError: If it is not so in time; the error says *otherwise*.
        """
        limit = time.monotonic() + seconds_max
        while not is_so():
            if time.monotonic() > limit:
                raise EmbeddedPostgresError(otherwise, self.log)
            time.sleep(PAUSE_SECONDS)

    def _end_by(self, how: signal.Signals, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        with suppress(EmbeddedPostgresError):
            self.wait_until(lambda: not self._is_ours(pid), "did not stop", STOP_SECONDS_MAX)

    def _is_ours(self, pid: int) -> bool:
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() != "postgres":
                return False
            home = self.home.stat() if self._kept_home is None else os.fstat(self._kept_home)
            return os.path.samestat(Path(f"/proc/{pid}/cwd").stat(), home)
        except OSError:  # it went meanwhile, or is not ours to look at
            return False

    def _remove_socket_directory(self) -> None:
        if self.sockets != self.home:
            with suppress(OSError):
                self.sockets.rmdir()


def _socket_directory(home: Path) -> Path:
    """Return where the socket goes: beside the data, or in /tmp when that path does not fit."""
    if len(os.fsencode(home)) <= SOCKET_DIRECTORY_MAX and re.fullmatch(r"[\w./+-]+", str(home)):
        return home
    name = f"wattledger-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    short = Path(tempfile.gettempdir()) / name
    return short if len(os.fsencode(short)) <= SOCKET_DIRECTORY_MAX else Path("/tmp") / name  # noqa: S108 - its owner and mode are set and checked
