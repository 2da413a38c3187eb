"""What a person says of a station, in force at once in every process: `station_records` asks.

password            what it has to use from its next connection on
boot                what its next boot is answered, and after how long it boots again
items_per_message   how many items of GetVariables and SetVariables it takes in one message
bytes_per_message   and how many bytes
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, LiteralString

import msgspec
import psycopg
from msgspec import UNSET, UnsetType

from ingest.commands.asking import UnknownStationError
from ingest.commands.passwords import GivenPassword, note_given
from ingest.directory import StationDirectory
from ingest.gathering import Connect, Gatherer
from ingest.station_records import Registration
from ledger.declared.identities import canonical
from ledger.declared.passwords import LENGTH_MIN, hash_password

PASSWORD_MAX = 255
SECONDS_MAX = 86_400
ITEMS_MAX = 10_000
BYTES_MAX = 2**30
_MAKE: LiteralString = """
INSERT INTO station_setting (station_id) VALUES (%s) ON CONFLICT (station_id) DO NOTHING
"""
_BOOT: LiteralString = "UPDATE station_setting SET boot = %s WHERE station_id = %s"
_INTERVAL: LiteralString = "UPDATE station_setting SET boot_interval_s = %s WHERE station_id = %s"
_ITEMS: LiteralString = """
UPDATE station_setting SET items_get = %s, items_set = %s WHERE station_id = %s
"""
_BYTES: LiteralString = """
UPDATE station_setting SET bytes_get = %s, bytes_set = %s WHERE station_id = %s
"""
_SHOW: LiteralString = """
SELECT boot, told, boot_interval_s, items_get, items_set, bytes_get, bytes_set FROM station_setting
WHERE station_id = %s
"""


class StationChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise; what is left out stays.

    `password`: what the station has to use from its next connection on. `boot`: what its next
    BootNotification is answered; `boot_interval_s`: after how many seconds it boots again where it
    is not accepted, null: 30. `items_per_message`: how many items of GetVariables and SetVariables
    it takes in one message, `bytes_per_message` how many bytes, null: it is asked. JSON
    writes a whole number also as 5.0.
    """

    password: (
        Annotated[str, msgspec.Meta(min_length=LENGTH_MIN, max_length=PASSWORD_MAX)] | UnsetType
    ) = UNSET
    boot: Registration | UnsetType = UNSET
    boot_interval_s: (
        Annotated[float, msgspec.Meta(ge=1, le=SECONDS_MAX, multiple_of=1)] | UnsetType | None
    ) = UNSET
    items_per_message: (
        Annotated[float, msgspec.Meta(ge=1, le=ITEMS_MAX, multiple_of=1)] | UnsetType | None
    ) = UNSET
    bytes_per_message: (
        Annotated[float, msgspec.Meta(ge=1, le=BYTES_MAX, multiple_of=1)] | UnsetType | None
    ) = UNSET


class PerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """How much a station takes in one message of a call; null: not known."""

    get_variables: int | None
    set_variables: int | None


class StationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a station is set. `registered` is what its last boot was answered."""

    id: str
    boot: Registration
    boot_interval_s: int | None
    registered: Registration
    items_per_message: PerMessage
    bytes_per_message: PerMessage


class _Wanted(msgspec.Struct, frozen=True):
    station_id: str
    change: StationChange
    password: GivenPassword | None


class StationDesk:
    """Takes what a person says of a station."""

    def __init__(self, connect: Connect, directory: StationDirectory) -> None:
        self._directory = directory
        self._changes: Gatherer[_Wanted, StationSettings] = Gatherer(connect, _change)

    async def change(self, station_id: str, change: StationChange, *, by: str) -> StationSettings:
        """Set a station otherwise, and return how it is set then; it is in force at once.

        Raises:
            UnknownStationError: If the station is not declared.
        """
        access = await self._directory.station(canonical(station_id))
        if access is None:
            raise UnknownStationError(station_id)
        given = None
        if not isinstance(change.password, UnsetType):
            hashed = await asyncio.to_thread(hash_password, change.password)
            declared = next(iter(access.password_hashes), None)
            given = GivenPassword(access.station_id, declared, hashed, None, "proven", by)
        return await self._changes.ask(_Wanted(access.station_id, change, given))

    async def close(self) -> None:
        """Close the connection."""
        await self._changes.close()


async def _change(
    connection: psycopg.AsyncConnection, wanted: Sequence[_Wanted]
) -> list[StationSettings]:
    return [await _change_one(connection, each) for each in wanted]


async def _change_one(connection: psycopg.AsyncConnection, wanted: _Wanted) -> StationSettings:
    station_id, change = wanted.station_id, wanted.change
    await connection.execute(_MAKE, (station_id,))
    if not isinstance(change.boot, UnsetType):
        await connection.execute(_BOOT, (change.boot, station_id))
    if not isinstance(change.boot_interval_s, UnsetType):
        await connection.execute(_INTERVAL, (_whole(change.boot_interval_s), station_id))
    if not isinstance(change.items_per_message, UnsetType):
        items = _whole(change.items_per_message)
        await connection.execute(_ITEMS, (items, items, station_id))
    if not isinstance(change.bytes_per_message, UnsetType):
        size = _whole(change.bytes_per_message)
        await connection.execute(_BYTES, (size, size, station_id))
    if wanted.password is not None:
        await note_given(connection, [wanted.password])
    row = await (await connection.execute(_SHOW, (station_id,))).fetchone()
    assert row is not None
    boot, told, interval, items_get, items_set, bytes_get, bytes_set = row
    return StationSettings(
        id=station_id,
        boot=Registration(boot),
        boot_interval_s=interval,
        registered=Registration(told),
        items_per_message=PerMessage(get_variables=items_get, set_variables=items_set),
        bytes_per_message=PerMessage(get_variables=bytes_get, set_variables=bytes_set),
    )


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
