"""CDRs that are told at the same moment are taken together: one look, one commit for all.

Each is looked through alone first, so what cannot be taken is refused to who told it. What comes
while some are taken waits, and is taken with all that came meanwhile; nobody waits for a clock.

    A, B, C at once  -> A alone; then B and C together

If those that are taken together fail, each of them hears so, and its sender tells it again. Of two
under one id that come to two processes at once, the second waits until the first is kept.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.log.envelope import PartnerMessage, encode_line
from ledger.log.event_log import LineWriter, Position, partition_of
from ledger.partners.messages import CutMessage
from roaming_ocpi.incoming.taking.sealing_messages import sealed_messages
from roaming_ocpi.incoming.told import digest_of

ADDRESS_CHARACTERS: Final = 40
TOGETHER_MAX: Final = 256
# Each process in the same order, so that none waits for one that waits for it.
_LOCK: LiteralString = """
SELECT pg_advisory_xact_lock(lock) FROM (
    SELECT DISTINCT hashtextextended('received_cdr ' || party || ' ' || cdr_key, 0) AS lock
    FROM unnest(%s::text[], %s::text[]) AS given (party, cdr_key) ORDER BY lock
) AS locks
"""
_KNOWN: LiteralString = """
SELECT party, cdr_key, digest FROM received_cdr
JOIN (SELECT DISTINCT * FROM unnest(%s::text[], %s::text[]) AS given (party, cdr_key)) AS asked
    USING (party, cdr_key)
ORDER BY position, line
"""
_ADD: LiteralString = """
INSERT INTO received_cdr (party, cdr_key, digest, address, partition, position, line, body, sealed,
    received_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::text[], %s::int[], %s::bigint[],
    %s::int[], %s::text[], %s::text[], %s::timestamptz[])
ON CONFLICT DO NOTHING
"""


class TakenCdr(NamedTuple):
    """What became of a CDR. `is_other`: under its id another one is known, which holds."""

    address: str
    is_new: bool
    is_other: bool


class _FitCdr(NamedTuple):
    """A CDR that is fit to be taken, and who waits for that."""

    key: str
    cut: CutMessage
    waiter: asyncio.Future[TakenCdr]


class _NewCdr(NamedTuple):
    """A CDR that is not known yet, as it is kept."""

    key: str
    digest: bytes
    address: str
    line: PartnerMessage


class CdrTaking:
    """Takes CDRs for one process, on one event loop."""

    def __init__(
        self, database: AsyncConnectionPool[AsyncConnection[Any]], log: LineWriter
    ) -> None:
        self._database, self._log = database, log
        self._waiting: list[_FitCdr] = []
        self._worker: asyncio.Task[None] | None = None

    async def take(self, key: str, cut: CutMessage) -> TakenCdr:
        """Take the CDR of the folded id *key*; it is durable then.

        Raises:
            LogUnavailableError: If it may not have been stored.
        """
        waiter: asyncio.Future[TakenCdr] = asyncio.get_running_loop().create_future()
        self._waiting.append(_FitCdr(key, cut, waiter))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._take_waiting())
        return await waiter

    async def _take_waiting(self) -> None:
        while self._waiting:
            some = self._waiting[:TOGETHER_MAX]
            del self._waiting[:TOGETHER_MAX]
            try:
                for each, found in zip(some, await self._taken(some), strict=True):
                    if not each.waiter.done():
                        each.waiter.set_result(found)
            except Exception as error:  # noqa: BLE001 - each who waits raises it
                _fail(some, error)
            except BaseException:
                _fail([*some, *self._waiting], asyncio.CancelledError())
                raise

    async def _taken(self, told: Sequence[_FitCdr]) -> list[TakenCdr]:
        async with self._database.connection() as connection:
            # Subjects are durable before a line that needs their keys.
            lines = await sealed_messages(connection, [each.cut for each in told])
            asked = [line.party for line in lines], [each.key for each in told]
            async with connection.transaction():
                await connection.execute(_LOCK, asked)
                rows = await (await connection.execute(_KNOWN, asked)).fetchall()
                taken, new = _sorted_out(told, lines, rows)
                if new:
                    await self._keep(connection, new)
        return taken

    async def _keep(self, connection: AsyncConnection[Any], new: Sequence[_NewCdr]) -> None:
        parts = [partition_of(each.line.party, partitions=self._log.partitions) for each in new]
        appends = [
            self._log.append(part, encode_line(each.line))
            for part, each in zip(parts, new, strict=True)
        ]
        places = await asyncio.gather(*appends)
        rows = [_row(each, at) for each, at in zip(new, places, strict=True)]
        await connection.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def _sorted_out(
    told: Sequence[_FitCdr], lines: Sequence[PartnerMessage], rows: Sequence[tuple[Any, ...]]
) -> tuple[list[TakenCdr], list[_NewCdr]]:
    """Return what becomes of each, and those that are to be kept; *rows* are known, in order."""
    known: defaultdict[tuple[str, str], list[bytes]] = defaultdict(list)
    for party, key, digest in rows:
        known[party, key].append(bytes(digest))
    taken, new = [], []
    for each, line in zip(told, lines, strict=True):
        before = known[line.party, each.key]
        digest, address = digest_of(line.body, line.sealed), address_of(line.party, each.key)
        is_new = digest not in before
        taken.append(TakenCdr(address, is_new, bool(before) and before[0] != digest))
        if is_new:
            before.append(digest)
            new.append(_NewCdr(each.key, digest, address, line))
    return taken, new


def address_of(party: str, cdr_key: str) -> str:
    """Return how the address of a CDR ends: ids have characters that no path bears."""
    digest = sha256(f"{party}/{cdr_key}".encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:ADDRESS_CHARACTERS]


def _row(new: _NewCdr, at: Position) -> tuple[object, ...]:
    line = new.line
    seals = msgspec.json.encode(line.sealed).decode()
    kept = (line.party, new.key, new.digest, new.address)
    return (*kept, *at, line.body, seals, line.received_at)


def _fail(some: Sequence[_FitCdr], error: BaseException) -> None:
    for each in some:
        if not each.waiter.done():
            each.waiter.set_exception(error)
