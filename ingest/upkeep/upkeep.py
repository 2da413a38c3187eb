"""The upkeep: one server of a system, whoever holds the lease, does it for all stations.

It asks through rows, as everybody does, so it matters not which process has a station; and it waits
for no answer. A round that fails is made up for by the next one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg import Connection

from ingest.campaigns.rounds import FirmwareOrder, campaign_round
from ingest.clock import Clock
from ingest.commands.asking import Patience, StationCommands
from ingest.errors import IngestError
from ingest.files.clearing import clear_files
from ingest.upkeep.gap_questions import Gap, question_about, take_gaps
from ingest.upkeep.list_keeping import ListKeeper
from ledger.database import connect
from ledger.declared.declarations import POLICY_KEY, Kind, decode_entity
from ledger.errors import LedgerError
from ledger.leases import Lease, hold_lease, leave, take_lease
from ledger.master_data.policies import Policy

UPKEEP_SECONDS: Final = 60.0
LEASE: Final = "upkeep"
BY: Final = "wattledger"
CLEARED_AT_ONCE: Final = 50_000
ORDER_SECONDS: Final = 60.0
"""How long a station may take to answer a call of a campaign."""
_LASTS: Final = 1.5
_POLICY: LiteralString = """
SELECT body FROM declaration WHERE kind = %s AND key = %s AND valid_from <= %s
ORDER BY valid_from DESC, version DESC LIMIT 1
"""
# Long after its deadline nobody carries a call out any more, whatever its row says. One that a
# campaign waits for would else be asked for anew.
_CLEAR: LiteralString = """
DELETE FROM station_command WHERE id IN (
    SELECT id FROM station_command AS old WHERE deadline < now() - %s * interval '1 day'
      AND NOT EXISTS (SELECT FROM campaign_station AS asked
                      WHERE asked.command_id = old.id AND asked.state = 'asked')
    LIMIT %s)
"""
_LOGGER = logging.getLogger(__name__)


class KeptFiles(NamedTuple):
    """Where stations reach files, "" nowhere, and for how many days those they sent are kept."""

    base: str
    kept_days: int


class Upkeep:
    """The upkeep as one process does it, while it holds the lease."""

    def __init__(
        self,
        dsn: str,
        *,
        commands: StationCommands,
        clock: Clock,
        lists: ListKeeper,
        holder: str,
        kept_days: int,
        files: KeptFiles,
        seconds: float = UPKEEP_SECONDS,
    ) -> None:
        """Begin without the lease.

        Args:
            dsn: The database.
            commands: By which stations are asked.
            clock: The product's clock.
            lists: What keeps the local lists.
            holder: What this server is called: the same after a restart, no other's at once.
            kept_days: For how many days after its deadline a call's row is kept.
            files: Where files are, and for how long.
            seconds: How far the rounds are apart.
        """
        self._dsn, self._commands, self._clock, self._holder = dsn, commands, clock, holder
        self._lists, self._kept_days, self._seconds = lists, kept_days, seconds
        self._files = files
        self._listing: asyncio.Task[int] | None = None
        self._connection: Connection[Any] | None = None
        self._lease: Lease | None = None

    async def run(self) -> None:
        """Make a round every so many seconds of real time, until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.round()
            except (LedgerError, IngestError, psycopg.Error) as error:
                _LOGGER.warning("no upkeep: %s", error)
                self._lease = None
            except Exception:
                # A fault of ours must not end what nobody would miss for days.
                _LOGGER.exception("no upkeep")

    async def round(self) -> int:
        """Do what is due, if this is the process that does it; return how many were asked."""
        gaps, orders = await asyncio.to_thread(self._take_turn)
        await asyncio.gather(*map(self._ask, gaps), *map(self._order, orders))
        # Beside the rounds: a slow station's list must hold up no question.
        if self._lease is not None and (self._listing is None or self._listing.done()):
            self._listing = asyncio.create_task(self._lists.round())
            self._listing.add_done_callback(_hear)
        return len(gaps)

    async def stop(self) -> None:
        """Stop what goes on beside the rounds."""
        if self._listing is not None:
            self._listing.cancel()
            await asyncio.gather(self._listing, return_exceptions=True)

    def close(self) -> None:
        """Give the lease up, so that another process need not wait for its end."""
        leave(self._connection, self._lease)

    def _take_turn(self) -> tuple[list[Gap], list[FirmwareOrder]]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn)
        connection, lasts = self._connection, _LASTS * self._seconds
        if self._lease is None:
            self._lease = take_lease(connection, LEASE, holder=self._holder, seconds=lasts)
        if self._lease is None:
            return [], []
        now = self._clock.now()
        with connection.transaction():
            hold_lease(connection, self._lease, seconds=lasts)
            row = connection.execute(_POLICY, (Kind.POLICY, POLICY_KEY, now)).fetchone()
            policy = decode_entity(Kind.POLICY, row[0]) if row else None
            known = policy if isinstance(policy, Policy) else Policy()
            gaps = take_gaps(connection, known, at=now)
        with connection.transaction():
            hold_lease(connection, self._lease, seconds=lasts)
            orders = campaign_round(connection, self._files.base, by=BY, at=now)
        connection.execute(_CLEAR, (self._kept_days, CLEARED_AT_ONCE))
        clear_files(connection, kept_days=self._files.kept_days)
        return gaps, orders

    async def _ask(self, gap: Gap) -> None:
        call = question_about(gap)
        if call is None:
            return
        payload = msgspec.json.encode(call.payload).decode()
        try:
            await self._commands.ask(
                gap.station_id, call.action, payload, by=BY, patience=Patience(wait=0)
            )
        except IngestError as error:
            # It went meanwhile, or named its transaction as no call may.
            _LOGGER.info("%s is not asked about %s: %s", gap.station_id, gap.session_id, error)

    async def _order(self, order: FirmwareOrder) -> None:
        payload = msgspec.json.encode(order.call.payload).decode()
        try:
            await self._commands.ask(
                order.station_id,
                order.call.action,
                payload,
                by=f"campaign {order.campaign}",
                patience=Patience(wait=0, answer=ORDER_SECONDS),
                command_id=order.command_id,
            )
        except IngestError as error:
            # It went meanwhile, or its version allows no such call: the next round looks again.
            _LOGGER.warning("campaign %s at %s: %s", order.campaign, order.station_id, error)


def _hear(listing: asyncio.Task[int]) -> None:
    if not listing.cancelled() and (error := listing.exception()) is not None:
        _LOGGER.warning("no local lists: %s", error)
