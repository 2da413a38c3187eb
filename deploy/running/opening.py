"""The books, opened for a command: beside a running system, or with nothing running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import DeployError
from deploy.running.owner import make_folder
from deploy.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection


class NothingThereError(DeployError):
    """A command that reads was pointed at a folder where nothing was ever kept."""

    def __init__(self, data: Path) -> None:
        self.data = data
        super().__init__(
            f"there is no data in {data}: `wattledger up` or `wattledger apply` begins it, "
            "--data names another folder"
        )


@contextmanager
def opened(settings: Settings, *, is_new: bool = False) -> Iterator[Connection[Any]]:
    """Yield a connection to the books, beside a running system or with nothing running.

    Raises:
        NothingThereError: If the data folder is empty and *is_new* does not allow that.
        DeployError: If the database does not start.
    """
    from deploy.postgres.embedded import EmbeddedPostgres
    from ledger.database import connect

    if not (is_new or settings.database_url or (settings.data / "postgresql").exists()):
        raise NothingThereError(settings.data)
    with ExitStack() as exits:
        make_folder(settings.data)
        dsn = settings.database_url
        if not dsn:
            keep_seconds = settings.database_idle_seconds
            server = EmbeddedPostgres(settings.data, keep_seconds=keep_seconds)
            dsn = exits.enter_context(server).dsn
        prepare(dsn, settings)
        yield exits.enter_context(connect(dsn))


def prepare(dsn: str, settings: Settings) -> None:
    """Bring the tables up to date and make the event log if there is none."""
    import psycopg

    from deploy.postgres import migrate

    with psycopg.connect(dsn) as connection:
        migrate.apply(connection, "inputs")
        migrate.apply(connection, "persons")
        migrate.apply(connection, "books")
        row = connection.execute("SELECT count(*) FROM inputs.log_head").fetchone()
    if row == (0,):
        _make_log(dsn, settings.partitions)


def _make_log(dsn: str, partitions: int) -> None:
    import asyncio

    from ledger.log.postgres import PostgresEventLog

    async def make() -> None:
        log = await PostgresEventLog.open(dsn, partitions=partitions)
        await log.close()

    asyncio.run(make())
