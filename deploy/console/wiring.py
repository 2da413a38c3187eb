"""What the console's pages have at hand, where the interface is served."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from litestar import Controller, Router
from psycopg import Connection
from psycopg_pool import ConnectionPool

from deploy.console.oidc import provider_of
from deploy.interface.access import Scope
from deploy.interface.app import FOR_ANYBODY
from deploy.running.turns import turn_beside
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.store import NewestDeclarations
from ledger.desk.recording import WorkOff
from ledger.log.event_log import EventLog
from projections.console.access.routes import ROUTES as ACCESS
from projections.console.closing.routes import ROUTES as CLOSING
from projections.console.customers.routes import ROUTES as CUSTOMERS
from projections.console.fleet.routes import ROUTES as FLEET
from projections.console.integrity.routes import ROUTES as INTEGRITY
from projections.console.invoices.routes import ROUTES as INVOICES
from projections.console.payments.routes import ROUTES as PAYMENTS
from projections.console.routes import console_router
from projections.console.searching.routes import ROUTES as SEARCHING
from projections.console.sessions.routes import ROUTES as SESSIONS
from projections.console.side import ConsoleSide
from projections.console.tariffs.routes import ROUTES as TARIFFS
from projections.console.what_if.routes import ROUTES as WHAT_IF
from projections.console.work_list.routes import ROUTES as WORK_LIST

ROOMS: Final[Sequence[type[Controller]]] = (
    *ACCESS,
    *CLOSING,
    *CUSTOMERS,
    *FLEET,
    *INTEGRITY,
    *INVOICES,
    *PAYMENTS,
    *SEARCHING,
    *SESSIONS,
    *TARIFFS,
    *WHAT_IF,
    *WORK_LIST,
)
"""The pages of every screen."""

READERS_MAX: Final = 2
"""So many logs are kept open for who reads frames."""


class OpenedDesk:
    """Opens the log with the first act, and keeps it; after an error it is opened anew."""

    def __init__(self, dsn: str, open_log: Callable[[], EventLog], settings: Settings) -> None:
        self._dsn, self._open_log, self._settings = dsn, open_log, settings
        self._turn = threading.Lock()
        self._log: EventLog | None = None
        self._idle: list[EventLog] = []

    @property
    def work_off(self) -> WorkOff | None:
        """How the worker's turn is taken after an act; None where a system is up, whose own is."""
        return turn_beside(self._settings)

    @contextmanager
    def opened(self) -> Iterator[tuple[Connection[Any], EventLog]]:
        """Yield a connection and the log, for one person's act; one act at a time."""
        with self._turn, connect(self._dsn) as connection:
            if self._log is None:
                self._log = self._open_log()
            try:
                yield connection, self._log
            except Exception:
                self._forget_log()
                raise

    @contextmanager
    def reading_log(self) -> Iterator[EventLog]:
        """Yield the log, for who reads raw frames of it: nobody waits for acts."""
        try:
            log = self._idle.pop()
        except IndexError:
            log = self._open_log()
        try:
            yield log
        except BaseException:
            log.close()
            raise
        if len(self._idle) < READERS_MAX:
            self._idle.append(log)
        else:
            log.close()

    def close(self) -> None:
        """Close the log."""
        with self._turn:
            self._forget_log()
        while self._idle:
            self._idle.pop().close()

    def _forget_log(self) -> None:
        if self._log is not None:
            self._log.close()
        self._log = None


def console_side(
    dsn: str,
    pool: ConnectionPool[Any],
    newest: NewestDeclarations,
    now: Callable[[], datetime],
    desk: OpenedDesk,
    settings: Settings,
) -> ConsoleSide:
    """Return what pages have at hand."""
    return ConsoleSide(
        dsn,
        pool,
        newest,
        now,
        desk,
        is_secure=settings.documents_url.startswith("https://"),
        provider=provider_of(settings, now),
        scopes=tuple(Scope),
    )


def console_routes() -> Router:
    """Return every page; who may see it, its own door asks."""
    return console_router(ROOMS, FOR_ANYBODY)
