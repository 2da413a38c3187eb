"""The console on a free port, and browsers in which somebody is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import uvloop

from deploy.interface.serving import open_http, serve_interface
from deploy.payments.side import PaymentSide
from deploy.settings import Settings
from ledger.database import connect
from ledger.log.postgres import PostgresEventLog
from ledger.users.browser_sessions import begin_session
from ledger.users.roles import Grant, Role
from ledger.users.store import add_user, find_user
from ledger.users.user import User
from projections.console.page import COOKIE


@dataclass(frozen=True)
class StandingClock:
    """A clock that stands."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ServedConsole(NamedTuple):
    """Where it is, over which database, and at what time."""

    url: str
    dsn: str
    at: datetime

    def cookie(self, name: str, *grants: Grant | Role, language: str = "en") -> str:
        """Let a browser in for *name*, whose account is made where there is none."""
        given = tuple(each if isinstance(each, Grant) else Grant(each) for each in grants)
        with connect(self.dsn) as connection:
            if find_user(connection, name) is None:
                user = User(name=name, full_name=name.title(), grants=given)
                add_user(connection, user, by="a test", at=self.at)
            change = "UPDATE user_account SET language = %s WHERE name = %s"
            connection.execute(change, (language, name))
            return begin_session(connection, name, self.at)

    @contextmanager
    def client(
        self, name: str, *grants: Grant | Role, language: str = "en"
    ) -> Iterator[httpx.Client]:
        """Yield a client in which *name* is, without a browser."""
        cookies = {COOKIE: self.cookie(name, *grants, language=language)}
        with httpx.Client(
            base_url=self.url, cookies=cookies, trust_env=False, timeout=60
        ) as client:
            yield client


@contextmanager
def served_console(dsn: str, at: datetime, **given: Any) -> Iterator[ServedConsole]:  # noqa: ANN401 - a setting
    """Serve the interface with its console, in a thread, at a moment that stands.

    No system is up beside it: acts take the worker's turn themselves. *given*: settings.
    """
    listener = open_http("127.0.0.1", 0)
    began, ends = threading.Event(), list[asyncio.AbstractEventLoop]()
    stopping = asyncio.Event()
    troubles = list[BaseException]()
    folder = TemporaryDirectory()
    payments = PaymentSide(Settings(data=Path(folder.name), **given), StandingClock(at))

    async def serve() -> None:
        ends.append(asyncio.get_running_loop())
        await serve_interface(
            dsn,
            StandingClock(at),
            listener,
            open_log=partial(PostgresEventLog, dsn),
            stopping=stopping,
            ready=began.set,
            payments=payments,
        )

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve())
        except BaseException as error:
            troubles.append(error)
            raise
        finally:
            began.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert began.wait(60)
    assert not troubles, troubles
    try:
        yield ServedConsole(f"http://127.0.0.1:{listener.getsockname()[1]}", dsn, at)
    finally:
        ends[0].call_soon_threadsafe(stopping.set)
        thread.join(60)
        folder.cleanup()
        assert not thread.is_alive()
