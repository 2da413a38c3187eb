"""Lets the demo's time pass: it moves on only once everything has come to rest.

At an instant all that happens then happens, one thing after the other: every frame is answered, the
worker takes the whole log, what is due is invoiced. Only then is the clock moved, to the fleet's
next step or to where a part of the system is to wake (the ticks), whatever comes first. So no
figure depends on how fast anything ran.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, LiteralString, Self

from deploy.clock import SteppedClock
from deploy.demo.gathered_log import GatheredLog
from deploy.errors import DeployError
from deploy.fleet.fleet import Fleet, FleetStep
from deploy.fleet.station import Tally
from deploy.fleet.station_plan import StepKind
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.invoices.invoicer import decided_up_to
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import ISSUING_LOCK, issue_due

REST_SECONDS_MAX: Final = 600.0
"""Real time that a very slow machine may take over one step."""
_LOOK_SECONDS: Final = 0.002
_TELLING: Final = frozenset({StepKind.OFFLINE, StepKind.ONLINE, StepKind.LEFT})
"""Steps after which, as after each stop, the server has something left to do or the worker to
decide. After all others the answer is the last thing that happens, and when the worker takes a
frame that decides nothing makes no difference."""

_HEADS: LiteralString = "SELECT partition, next_position FROM log_head ORDER BY partition"
_IS_AT_REST: LiteralString = """
SELECT NOT EXISTS (
    SELECT FROM log_head LEFT JOIN worker_position USING (partition)
    WHERE log_head.next_position <> coalesce(worker_position.next_position, 0)
) AND %s <= (
    SELECT coalesce(sum(lines), 0) FROM log_batch
    JOIN unnest(%s::int[], %s::bigint[]) AS known (partition, next_position) USING (partition)
    WHERE log_batch.position >= known.next_position
)
"""
_MAY_BE_DUE: LiteralString = """
SELECT EXISTS (
    SELECT FROM uninvoiced_session WHERE invoicing = 'per_session' OR billing_month < %(month)s
)
"""
_CALENDARS_AHEAD: Final = timedelta(hours=14)


class NotAtRestError(DeployError):
    """Something of the system does not come to an end, so that time cannot pass."""

    def __init__(self, what: str, at: datetime) -> None:
        super().__init__(f"{what} at {at:%Y-%m-%d %H:%M:%S} UTC, so time cannot pass")


class Conductor:
    """Moves the clock and plays the fleet's steps; `rest` is for the fleet to await at each stop.

    The system's part that issues invoices looks twice a second of real time, and the demo has no
    such time: its turn is taken here, at each rest, and it finds the lock taken meanwhile.
    """

    def __init__(self, dsn: str, *, clock: SteppedClock, tally: Tally, log: GatheredLog) -> None:
        self.clock, self._tally, self._log = clock, tally, log
        self._books = connect(dsn)
        self._declarations = load_declarations(self._books)
        self._issuer = InvoiceIssuer(dsn)
        self._known: dict[int, int] = {}
        self._known_lines = 0

    async def __aenter__(self) -> Self:
        self._books.execute("SELECT pg_advisory_lock(%s)", (ISSUING_LOCK,))
        self._take_stock()
        await self._until(lambda: self.clock.next_wake() is not None, "no part waits for time")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._issuer.close()
        self._books.close()  # and with it the lock

    async def play(self, fleet: Fleet, due: FleetStep) -> None:
        """Let time pass until *due*, and let *fleet* play it."""
        await self.pass_time(due.step.at)
        await fleet.play(due)
        if due.step.kind in _TELLING:
            await self.rest()

    async def pass_time(self, until: datetime) -> None:
        """Move the clock to *until*; who is to wake on the way wakes at his own instant."""
        while (wakes_at := self.clock.next_wake()) is not None and wakes_at <= until:
            await self._work_off()
            self.clock.move_to(wakes_at)
            await self._until(lambda: not self.clock.is_anyone_awake(), "a part stays awake")
            # How many ticks there are is theirs to know: all of them are in the log by now.
            self._take_stock()
            await self.rest()
        self.clock.move_to(until)

    async def let(self, act: Callable[[], object]) -> None:
        """Let somebody else *act* at this instant, beside the fleet."""
        await self.rest()
        act()
        self._take_stock()
        await self.rest()

    async def rest(self) -> None:
        """Return once all that was said is logged and worked off, and what is due is invoiced."""
        await self._work_off()
        self._issue_invoices()

    async def _work_off(self) -> None:
        self._log.store(self._books)
        await self._until(self._is_at_rest, "the log is not worked off")
        self._take_stock()

    def _is_at_rest(self) -> bool:
        said = self._tally.lines - self._known_lines
        known = [list(self._known), list(self._known.values())]
        return self._books.execute(_IS_AT_REST, (said, *known)).fetchone() == (True,)

    def _take_stock(self) -> None:
        """Note how far the log is: what is said from here on must come after it."""
        self._known = dict(self._books.execute(_HEADS).fetchall())
        self._known_lines = self._tally.lines

    def _issue_invoices(self) -> None:
        """Issue what is due by the time of the last record, on the connection that may."""
        month = {"month": f"{self.clock.now() + _CALENDARS_AHEAD:%Y-%m}"}
        if self._books.execute(_MAY_BE_DUE, month).fetchone() == (False,):
            return
        up_to = decided_up_to(self._books)
        if up_to is not None:
            issue_due(self._books, self._issuer, self._declarations, up_to=up_to)

    async def _until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        limit = time.monotonic() + REST_SECONDS_MAX
        while not is_so():
            if time.monotonic() > limit:
                raise NotAtRestError(otherwise, self.clock.now())
            await asyncio.sleep(_LOOK_SECONDS)
