"""The rows of partners' commands: added, claimed by one process at a time, ended.

A claimed row is left alone for a while; whoever claimed it ends it, or, if it was killed, somebody
else claims it again after that. The database's clock counts.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from ledger.persons.holders import partner_holder
from ledger.persons.sealing import Subject, seal, unseal
from ledger.persons.store import KEYS, find_or_make, keys_of
from roaming_ocpi.commands.orders import CommandOrder, NewCommand
from roaming_ocpi.commands.requests import CommandKind
from roaming_ocpi.wire.walls import encoded
from tariffs.ocpi.documents import decode_json

Pool = AsyncConnectionPool[AsyncConnection[Any]]
EXPIRES_SECONDS: Final = 900.0
"""So long after a command its result is still posted."""
CLAIM_SECONDS: Final = 90.0
"""Longer than a station may think, and a partner take its result."""
OPEN_MAX: Final = 50
"""Commands of one partner that are not at their end."""
_COUNT: LiteralString = """
SELECT count(*) FROM partner_command
WHERE party = %s AND state = 'asked' AND expires_at > clock_timestamp()
"""
_ADD: LiteralString = """
INSERT INTO partner_command (id, party, version, kind, station_id, evse_id, subject, reference,
    request, sealed_for, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp() + %s * interval '1 s')
"""
_RESERVE: LiteralString = """
INSERT INTO partner_reservation AS known (party, reservation_id, station_id, number, asked_at)
VALUES (%s, %s, %s, %s, clock_timestamp())
ON CONFLICT (party, reservation_id) DO UPDATE SET
    station_id = excluded.station_id, number = excluded.number, asked_at = excluded.asked_at
"""
# Of each partner a few, so that one with many, or a slow one, takes no other's turn.
_CLAIM: LiteralString = """
UPDATE partner_command SET next_at = clock_timestamp() + %(seconds)s * interval '1 s'
WHERE id IN (
    SELECT due.id FROM (
        SELECT id, row_number() OVER (PARTITION BY party ORDER BY next_at, id) AS turn
        FROM partner_command
        WHERE state IN ('asked', 'owed') AND next_at <= clock_timestamp()
          AND party <> ALL (%(full)s)
    ) AS due JOIN partner_command AS locked USING (id)
    WHERE due.turn <= %(each)s AND locked.next_at <= clock_timestamp()
    ORDER BY due.turn LIMIT %(many)s FOR UPDATE OF locked SKIP LOCKED
)
RETURNING id, party, version, kind, station_id, request, sealed_for, result::text, attempts,
    extract(epoch FROM expires_at - clock_timestamp())::float8
"""
_RESULT: LiteralString = """
UPDATE partner_command SET state = 'owed', result = %s WHERE id = %s AND state = 'asked'
"""
_POSTED: LiteralString = """
UPDATE partner_command SET state = 'posted', attempts = attempts + 1 WHERE id = %s
"""
_AGAIN: LiteralString = """
UPDATE partner_command SET attempts = attempts + 1, reason = %s,
    next_at = clock_timestamp() + %s * interval '1 s'
