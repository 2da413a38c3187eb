"""The books, opened for a command: beside a running system, or with nothing running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import DeployError
from deploy.running.owner import make_folder
from deploy.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from ledger.log.event_log import EventLog


class NothingThereError(DeployError):
    """A command that reads was pointed at a folder where nothing was ever kept."""

    def __init__(self, data: Path) -> None:
        self.data = data
        super().__init__(
            f"there is no data in {data}: `wattledger up` or `wattledger apply` begins it, "
            "--data names another folder"
        )


@contextmanager
def opened(
    settings: Settings, *, is_new: bool = False, moves_log: bool = False
) -> Iterator[Connection[Any]]:
    """Yield a connection to the books, beside a running system or with nothing running.

    Who *moves_log* to the store that the settings name need not find it there.

    Raises:
        NothingThereError: If the data folder is empty and *is_new* does not allow that.
        DeployError: If the database does not start.
        LogElsewhereError: If the settings name another store for the log than the one that has it.
    """
    from ledger.database import connect

    with _database(settings, is_new=is_new, moves_log=moves_log) as dsn, connect(dsn) as connection:
        yield connection


@contextmanager
def opened_with_log(
    settings: Settings, *, is_new: bool = False
) -> Iterator[tuple[Connection[Any], EventLog]]:
    """Yield a connection to the books and the event log (see `opened`)."""
    from deploy.running.log_store import open_event_log
    from ledger.database import connect

    with (
        _database(settings, is_new=is_new) as dsn,
        connect(dsn) as connection,
        closing(open_event_log(dsn, settings)) as log,
    ):
        yield connection, log


@contextmanager
def _database(settings: Settings, *, is_new: bool, moves_log: bool = False) -> Iterator[str]:
    """Yield where the database is, started where it is ours and brought up to date."""
    from deploy.postgres.embedded import EmbeddedPostgres

    if not (is_new or settings.database_url or (settings.data / "postgresql").exists()):
        raise NothingThereError(settings.data)
    with ExitStack() as exits:
        make_folder(settings.data)
        dsn = settings.database_url
        if not dsn:
            keep_seconds = settings.database_idle_seconds
            server = EmbeddedPostgres(settings.data, keep_seconds=keep_seconds)
            dsn = exits.enter_context(server).dsn
        prepare(dsn, settings, moves_log=moves_log)
        yield dsn


def prepare(dsn: str, settings: Settings, *, moves_log: bool = False) -> None:
    """Bring the tables up to date and make the event log if there is none.

    Raises:
        LogElsewhereError: If another store has it than the settings name, unless *moves_log*.
    """
    from deploy.postgres import migrate
    from deploy.running.log_store import chosen_store, make_event_log
    from ledger.database import connect
    from ledger.log.moving import check_store

    with connect(dsn, autocommit=False) as connection:
        migrate.apply(connection, "inputs")
        migrate.apply(connection, "persons")
        migrate.apply(connection, "books")
        if not moves_log:
            check_store(connection, chosen_store(settings))
        make_event_log(connection, settings)
