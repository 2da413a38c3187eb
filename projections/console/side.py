"""What pages have at hand: the database, the clock, and the desk where something is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple, Protocol

from psycopg import Connection
from psycopg_pool import ConnectionPool

from ledger.approvals.newest import NewestRecords
from ledger.database import connect
from ledger.declared.store import NewestDeclarations
from ledger.desk.recording import WorkOff
from ledger.errors import LedgerError
from ledger.log.event_log import EventLog
from projections.errors import ProjectionError

EXPORTS_MAX: Final = 4
"""So many exports are made at once, each on a connection of its own."""
EXPORT_IDLE_SECONDS: Final = 300
"""An export of which nothing was taken away for so long is ended by the database."""
# A lock of the database: it is free again when the connection ends, whoever still holds a response.
_PLACE: LiteralString = """
SELECT place FROM generate_series(1, %s) AS place
WHERE pg_try_advisory_xact_lock(%s, place) LIMIT 1
"""
_IDLE: LiteralString = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"
_PLACES: Final = 0x65787073  # "exps"
_OF_ONE_MOMENT: LiteralString = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

PAGE_SECONDS_MAX: Final = 15


class ConsoleDesk(Protocol):
    """Where something is changed: `deploy` knows how the log is opened."""

    @property
    def work_off(self) -> WorkOff | None:
        """How the worker's turn is taken after an act; None where a system is up, whose own is."""
        ...

    def opened(self) -> AbstractContextManager[tuple[Connection[Any], EventLog]]:
        """Yield a connection and a log, for one person's act.

        Raises:
            ActsBusyError: If too many act at once.
        """
        ...

    def reading_log(self) -> AbstractContextManager[EventLog]:
        """Yield a log, for who reads raw frames of it."""
        ...


class Unproven(StrEnum):
    """Why nobody is proven to be anybody by a provider: for the log."""

    NO_WAY = "this browser was not on its way"
    OTHER_WAY = "this is another browser's way"
    OTHER_PROVIDER = "another provider answered"
    REFUSED = "the provider let nobody in"
    NO_TOKEN = "the provider gave no ID token"  # noqa: S105 - a sentence
    UNFIT_TOKEN = "the ID token is none for us, or not of now"  # noqa: S105 - a sentence
    NOBODY = "the ID token names nobody"
    OTHER_NAME = "the provider calls itself otherwise"
    UNREADABLE = "the provider says nothing of itself"
    AWAY = "the provider does not answer"


class NotProvenError(LedgerError):
    """Nobody is proven to be anybody by a provider."""

    def __init__(self, why: Unproven) -> None:
        self.why = why
        super().__init__(why.value)


class Departure(NamedTuple):
    """Where a browser goes to come in by a provider, and what it keeps meanwhile."""

    address: str
    kept: str


class ProvenIdentity(NamedTuple):
    """Who somebody is by a provider; `email` is "" where the provider did not verify it."""

    issuer: str
    subject: str
    email: str


class IdentityProvider(Protocol):
    """By whom people come in beside passwords: `deploy` knows how it is asked (OIDC)."""

    name: str

    def depart(self, back: str) -> Departure:
        """Return the way to the provider, from which browsers come back to *back*.

        Raises:
            NotProvenError: If the provider is away.
        """
        ...

    def arrive(self, back: str, query: str, kept: str) -> ProvenIdentity:
        """Return who came back with *query* to a browser that *kept* something.

        Raises:
            NotProvenError: If nobody is proven by that.
        """
        ...


@dataclass(frozen=True, slots=True)
class ConsoleSide:
    """What pages have at hand. `reached_at`: scheme and host by which people come, "" by addresses.

    `dsn`: for what opens connections of its own; `scopes`: what a machine's token may be used for.
    """

    dsn: str
    pool: ConnectionPool[Any]
    newest: NewestDeclarations
    now: Callable[[], datetime]
    desk: ConsoleDesk
    reached_at: str = ""
    records: NewestRecords = field(default_factory=NewestRecords)
    provider: IdentityProvider | None = None
    scopes: Sequence[str] = ()
    export_idle_seconds: int = EXPORT_IDLE_SECONDS

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https, so that cookies go that way alone."""
        return self.reached_at.startswith("https://")

    @contextmanager
    def reading(self) -> Iterator[Connection[Any]]:
        """Yield a connection on which all that is read is of one moment."""
        with self.pool.connection() as connection, connection.transaction():
            connection.execute(_OF_ONE_MOMENT)
            # What takes longer is work for a job: a page holds nobody's connection for long.
            connection.execute(f"SET LOCAL statement_timeout = '{PAGE_SECONDS_MAX}s'")
            yield connection

    @contextmanager
    def exporting(self) -> Iterator[Connection[Any]]:
        """Yield a connection of its own, as `reading` does, for who reads much and slowly.

        A reader that stands still loses it after `export_idle_seconds`: whatever it reads next
        raises, and its file is cut off rather than short.

        Raises:
            ExportsBusyError: If as many as may do so do.
        """
        with connect(self.dsn) as connection, connection.transaction():
            connection.execute(_OF_ONE_MOMENT)
            idle = f"{self.export_idle_seconds}s"
            connection.execute(_IDLE, (idle,))
            if connection.execute(_PLACE, (EXPORTS_MAX, _PLACES)).fetchone() is None:
                raise ExportsBusyError
            yield connection


class ActsBusyError(ProjectionError):
    """Others change so much that their acts would wait for each other."""

    def __init__(self) -> None:
        super().__init__("others change much at this moment: nothing was done, try again")


class ExportsBusyError(ProjectionError):
    """Others take so much away already that pages would wait for it."""

    def __init__(self) -> None:
        super().__init__("others export at this moment: try again in a minute")