WHERE id = %s
"""
_DROPPED: LiteralString = """
UPDATE partner_command SET state = 'dropped', reason = %s WHERE id = %s
"""
_RELEASE: LiteralString = """
UPDATE partner_command SET next_at = clock_timestamp()
WHERE id = ANY (%s) AND state IN ('asked', 'owed')
"""
_PRUNE: LiteralString = """
WITH old AS (SELECT now() - %s * interval '1 day' AS at),
ended AS (
    DELETE FROM partner_command USING old
    WHERE asked_at < old.at AND state IN ('posted', 'dropped')
), reserved AS (
    DELETE FROM partner_reservation USING old WHERE asked_at < old.at
)
DELETE FROM asked_command USING old WHERE asked_at < old.at
"""
_ORDERS: Final = msgspec.json.Decoder(CommandOrder)


class OwedCommand(NamedTuple):
    """A command that is claimed. `order` None: whom it names was erased meanwhile.

    `result` is there once the station was called; `seconds` are left until nobody wants it.
    """

    id: UUID
    party: str
    version: str
    kind: CommandKind
    station_id: str
    order: CommandOrder | None
    result: dict[str, Any] | None
    attempts: int
    seconds: float

    def __repr__(self) -> str:
        return f"OwedCommand({self.id}, {self.kind})"


def add_command(command: NewCommand, connection: Connection[Any]) -> bool:
    """Keep a command; False where its partner has too many of them open."""
    with connection.transaction():
        ((count,),) = connection.execute(_COUNT, (command.party,)).fetchall()
        if count >= OPEN_MAX:
            return False
        subject = _sealing_subject(command, connection)
        text = msgspec.json.encode(command.order).decode()
        new = (
            command.id, command.party, command.version, str(command.kind), command.station_id,
            command.evse, command.subject, command.reference, seal(subject, text), subject.id,
            EXPIRES_SECONDS,
        )  # fmt: skip
        connection.execute(_ADD, new)
        if command.reservation_id is not None and command.kind is CommandKind.RESERVE_NOW:
            number = command.order.number
            reserved = (command.party, command.reservation_id, command.station_id, number)
            connection.execute(_RESERVE, reserved)
    return True


async def claim(database: Pool, *, full: list[str], each: int, many: int) -> list[OwedCommand]:
    """Return commands that are due, ours for CLAIM_SECONDS: a few of each partner.

    *full* are partners of which nothing more is to be taken now.
    """
    asked = {"seconds": CLAIM_SECONDS, "full": full, "each": each, "many": many}
    async with database.connection() as connection:
        rows = await (await connection.execute(_CLAIM, asked)).fetchall()
        subjects = sorted({row[6] for row in rows})
        found = await (await connection.execute(KEYS, (subjects,))).fetchall() if rows else []
    keys: dict[str, bytes] = dict(found)
    return [_owed(row, keys) for row in rows]


async def note_result(database: Pool, id_: UUID, result: dict[str, Any]) -> None:
    """Note what a station made of a command."""
    async with database.connection() as connection:
        await connection.execute(_RESULT, (encoded(result).decode(), id_))


async def note_posted(database: Pool, id_: UUID) -> None:
    """Note that the partner has the result."""
    async with database.connection() as connection:
        await connection.execute(_POSTED, (id_,))


async def note_again(database: Pool, id_: UUID, reason: str, seconds: float) -> None:
    """Note why the partner has no result yet, and in how many seconds it is tried again."""
    async with database.connection() as connection:
        await connection.execute(_AGAIN, (reason, seconds, id_))


async def note_dropped(database: Pool, id_: UUID, reason: str) -> None:
    """Note why the partner will never have the result."""
    async with database.connection() as connection:
        await connection.execute(_DROPPED, (reason, id_))


async def release(database: Pool, ids: list[UUID]) -> None:
    """Let others claim commands at once that were claimed here."""
    async with database.connection() as connection:
        await connection.execute(_RELEASE, (ids,))


async def prune(database: Pool, days: int) -> None:
    """Forget commands, theirs and ours, and reservations of so many days ago."""
    async with database.connection() as connection:
        await connection.execute(_PRUNE, (days,))


def _sealing_subject(command: NewCommand, connection: Connection[Any]) -> Subject:
    if command.subject is not None:
        key = keys_of(connection, [command.subject]).get(command.subject)
        if key is not None:
            return Subject(command.subject, key)
    (subject,) = find_or_make(connection, [partner_holder(command.party)]).values()
    return subject


def _owed(row: tuple[Any, ...], keys: dict[str, bytes]) -> OwedCommand:
    id_, party, version, kind, station_id, request, sealed_for, said, attempts, seconds = row
    result = None if said is None else decode_json(said.encode())
    key = keys.get(sealed_for)
    order = None if key is None else _ORDERS.decode(unseal(Subject(sealed_for, key), request))
    return OwedCommand(
        id_, party, version, CommandKind(kind), station_id, order, result, attempts, seconds
    )
