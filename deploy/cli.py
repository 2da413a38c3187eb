"""The command `wattledger`: finds the command that is asked for, runs it, explains a refusal."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from cyclopts import App, CycloptsError

from deploy.commands.catalogue import COMMANDS, GROUPS, UNSAID
from deploy.commands.command import Command
from deploy.commands.users.acting import let_in
from deploy.errors import DeployError
from deploy.output import complain
from ingest.errors import IngestError
from ledger.errors import LedgerError
from projections.errors import ProjectionError
from roaming_ocpi.errors import RoamingError
from tariffs.errors import TariffError

WRONG, MISUSED, INTERRUPTED = 1, 2, 130
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What becomes of what is printed into a file on a disk that has no room, or is broken."""
REFUSALS = (DeployError, IngestError, LedgerError, ProjectionError, RoamingError, TariffError)


def app_for(arguments: Sequence[str]) -> App:
    """Return the command line for *arguments*: of all commands it loads only theirs."""
    words = " ".join(takewhile(lambda word: not word.startswith("-"), arguments))
    app = App(
        name="wattledger",
        help="From charging stations to explained invoices.",
        help_epilogue="Start with: wattledger up",
        help_format="markdown",
        version=_version,
    )
    for command in COMMANDS:
        *groups, name = command.words.split()
        to, path = app, ""
        for group in groups:
            path = f"{path} {group}".lstrip()
            if group not in to:
                to.command(App(name=group, help=GROUPS[path], help_format="markdown"))
            to = to[group]
        is_asked_for = f"{words} ".startswith(f"{command.words} ")
        _add(to, name, command, is_asked_for=is_asked_for)
    if words in UNSAID:
        app[words].default(app[words][UNSAID[words]].default_command)
    return app


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - takes as long as all the rest of us

    return version("wattledger")


def _add(to: App, name: str, command: Command, *, is_asked_for: bool) -> None:
    lines = "\n".join(f"    wattledger {example}".rstrip() for example in command.examples)
    to.command(
        command.function,
        name=name,
        # A help given here would also replace the function's own, longer one.
        help=None if is_asked_for else command.summary,
        help_epilogue=f"Examples:\n\n{lines}",
    )


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 1 (it refused or something is wrong) or 2 (misused)."""
    code = 0
    try:
        code = _run_command(sys.argv[1:] if arguments is None else list(arguments))
        # Here: as the interpreter ends nobody is told any more that it goes nowhere.
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        _print_no_more()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except EOFError:
        complain("nothing was typed, and nothing was done")
        code = WRONG
    except OSError as error:
        if error.errno not in NO_ROOM or error.filename is not None:
            raise
        _print_no_more()
        complain(f"what comes out cannot be written: {error.strerror}")
        code = WRONG
    return code


def _run_command(given: Sequence[str]) -> int:
    app = app_for(given)
    try:
        function, bound, _ = app.parse_args(given, exit_on_error=False, print_error=True)
        with let_in(function, bound.arguments):
            result = function(*bound.args, **bound.kwargs)
    except (CycloptsError, UnicodeEncodeError) as error:
        if isinstance(error, UnicodeEncodeError):
            _complain_of_bytes(given, error)
        return MISUSED
    except REFUSALS as refusal:
        complain(str(refusal))
        return WRONG
    except _database_errors() as error:
        complain(_said_by_database(error))
        return WRONG
    return result if isinstance(result, int) else 0


def _print_no_more() -> None:
    """Let what is left to be printed go nowhere: it would be tried again at the very end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain_of_bytes(arguments: Sequence[str], error: UnicodeEncodeError) -> None:
    """Say which argument is no text: bytes that are no UTF-8 reach us as lone surrogates.

    Raises:
        UnicodeEncodeError: If each is text, so that *error* is a fault of ours.
    """
    for each in arguments:
        if any("\ud800" <= character <= "\udfff" for character in each):
            shown = each.encode(errors="backslashreplace").decode()
            complain(f"an argument is not UTF-8: {shown[:60]}")
            return
    raise error


def _database_errors() -> tuple[type[Exception], ...]:
    """Return what a silent database raises, and one that is asked for what no table holds.

    Python asks only once something was raised.
    """
    from psycopg import DataError, OperationalError  # noqa: PLC0415 - half need no database

    return OperationalError, DataError


def _said_by_database(error: Exception) -> str:
    from psycopg import OperationalError  # noqa: PLC0415 - as above

    if isinstance(error, OperationalError):
        return f"the database does not answer: {error}"
    [why, *_] = str(error).splitlines() or [type(error).__name__]
    return f"a number, date or text that was given is beyond what the database holds: {why}"


def main() -> None:
    """Be the program."""
    _open_channels()
    sys.exit(run())


def _open_channels() -> None:
    """Let whoever closed a channel, or has another alphabet, end nothing.

    A channel that is closed leads nowhere. What a locale has no letters for is shown by its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    for channel in (sys.stdout, sys.stderr):
        channel.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # of the process
