"""`wattledger station local-list`: which list a station has, and sending it anew."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, LiteralString

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.output import print_json, say, shown
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ingest.declared_directory import DeclaredDirectory
    from ingest.upkeep.list_keeping import KeptList, ListKeeper

    Ask = Callable[[ListKeeper, KeptList], Awaitable[int]]

Whole = Annotated[bool, Parameter(negative=(), help="All of it, whatever the station has.")]
_KEPT: LiteralString = """
SELECT version, entries, as_of, problem, tried_at FROM local_list WHERE station_id = %s
"""
_NEVER = (None, None, None, None, None)


def show(station: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show which version of its local list a station has, and what it was sent last.

    Args:
        station: The station's id.
        folder: Where.
    """
    import asyncio

    from ledger.database import dsn_of

    async def ask(keeper: ListKeeper, kept: KeptList) -> int:
        return await keeper.version_of(kept)

    with opened(folder.settings()) as connection:
        station_id, has = asyncio.run(_with_list(dsn_of(connection), station, ask))
        row = connection.execute(_KEPT, (station_id,)).fetchone() or _NEVER
    version, entries, as_of, problem, tried_at = row
    told = {
        "station": station_id,
        "version": has,
        "sent_version": version,
        "entries": entries,
        "sent_as_of": as_of,
        "problem": problem,
        "tried_at": tried_at,
    }
    if folder.json:
        print_json(told)
        return 0
    say(*(f"{name.replace('_', ' '):13} {shown(value)}" for name, value in told.items()))
    return 0


def send(station: str, *, whole: Whole = False, folder: ReadingFolder = READ_FOLDER) -> int:
    """Bring a station's local list up to date now, whatever the policy says.

    Args:
        station: The station's id.
        whole: All of it, whatever the station has.
        folder: Where.
    """
    import asyncio

    from ledger.database import dsn_of

    async def ask(keeper: ListKeeper, kept: KeptList) -> int:
        return await keeper.send(kept, is_full=whole)

    with opened(folder.settings()) as connection:
        station_id, has = asyncio.run(_with_list(dsn_of(connection), station, ask))
    if folder.json:
        print_json({"station": station_id, "version": has})
    else:
        say(f"{station_id} has version {has} of its list")
    return 0


async def _with_list(dsn: str, station: str, ask: Ask) -> tuple[str, int]:
    """Return a station's id as declared, and what *ask* finds out about its list.

    Raises:
        UnknownStationError: If it is not declared.
        NotConnectedError: If it is not connected.
    """
    from ingest.commands.asking import UnknownStationError
    from ingest.commands.command import NotConnectedError
    from ledger.declared.identities import canonical

    async with _keeper(dsn) as (directory, keeper):
        access = await directory.station(canonical(station))
        if access is None:
            raise UnknownStationError(station)
        kept = await keeper.list_of(access.station_id)
        if kept is None:
            raise NotConnectedError(access.station_id)
        return access.station_id, await ask(keeper, kept)


@asynccontextmanager
async def _keeper(dsn: str) -> AsyncIterator[tuple[DeclaredDirectory, ListKeeper]]:
    import asyncio

    from deploy.clock import SystemClock
    from ingest.commands.asking import StationCommands
    from ingest.declared_directory import DeclaredDirectory
    from ingest.persons.subjects import PostgresSubjects
    from ingest.upkeep.list_keeping import ListKeeper
    from ledger.database import connect_async

    connect, clock = partial(connect_async, dsn), SystemClock()
    async with AsyncExitStack() as exits:
        directory, subjects = DeclaredDirectory(dsn, clock), PostgresSubjects(connect)
        commands = StationCommands(connect, directory=directory, subjects=subjects, clock=clock)
        for each in (directory, subjects, commands):
            exits.push_async_callback(each.close)
        following = asyncio.create_task(commands.follow())
        exits.callback(following.cancel)
        yield (
            directory,
            ListKeeper(connect, directory=directory, commands=commands, clock=clock),
        )
