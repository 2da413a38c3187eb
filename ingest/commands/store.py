"""The rows of our calls to stations: asked for by any process, claimed by the one that can send.

A row is claimed by compare-and-set under the station's newest epoch, so no two processes send it. A
claim is durable before the call leaves: after a kill it stands as sent, and is sent again only
where that does no harm. Whoever waits is woken by a notice, and looks for himself.

    A inserts a call (queued), tells all     B, which has the connection, claims it (sent, epoch 7)
    B is killed before the answer            the station comes back, epoch 8: unknown
                                             or, of GetConfiguration, queued again
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple, Protocol
from uuid import UUID

import msgspec
import psycopg

from ingest.commands.answered import answered_call
from ingest.commands.command import REPEATABLE, ClaimedCommand, CommandState, MessageLimits
from ingest.commands.passwords import CHANGE, SET, note_told
from ingest.commands.reservations import CANCEL, RESERVE, note_answered
from ingest.gathering import Connect, Gatherer
from ledger.log.envelope import Frame, encode_line
from ledger.persons.sealing import opened
from ledger.persons.store import KEYS_TO_SEND

# What a killed process had sent on an older connection is nobody's any more.
_GIVE_UP: LiteralString = """
UPDATE station_command SET
    state = CASE WHEN again THEN 'queued' ELSE 'unknown' END,
    epoch = CASE WHEN again THEN NULL ELSE old.epoch END,
    ended_at = CASE WHEN again THEN NULL ELSE now() END
FROM (
    SELECT id, command.epoch, action = ANY(%s) AND deadline > now() AS again
    FROM station_command AS command
    JOIN unnest(%s::text[], %s::bigint[]) AS asked (station_id, epoch) USING (station_id)
    WHERE state = 'sent' AND command.epoch < asked.epoch
    ORDER BY id FOR UPDATE OF command
) AS old
WHERE station_command.id = old.id
RETURNING station_command.id, station_command.state
"""
# One that is sent on this very connection was claimed by a statement whose end was not heard.
_CLAIM: LiteralString = """
WITH next AS (
    SELECT found.id, asked.epoch
    FROM unnest(%s::text[], %s::bigint[]) AS asked (station_id, epoch)
    JOIN connection_epoch USING (station_id, epoch)
    CROSS JOIN LATERAL (
        SELECT id FROM station_command AS command
        WHERE command.station_id = asked.station_id AND deadline > clock_timestamp()
          AND (state = 'queued' OR (state = 'sent' AND command.epoch = asked.epoch))
        ORDER BY asked_at, id LIMIT 1 FOR UPDATE
    ) AS found
)
UPDATE station_command AS command SET state = 'sent', epoch = next.epoch, sent_at = now()
FROM next WHERE command.id = next.id
RETURNING command.station_id, command.id, action, protocol, frame,
    extract(epoch FROM deadline - clock_timestamp())::float8,
    (SELECT CASE action WHEN 'GetVariables' THEN ARRAY[items_get, bytes_get]
                        WHEN 'SetVariables' THEN ARRAY[items_set, bytes_set] END
     FROM station_setting WHERE station_setting.station_id = command.station_id)
"""
_FINISH: LiteralString = """
UPDATE station_command AS command SET state = done.state, frame = done.frame, ended_at = now()
FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[]) AS done (id, epoch, state, frame)
WHERE command.id = done.id AND command.epoch = done.epoch AND command.state = 'sent'
RETURNING command.id, command.station_id, command.action
"""
_REMEMBER: LiteralString = """
INSERT INTO station_setting (station_id, items_get, items_set, bytes_get, bytes_set)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (station_id) DO UPDATE
SET items_get = coalesce(station_setting.items_get, excluded.items_get),
    items_set = coalesce(station_setting.items_set, excluded.items_set),
    bytes_get = coalesce(station_setting.bytes_get, excluded.bytes_get),
    bytes_set = coalesce(station_setting.bytes_set, excluded.bytes_set)
