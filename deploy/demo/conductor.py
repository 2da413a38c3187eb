"""Lets the demo's time pass: it moves on only once everything has come to rest.

At an instant all that happens then happens, one thing after the other: every frame is answered, the
worker takes the whole log, what is due is invoiced. Only then is the clock moved, to the fleet's
next step or to where a part of the system is to wake (the ticks), whatever comes first. So no
figure depends on how fast anything ran.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, LiteralString, Self

from deploy.clock import SteppedClock
from deploy.demo.gathered_log import GatheredLines
from deploy.errors import DeployError
from deploy.fleet.fleet import Fleet, FleetStep
from deploy.fleet.station import Tally
from deploy.fleet.station_plan import StepKind
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.invoices.invoicer import decided_up_to
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import ISSUING_LOCK, issue_due
from ledger.log.event_log import EventLog
from ledger.worker.position import has_caught_up
from projections.documents.keeping.electronic_check import ElectronicCheck

REST_SECONDS_MAX: Final = 600.0
"""Real time that a very slow machine may take over one step."""
_LOOK_SECONDS: Final = 0.002
_PAGE: Final = 500
_TELLING: Final = frozenset({StepKind.OFFLINE, StepKind.ONLINE, StepKind.LEFT})
"""Steps after which, as after each stop, the server has something left to do or the worker to
decide. After all others the answer is the last thing that happens, and when the worker takes a
frame that decides nothing makes no difference."""

_MAY_BE_DUE: LiteralString = """
SELECT EXISTS (
    SELECT FROM uninvoiced_session WHERE invoicing = 'per_session' OR billing_month < %(month)s
) OR EXISTS (SELECT FROM correction_to_document WHERE NOT is_settled_with_partner)
"""
_CALENDARS_AHEAD: Final = timedelta(hours=14)


class NotAtRestError(DeployError):
    """Something of the system does not come to an end, so that time cannot pass."""

    def __init__(self, what: str, at: datetime) -> None:
        super().__init__(f"{what} at {at:%Y-%m-%d %H:%M:%S} UTC, so time cannot pass")


def _tell_refused(cause: str, why: Exception) -> None:
    logging.getLogger("wattledger.demo").error("no invoice for %s: %s", cause, why)


class Conductor:
    """Moves the clock and plays the fleet's steps; `rest` is for the fleet to await at each stop.

    The system's part that issues invoices looks twice a second of real time, and the demo has no
    such time: its turn is taken here, at each rest, and it finds the lock taken meanwhile.
    """

    def __init__(
        self, dsn: str, *, clock: SteppedClock, tally: Tally, gathered: GatheredLines, log: EventLog
    ) -> None:
        """Connect to *dsn*.

        Args:
            dsn: The running system's database.
            clock: What is to be moved.
            tally: What the fleet counts.
            gathered: Lines that are to be stored at each rest.
            log: The system's event log; it stays the caller's to close.
        """
        self.clock, self._tally, self._gathered, self._log = clock, tally, gathered, log
        self._books = connect(dsn)
        self._declarations = load_declarations(self._books)
        self._check = ElectronicCheck(dsn)
        self._issuer = InvoiceIssuer(dsn, self._check)
        self._known = [0] * log.partitions
        self._logged_lines = self._known_lines = 0

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
        self._check.close()
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

    async def let(self, act: Callable[[], Awaitable[object]]) -> None:
        """Let somebody else *act* at this instant, beside the fleet."""
        await self.rest()
        await act()
        self._take_stock()
        await self.rest()

    async def rest(self) -> None:
        """Return once all that was said is logged and worked off, and what is due is invoiced."""
        await self._work_off()
        self._issue_invoices()

    async def _work_off(self) -> None:
        self._gathered.store(self._log)
        await self._until(self._is_at_rest, "the log is not worked off")
        self._known_lines, self._logged_lines = self._tally.lines, 0

    def _is_at_rest(self) -> bool:
        ends = self._read_on()
        is_all_logged = self._logged_lines >= self._tally.lines - self._known_lines
        return is_all_logged and has_caught_up(self._books, ends)

    def _read_on(self) -> Sequence[int]:
        """Count the lines that came into the log since the last time; return where it ends."""
        ends = self._log.ends()
        for partition, end in enumerate(ends):
            while self._known[partition] < end:
                for record in self._log.read(partition, self._known[partition], records=_PAGE):
                    self._logged_lines += record.payload.count(b"\n") + 1
                    self._known[partition] = record.position + 1
        return ends

    def _take_stock(self) -> None:
        """Note how far the log is: what is said from here on must come after it."""
        self._read_on()
        self._known_lines, self._logged_lines = self._tally.lines, 0

    def _issue_invoices(self) -> None:
        """Issue what is due by the time of the last record, on the connection that may."""
        month = {"month": f"{self.clock.now() + _CALENDARS_AHEAD:%Y-%m}"}
        if self._books.execute(_MAY_BE_DUE, month).fetchone() == (False,):
            return
        up_to = decided_up_to(self._books)
        if up_to is not None:
            issue_due(
                self._books, self._issuer, self._declarations, up_to=up_to, told=_tell_refused
            )

    async def _until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        limit = time.monotonic() + REST_SECONDS_MAX
        while not is_so():
            if time.monotonic() > limit:
                raise NotAtRestError(otherwise, self.clock.now())
            await asyncio.sleep(_LOOK_SECONDS)
