"""CDRs that are told at the same moment are taken together: one look, one commit for all.

Each is looked through alone first, so what cannot be taken is refused to who told it. What comes
while some are taken waits, and is taken with all that came meanwhile; nobody waits for a clock.

    A, B, C at once  -> A alone; then B and C together

One that is known in other words (`verdicts.retelling`) is nothing new; in the form of another
version it is kept, and no other one. If those that are taken together fail, each of them hears so,
and its sender tells it again. Of two under one id that come to two processes at once, the second
waits until the first is kept.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.log.envelope import PartnerMessage, Sealed, encode_line
from ledger.log.event_log import LineWriter, Position, partition_of
from ledger.partners.bounds import Bound, TooMuchToldError, until_tomorrow
from ledger.partners.messages import CutMessage
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.incoming.taking.sealing_messages import sealed_messages
from roaming_ocpi.incoming.told import CDRS, MessageReader, digest_of
from roaming_ocpi.incoming.verdicts.retelling import Retelling, retelling

_SEALS: Final = msgspec.json.Decoder(tuple[Sealed, ...])
ADDRESS_CHARACTERS: Final = 40
TOGETHER_MAX: Final = 256
# Each process in the same order, so that none waits for one that waits for it.
_LOCK: LiteralString = """
SELECT pg_advisory_xact_lock(lock) FROM (
    SELECT DISTINCT hashtextextended('received_cdr ' || party || ' ' || cdr_key, 0) AS lock
    FROM unnest(%b::text[], %b::text[]) AS given (party, cdr_key) ORDER BY lock
) AS locks
"""
_KNOWN: LiteralString = """
SELECT party, cdr_key, digest FROM received_cdr
JOIN (SELECT DISTINCT * FROM unnest(%b::text[], %b::text[]) AS given (party, cdr_key)) AS asked
    USING (party, cdr_key)
ORDER BY position, line
"""
_FIRST: LiteralString = """
SELECT DISTINCT ON (party, cdr_key) party, cdr_key, body, sealed, received_at FROM received_cdr
JOIN unnest(%b::text[], %b::text[]) AS asked (party, cdr_key) USING (party, cdr_key)
ORDER BY party, cdr_key, position, line
"""
_ADD: LiteralString = """
INSERT INTO received_cdr (party, cdr_key, digest, address, partition, position, line, body, sealed,
    received_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bytea[], %b::text[], %b::int[], %b::bigint[],
    %b::int[], %b::text[], %b::text[], %b::timestamptz[])
