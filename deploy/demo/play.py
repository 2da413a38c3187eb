"""`wattledger demo`: a simulated fleet drives the real system through a day, then all is checked.

Nothing in the product knows of this module. It starts the very `System` that `wattledger up`
starts; only the clock that it passes in runs faster.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

from psycopg import Connection
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.clock import FastClock
from deploy.errors import DeployError
from deploy.example_files import examples_folder
from deploy.fleet.day import StationDay
from deploy.fleet.fleet import count_steps, run_fleet
from deploy.fleet.plan import Place, plan_day
from deploy.fleet.station import Tally
from deploy.output import console
from deploy.running.opening import opened
from deploy.running.wiring import System
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.desk.apply import apply_files
from ledger.desk.publish import publish_files

EXAMPLES: Final = examples_folder()
MIDNIGHT: Final = datetime(2026, 3, 31, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
"""The last day of a month, so that the monthly invoices fall into the demo too."""
DAY: Final = timedelta(hours=26)
DECLARED_AT: Final = MIDNIGHT - timedelta(days=1)
SEED: Final = 20260331
LEAD_SECONDS: Final = 4.0
"""Real time in which the processes start before the day begins."""
SETTLE_SECONDS_MAX: Final = 30.0
GUESTS: Final = {
    "harbour": ("drivers", "roaming"),
    "linden-court": ("resident",),
    "quayside": ("london",),
}
"""Which token groups charge at which site."""


class NoExamplesError(DeployError):
    """The demo's files are not there: it runs from a clone of the repository."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the demo reads {folder}, which is not there: run it in a clone")


class UsedFolderError(DeployError):
    """The demo wants a folder of its own."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"{data} is not empty: the demo wants a new folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDay:
    """What the demo did: the plan, what the fleet said, and how long it took."""

    settings: Settings
    days: Sequence[StationDay]
    tally: Tally
    real_seconds: float
    has_settled: bool


def demo_settings(data: Path | None) -> Settings:
    """Return settings for a fresh folder: any free port, few partitions for one short day.

    Raises:
        UsedFolderError: If *data* holds something already.
    """
    if data is None:
        data = Path(tempfile.mkdtemp(prefix="wattledger-demo-"))
    elif data.exists() and any(data.iterdir()):
        raise UsedFolderError(data)
    return Settings(data=data.absolute(), listen_port=0, partitions=4, database_idle_seconds=0)


def play_day(settings: Settings, *, stations_max: int, seconds: float) -> DemoDay:
    """Declare the demo's master data, run the system, and drive the fleet through the day.

    Args:
        settings: Of a fresh folder.
        stations_max: How many of the declared stations take part.
        seconds: Real time that the day takes.
    """
    began = time.monotonic()
    with opened(settings, is_new=True) as connection:
        places = _declare(connection)[:stations_max]
        ends_at = MIDNIGHT + DAY
        days = plan_day(places, midnight=MIDNIGHT, ends_at=ends_at, seed=SEED)
        clock = FastClock(
            origin=MIDNIGHT,
            started=time.monotonic() + LEAD_SECONDS,
            speed=DAY.total_seconds() / seconds,
        )
        with System(settings, clock) as system, _progress(count_steps(days)) as advance:
            address = system.addresses[0]
            tally = asyncio.run(run_fleet(days, address=address, clock=clock, on_step=advance))
            has_settled = _settle(system.dsn)
    return DemoDay(
        settings=settings,
        days=days,
        tally=tally,
        real_seconds=time.monotonic() - began,
        has_settled=has_settled,
    )


def _declare(connection: Connection[Any]) -> list[Place]:
    """Publish the example tariffs, apply the example fleet; return the stations with their keys."""
    tariffs = sorted([*EXAMPLES.glob("tariffs/*.yaml"), *EXAMPLES.glob("demo/*.yaml")])
    fleet = EXAMPLES / "fleet.yaml"
    if not tariffs or not fleet.is_file():
        raise NoExamplesError(EXAMPLES)
    texts = [(path.read_text("utf-8"), str(path)) for path in tariffs]
    publish_files(connection, texts, by="demo", at=DECLARED_AT)
    master_data = [(fleet.read_text("utf-8"), str(fleet))]
    applied = apply_files(connection, master_data, by="demo", at=DECLARED_AT)
    return _places(load_declarations(connection), applied.passwords)


def _places(known: Declarations, passwords: dict[str, str]) -> list[Place]:
    tokens: dict[str | None, list[str]] = {}
    for uid in known.keys(Kind.TOKEN):
        token = known.token(uid, MIDNIGHT)
        tokens.setdefault(token.group if token else None, []).append(uid.upper())
    places = []
    for station_id, password in passwords.items():
        station = known.station(station_id, MIDNIGHT)
        assert station is not None, station_id
        guests = [uid for group in GUESTS[station.site] for uid in tokens[group]]
        places.append(
            Place(
                station_id=station_id,
                password=password,
                connectors=len(station.connectors),
                power_w_max=int(station.max_power_w or 22_080),
                token_uids=guests,
            )
        )
    return places


def _settle(dsn: str) -> bool:
    """Wait until all that came is worked off and nothing waits; say whether that was so."""
    limit = time.monotonic() + SETTLE_SECONDS_MAX
    with connect(dsn) as connection:
        while time.monotonic() < limit:
            if _is_settled(connection):
                return True
            time.sleep(0.2)
    return False


_UNSETTLED: LiteralString = """
SELECT
    (SELECT count(*) FROM session WHERE state IN ('open', 'waiting'))
    + (SELECT count(*) FROM log_head LEFT JOIN worker_position USING (partition)
       WHERE log_head.next_position <> coalesce(worker_position.next_position, 0))
    + (SELECT count(*) FROM uninvoiced_session WHERE invoicing = 'per_session')
    -- What was rated after its month's invoice waits for the next month's.
    + (SELECT count(*) FROM uninvoiced_session AS waiting
       WHERE invoicing = 'per_month' AND billing_month <= %(month)s AND NOT EXISTS (
           SELECT FROM issued_invoice AS issued WHERE issued.customer = waiting.customer
           AND issued.cause LIKE 'month:%%' AND issued.cause LIKE '%%' || %(month)s || '%%'
       ))
"""


def _is_settled(connection: Connection[Any]) -> bool:
    month = f"{MIDNIGHT + DAY / 2:%Y-%m}"
    return connection.execute(_UNSETTLED, {"month": month}).fetchone() == (0,)


@contextmanager
def _progress(steps: int) -> Iterator[Any]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} things that happened"),
        TimeElapsedColumn(),
        console=console(),
        transient=True,
    )
    with bar:
        task = bar.add_task("The fleet's day", total=steps)
        yield lambda: bar.advance(task)
