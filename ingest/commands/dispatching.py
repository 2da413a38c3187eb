"""Carries out the calls that wait for the stations which are connected here.

For a station with calls that wait there is one task, which takes one after the other: a station
gets one call at a time (OCPP 1.6-J 4.1.1), and what waits, however much, waits in its table.
Stations do not wait for each other, and their own frames are answered meanwhile.

    it connects and boots            -> its first call once the boot is answered: before that many
                                        leave a call unanswered, or refuse it, and it was lost
    it connects and goes on          -> once its first word is answered
    it connects and says nothing     -> after `QUIET_SECONDS`
    it connects, and is gone         -> none: what waits for it waits on
    the answer came, and could not   -> it is noted once that works again; what does something
    be noted                            is not sent a second time

Source: OCPP 1.6 edition 2, 4.2; OCPP 2.0.1 part 2, B01 to B03.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol
from uuid import UUID

import psycopg
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed

from ingest.commands.command import (
    NOT_SENT,
    REPEATABLE,
    CallEnd,
    ClaimedCommand,
    CommandState,
    OutgoingCall,
    payload_of,
)
from ingest.commands.schemas import RefusedPayloadError, UnknownCommandError, check_command
from ingest.commands.splitting import exchange_in_parts
from ingest.commands.store import Commands, Finished
from ingest.errors import IngestError
from ingest.rpc import codec
from ledger.log.event_log import LogError

QUIET_SECONDS: Final = 5.0
"""So long a station that has just connected may take for its first word; then it is called."""
_NOTED_SECONDS: Final = 5.0
_LOGGER = logging.getLogger(__name__)


class Readiness:
    """Whether a station on its connection may be called: from its first answered word on."""

    def __init__(self) -> None:
        self._known = asyncio.Event()
        self.is_over = False

    def begin(self) -> None:
        """Note that something it said was answered."""
        self._known.set()

    def end(self) -> None:
        """Note that the connection is over."""
        self.is_over = True
        self._known.set()

    async def wait(self) -> None:
        """Wait until it may be called, or its connection is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                await self._known.wait()


class CalledConnection(Protocol):
    """A station's connection, as who sends calls on it sees it; `turn` is held during a call.

    `last_sent` is the message id of our last call on it.
    """

    epoch: int
    is_fenced: bool
    turn: asyncio.Lock
    readiness: Readiness
    last_sent: str

    @property
    def station_id(self) -> str:
        """The station as declared."""

    @property
    def protocol(self) -> str:
        """The subprotocol that both sides agreed on."""

    @property
    def has_hung_up(self) -> bool:
        """Whether the station said goodbye: it has read what came, and will not answer it."""

    async def exchange(self, call: OutgoingCall, *, seconds: float) -> CallEnd:
        """Send a call and wait for its answer; both stand in the log."""


