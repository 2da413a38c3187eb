"""What the processes of a system do. Each imports its own package only, and only when it runs."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.clock import SystemClock
from deploy.errors import DeployError
from deploy.observing.watch import Watch
from deploy.postgres.newer import newer_tables
from deploy.running.edge_secret import edge_secret
from deploy.running.parts import PartContext, end_in_a_while
from deploy.settings import Settings

if TYPE_CHECKING:
    from ingest.commands.asking import StationCommands
    from ingest.declared_directory import DeclaredDirectory
    from ingest.directory import StationDirectory
    from ingest.edge.server import Listener, Server
    from ingest.persons.subjects import Subjects
    from ingest.prices.price import Prices
    from ledger.log.event_log import EventLog, LineWriter

_OBJECTS_BEFORE_COLLECTION: Final = (10_000, 20, 20)
"""New objects, then collections of young ones, then of middle ones, before the next older."""
Ready = Callable[[object], None]
SILENT_SECONDS_MAX = 30.0
BEAT_SECONDS = 1.0


class Ports(NamedTuple):
    """The ports that the station server got; None where it does not listen."""

    listen_port: int | None
    tls_port: int | None


class CannotListenError(DeployError):
    """A port is taken, or the address is none of this machine's."""

    def __init__(self, settings: Settings, error: OSError) -> None:
        self.errno = error.errno
        ports = " or ".join(
            f"{port} ({name})"
            for name, port in (
                ("listen_port", settings.listen_port),
                ("tls_port", settings.tls_port),
            )
            if port > 0
        )
        number = error.errno or 0  # below 0: of the name's look-up
        why = os.strerror(number) if number > 0 else error.strerror or str(error)
        super().__init__(
            f"cannot listen on {settings.listen_host}, port {ports}: {why}; "
            "end what uses the port, or choose another one (WATTLEDGER_LISTEN_PORT=9001)"
        )


class BadCertificateError(DeployError):
    """The certificate or its key cannot be read, or they do not fit together."""

    def __init__(self, settings: Settings, error: OSError | ValueError) -> None:
        self.certificate, self.key = settings.tls_certificate, settings.tls_key
        pair = f"tls_certificate {self.certificate} with tls_key {self.key}"
        super().__init__(f"cannot use {pair}: {error}")


