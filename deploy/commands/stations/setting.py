"""`wattledger station set`: what `PATCH /stations/{id}` does, from a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.text_files import FromStdin, read_secret
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, say, shown
from deploy.running.opening import opened

if TYPE_CHECKING:
    from ingest.station_settings import PerMessage, StationChange, StationSettings
    from projections.stations.detail import ShownPerMessage, ShownSettings


def set_station(
    station: str,
    *,
    boot: Literal["Accepted", "Pending", "Rejected"] | None = None,
    boot_interval_s: int | None = None,
    items_per_message: int | None = None,
    bytes_per_message: int | None = None,
    password_stdin: FromStdin = False,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Set how a station is registered, how much it takes in a message, or which password it uses.

    What is not named stays. It is in force at once in every process.

    Args:
        station: The station's id, however it is spelt.
        boot: What its next BootNotification is answered.
        boot_interval_s: After how many seconds it boots again where it is not accepted; 0: 30.
        items_per_message: How many items of GetVariables and SetVariables it takes in one message;
            0: it is asked.
        bytes_per_message: How many bytes of these it takes in one message; 0: it is asked.
        password_stdin: Read what it has to use from its next connection on from standard input.
        by: Who says so (default: your login).
        folder: Where.
    """
    import asyncio

    from ledger.database import dsn_of

    said: dict[str, Any] = {
        "boot": boot,
        "boot_interval_s": boot_interval_s,
        "items_per_message": items_per_message,
        "bytes_per_message": bytes_per_message,
        "password": read_secret() if password_stdin else None,
    }
    change = _change({name: each for name, each in said.items() if each is not None})
    with opened(folder.settings()) as connection:
        found = asyncio.run(_changed(dsn_of(connection), station, change, acting(by)))
    if folder.json:
        print_json(found)
        return 0
    say(f"station   {found.id}", *(f"{name:<10}{value}" for name, value in settings_lines(found)))
    return 0


def settings_lines(settings: StationSettings | ShownSettings) -> list[tuple[str, str]]:
    """Return how a station is set, line by line."""
    again = (
        "" if settings.boot_interval_s is None else f", again after {settings.boot_interval_s} s"
    )
    limits = settings.items_per_message, settings.bytes_per_message
    items, size = (_amount(each) for each in limits)
    return [
        ("boot", f"{settings.boot}{again}; registered as {settings.registered}"),
        ("message", f"items {items}, bytes {size}"),
    ]


def _amount(limit: PerMessage | ShownPerMessage) -> str:
    both = limit.get_variables, limit.set_variables
    return shown(both[0]) if both[0] == both[1] else f"{shown(both[0])} / {shown(both[1])}"


def _change(said: dict[str, Any]) -> StationChange:
    """Return what is to be otherwise, checked as the interface does it.

    Raises:
        DeployError: If something of it cannot be.
    """
    import msgspec

    from ingest.station_settings import StationChange

    # 0 takes back what was said; no station boots again at once, or takes nothing.
    given = {name: None if each == 0 else each for name, each in said.items()}
    try:
        return msgspec.convert(given, StationChange)
    except msgspec.ValidationError as error:
        message = str(error).replace("`$.", "`")
        raise DeployError(message) from None


async def _changed(dsn: str, station: str, change: StationChange, by: str) -> StationSettings:
    from contextlib import AsyncExitStack
    from functools import partial

    from deploy.clock import SystemClock
    from ingest.declared_directory import DeclaredDirectory
    from ingest.station_settings import StationDesk
    from ledger.database import connect_async

    async with AsyncExitStack() as exits:
        directory = DeclaredDirectory(dsn, SystemClock())
        desk = StationDesk(partial(connect_async, dsn), directory)
        for each in (directory, desk):
            exits.push_async_callback(each.close)
        return await desk.change(station, change, by=by)
