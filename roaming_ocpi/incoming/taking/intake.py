"""Takes in what a partner tells of our drivers: into the log, durably, before it is answered.

A push and a pull of the same object go the same way, so it does not matter which comes first, or
whether both do. What is known already is not appended again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.log.envelope import PartnerMessage, Sealed, encode_line
from ledger.log.event_log import LineWriter, partition_of
from ledger.partners.bounds import Bound
from ledger.partners.messages import cut_message
from ledger.partners.tokens import BY_DEFAULT
from ledger.partners.told_counts import ToldCounts
from ledger.persons.sealing import restored
from ledger.persons.store import KEYS
from roaming_ocpi.incoming.taking.cdr_taking import CdrTaking, TakenCdr
from roaming_ocpi.incoming.taking.sealing_messages import sealed_messages
from roaming_ocpi.incoming.told import (
    CDRS,
    SESSION_PARTS,
    SESSIONS,
    identity_of,
    said_of,
)
from roaming_ocpi.wire.merging import is_late, merge, moment_of
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import decode_json

_PERIODS: Final = ("charging_periods",)
_AT_ADDRESS: LiteralString = """
SELECT body, sealed FROM received_cdr WHERE address = %s AND party = ANY (%s)
ORDER BY position, line LIMIT 1
"""
# Whoever changes a session waits here for who does so already: parts must not overtake each other.
_LOCK_SESSION: LiteralString = """
SELECT pg_advisory_xact_lock(hashtextextended('received_session ' || %s || ' ' || %s, 0))
"""
_SESSION: LiteralString = """
SELECT last_updated, body, sealed FROM received_session WHERE party = %s AND session_key = %s
"""
_PUT_SESSION: LiteralString = """
INSERT INTO received_session (party, session_key, last_updated, body, sealed, received_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (party, session_key) DO UPDATE SET last_updated = excluded.last_updated,
    body = excluded.body, sealed = excluded.sealed, received_at = excluded.received_at
"""
_SEALS: Final = msgspec.json.Decoder(tuple[Sealed, ...])


class GivenObject(NamedTuple):
    """An object of `party` as it came: the JSON tree, its text, and when.

    The tree was checked (`wire.walls.check_tree`) by who read it.
    """

    party: str
    value: Mapping[str, Any]
    text: str
    now: datetime


class KeptSession(NamedTuple):
    """A session as it is kept: what was told, opened; `is_shut`: not all of it can be opened."""

    last_updated: datetime
    value: dict[str, Any]
    is_shut: bool


class PartnerIntake:
    """Takes objects in; one for a process. *told* counts them, within bounds."""

    def __init__(
        self,
        database: AsyncConnectionPool[AsyncConnection[Any]],
        log: LineWriter,
        told: ToldCounts = BY_DEFAULT,
    ) -> None:
        self._database, self._log, self._told = database, log, told
        self._cdrs = CdrTaking(database, log, told)

    async def take_cdr(self, given: GivenObject) -> TakenCdr:
        """Take a CDR; it is durable then.

        Raises:
            UnfitObjectError: If it has no id.
            OcpiError: If it could not be written again.
            UnfitMessageError: If it is too long.
            TooMuchToldError: If its party told too much today.
            LogUnavailableError: If it may not have been stored.
        """
        key = identity_of(given.value, "CDR").casefold()
        return await self._cdrs.take(key, cut_message(_message(given, CDRS)))

    async def cdr_at(self, address: str, parties: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
        """Return the CDR at *address* if it is one of *parties*, else None."""
        async with self._database.connection() as connection:
            rows = await connection.execute(_AT_ADDRESS, (address, sorted(parties)))
            found = await rows.fetchone()
            if found is None:
                return None
            text, _ = await _opened(connection, *found)
        return decode_json(text.encode())

    async def put_session(self, given: GivenObject) -> bool:
        """Take a whole session; say whether it is newer than what is kept.

        Raises:
            OcpiError: If it does not say when it was updated, or something in it cannot be read.
            As `take_cdr`.
        """
        key = identity_of(given.value, "session").casefold()
        updated = moment_of(given.value)
        said_of(given.value)
        async with self._database.connection() as connection:
            # Before anything is made of it: another push may come between, and counts by itself.
            before = await _kept(connection, given.party, key)
            if before is not None and before.value == given.value:
                return True
            await self._count(connection, given, is_new=before is None)
            # Subjects are durable before a line that needs their keys.
            line = await _sealed(connection, given, SESSIONS)
            async with connection.transaction():
                await connection.execute(_LOCK_SESSION, (given.party, key))
                kept = await _kept(connection, given.party, key)
                # However it is spelt: the same session is pushed with spaces and listed without.
                if kept is not None and kept.value == given.value:
                    return True
                await self._append(line)
                if kept is not None and is_late(kept.last_updated, updated, given.now):
                    return False
                row = (given.party, key, updated, line.body, _seals(line), given.now)
                await connection.execute(_PUT_SESSION, row)
        return True

    async def patch_session(self, given: GivenObject, session_id: str) -> bool | None:
        """Take parts of a session; say whether they are newer, None: it was never told.

        Raises:
            As `put_session`.
        """
        key = session_id.casefold()
        updated = moment_of(given.value)
        said_of(given.value)
        text = given.text if "id" in given.value else _with_id(given.text, session_id)
        async with self._database.connection() as connection:
            if await _kept(connection, given.party, key) is None:
                return None
            await self._count(connection, given, is_new=False)
            part = await _sealed(connection, given._replace(text=text), SESSION_PARTS)
            async with connection.transaction():
                await connection.execute(_LOCK_SESSION, (given.party, key))
                kept = await _kept(connection, given.party, key)
                if kept is None:
                    return None
                is_newer = not is_late(kept.last_updated, updated, given.now)
                line = None
                if is_newer and not kept.is_shut:  # else nobody is left to keep it for
                    merged = merge(kept.value, given.value, added=_PERIODS)
                    whole = given._replace(value=merged, text=encoded(merged).decode())
                    # What the parts make together may be too much: then there is no line of them.
                    self._check_periods(whole)
                    line = await _sealed(connection, whole, SESSIONS)
                await self._append(part)
                if line is not None:
                    row = (given.party, key, updated, line.body, _seals(line), given.now)
                    await connection.execute(_PUT_SESSION, row)
        return is_newer

    async def session(self, party: str, session_id: str) -> KeptSession | None:
        """Return a session as it was told last."""
        async with self._database.connection() as connection:
            return await _kept(connection, party, session_id.casefold())

    async def _count(
        self, connection: AsyncConnection[Any], given: GivenObject, *, is_new: bool
    ) -> None:
        """Count what is told of a session, by itself: its row is for no one else to wait for."""
        self._check_periods(given)
        more = {Bound.SESSIONS: int(is_new), Bound.MESSAGES: 1, Bound.BYTES: len(given.text)}
        async with connection.transaction():
            await self._told.add(connection, given.party, more, given.now)

    def _check_periods(self, given: GivenObject) -> None:
        """Check how many periods a session has."""
        periods = given.value.get("charging_periods")
        if isinstance(periods, list):
            bounds = self._told.bounds
            bounds.check(given.party, Bound.SESSION_PERIODS, len(periods), given.now)

    async def _append(self, line: PartnerMessage) -> None:
        partition = partition_of(line.party, partitions=self._log.partitions)
        await self._log.append(partition, encode_line(line))


def _with_id(text: str, session_id: str) -> str:
    """Return a JSON object's *text* with the id that its address says."""
    inner = text[text.index("{") + 1 :]
    comma = "" if inner.lstrip().startswith("}") else ","
    return f'{{"id":{msgspec.json.encode(session_id).decode()}{comma}{inner}'


def _message(given: GivenObject, what: str) -> PartnerMessage:
    return PartnerMessage(received_at=given.now, party=given.party, what=what, body=given.text)


async def _sealed(
    connection: AsyncConnection[Any], given: GivenObject, what: str
) -> PartnerMessage:
    """Return the line of a message, with who stands in it cut out."""
    [line] = await sealed_messages(connection, [cut_message(_message(given, what))])
    return line


async def _kept(connection: AsyncConnection[Any], party: str, key: str) -> KeptSession | None:
    found = await (await connection.execute(_SESSION, (party, key))).fetchone()
    if found is None:
        return None
    updated, body, sealed = found
    text, is_shut = await _opened(connection, body, sealed)
    return KeptSession(updated, decode_json(text.encode()), is_shut)


async def _opened(connection: AsyncConnection[Any], body: str, sealed: str) -> tuple[str, bool]:
    """Return a body as it came, and whether somebody in it was erased since."""
    seals = _SEALS.decode(sealed)
    wanted = sorted({part.subject for part in seals})
    rows = await (await connection.execute(KEYS, (wanted,))).fetchall()
    found = restored(body, seals, dict(rows))
    return found.text, bool(found.shut)


def _seals(line: PartnerMessage) -> str:
    return msgspec.json.encode(line.sealed).decode()