def serve_stations(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Serve charging stations: authenticate, log, answer; append the ticks."""
    import uvloop  # noqa: PLC0415 - only this process needs it

    _collect_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_stations(context, stop, ready, watch))


def _collect_seldom() -> None:
    """Let the garbage collector look through connections seldom: it stops the loop."""
    # A connection that ended is gone without it (tests/ingest/edge/connections/test_letting_go.py).
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_OBJECTS_BEFORE_COLLECTION)


async def _serve_stations(
    context: PartContext, stop: threading.Event, ready: Ready, watch: Watch
) -> None:
    from deploy.observing.measured_log import MeasuredLineWriter  # noqa: PLC0415
    from deploy.observing.station_condition import StationsCondition  # noqa: PLC0415
    from deploy.roaming.asking import LateAsker  # noqa: PLC0415
    from deploy.running.log_store import open_line_writer  # noqa: PLC0415
    from ingest.commands.asking import StationCommands  # noqa: PLC0415
    from ingest.declared_directory import DeclaredDirectory  # noqa: PLC0415
    from ingest.persons.subjects import PostgresSubjects  # noqa: PLC0415
    from ledger.database import connect_async  # noqa: PLC0415

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with AsyncExitStack() as exits:
        log = MeasuredLineWriter(await open_line_writer(context.dsn, context.settings))
        exits.push_async_callback(log.close)
        connect, clock = partial(connect_async, context.dsn), context.clock
        subjects, asker = PostgresSubjects(connect), LateAsker(context)
        directory = DeclaredDirectory(context.dsn, clock, asker)
        commands = StationCommands(connect, directory=directory, subjects=subjects, clock=clock)
        for each in (asker, directory, subjects, commands):
            exits.push_async_callback(each.close)
        exits.callback(asyncio.create_task(commands.follow()).cancel)
        server = await _open_server(context, log, directory, subjects, commands, exits)
        exits.push_async_callback(server.close)
        watch.begin(StationsCondition(context.dsn, _log_to_ask(context), server, log))
        await exits.enter_async_context(_upkeep(context, directory, commands))
        ready(_ports(context.settings, server.ports))
        await _tick_until(stopping, context, watch)
    stop.set()


async def _open_server(
    context: PartContext,
    log: LineWriter,
    directory: StationDirectory,
    subjects: Subjects,
    commands: StationCommands,
    exits: AsyncExitStack,
) -> Server:
    """Open the server for stations, with all that it asks; *exits* close what it asks."""
    from ingest.answers.transactions import PostgresTransactionIds  # noqa: PLC0415
    from ingest.commands.store import PostgresCommands  # noqa: PLC0415
    from ingest.edge.admissions import Admissions, PostgresAdmissions  # noqa: PLC0415
    from ingest.edge.connection_epochs import PostgresEpochs  # noqa: PLC0415
    from ingest.edge.known_keys import KnownKeys  # noqa: PLC0415
    from ingest.edge.server import Manners, serve  # noqa: PLC0415
    from ingest.prices.stopping import CommandedStops  # noqa: PLC0415
    from ingest.receipts import PostgresReceipts  # noqa: PLC0415
    from ingest.station_records import PostgresStationRecords  # noqa: PLC0415
    from ledger.database import connect_async  # noqa: PLC0415 - only this process needs it

    settings, clock = context.settings, context.clock
    connect = partial(connect_async, context.dsn)
    ids, epochs = PostgresTransactionIds(connect), PostgresEpochs(connect)
    store, calls = PostgresAdmissions(connect), PostgresCommands(connect)
    records, receipts = PostgresStationRecords(connect), PostgresReceipts(connect)
    for each in (ids, epochs, store, calls, records, receipts):
        exits.push_async_callback(each.close)
    try:
        return await serve(
            log=log,
            directory=directory,
            subjects=subjects,
            ids=ids,
            epochs=epochs,
            clock=clock,
            listeners=_listeners(settings),
            admissions=Admissions(store, KnownKeys(edge_secret(settings.data)), clock),
            commands=calls,
            records=records,
            manners=Manners(
                heartbeat_seconds=settings.heartbeat_seconds,
                price_seconds=settings.price_wait_ms / 1000,
                sessions_a_minute=settings.sessions_a_minute,
            ),
            prices=_prices(context, exits),
            stops=CommandedStops(commands),
            receipts=receipts,
        )
    except OSError as error:
        raise CannotListenError(settings, error) from error


@asynccontextmanager
async def _upkeep(
    context: PartContext, directory: DeclaredDirectory, commands: StationCommands
) -> AsyncIterator[None]:
    """Let the upkeep of stations run meanwhile; where time is stepped, there is none."""
    if not isinstance(context.clock, SystemClock):
        yield
        return
    from ingest.upkeep.list_keeping import ListKeeper  # noqa: PLC0415
    from ingest.upkeep.upkeep import KeptFiles, Upkeep  # noqa: PLC0415
    from ledger.database import connect_async  # noqa: PLC0415

    connect, clock, settings = partial(connect_async, context.dsn), context.clock, context.settings
    upkeep = Upkeep(
        context.dsn,
        commands=commands,
        clock=clock,
        lists=ListKeeper(connect, directory=directory, commands=commands, clock=clock),
        holder=context.holder,
        kept_days=settings.calls_kept_days,
        files=KeptFiles(settings.files_base, settings.files_kept_days),
        seconds=settings.upkeep_seconds,
    )
    running = asyncio.create_task(upkeep.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await upkeep.stop()
        upkeep.close()


async def _tick_until(stopping: asyncio.Event, context: PartContext, watch: Watch) -> None:
    """Tick until *stopping* is set, and say meanwhile that this loop turns."""
    beating = asyncio.create_task(beat(watch))
    ticking = asyncio.create_task(_tick(context))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({waiting, ticking}, return_when=asyncio.FIRST_COMPLETED)
    # Whatever ended the ticks must end this part too, or no time-out would ever come.
    if ticking.done():
        ticking.result()
    ticking.cancel()
    beating.cancel()


async def beat(watch: Watch) -> None:
    """Say that this loop turns, until cancelled."""
    while True:
        watch.beat()
        await asyncio.sleep(BEAT_SECONDS)


async def _tick(context: PartContext) -> None:
    """Tick until cancelled, where this server is the one that does."""
    from ingest.upkeep.ticks import Ticker, keep_ticking  # noqa: PLC0415

    seconds = context.settings.tick_seconds
    with (
        _event_log(context) as log,
        closing(Ticker(context.dsn, log, holder=context.holder, seconds=seconds)) as ticker,
    ):
        await keep_ticking(ticker, context.clock, seconds=seconds)


def _event_log(context: PartContext) -> AbstractContextManager[EventLog]:
    from deploy.running.log_store import open_event_log  # noqa: PLC0415

    return closing(open_event_log(context.dsn, context.settings))


def _log_to_ask(context: PartContext) -> EventLog:
    """Return the log for who observes: it connects when it is first asked, and does not wait."""
    from deploy.observing.books import asking  # noqa: PLC0415
    from deploy.running.log_store import open_event_log  # noqa: PLC0415

    return open_event_log(asking(context.dsn), context.settings)


def _listeners(settings: Settings) -> list[Listener]:
    from ingest.edge.security import tls_context  # noqa: PLC0415 - only this process needs it
    from ingest.edge.server import Listener  # noqa: PLC0415

    listeners = []
    if settings.listen_port >= 0:
        listeners.append(Listener(host=settings.listen_host, port=settings.listen_port))
    if settings.tls_port >= 0:
        try:
            tls = tls_context(settings.tls_certificate, settings.tls_key)
        except (OSError, ValueError) as error:
            raise BadCertificateError(settings, error) from error
        listeners.append(Listener(host=settings.listen_host, port=settings.tls_port, tls=tls))
    return listeners


def _prices(context: PartContext, exits: AsyncExitStack) -> Prices | None:
    """Return what tells stations their prices; where time is stepped, none waits for another."""
    if not isinstance(context.clock, SystemClock):
        return None
    from deploy.running.pricing import PricingProcess  # noqa: PLC0415 - only this process needs it
    from ingest.prices.books import BookedPrices  # noqa: PLC0415
    from ledger.database import connect_async  # noqa: PLC0415

    pricing = PricingProcess(context.dsn, context.clock.now)
    prices = BookedPrices(partial(connect_async, context.dsn), pricing.so_far)
    exits.push_async_callback(prices.close)
    exits.push_async_callback(pricing.close)
    return prices


def _ports(settings: Settings, ports: Sequence[int]) -> Ports:
    """Return which port is which: the listeners' order is that of `_listeners`."""
    left = list(ports)
    plain = left.pop(0) if settings.listen_port >= 0 else None
    return Ports(listen_port=plain, tls_port=left.pop(0) if left else None)


def work(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Turn the log into sessions, decisions and invoices."""
    if context.settings.log == "kafka":
        asyncio.run(_work_in_group(context, ready, watch))
        stop.set()
        return
    from deploy.observing.worker_condition import WorkerCondition  # noqa: PLC0415
    from ingest.facts.translate import translate  # noqa: PLC0415 - only this process needs it
    from ledger.worker.worker import Worker  # noqa: PLC0415

    with _event_log(context) as log:
        partitions = range(log.partitions)
        with Worker(context.dsn, log=log, partitions=partitions, translate=translate) as worker:
            worker.beat, worker.fence = watch.beat, newer_tables
            observed, now = _log_to_ask(context), context.clock.now
            watch.begin(WorkerCondition(context.dsn, observed, resting=worker.resting, now=now))
            ready(None)
            worker.run(stop)


async def _work_in_group(context: PartContext, ready: Ready, watch: Watch) -> None:
    """Be one of the workers that share the partitions of a log in Kafka."""
    from deploy.observing.worker_condition import WorkerCondition  # noqa: PLC0415
    from deploy.running.log_store import kafka_cluster  # noqa: PLC0415
    from ingest.facts.translate import translate  # noqa: PLC0415
    from ledger.worker.kafka.faust_app import WorkerGroup  # noqa: PLC0415

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    group = WorkerGroup(
        context.dsn,
        cluster=kafka_cluster(context.settings),
        translate=translate,
        folder=context.settings.data / "faust",
        beat=watch.beat,
        ending=end_in_a_while,
    )
    group.fence, now = newer_tables, context.clock.now
    watch.begin(WorkerCondition(context.dsn, _log_to_ask(context), resting=group.resting, now=now))
    await group.run(stopping, lambda: ready(None))


def issue_invoices(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Issue invoices for what the worker rated, and keep read models up beside that."""
    from deploy.observing.invoicing_condition import InvoicingCondition  # noqa: PLC0415
    from ledger.database import ended_when_silent  # noqa: PLC0415 - only this process needs it
    from ledger.invoices.invoicer import Invoicer  # noqa: PLC0415
    from projections.documents.keeping.electronic_check import ElectronicCheck  # noqa: PLC0415
    from projections.energy.keeping import keep_up  # noqa: PLC0415 - before threads read

    # It holds a lock while it issues: one that stands still must not keep others from it.
    dsn = ended_when_silent(context.dsn, SILENT_SECONDS_MAX, also_idle=True)
    with (
        _event_log(context) as log,
        closing(ElectronicCheck(context.dsn)) as check,
        closing(Invoicer(context.dsn, log, check, silent_seconds=SILENT_SECONDS_MAX)) as invoicer,
    ):
        _ = log.partitions  # whom Kafka does not let in ends here, with words
        watch.begin(InvoicingCondition(context.dsn, _log_to_ask(context), invoicer))
        keeping = _keeping(keep_up, dsn, stop) if isinstance(context.clock, SystemClock) else None
        ready(None)
        invoicer.run(stop, beat=watch.beat)
        if keeping is not None:
            keeping.join()


def _keeping(keep_up: Callable[..., None], dsn: str, stop: threading.Event) -> threading.Thread:
    """Keep read models up in a thread until *stop* is set."""

    def tell(station_id: str, error: Exception) -> None:
        log = logging.getLogger("wattledger.energy")
        log.error("cannot count the energy of %s: %s", station_id or "stations", error)

    keeping = threading.Thread(target=keep_up, args=(dsn, stop, tell), name="energy", daemon=True)
    keeping.start()
    return keeping


def publish_decisions(
    context: PartContext, stop: threading.Event, ready: Ready, watch: Watch
) -> None:
    """Publish decisions in Kafka, or stand by while another process does."""
    from deploy.observing.publishing_condition import PublishingCondition  # noqa: PLC0415
    from deploy.running.log_store import decisions_cluster  # noqa: PLC0415
    from ledger.approvals.approvals import TariffApprovals  # noqa: PLC0415
    from ledger.log.kafka.publisher import KafkaPublisher  # noqa: PLC0415
    from ledger.log.kafka.topics import PROFILES, check_published_topic  # noqa: PLC0415
    from projections.publishing.publisher import EventPublisher  # noqa: PLC0415
    from projections.publishing.sources import FeedSource, TariffSource  # noqa: PLC0415

    cluster = decisions_cluster(context.settings)
    check_published_topic(cluster, profile=PROFILES[context.settings.kafka_profile])
    with TariffApprovals(context.dsn) as approvals:
        sources, topic = (FeedSource(), TariffSource(approvals)), KafkaPublisher(cluster)
        with closing(
            EventPublisher(context.dsn, topic, sources, holder=context.holder)
        ) as publisher:
            watch.begin(PublishingCondition(context.dsn, publisher))
            ready(None)
            publisher.run(stop, beat=watch.beat)