ON CONFLICT DO NOTHING
"""


class TakenCdr(NamedTuple):
    """What became of a CDR. `is_other`: under its id another one is known, which holds.

    In other words, or in the form of another version, it is no other one.
    """

    address: str
    is_new: bool
    is_other: bool


class _FitCdr(NamedTuple):
    """A CDR that is fit to be taken, and who waits for that."""

    key: str
    cut: CutMessage
    waiter: asyncio.Future[TakenCdr]


class _CameCdr(NamedTuple):
    """A CDR as the log would keep it."""

    key: str
    line: PartnerMessage
    digest: bytes

    @property
    def identity(self) -> tuple[str, str]:
        return self.line.party, self.key


_Known = defaultdict[tuple[str, str], list[bytes]]


class _NewCdr(NamedTuple):
    """A CDR that is not known yet, as it is kept; `nth`: which of those that are taken it is."""

    nth: int
    key: str
    digest: bytes
    address: str
    line: PartnerMessage


class CdrTaking:
    """Takes CDRs for one process, on one event loop."""

    def __init__(
        self,
        database: AsyncConnectionPool[AsyncConnection[Any]],
        log: LineWriter,
        told: ToldCounts,
    ) -> None:
        self._database, self._log, self._told = database, log, told
        self._reader = MessageReader()
        self._waiting: list[_FitCdr] = []
        self._worker: asyncio.Task[None] | None = None

    async def take(self, key: str, cut: CutMessage) -> TakenCdr:
        """Take the CDR of the folded id *key*; it is durable then.

        Raises:
            TooMuchToldError: If its party told too much today.
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
                    if each.waiter.done():
                        continue
                    if isinstance(found, TooMuchToldError):
                        each.waiter.set_exception(found)
                    else:
                        each.waiter.set_result(found)
            except Exception as error:  # noqa: BLE001 - each who waits raises it
                _fail(some, error)
            except BaseException:
                _fail([*some, *self._waiting], asyncio.CancelledError())
                raise

    async def _taken(self, told: Sequence[_FitCdr]) -> list[TakenCdr | TooMuchToldError]:
        async with self._database.connection() as connection:
            full = await self._full(connection, told)
            if full:
                some = [each for index, each in enumerate(told) if index not in full]
                found = iter(await self._taken_of(some, connection))
                return [full.get(index) or next(found) for index in range(len(told))]
            return await self._taken_of(told, connection)

    async def _full(
        self, connection: AsyncConnection[Any], told: Sequence[_FitCdr]
    ) -> dict[int, TooMuchToldError]:
        """Return by its index which CDR there is no room for before anything is made of them.

        Only what is known may come again by then, and another one under its id is refused later.
        """
        full: dict[int, TooMuchToldError] = {}
        for party in {each.cut.message.party for each in told}:
            of_it = {n: each for n, each in enumerate(told) if each.cut.message.party == party}
            now = next(iter(of_it.values())).cut.message.received_at
            room = await self._told.room(connection, party, (Bound.MESSAGES,), now)
            if room[Bound.MESSAGES]:
                continue
            asked = [party] * len(of_it), [each.key for each in of_it.values()]
            rows = await (await connection.execute(_KNOWN, asked)).fetchall()
            known = {key for _, key, _ in rows}
            error = self._error(party, Bound.MESSAGES, now)
            full |= {n: error for n, each in of_it.items() if each.key not in known}
        return full

    async def _taken_of(
        self, told: Sequence[_FitCdr], connection: AsyncConnection[Any]
    ) -> list[TakenCdr | TooMuchToldError]:
        # Subjects are durable before a line that needs their keys.
        lines = await sealed_messages(connection, [each.cut for each in told])
        asked = [line.party for line in lines], [each.key for each in told]
        async with connection.transaction():
            await connection.execute(_LOCK, asked)
            known: _Known = defaultdict(list)
            for party, key, digest in await (await connection.execute(_KNOWN, asked)).fetchall():
                known[party, key].append(bytes(digest))
            came = [
                _CameCdr(each.key, line, digest_of(line.body, line.sealed))
                for each, line in zip(told, lines, strict=True)
            ]
            firsts = await self._firsts(connection, came, known)
            taken, new = self._sorted_out(came, known, firsts)
            found: list[TakenCdr | TooMuchToldError] = [*taken]
            fit: list[_NewCdr] = []
            for party in sorted({each.line.party for each in new}):
                some = [each for each in new if each.line.party == party]
                counted, bound = await self._count(connection, party, some)
                fit += some[:counted]
                for each in some[counted:]:
                    found[each.nth] = self._error(party, bound, each.line.received_at)
            if fit:
                await self._keep(connection, fit)
        return found

    async def _firsts(
        self, connection: AsyncConnection[Any], came: Sequence[_CameCdr], known: _Known
    ) -> dict[tuple[str, str], PartnerMessage]:
        """Return the first that was told under each id under which something else comes now."""
        unlike = {
            each.identity: None
            for each in came
            if (before := known[each.identity]) and before[0] != each.digest
        }
        if not unlike:
            return {}
        asked = [list(column) for column in zip(*unlike, strict=True)]
        rows = await (await connection.execute(_FIRST, asked)).fetchall()
        return {
            (party, key): PartnerMessage(
                received_at=at, party=party, what=CDRS, body=body, sealed=_SEALS.decode(sealed)
            )
            for party, key, body, sealed, at in rows
        }

    def _sorted_out(
        self,
        came: Sequence[_CameCdr],
        known: _Known,
        firsts: dict[tuple[str, str], PartnerMessage],
    ) -> tuple[list[TakenCdr], list[_NewCdr]]:
        """Return what becomes of each, and those that are to be kept; *known* are digests."""
        taken, new = [], []
        for index, each in enumerate(came):
            before, digest = known[each.identity], each.digest
            found = None
            if not before:
                firsts[each.identity] = each.line
            elif before[0] != digest:
                found = retelling(each.line, firsts[each.identity], self._reader)
            if found is Retelling.REWORDED:
                digest = before[0]
            address, is_new = address_of(each.line.party, each.key), digest not in before
            taken.append(TakenCdr(address, is_new, found is Retelling.OTHER))
            if is_new:
                before.append(digest)
                new.append(_NewCdr(index, each.key, digest, address, each.line))
        return taken, new

    async def _count(
        self, connection: AsyncConnection[Any], party: str, new: Sequence[_NewCdr]
    ) -> tuple[int, Bound]:
        """Count those there is room for; return how many, and what the others are too much of."""
        now = new[0].line.received_at
        room = await self._told.room(connection, party, (Bound.MESSAGES, Bound.BYTES), now)
        most, size, bound = room[Bound.MESSAGES], 0, Bound.MESSAGES
        for number, each in enumerate(new[:most]):
            if size + len(each.line.body) > room[Bound.BYTES]:
                most, bound = number, Bound.BYTES
                break
            size += len(each.line.body)
        fit = min(most, len(new))
        await self._told.add(connection, party, {Bound.MESSAGES: fit, Bound.BYTES: size}, now)
        return fit, bound

    def _error(self, party: str, bound: Bound, now: datetime) -> TooMuchToldError:
        most = self._told.bounds.most(bound)
        return TooMuchToldError(party, bound, most, wait=until_tomorrow(now))

    async def _keep(self, connection: AsyncConnection[Any], new: Sequence[_NewCdr]) -> None:
        parts = [partition_of(each.line.party, partitions=self._log.partitions) for each in new]
        appends = [
            self._log.append(part, encode_line(each.line))
            for part, each in zip(parts, new, strict=True)
        ]
        places = await asyncio.gather(*appends)
        rows = [_row(each, at) for each, at in zip(new, places, strict=True)]
        await connection.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


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
