"""Asking for a call to a station, from any process: checked, noted, and waited for.

connected with 2.0.1, the payload fits       a row; who has the connection sends it; the answer
connected, the payload does not fit          RefusedPayloadError, nothing is noted
not connected                                NotConnectedError, or with `may_queue` it waits for
                                             its station until its deadline
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID, uuid4

import msgspec
import psycopg

from ingest.clock import Clock
from ingest.commands.command import CommandState, NotConnectedError, StationCommand, call_text
from ingest.commands.outcome import CommandOutcome, outcome_of
from ingest.commands.passwords import GivenPassword, note_given, password_call, password_in
from ingest.commands.reservations import (
    RESERVE,
    AskedReservation,
    asked_reservation,
    draw_numbers,
    has_number,
    note_asked,
    with_number,
)
from ingest.commands.schemas import RefusedPayloadError, check_command, compact_json
from ingest.directory import StationAccess, StationDirectory
from ingest.errors import IngestError
from ingest.gathering import Connect, Gatherer
from ingest.persons.sealer import sealed_frame
from ingest.persons.subjects import Subjects
from ledger.declared.identities import canonical
from ledger.declared.passwords import hash_password
from ledger.log.envelope import Frame, encode_line
from ledger.persons.store import KEYS

ANSWER_SECONDS: Final = 30.0
"""How long after it was asked for a call may still be sent, and its station think about it."""
_ADD: LiteralString = """
INSERT INTO station_command (id, station_id, action, protocol, frame, asked_by, deadline)
SELECT id, station_id, action, protocol, frame, asked_by,
    clock_timestamp() + seconds * interval '1 s'
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::float8[])
    AS asked (id, station_id, action, protocol, frame, asked_by, seconds)
ON CONFLICT (id) DO NOTHING
"""
_TELL: LiteralString = (
    "SELECT pg_notify('station_command', station_id) FROM unnest(%s::text[]) AS asked (station_id)"
)
# Nobody writes what nobody came for any more: it shows in what is read.
COMMAND_COLUMNS: LiteralString = """
    id, station_id, action, protocol, frame, asked_by, asked_at, deadline,
    CASE WHEN state = 'queued' AND deadline <= clock_timestamp() THEN 'timed_out'
         WHEN state = 'sent' AND deadline + interval '5 s' <= clock_timestamp() THEN 'unknown'
         ELSE state END,
    epoch, sent_at, ended_at
"""
_READ: LiteralString = (
    "SELECT " + COMMAND_COLUMNS + " FROM station_command WHERE id = ANY(%s)"  # noqa: S608 - ours
)
_CONNECTED: LiteralString = (
    "SELECT station_id, protocol FROM connected_station WHERE station_id = ANY(%s)"
)
_LISTEN: LiteralString = "LISTEN station_command_ended"
_LISTEN_AGAIN_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 5.0
_ENDING_SECONDS: Final = 1.0
"""So long after its deadline it is known at the latest that no answer came."""
_LEAVING_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Pauses until a call to a connected station has left: its turn may be another call's."""
_LOGGER = logging.getLogger(__name__)
_FRAME: Final = msgspec.json.Decoder(Frame)


class UnknownStationError(IngestError):
    """No station of that id is declared."""

    def __init__(self, station_id: str) -> None:
        self.station_id = station_id
        super().__init__(
            f"no station {station_id} is declared: `wattledger station list` shows those that are"
        )


class Patience(NamedTuple):
    """How long a call may take, in seconds, and how long who asked for it waits to hear of it.

    `may_queue`: it may wait for a station that is not connected.
    """

    wait: float = ANSWER_SECONDS
    answer: float = ANSWER_SECONDS
    may_queue: bool = False

    @property
    def hearing(self) -> float:
        """How long to listen: who waits as long as the call may take hears that it timed out."""
        return self.wait if self.wait < self.answer else self.answer + _ENDING_SECONDS


class _New(NamedTuple):
    id: UUID
    station_id: str
    action: str
    protocol: str | None
    frame: bytes
    asked_by: str
    seconds: float
    reservation: AskedReservation | None
    password: GivenPassword | None