"""
_TELL_ENDED: LiteralString = (
    "SELECT pg_notify('station_command_ended', id) FROM unnest(%s::text[]) AS ended (id)"
)
_LISTEN: LiteralString = "LISTEN station_command"
_LISTEN_AGAIN_SECONDS: Final = 1.0
_LOGGER = logging.getLogger(__name__)
_FRAME: Final = msgspec.json.Decoder(Frame)


class Finished(NamedTuple):
    """What came of a call that was sent on connection `epoch`; `frame` has the answer, if any."""

    id: UUID
    epoch: int
    state: CommandState
    frame: Frame


class Commands(Protocol):
    """The calls that wait, for a process that has connections of stations."""

    async def claim(self, station_id: str, epoch: int) -> ClaimedCommand | None:
        """Return the oldest call that waits for a station, sent from now on by who asks."""

    async def finish(self, finished: Finished) -> None:
        """Note what came of a call."""

    async def take_over(self, station_id: str, epoch: int) -> None:
        """Give up what was sent on older connections of a station."""

    async def remember_limits(self, station_id: str, action: str, limits: MessageLimits) -> None:
        """Note how much of a call a station said that it takes in one message."""

    async def follow(self, hear: Callable[[str | None], None]) -> None:
        """Tell *hear* of stations for which calls wait; None: of any may do. Never ends."""


class PostgresCommands:
    """Calls in a table that all processes share; questions that come at once are asked as one."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._claims: Gatherer[tuple[str, int], ClaimedCommand | None] = Gatherer(connect, _claim)
        self._ends: Gatherer[Finished, None] = Gatherer(connect, _finish)
        self._takes: Gatherer[tuple[str, int], None] = Gatherer(connect, _take_over)
        self._limits: Gatherer[tuple[str, str, MessageLimits], None] = Gatherer(connect, _remember)

    async def claim(self, station_id: str, epoch: int) -> ClaimedCommand | None:
        """Return the oldest call that waits for a station, sent from now on by who asks."""
        return await self._claims.ask((station_id, epoch))

    async def finish(self, finished: Finished) -> None:
        """Note what came of a call."""
        await self._ends.ask(finished)

    async def take_over(self, station_id: str, epoch: int) -> None:
        """Give up what was sent on older connections of a station."""
        await self._takes.ask((station_id, epoch))

    async def remember_limits(self, station_id: str, action: str, limits: MessageLimits) -> None:
        """Note how much of a call a station said that it takes in one message."""
        await self._limits.ask((station_id, action, limits))

    async def follow(self, hear: Callable[[str | None], None]) -> None:
        """Tell *hear* of stations for which calls wait; None: of any may do. Never ends."""
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.set_autocommit(True)
                    await connection.execute(_LISTEN)
                    # What came while nobody listened.
                    hear(None)
                    async for notice in connection.notifies():
                        hear(notice.payload)
            except psycopg.OperationalError as error:
                _LOGGER.warning("no news of calls to stations: %s", error)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        for each in (self._claims, self._ends, self._takes, self._limits):
            await each.close()


async def _claim(
    connection: psycopg.AsyncConnection, asked: Sequence[tuple[str, int]]
) -> Sequence[ClaimedCommand | None]:
    rows = await (await connection.execute(_CLAIM, _columns(asked))).fetchall()
    kept = [_FRAME.decode(row[4]) for row in rows]
    subjects = sorted({each.subject for frame in kept for each in frame.sealed})
    keys: dict[str, bytes] = dict(
        await (await connection.execute(KEYS_TO_SEND, (subjects,))).fetchall()
    )
    found: Mapping[str, ClaimedCommand] = {
        station_id: ClaimedCommand(
            id=id_,
            action=action,
            protocol=protocol,
            kept=frame,
            frame=opened(frame, keys),
            seconds=seconds,
            limits=_known_limits(limits),
        )
        for (station_id, id_, action, protocol, _, seconds, limits), frame in zip(
            rows, kept, strict=True
        )
    }
    return [found.get(station_id) for station_id, _ in asked]


async def _finish(connection: psycopg.AsyncConnection, ended: Sequence[Finished]) -> Sequence[None]:
    rows = [(e.id, e.epoch, str(e.state), encode_line(e.frame)) for e in sorted(ended)]
    done = await (await connection.execute(_FINISH, _columns(rows))).fetchall()
    by_id = {each.id: each for each in ended}
    followed = [
        answered_call(id_, station_id, action, by_id[id_].state, by_id[id_].frame)
        for id_, station_id, action in done
        if action in (RESERVE, CANCEL, CHANGE, SET)
    ]
    await note_answered(connection, followed)
    await note_told(connection, followed)
    await connection.execute(_TELL_ENDED, ([str(each.id) for each in ended],))
    return [None] * len(ended)


async def _take_over(
    connection: psycopg.AsyncConnection, asked: Sequence[tuple[str, int]]
) -> Sequence[None]:
    cursor = await connection.execute(_GIVE_UP, [sorted(REPEATABLE), *_columns(asked)])
    ended = [str(id_) for id_, state in await cursor.fetchall() if state == CommandState.UNKNOWN]
    await connection.execute(_TELL_ENDED, (ended,))
    return [None] * len(asked)


async def _remember(
    connection: psycopg.AsyncConnection, told: Sequence[tuple[str, str, MessageLimits]]
) -> Sequence[None]:
    # One for each station: PATCH may have said it meanwhile, and goes first.
    by_station = {(station_id, action): limits for station_id, action, limits in told}
    for (station_id, action), (items, size) in sorted(by_station.items()):
        is_get = action == "GetVariables"
        row = (items, None, size, None) if is_get else (None, items, None, size)
        await connection.execute(_REMEMBER, (station_id, *row))
    return [None] * len(told)


def _known_limits(limits: Sequence[int | None] | None) -> MessageLimits | None:
    return None if limits is None or limits == [None, None] else MessageLimits(*limits)


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
