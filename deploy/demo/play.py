"""`wattledger demo`: a simulated fleet drives the real system through a month, then all is checked.

Nothing in the product knows of this module. It starts the very `System` that `wattledger up`
starts; only the clock that it passes in is another one, which the demo moves itself.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, LiteralString, NamedTuple

import uvloop
from psycopg import Connection
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.clock import SteppedClock
from deploy.demo.closed_month import close_month
from deploy.demo.collecting.collecting_month import MonthOfMoney
from deploy.demo.conductor import Conductor
from deploy.demo.documents import documents_missing
from deploy.demo.gathered_log import GatheredLines
from deploy.demo.held_session import release_lost_stops
from deploy.demo.master_data import DECLARED_AT, declare_fleet
from deploy.demo.memory_wire import MemoryWire
from deploy.demo.partner.instance import declare_partner
from deploy.demo.partner.pair import linked_pair
from deploy.demo.top_up import top_up
from deploy.errors import DeployError
from deploy.fleet.fleet import Fleet, FleetStep, fleet_steps
from deploy.fleet.month import Month
from deploy.fleet.partner_visits import with_partner_visits
from deploy.fleet.planning import LATE_STOP_STATION, plan_month
from deploy.fleet.station import Tally
from deploy.fleet.station_plan import StationPlan, StepKind
from deploy.fleet.wire import WebSocketWire
from deploy.output import console
from deploy.running.opening import opened_with_log
from deploy.running.parts import PartContext
from deploy.running.wiring import System, parts_for
from deploy.settings import Settings
from ingest.answers.transactions import PostgresTransactionIds
from ingest.declared_directory import DeclaredDirectory
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.persons.subjects import PostgresSubjects
from ledger.database import connect_async, dsn_of
from ledger.log.event_log import EventLog
from ledger.worker.position import has_caught_up

LAST_DAY: Final = date(2026, 3, 31)
"""The last day of a month, so that the monthly invoices fall into the demo too."""
TIME_ZONE: Final = "Europe/Berlin"
SEED: Final = 20260331
PERSON_LOOKS_AFTER: Final = timedelta(days=1, hours=10)
"""After the midnight of the day on which a stop was lost."""
TICK_SECONDS: Final = 3600
CREDITS_WAIT: Final = timedelta(hours=3)
"""Longer than a credit note waits for what else comes late (an hour), and than two ticks."""
FIRST_TRANSACTION: Final = 100_001
SETTLE_SECONDS_MAX: Final = 300.0
_TOLD: Final = frozenset({StepKind.STARTED, StepKind.METERED, StepKind.STOPPED, StepKind.STOP_CAME})
"""Of a partner's driver: steps of which there is something to tell the partner."""


