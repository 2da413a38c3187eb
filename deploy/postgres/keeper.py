"""Keeps the embedded server running between commands, and ends it when none came for a while.

A small process of its own: starting and stopping PostgreSQL takes longer than most commands. It
never ends a server that is used, it may be killed at any time (the next command starts another
one), and it goes when the server is gone: stopped by somebody else, or its folder deleted.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from deploy.postgres.private_files import open_private
from deploy.postgres.running_server import RunningServer
from deploy.postgres.server_users import ServerUsers, open_lock

LOOK_SECONDS = 0.5
PROGRAM_FOLDER = Path(__file__).resolve().parents[2]


def ensure_keeper(data: Path, log: Path) -> subprocess.Popen[bytes] | None:
    """Start the keeper for the server of *data* unless it runs; its caller is alone there.

    The keeper inherits the lock that says that it runs, so that there is no moment without.
    """
    with open_lock(data / "postgresql.keeper") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        with open_private(log) as output:
            keeper = subprocess.Popen(  # noqa: S603 - ourselves, no shell
                # Without site-packages: it needs none and starts in half the time.
                [sys.executable, "-P", "-S", "-m", __name__, str(data), str(lock.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                cwd="/",
                env={**os.environ, "PYTHONPATH": str(PROGRAM_FOLDER)},
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )
        lock.truncate()
        lock.write(b"%d\n" % keeper.pid)  # for people, and for tests that kill it
    return keeper


class Keeper:
    """The process that keeps the server of the folder *data*."""

    def __init__(self, data: Path, *, lock: int) -> None:
        self._lock = lock
        self._users = ServerUsers(data, only_looks=True)
        self._server = RunningServer(data)
        self._server.hold_home()
        self._last_came, self._unused_since = 0, time.monotonic()
        self._told_to_end = threading.Event()

    def run(self) -> None:
        """Look after the server until it has ended."""
        signal.signal(signal.SIGTERM, lambda *_: self._told_to_end.set())
        is_over = False
        while not is_over:
            self._told_to_end.wait(LOOK_SECONDS)
            with suppress(FileNotFoundError):  # the folder is being deleted: the next look will see
                is_over = self._is_over()

    def _is_over(self) -> bool:
        if self._server.is_homeless():
            self._server.end_homeless()
            return True
        with self._users.alone():
            if not self._is_wanted():
                self._server.end()
                # Whoever is alone next has to see that no keeper runs.
                os.close(self._lock)
                return True
        return False

    def _is_wanted(self) -> bool:
        last_came = self._users.last_came()
        if not self._users.is_last():
            self._told_to_end.clear()
            self._last_came, self._unused_since = last_came, time.monotonic()
            return True
        if self._told_to_end.is_set() or self._server.pid is None:
            return False
        if last_came != self._last_came:
            self._last_came, self._unused_since = last_came, time.monotonic()
        return time.monotonic() - self._unused_since < self._users.keep_seconds()


def main() -> None:
    """Be the keeper that `ensure_keeper` starts."""
    data, lock = sys.argv[1:]
    Keeper(Path(data), lock=int(lock)).run()


if __name__ == "__main__":
    main()
