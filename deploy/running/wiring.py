"""How the parts become one system: what `wattledger up` starts, and the demo with a fast clock."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import psycopg

from deploy.errors import DeployError
from deploy.postgres import migrate
from deploy.postgres.embedded import EmbeddedPostgres
from deploy.running import processes
from deploy.running.parts import Part, PartContext, ProductClock, write_log
from deploy.running.supervisor import Supervisor
from deploy.settings import Settings
from ledger.database import connect
from ledger.log.postgres import PostgresEventLog

PARTS = (
    Part("stations", processes.serve_stations),
    Part("worker", processes.work),
    Part("invoicing", processes.issue_invoices),
    Part("projections", processes.project),
)
"""In the order in which they end: nothing new comes in while what came is finished."""


class AlreadyUpError(DeployError):
    """Another `wattledger up` serves this data folder."""

    def __init__(self, data: Path, pid: str) -> None:
        self.data, self.pid = data, pid
        super().__init__(
            f"{data} is already served by process {pid or '?'}: stop that one, "
            "or choose another folder with --data"
        )


class System:
    """The whole product over one data folder, running from `__enter__` to `__exit__`."""

    def __init__(self, settings: Settings, clock: ProductClock) -> None:
        self.settings, self.clock = settings, clock
        self.dsn = ""
        self.addresses: tuple[str, ...] = ()
        self._exits = ExitStack()
        self._supervisor: Supervisor | None = None

    @property
    def supervisor(self) -> Supervisor:
        """The running parts."""
        assert self._supervisor is not None
        return self._supervisor

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            DeployError: If the folder is served already or a part does not start.
        """
        with ExitStack() as exits:
            exits.enter_context(_sole_owner(self.settings.data))
            write_log(self.settings)
            logging.getLogger("wattledger").info("starting")
            server = _server(self.settings, exits)
            self.dsn = server.dsn if server else self.settings.database_url
            prepare(self.dsn, self.settings)
            self._supervisor = Supervisor(
                PARTS,
                PartContext(settings=self.settings, clock=self.clock, dsn=self.dsn),
                keep_database=server.ensure_running if server else _nothing,
                told=self._told,
            )
            exits.callback(self._supervisor.stop)
            self._supervisor.start()
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _told(self, name: str, news: object) -> PartContext:
        """Take over what a part says of itself; a restarted server keeps its port."""
        if name == "stations":
            assert isinstance(news, processes.Ports)
            ports = {key: port for key, port in news._asdict().items() if port is not None}
            self.settings = replace(self.settings, **ports)
            self.addresses = tuple(
                f"{scheme}://{self.settings.listen_host}:{port}"
                for scheme, port in (("ws", news.listen_port), ("wss", news.tls_port))
                if port is not None
            )
        return PartContext(settings=self.settings, clock=self.clock, dsn=self.dsn)


class DataFolderError(DeployError):
    """The data folder cannot be made or written."""

    def __init__(self, data: Path, error: OSError) -> None:
        self.data = data
        is_file = isinstance(error, FileExistsError)
        why = "it is a file" if is_file else error.strerror or str(error)
        super().__init__(f"{data} cannot be the data folder: {why}; --data names another one")


class NothingThereError(DeployError):
    """A command that reads was pointed at a folder where nothing was ever kept."""

    def __init__(self, data: Path) -> None:
        self.data = data
        super().__init__(
            f"there is no data in {data}: `wattledger up` or `wattledger apply` begins it, "
            "--data names another folder"
        )


@contextmanager
def opened(settings: Settings, *, is_new: bool = False) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to the books, beside a running system or with nothing running.

    Raises:
        NothingThereError: If the data folder is empty and *is_new* does not allow that.
        DeployError: If the database does not start.
    """
    if not (is_new or settings.database_url or (settings.data / "postgresql").exists()):
        raise NothingThereError(settings.data)
    with ExitStack() as exits:
        server = _server(settings, exits)
        dsn = server.dsn if server else settings.database_url
        prepare(dsn, settings)
        yield exits.enter_context(connect(dsn))


def is_up(settings: Settings) -> bool:
    """Say whether a `wattledger up` serves the data folder at this moment."""
    try:
        with _sole_owner(settings.data):
            return False
    except AlreadyUpError:
        return True


def prepare(dsn: str, settings: Settings) -> None:
    """Bring the tables up to date and make the event log if there is none."""
    with psycopg.connect(dsn) as connection:
        migrate.apply(connection, "inputs")
        migrate.apply(connection, "books")
        row = connection.execute("SELECT count(*) FROM inputs.log_head").fetchone()
    if row == (0,):
        asyncio.run(_make_log(dsn, settings.partitions))


async def _make_log(dsn: str, partitions: int) -> None:
    log = await PostgresEventLog.open(dsn, partitions=partitions)
    await log.close()


def _server(settings: Settings, exits: ExitStack) -> EmbeddedPostgres | None:
    _make_folder(settings.data)
    if settings.database_url:
        return None
    return exits.enter_context(EmbeddedPostgres(settings.data))


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataFolderError(data, error) from error


def _nothing() -> None:
    """Keep nothing running: somebody else's database is somebody else's."""


@contextmanager
def _sole_owner(data: Path) -> Iterator[None]:
    """Hold the folder's lock; it goes with the process, however that ends."""
    _make_folder(data)
    try:
        opened_lock = (data / "up.lock").open("a+")
    except OSError as error:
        raise DataFolderError(data, error) from error
    with opened_lock as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise AlreadyUpError(data, lock.read().strip()) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                lock.truncate(0)