class Dispatcher:
    """Knows which of the *connections* have calls that wait."""

    def __init__(self, commands: Commands, connections: Mapping[str, CalledConnection]) -> None:
        self._commands, self._connections = commands, connections
        # Of a station one by connection: an older one may still wait for its last answer.
        self._tasks: dict[str, dict[CalledConnection, asyncio.Task[None]]] = {}
        self._called: set[CalledConnection] = set()
        # What came of a call, by station, until that is noted: it was sent by then.
        self._unnoted: dict[str, tuple[UUID, CallEnd]] = {}

    async def run(self) -> None:
        """Hear of calls for ever."""
        await self._commands.follow(self._hear)

    async def close(self) -> None:
        """Wait until nothing is carried out any more; the connections are closed by then."""
        tasks = [task for of_station in self._tasks.values() for task in of_station.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, connection: CalledConnection) -> None:
        """Take what waits for a station that has just connected."""
        self._call(connection, is_new=True)

    def _hear(self, station_id: str | None) -> None:
        if station_id is None:
            for connection in tuple(self._connections.values()):
                self._call(connection)
        elif (found := self._connections.get(station_id)) is not None:
            self._call(found)

    def _call(self, connection: CalledConnection, *, is_new: bool = False) -> None:
        """Let *connection* look for calls, once more if it does so already."""
        self._called.add(connection)
        tasks = self._tasks.setdefault(connection.station_id, {})
        if connection not in tasks:
            work = self._carry_out(connection, is_new=is_new)
            tasks[connection] = asyncio.create_task(work)

    async def _carry_out(self, connection: CalledConnection, *, is_new: bool) -> None:
        try:
            if is_new:
                await connection.readiness.wait()
                await self._noted(connection)
                await self._commands.take_over(connection.station_id, connection.epoch)
            while connection in self._called:
                # Before the look: what comes after it is looked for again.
                self._called.discard(connection)
                while await self._carry_one(connection):
                    pass
        except (psycopg.Error, IngestError, LogError, ConnectionClosed) as error:
            # What was claimed stands as sent; the next connection takes it over.
            _LOGGER.warning("calls to %s wait: %s", connection.station_id, error)
        finally:
            self._called.discard(connection)
            tasks = self._tasks[connection.station_id]
            del tasks[connection]
            if not tasks:
                del self._tasks[connection.station_id]

    async def _noted(self, connection: CalledConnection) -> None:
        """Wait until it is noted what came of the calls on which the station hung up before."""
        before = [
            task
            for each, task in self._tasks[connection.station_id].items()
            # Not its own: it may have hung up on this one, too.
            if each.has_hung_up and each.epoch < connection.epoch
        ]
        if before:
            await asyncio.wait(before, timeout=_NOTED_SECONDS)

    async def _carry_one(self, connection: CalledConnection) -> bool:
        """Send the next call that waits in its turn; False if there is none, or no way any more."""
        async with connection.turn:
            if connection.is_fenced or connection.readiness.is_over:
                return False
            claimed = await self._commands.claim(connection.station_id, connection.epoch)
            if claimed is None:
                return False
            known = self._unnoted.get(connection.station_id)
            was_sent = known is not None and known[0] == claimed.id
            ended = known[1] if known and was_sent else await self._send(claimed, connection)
        is_unknown = ended.state is CommandState.UNKNOWN
        # Else it stands as sent: the next connection sends it again.
        if not is_unknown or connection.has_hung_up or claimed.action not in REPEATABLE:
            self._unnoted[connection.station_id] = claimed.id, ended
            await self._commands.finish(Finished(claimed.id, connection.epoch, *ended))
            self._unnoted.pop(connection.station_id, None)
        return was_sent or not is_unknown

    async def _send(self, claimed: ClaimedCommand, connection: CalledConnection) -> CallEnd:
        """Send a call and return what came of it, or why it was not sent."""
        why = _refusal(claimed, connection.protocol)
        if why is not None:
            error = codec.encode_error(codec.encode(str(claimed.id)), NOT_SENT, why).decode()
            return CallEnd(CommandState.ERROR, replace(claimed.kept, reply=error))
        before = connection.last_sent
        try:
            return await exchange_in_parts(claimed, connection, self._commands)
        except Exception:
            # What cannot be logged of it nobody knows; it has left all the same.
            if connection.last_sent != before and claimed.action not in REPEATABLE:
                unknown = CallEnd(CommandState.UNKNOWN, claimed.kept)
                self._unnoted[connection.station_id] = claimed.id, unknown
            raise


def _refusal(claimed: ClaimedCommand, protocol: str) -> str | None:
    """Return why a call may not be sent now: it was checked for no version, or for another."""
    if claimed.frame.sealed:
        return "who is named in it was erased"
    if claimed.protocol == protocol:
        return None
    try:
        check_command(protocol, claimed.action, payload_of(claimed.frame.frame))
    except (UnknownCommandError, RefusedPayloadError) as error:
        return str(error)
    return None