class StationCommands:
    """Asks for calls to stations; `follow` must run while somebody waits for answers."""

    def __init__(
        self, connect: Connect, *, directory: StationDirectory, subjects: Subjects, clock: Clock
    ) -> None:
        self._connect, self._directory = connect, directory
        self._subjects, self._clock = subjects, clock
        self._adds: Gatherer[_New, None] = Gatherer(connect, _add)
        self._reads: Gatherer[UUID, CommandOutcome | None] = Gatherer(connect, _read)
        self._connected: Gatherer[str, str | None] = Gatherer(connect, _protocols)
        self._numbers: Gatherer[None, int] = Gatherer(connect, draw_numbers)
        self._ended: dict[UUID, asyncio.Event] = {}

    async def ask(
        self,
        station_id: str,
        action: str,
        payload: str,
        *,
        by: str,
        patience: Patience,
        command_id: UUID | None = None,
    ) -> CommandOutcome:
        """Have a call sent to a station and return how far it is after `patience.wait` seconds.

        Args:
            station_id: The station, however its identity is spelt.
            action: The call, by OCPP's name.
            payload: Its payload as JSON, in the station's version; it is sent as given.
            by: Who asks.
            patience: How long it may take.
            command_id: The call's own id; of one that was asked for, it says how far it is.

        Raises:
            UnknownStationError: If the station is not declared.
            NotConnectedError: If it is not connected and the call may not wait for it.
            UnknownCommandError, RefusedPayloadError, BadPayloadError: If it may not be sent.
        """
        access, protocol = await self._reached(station_id, may_queue=patience.may_queue)
        compact = compact_json(payload)
        if action == RESERVE and not has_number(compact, protocol):
            compact = with_number(compact, protocol, await self._numbers.ask(None))
        password = password_in(action, compact)
        _check(protocol, action, compact, is_secret=password is not None)
        command_id = command_id or uuid4()
        call = call_text(str(command_id), action, compact)
        new = _New(
            id=command_id,
            station_id=access.station_id,
            action=action,
            protocol=protocol,
            frame=await self._kept(access, protocol, call),
            asked_by=by,
            seconds=patience.answer,
            reservation=asked_reservation(compact, protocol) if action == RESERVE else None,
            password=await _given(password, access, command_id, by=by) if password else None,
        )
        return await self._added(new, patience.hearing)

    async def _added(self, new: _New, seconds: float) -> CommandOutcome:
        """Add a call, and return how far it is after *seconds*."""
        # Shared with who asks for the same call meanwhile.
        ended = self._ended.setdefault(new.id, asyncio.Event())
        try:
            await self._adds.ask(new)
            found = await self._watched(new.id, ended, seconds=seconds)
            return found if new.protocol is None else await self._left(found)
        finally:
            self._ended.pop(new.id, None)

    async def ask_password(
        self, station_id: str, password: str, *, by: str, patience: Patience
    ) -> CommandOutcome:
        """Have a station told its new *password*, as `ask` does.

        Raises:
            UnknownStationError, NotConnectedError: As `ask`.
            UnfitPasswordError: If its version takes no such password.
        """
        call = password_call(await self.protocol_of(station_id), password)
        payload = msgspec.json.encode(call.payload).decode()
        return await self.ask(station_id, call.action, payload, by=by, patience=patience)

    async def protocol_of(self, station_id: str) -> str:
        """Return the subprotocol of a station's connection; raises as `linked`."""
        return (await self.linked(station_id))[1]

    async def linked(self, station_id: str) -> tuple[str, str]:
        """Return a station's id as it is declared, and the subprotocol of its connection.

        Raises:
            UnknownStationError: If the station is not declared.
            NotConnectedError: If it is not connected.
        """
        access, protocol = await self._reached(station_id, may_queue=False)
        assert protocol is not None
        return access.station_id, protocol

    async def _reached(
        self, station_id: str, *, may_queue: bool
    ) -> tuple[StationAccess, str | None]:
        """Return a station, and the subprotocol of its connection if it has one."""
        access = await self._directory.station(canonical(station_id))
        if access is None:
            raise UnknownStationError(station_id)
        protocol = await self._connected.ask(access.station_id)
        if protocol is None and not may_queue:
            raise NotConnectedError(access.station_id)
        return access, protocol

    async def read(self, command_id: UUID) -> CommandOutcome | None:
        """Return how far a call is now."""
        return await self._reads.ask(command_id)

    async def follow(self) -> None:
        """Hear which calls ended; never ends."""
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.set_autocommit(True)
                    await connection.execute(_LISTEN)
                    for each in self._ended.values():
                        each.set()
                    async for notice in connection.notifies():
                        if (ended := self._ended.get(UUID(notice.payload))) is not None:
                            ended.set()
            except psycopg.OperationalError as error:
                _LOGGER.warning("no news of calls that ended: %s", error)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        for each in (self._adds, self._reads, self._connected, self._numbers):
            await each.close()

    async def _kept(self, access: StationAccess, protocol: str | None, call: str) -> bytes:
        """Return a call as its row has it: without what tells who somebody is."""
        frame = Frame(
            received_at=self._clock.now(),
            station=access.station_id,
            protocol=protocol or "",
            epoch=0,
            frame=call,
            direction="out",
        )
        return encode_line(await sealed_frame(frame, self._subjects, access.token_habits))

    async def _watched(
        self, command_id: UUID, ended: asyncio.Event, *, seconds: float
    ) -> CommandOutcome:
        """Return the call once it ended, or as it is after *seconds*."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + seconds
        while True:
            left = limit - loop.time()
            if left > 0:
                try:
                    # Looked at now and then: what ended unheard is seen all the same.
                    async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                        await ended.wait()
                except TimeoutError:
                    pass
                ended.clear()
            found = await self._reads.ask(command_id)
            assert found is not None
            if left <= 0 or found.state not in (CommandState.QUEUED, CommandState.SENT):
                return found

    async def _left(self, found: CommandOutcome) -> CommandOutcome:
        """Return a call once it was sent, or as it is after a moment: whoever waits hears more."""
        for pause in _LEAVING_SECONDS:
            if found.state is not CommandState.QUEUED:
                break
            await asyncio.sleep(pause)
            found = await self._reads.ask(found.id) or found
        return found


def _check(protocol: str | None, action: str, payload: str, *, is_secret: bool) -> None:
    """Check a call as `check_command` does; what is wrong with a secret does not quote it."""
    if protocol is None:  # it is checked when its station comes, with its version
        return
    try:
        check_command(protocol, action, payload)
    except RefusedPayloadError as error:
        if not is_secret:
            raise
        problem = "it does not fit the schema"
        raise RefusedPayloadError(protocol, action, error.spot, problem) from None


async def _given(
    password: str, access: StationAccess, command_id: UUID, *, by: str
) -> GivenPassword:
    declared = next(iter(access.password_hashes), None)
    hashed = await asyncio.to_thread(hash_password, password)
    return GivenPassword(access.station_id, declared, hashed, command_id, "told", by)


async def _add(connection: psycopg.AsyncConnection, asked: Sequence[_New]) -> Sequence[None]:
    columns = zip(*(each[: _New._fields.index("reservation")] for each in asked), strict=True)
    await connection.execute(_ADD, [list(column) for column in columns])
    reserved = [(e.id, e.station_id, e.reservation) for e in asked if e.reservation is not None]
    await note_asked(connection, reserved)
    await note_given(connection, [e.password for e in asked if e.password is not None])
    await connection.execute(_TELL, ([each.station_id for each in asked],))
    return [None] * len(asked)


async def _read(
    connection: psycopg.AsyncConnection, asked: Sequence[UUID]
) -> Sequence[CommandOutcome | None]:
    rows = await (await connection.execute(_READ, (list(asked),))).fetchall()
    commands = [command_of(row) for row in rows]
    frames = [each.frame for each in commands]
    subjects = {e.subject for frame in frames for e in (*frame.sealed, *frame.reply_sealed)}
    keys: dict[str, bytes] = dict(
        await (await connection.execute(KEYS, (sorted(subjects),))).fetchall()
    )
    found = {each.id: outcome_of(each, keys) for each in commands}
    return [found.get(each) for each in asked]


def command_of(row: Sequence[Any]) -> StationCommand:
    """Return the call in a row of `COMMAND_COLUMNS`."""
    values: dict[str, Any] = dict(zip(StationCommand.__struct_fields__, row, strict=True))
    values["frame"] = _FRAME.decode(values["frame"])
    values["state"] = CommandState(values["state"])
    return StationCommand(**values)


async def _protocols(
    connection: psycopg.AsyncConnection, asked: Sequence[str]
) -> Sequence[str | None]:
    cursor = await connection.execute(_CONNECTED, (list(asked),))
    found: Mapping[str, str] = dict(await cursor.fetchall())
    return [found.get(each) for each in asked]


_LATEST: LiteralString = (
    "SELECT " + COMMAND_COLUMNS + " FROM station_command WHERE station_id = %s"  # noqa: S608 - ours
    " ORDER BY asked_at DESC, id LIMIT %s"
)


def latest_commands(
    connection: psycopg.Connection[Any], station_id: str, *, limit: int
) -> list[CommandOutcome]:
    """Return the calls to a station, as it is declared, that were asked for last."""
    rows = connection.execute(_LATEST, (station_id, limit)).fetchall()
    commands = [command_of(row) for row in rows]
    sealed = [e for c in commands for e in (*c.frame.sealed, *c.frame.reply_sealed)]
    subjects = sorted({each.subject for each in sealed})
    keys: dict[str, bytes] = dict(connection.execute(KEYS, (subjects,)).fetchall())
    return [outcome_of(each, keys) for each in commands]