class UsedFolderError(DeployError):
    """The demo wants a folder of its own."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"{data} is not empty: the demo wants a new folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMonth:
    """What the demo did: the plan, what the fleet said, and how long it took.

    `history` is what was said before the last day, without sockets.
    """

    settings: Settings
    plans: Sequence[StationPlan]
    tally: Tally
    history: Tally
    real_seconds: float
    has_settled: bool


def demo_settings(data: Path | None) -> Settings:
    """Return settings for a fresh folder: any free port, few partitions, answers without linger.

    Raises:
        UsedFolderError: If *data* holds something already.
    """
    if data is None:
        data = Path(tempfile.mkdtemp(prefix="wattledger-demo-"))
    elif data.exists() and any(data.iterdir()):
        raise UsedFolderError(data)
    return Settings(
        data=data.absolute(),
        listen_port=0,
        partitions=4,
        linger_ms=0,
        tick_seconds=TICK_SECONDS,
        database_idle_seconds=0,
        metrics_port=-1,
        http_port=-1,
        # The partner is reached on this machine.
        roaming_private_networks=True,
    )


def play_month(settings: Settings, *, stations_max: int, history_days: int) -> DemoMonth:
    """Declare the demo's master data, run the system, and drive the fleet through the month.

    Args:
        settings: Of a fresh folder.
        stations_max: How many of the declared stations take part.
        history_days: How many days come before the last one.
    """
    began = time.monotonic()
    month = Month.ending_on(LAST_DAY, history_days=history_days, time_zone=TIME_ZONE)
    with opened_with_log(settings, is_new=True) as (connection, log):
        dsn, uids = declare_partner(connection, settings, at=DECLARED_AT)
        briefs = declare_fleet(connection, log, partner_uids=uids)[:stations_max]
        top_up(connection, at=month.starts_at)
        # A new installation begins its ids at a random number: here they are always the same.
        connection.execute("SELECT setval('transaction_number', %s)", (FIRST_TRANSACTION - 1,))
        plans = with_partner_visits(plan_month(briefs, month, seed=SEED), briefs, month)
        clock = SteppedClock.starting_at(month.starts_at, path=settings.data / "demo-clock")
        # What is exchanged with the partner, too, happens while the clock stands.
        parts = [part for part in parts_for(settings) if part.name != "roaming"]
        context = PartContext(settings=settings, clock=clock, dsn=dsn_of(connection), holder="demo")
        with System(settings, clock, parts=parts) as system, MonthOfMoney(context) as money:
            money.name_methods()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                story = _Story(system, clock, plans, month, log, dsn, frozenset(uids), money)
                tally, history = runner.run(_play(story))
            money.pass_days()
            has_settled = _settle(connection, log)
    return DemoMonth(
        settings=settings,
        plans=plans,
        tally=tally,
        history=history,
        real_seconds=time.monotonic() - began,
        has_settled=has_settled,
    )


class _Story(NamedTuple):
    """What is played: the system, its plans, and where the partner is and who its drivers are."""

    system: System
    clock: SteppedClock
    plans: Sequence[StationPlan]
    month: Month
    log: EventLog
    partner_dsn: str
    partner_uids: frozenset[str]
    money: MonthOfMoney


async def _play(story: _Story) -> tuple[Tally, Tally]:
    """Play the history without sockets and the rest over WebSockets; return all and the first."""
    system, clock, plans, month, log = story[:5]
    looks_at = month.stop_lost_on + PERSON_LOOKS_AFTER
    history, last_day = _split(fleet_steps(plans), month.last_day_at)
    first_days, other_days = _split(history, looks_at)
    station, in_thread = plans[LATE_STOP_STATION].station_id, asyncio.to_thread
    release = partial(in_thread, release_lost_stops, system.dsn, log, station, at=looks_at)
    name = f"{LAST_DAY:%Y-%m}"
    close = partial(in_thread, close_month, system.dsn, log, name, at=month.closes_at)
    gathered = GatheredLines(partitions=system.settings.partitions)
    tally = Tally()
    context = PartContext(settings=system.settings, clock=clock, dsn=system.dsn, holder="demo")
    async with (
        linked_pair(context, story.partner_dsn) as roaming,
        _edge(system, gathered, clock) as wire,
        Conductor(system.dsn, clock=clock, tally=tally, gathered=gathered, log=log) as conductor,
    ):
        fleet = Fleet(plans, wire=wire, tally=tally, after_stop=conductor.rest)

        async def play(due: FleetStep) -> None:
            await conductor.play(fleet, due)
            visit = due.step.visit
            if due.step.kind in _TOLD and visit and visit.token_uid in story.partner_uids:
                await conductor.let(roaming.exchange)

        with _progress(f"{len(month.midnights) - 1} days of history", len(history)) as advance:
            await _play_steps(play, first_days, advance)
            await conductor.pass_time(looks_at)
            await conductor.let(release)
            await conductor.let(roaming.exchange)
            await _play_steps(play, other_days, advance)
        await conductor.pass_time(month.last_day_at)
        # What a fleet says is held against the schemas in tests: here it only takes time.
        await fleet.move_to(WebSocketWire(system.addresses[0], checks_frames=False))
        await conductor.rest()
        said_before = replace(tally)
        before_close, after_close = _split(last_day, month.closes_at)
        with _progress("The last day and after", len(last_day)) as advance:
            await _play_steps(play, before_close, advance)
            await conductor.pass_time(month.closes_at)
            await conductor.let(partial(in_thread, story.money.rest))
            await conductor.let(partial(roaming.settle, name, at=month.closes_at))
            await conductor.let(close)
            await _play_steps(play, after_close, advance)
        # What came late is credited once nothing else came for as long as sessions wait.
        await conductor.pass_time(clock.now() + CREDITS_WAIT)
    return tally, said_before


@asynccontextmanager
async def _edge(
    system: System, gathered: GatheredLines, clock: SteppedClock
) -> AsyncIterator[MemoryWire]:
    """Yield a way to the product's edge, which stands on the same tables as the running one."""
    connect_edge = partial(connect_async, system.dsn)
    async with AsyncExitStack() as exits:
        directory = DeclaredDirectory(system.dsn, clock)
        subjects = PostgresSubjects(connect_edge)
        ids = PostgresTransactionIds(connect_edge)
        epochs = PostgresEpochs(connect_edge)
        for each in (directory, subjects, ids, epochs):
            exits.push_async_callback(each.close)
        yield MemoryWire(
            log=gathered,
            directory=directory,
            subjects=subjects,
            ids=ids,
            epochs=epochs,
            clock=clock,
            heartbeat_seconds=system.settings.heartbeat_seconds,
        )


async def _play_steps(
    play: Callable[[FleetStep], Awaitable[None]],
    steps: Sequence[FleetStep],
    advance: Callable[[], None],
) -> None:
    for due in steps:
        await play(due)
        advance()


def _split(
    steps: Sequence[FleetStep], at: datetime
) -> tuple[Sequence[FleetStep], Sequence[FleetStep]]:
    """Return the steps before *at*, and the others."""
    index = bisect_left(steps, at, key=lambda due: due.step.at)
    return steps[:index], steps[index:]


def _settle(connection: Connection[Any], log: EventLog) -> bool:
    """Wait until all that came is worked off and nothing waits; say whether that was so."""
    limit = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < limit:
        if has_caught_up(connection, log.ends()) and _is_settled(connection):
            return True
        time.sleep(0.2)
    return False


_UNSETTLED: LiteralString = """
SELECT
    (SELECT count(*) FROM session WHERE state IN ('open', 'waiting'))
    + (SELECT count(*) FROM uninvoiced_session WHERE invoicing = 'per_session')
    + (SELECT count(*) FROM correction_to_document WHERE NOT is_settled_with_partner)
    -- What was rated after its month's invoice waits for the next month's.
    + (SELECT count(*) FROM uninvoiced_session AS waiting
       WHERE invoicing <> 'per_session' AND billing_month <= %(month)s AND NOT EXISTS (
           SELECT FROM issued_invoice AS issued WHERE issued.customer = waiting.customer
           AND issued.cause LIKE 'month:%%' AND issued.cause LIKE '%%' || %(month)s || '%%'
       ))
"""


def _is_settled(connection: Connection[Any]) -> bool:
    month = {"month": f"{LAST_DAY:%Y-%m}"}
    is_issued = connection.execute(_UNSETTLED, month).fetchone() == (0,)
    return is_issued and documents_missing(connection) == 0


@contextmanager
def _progress(what: str, steps: int) -> Iterator[Callable[[], None]]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} things that happened"),
        TimeElapsedColumn(),
        console=console(),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=steps)
        yield lambda: bar.advance(task)
