"""The interface as a process: the app on uvicorn, with what its routes ask for."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final, cast

import uvicorn
from litestar import Controller, Litestar
from litestar.middleware import DefineMiddleware
from psycopg_pool import ConnectionPool
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from deploy.api.conventions.entity_tags import EntityTags
from deploy.api.conventions.once import OnceMiddleware
from deploy.api.conventions.reading_pool import pool_of
from deploy.api.conventions.recent import RecentBearers, RecentDeclarations
from deploy.api.conventions.station_reach import StationReach
from deploy.api.live import FollowedSessions
from deploy.api.routes import API_ROUTES
from deploy.console.jobs import running_jobs
from deploy.console.wiring import OpenedDesk, console_routes, console_side
from deploy.documents.routes import ROUTES as DOCUMENT_ROUTES
from deploy.errors import DeployError
from deploy.interface.access import Bearer, find_bearers
from deploy.interface.app import BODY_MAX, HeadAsGet, KeptSlashes, build_app
from deploy.interface.books import ROUTES
from deploy.interface.declaring import DeclaringDesk, OpenLog
from deploy.interface.files import FilesController
from deploy.interface.reservations import ReservationsController
from deploy.interface.tokens import TokensController
from deploy.listening import listen
from deploy.payments.routes import ROUTES as PAYMENT_ROUTES
from deploy.payments.side import PaymentSide
from deploy.settings import Settings
from deploy.visits.desk import VisitDesk
from deploy.visits.routes import ROUTES as VISIT_ROUTES
from deploy.webhooks.routes import ROUTES as WEBHOOK_ROUTES
from deploy.webhooks.running import telling_webhooks
from ingest.clock import Clock
from ingest.commands.asking import StationCommands
from ingest.commands.profiles import ChargingProfiles
from ingest.declared_directory import DeclaredDirectory
from ingest.gathering import Gatherer
from ingest.interface.calls import CallsController
from ingest.interface.profiles import ProfilesController
from ingest.interface.stations import StationSettingsController
from ingest.persons.subjects import PostgresSubjects
from ingest.station_settings import StationDesk
from ledger.database import connect_async
from ledger.declared.store import NewestDeclarations
from roaming_ocpi.server.app import OcpiRoutes

END_SECONDS: Final = 5
OPEN_MAX: Final = 800
"""Connections at once, below what a process may have open; a further one takes the place of who
has waited longest without a request."""
HEAD_SECONDS: Final = 10.0
"""After which a connection that has not said what it wants is closed."""
BODY_SECONDS: Final = 60.0
"""After which one is closed that has not said all of it."""
STALLED_SECONDS: Final = 60.0
"""After which one is closed that takes nothing of its answer."""
BACKLOG: Final = 1024
THREADS_MAX: Final = 40
"""More than both pools have connections: where acts take turns, who waits holds up nobody else."""

CONTROLLERS: Final[Sequence[type[Controller]]] = (
    CallsController,
    StationSettingsController,
    ProfilesController,
    ReservationsController,
    FilesController,
    TokensController,
    *DOCUMENT_ROUTES,
    *PAYMENT_ROUTES,
    *VISIT_ROUTES,
    *ROUTES,
    *API_ROUTES,
    *WEBHOOK_ROUTES,
)
"""What every edge brings."""


class HttpPortError(DeployError):
    """The interface cannot listen where it should."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}, port {port}, for the interface: {error.strerror or error}; "
            "choose another one (WATTLEDGER_HTTP_PORT=8081)"
        )


def open_http(host: str, port: int) -> socket.socket:
    """Return a listening socket; where *port* is taken, or 0, it is a free one.

    Raises:
        HttpPortError: If the address is none of this machine's.
    """
    try:
        listener = listen(host, port, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and port:
            return open_http(host, 0)
        raise HttpPortError(host, port, error) from error
    # Its connections have it, too: else a short answer waits for the client's delayed ACK, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def serve_interface(
    dsn: str,
    clock: Clock,
    listener: socket.socket,
    *,
    open_log: OpenLog,
    stopping: asyncio.Event,
    ready: Callable[[], None],
    payments: PaymentSide | None = None,
    partners: OcpiRoutes | None = None,
) -> None:
    """Answer requests on *listener* until *stopping* is set."""
    app = interface_app(dsn, clock, open_log, payments, partners)
    config = served(app, payments.settings if payments else Settings())
    await serve_app(config, listener, stopping=stopping, ready=ready)


