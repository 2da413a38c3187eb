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
from projections.console.side import ActsBusyError, ConsoleSide
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

IDLE_MAX: Final = 2
"""So many logs are kept open for who acts, or reads frames."""
ACTS_MAX: Final = 8
"""So many act at once; each holds connections of its own, and may wait for the worker."""
WAITING_MAX: Final = 8
"""So many wait for a turn; a further one is told at once."""
ACT_PATIENCE_SECONDS: Final = 10.0


class OpenedDesk:
    """Opens a log for who acts, and keeps some; after an error one is opened anew.

    Nobody waits for another's act, which may take its time: a card that is blocked is blocked.
    """

    def __init__(self, dsn: str, open_log: Callable[[], EventLog], settings: Settings) -> None:
        self._dsn, self._open_log, self._settings = dsn, open_log, settings
        self._turns = threading.BoundedSemaphore(ACTS_MAX)
        self._places = threading.BoundedSemaphore(ACTS_MAX + WAITING_MAX)
        self._is_closed = False
        self._idle: list[EventLog] = []

    @property
    def work_off(self) -> WorkOff | None:
        """How the worker's turn is taken after an act; None where a system is up, whose own is."""
        return turn_beside(self._settings)

    @contextmanager
    def opened(self) -> Iterator[tuple[Connection[Any], EventLog]]:
        """Yield a connection and a log, for one person's act.

        Raises:
            ActsBusyError: If as many as may act for a while already.
        """
        # Each place is a thread, and pages need some, too.
        if not self._places.acquire(blocking=False):
            raise ActsBusyError
        try:
            if not self._turns.acquire(timeout=ACT_PATIENCE_SECONDS):
                raise ActsBusyError
            try:
                with connect(self._dsn) as connection, self.reading_log() as log:
                    yield connection, log
            finally:
                self._turns.release()
        finally:
            self._places.release()

    @contextmanager
    def reading_log(self) -> Iterator[EventLog]:
        """Yield a log, for who reads raw frames of it."""
        try:
            log = self._idle.pop()
        except IndexError:
            log = self._open_log()
        try:
            yield log
        except BaseException:
            log.close()
            raise
        if len(self._idle) < IDLE_MAX and not self._is_closed:
            self._idle.append(log)
        else:
            log.close()

    def close(self) -> None:
        """Close the logs."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()


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
        reached_at=settings.console_origin,
        provider=provider_of(settings, now),
        scopes=tuple(Scope),
    )


def console_routes() -> Router:
    """Return every page; who may see it, its own door asks."""
    return console_router(ROOMS, FOR_ANYBODY)
