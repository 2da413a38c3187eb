"""`wattledger station command`: calls to stations, from whatever machine reaches the database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.text_files import read_text
from deploy.commands.users.acting import acting
from deploy.output import complain, print_json, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from psycopg import Connection

    from ingest.commands.asking import StationCommands
    from ingest.commands.outcome import CommandOutcome
    from ingest.commands.typed import TypedCall
    from ingest.files.calls import Called

    Ask = Callable[[StationCommands], Awaitable[CommandOutcome]]

WAIT_SECONDS = 30.0
Wait = Annotated[float, Parameter(help="Seconds to wait for the answer; 0 does not wait.")]
Within = Annotated[float, Parameter(help="Seconds after which it is not sent any more.")]
Queue = Annotated[
    bool, Parameter(negative=(), help="Let it wait for a station that is not connected.")
]


def command(
    station: str,
    action: str,
    payload: str = "{}",
    *,
    wait: Wait = WAIT_SECONDS,
    within: Within = WAIT_SECONDS,
    queue: Queue = False,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Send a call to a station, whichever process it is connected to, and show its answer.

    The payload is checked against the official schema of the station's version and sent as given.
    Rejected is an answer like any other: the command ends with 0 whenever the station answered,
    and with 1 where it did not, answered with an error, or is not connected.

    Args:
        station: The station's id.
        action: The call, by OCPP's name: Reset, GetVariables, RemoteStartTransaction.
        payload: Its payload as JSON, or @FILE.
        wait: Seconds to wait for the answer; 0 does not wait.
        within: Seconds after which it is not sent any more.
        queue: Let it wait for a station that is not connected.
        by: Who sends it (default: your login).
        folder: Where.
    """
    from ingest.commands.asking import Patience

    content = content_of(payload)

    async def ask(commands: StationCommands) -> CommandOutcome:
        patience = Patience(wait=wait, answer=within, may_queue=queue)
        return await commands.ask(station, action, content, by=acting(by), patience=patience)

    return _show(_asked(folder, ask), as_json=folder.json)


def send(folder: ReadingFolder, station: str, say_in: Callable[[str], TypedCall]) -> int:
    """Send what *say_in* makes of a station's version, show its answer, return the code.

    Raises:
        IngestError: If it may not be sent, or its station is not connected.
    """
    import msgspec

    from ingest.commands.asking import Patience

    async def ask(commands: StationCommands) -> CommandOutcome:
        call = say_in(await commands.protocol_of(station))
        payload = msgspec.json.encode(call.payload).decode()
        return await commands.ask(station, call.action, payload, by=acting(), patience=Patience())

    return _show(_asked(folder, ask), as_json=folder.json)


def send_with_address(
    folder: ReadingFolder, station: str, say_in: Callable[[Connection[Any], str, Called], TypedCall]
) -> int:
    """Send what *say_in* makes of the files' address and a station, as `send` does.

    Raises:
        IngestError: If it may not be sent, its station is not connected, or no files are served.
    """
    import asyncio
    from uuid import uuid4

    import msgspec

    from ingest.commands.asking import Patience
    from ingest.files.calls import Called
    from ledger.database import dsn_of

    settings = folder.settings()
    with opened(settings) as connection:

        async def ask(commands: StationCommands) -> CommandOutcome:
            called = Called(*await commands.linked(station), uuid4())
            call = say_in(connection, settings.files_base, called)
            payload = msgspec.json.encode(call.payload).decode()
            return await commands.ask(
                station,
                call.action,
                payload,
                by=acting(),
                patience=Patience(),
                command_id=called.command_id,
            )

        outcome = asyncio.run(_ask(dsn_of(connection), ask))
    return _show(outcome, as_json=folder.json)


def tell_password(folder: ReadingFolder, station: str, password: str) -> int:
    """Have a station told its new password, show its answer, return the code.

    Raises:
        IngestError: If no station of its version takes such a one, or it is not connected.
    """
    from ingest.commands.asking import Patience

    async def ask(commands: StationCommands) -> CommandOutcome:
        return await commands.ask_password(station, password, by=acting(), patience=Patience())

    return _show(_asked(folder, ask), as_json=folder.json)


def _asked(folder: ReadingFolder, ask: Ask) -> CommandOutcome:
    import asyncio

    from ledger.database import dsn_of

    with opened(folder.settings()) as connection:
        return asyncio.run(_ask(dsn_of(connection), ask))


def _show(outcome: CommandOutcome, *, as_json: bool) -> int:
    """Show what came of a call, and return the command's code."""
    from ingest.commands.command import CommandState

    is_answered = outcome.state is CommandState.ANSWERED
    # Whoever does not wait is told that it is under way, and that is no failure.
    code = int(not is_answered and outcome.state not in (CommandState.QUEUED, CommandState.SENT))
    if as_json:
        print_json(outcome)
        return code
    said = f"{outcome.station} {outcome.action}: {_SAID[outcome.state]}"
    if outcome.error is not None:
        complain(f"{said}: {outcome.error.code} {outcome.error.description}".rstrip())
    elif code:
        complain(said)
    else:
        say(said if outcome.response is None else f"{said} {bytes(outcome.response).decode()}")
        if outcome.problem is not None:
            complain(f"that does not fit the schema of such an answer: {outcome.problem}")
    return code


_SAID = {
    "queued": "waits for its turn",
    "sent": "is sent, not answered yet",
    "answered": "answered",
    "error": "was answered with an error",
    "timed_out": "was not answered in time",
    "unknown": "was sent; what the station made of it is not known",
}


async def _ask(dsn: str, ask: Ask) -> CommandOutcome:
    import asyncio
    from contextlib import AsyncExitStack

    from deploy.clock import SystemClock
    from ingest.commands.asking import StationCommands
    from ingest.declared_directory import DeclaredDirectory
    from ingest.persons.subjects import PostgresSubjects
    from ledger.database import connect_async

    connect, clock = partial(connect_async, dsn), SystemClock()
    async with AsyncExitStack() as exits:
        directory, subjects = DeclaredDirectory(dsn, clock), PostgresSubjects(connect)
        commands = StationCommands(connect, directory=directory, subjects=subjects, clock=clock)
        for each in (directory, subjects, commands):
            exits.push_async_callback(each.close)
        following = asyncio.create_task(commands.follow())
        exits.callback(following.cancel)
        return await ask(commands)


def content_of(payload: str) -> str:
    """Return a payload, from its file where it is @FILE.

    Raises:
        DeployError: If the file cannot be read.
    """
    if not payload.startswith("@"):
        return payload
    return read_text(Path(payload[1:]))