class _Connections(ServerState):
    """Those of a server; `waiting` are those without a whole request, the longest first."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[BoundedProtocol, None] = {}


class BoundedProtocol(H11Protocol):
    """A connection that ends where nobody says anything, and that its request can end at once."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self.app_state = {**self.app_state, "connection": self}
        self._patience: asyncio.TimerHandle | None = None
        self._untaken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin; where there are too many, who has waited longest for nothing goes."""
        super().connection_made(transport)
        self._waiting[self] = None
        self._wait(HEAD_SECONDS)
        if len(self.connections) > OPEN_MAX:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.abort()

    def handle_events(self) -> None:
        """Take what came; whose request came to its end keeps its place."""
        super().handle_events()
        if self._has_request() and not self.cycle.more_body:
            self._waiting.pop(self, None)

    def on_response_complete(self) -> None:
        """Wait for the next request, for as long as for the first one."""
        super().on_response_complete()
        if not self.is_gone and not self._has_request():
            self._waiting[self] = None
        self._untaken = self.transport.get_write_buffer_size()
        self._wait(STALLED_SECONDS if self._untaken else HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._patience is not None:
            self._patience.cancel()
        self._waiting.pop(self, None)
        super().connection_lost(exc)

    @property
    def is_gone(self) -> bool:
        """Whether nobody is there any more."""
        return self.transport.is_closing()

    def abort(self) -> None:
        """Close it now, whatever is still to be sent."""
        self.transport.abort()

    @property
    def _waiting(self) -> dict[BoundedProtocol, None]:
        assert isinstance(self.server_state, _Connections)
        return self.server_state.waiting

    def _has_request(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # none until the first request
        return cycle is not None and not cycle.response_complete

    def _wait(self, seconds: float) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(seconds, self._end_idle)

    def _end_idle(self) -> None:
        if not self._has_request():
            self._end_untaken()

    def _end_untaken(self) -> None:
        untaken = self.transport.get_write_buffer_size()
        if 0 < untaken < self._untaken:
            # Slow, but it takes what was answered.
            self._untaken = untaken
            self._wait(STALLED_SECONDS)
        else:
            self.abort()


class PromptProtocol(BoundedProtocol):
    """One that ends, too, where a request, or the answer to it, comes to no end."""

    _saying: asyncio.TimerHandle | None = None

    def handle_events(self) -> None:
        """Take what came; of a request whose body is still to come not for ever."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and self.cycle.more_body:
            self._hear_out()
            self._saying = self.loop.call_later(BODY_SECONDS, self._end_unsaid)

    def pause_writing(self) -> None:
        """Wait until some is taken of an answer that is still being made."""
        super().pause_writing()
        self._untaken = self.transport.get_write_buffer_size()
        self._wait(STALLED_SECONDS)

    def on_response_complete(self) -> None:
        """Be content with what was said of the request."""
        self._hear_out()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._hear_out()
        super().connection_lost(exc)

    def _hear_out(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
        self._saying = None

    def _end_idle(self) -> None:
        if self.flow.write_paused:
            self._end_untaken()
        else:
            super()._end_idle()

    def _end_unsaid(self) -> None:
        if self._has_request() and self.cycle.more_body:
            self.abort()


def served(app: Litestar, settings: Settings) -> uvicorn.Config:
    """Return how people and programs are answered by *app*."""
    return uvicorn.Config(
        HeadAsGet(KeptSlashes(app)),
        http=PromptProtocol,
        log_config=None,
        log_level="error",  # else a line for each stranger's request
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=END_SECONDS,
        lifespan="on",
        ws="none",
        h11_max_incomplete_event_size=64 << 10,
    )


async def serve_app(
    config: uvicorn.Config,
    listener: socket.socket,
    *,
    stopping: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Let an app answer on *listener* until *stopping* is set; call *ready* when it does."""
    threads = ThreadPoolExecutor(THREADS_MAX, "serving")
    asyncio.get_running_loop().set_default_executor(threads)
    server = _Server(config, ready)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    waiting.cancel()
    await serving


class _Server(uvicorn.Server):
    """Leaves the signals to the process that it runs in, and says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.server_state = _Connections()
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


def interface_app(
    dsn: str,
    clock: Clock,
    open_log: OpenLog,
    payments: PaymentSide | None = None,
    partners: OcpiRoutes | None = None,
) -> Litestar:
    """Return the interface over the database at *dsn*; *open_log* opens its event log.

    *payments*: how payments come in, None: as without a key. *partners* are the routes for roaming
    partners, where they come here too.
    """
    connect = partial(connect_async, dsn)
    directory, subjects = DeclaredDirectory(dsn, clock), PostgresSubjects(connect)
    commands = StationCommands(connect, directory=directory, subjects=subjects, clock=clock)
    desk, profiles = StationDesk(connect, directory), ChargingProfiles(connect)
    declaring = DeclaringDesk(dsn, open_log, clock)
    bearers: Gatherer[bytes, Bearer | None] = Gatherer(connect, find_bearers, patience_seconds=1.0)
    # Each its own: who looks at pages holds up no machine, nor the other way round.
    pool, pages_pool = pools = pool_of(dsn), pool_of(dsn)
    payments = payments or PaymentSide(Settings(), clock)
    visit_desk, recent = VisitDesk(payments.settings, clock.now), RecentDeclarations()
    running = partial(running_jobs, dsn, clock.now, payments.settings)
    telling = partial(telling_webhooks, dsn, clock.now, payments.settings.webhook_networks)
    newest, console_desk = NewestDeclarations(), OpenedDesk(dsn, open_log, payments.settings)
    side = console_side(dsn, pages_pool, newest, clock.now, console_desk, payments.settings)
    ends = [each.close for each in (directory, subjects, commands, desk, profiles, bearers)]
    live, reading = FollowedSessions(pool, recent), _reading(pool, recent)
    closes = [e.close for e in (*pools, declaring, console_desk, visit_desk, live)]
    return build_app(
        CONTROLLERS,
        find=RecentBearers(bearers.ask).ask,
        parts={
            "acting": side,
            "commands": commands,
            "declaring": declaring,
            "desk": desk,
            "live": live,
            "payments": payments,
            "profiles": profiles,
            "visit_desk": visit_desk,
            **reading,
        },
        lifespan=[partial(_living, pools, commands, ends, closes), running, telling],
        partners=partners,
        around=_around(pool, clock),
        pages=console_routes(),
        state={"console": side, "sight": reading["sight"]},
    )


def _reading(pool: ConnectionPool[Any], recent: RecentDeclarations) -> dict[str, Any]:
    return {"newest": recent, "pool": pool, "sight": StationReach(pool, recent)}


def _around(pool: ConnectionPool[Any], clock: Clock) -> Sequence[DefineMiddleware]:
    once = DefineMiddleware(OnceMiddleware, pool=pool, now=clock.now, body_max=BODY_MAX)
    return (once, DefineMiddleware(EntityTags))


@asynccontextmanager
async def _living(
    pools: Sequence[ConnectionPool[Any]],
    commands: StationCommands,
    ends: Sequence[Callable[[], Awaitable[None]]],
    closes: Sequence[Callable[[], None]],
    _app: Litestar,
) -> AsyncIterator[None]:
    """Open what the app works with, and close it all at its end, what came last first."""
    async with AsyncExitStack() as exits:
        for end in ends:
            exits.push_async_callback(end)
        for pool in pools:
            pool.open()
        for close in closes:
            exits.callback(close)
        exits.callback(asyncio.create_task(commands.follow()).cancel)
        yield
