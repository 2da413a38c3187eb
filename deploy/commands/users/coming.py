"""`wattledger login` and `logout`: who acts at this command line."""

from __future__ import annotations

import getpass
import socket
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.token_file import forget_token, keep_token, kept_token
from deploy.errors import DeployError
from deploy.output import ask, print_json, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

_TERMINAL: Final = "terminal"
_TOKEN_CHARACTERS_MAX: Final = 1024


class NobodyAskedError(DeployError):
    """Nobody is at a terminal who could be asked."""

    def __init__(self) -> None:
        super().__init__(
            "nobody can be asked for a password here: make a token at /console/me and hand it in: "
            "wattledger login --token-stdin"
        )


class ForeignTokenError(DeployError):
    """A token that is no person's, or holds no more."""

    def __init__(self) -> None:
        super().__init__("this token is no person's, or holds no more: make one at /console/me")


def login(
    name: str | None = None,
    /,
    *,
    token_stdin: Annotated[bool, Parameter(negative=())] = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Act with your account at this command line: what you change stands under your name.

    Asks for the password, and the code of the second factor where you have one, and keeps a token
    for this data folder in a file that only you can read (below ~/.config/wattledger).

    Args:
        name: Your account; without it you are asked.
        token_stdin: Read a token from standard input that was made at /console/me.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.access_tokens import token_user

    settings = folder.settings()
    with opened(settings) as connection:
        if token_stdin:
            token = sys.stdin.read(_TOKEN_CHARACTERS_MAX).strip()
        else:
            token = _asked_for(connection, name, SystemClock())
        user = token_user(connection, token)
    if user is None:
        raise ForeignTokenError
    path = keep_token(settings, token)
    if folder.json:
        print_json({"name": user.name, "token_file": str(path)})
    else:
        say(f"what you change is {user.name}'s from now on; `wattledger logout` ends it")
    return 0


def logout(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """Act no more with your account at this command line; its token holds no more.

    Args:
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.users.access_tokens import end_token

    settings = folder.settings()
    token = kept_token(settings)
    if token:
        with opened(settings) as connection:
            end_token(connection, token, SystemClock().now())
    forget_token(settings)
    if folder.json:
        print_json({"was_in": bool(token)})
    else:
        say("you are out" if token else "nobody was in here")
    return 0


def _asked_for(connection: Connection[Any], name: str | None, clock: Any) -> str:  # noqa: ANN401 - loaded late
    """Return a new token of who proves to be *name*."""
    from ledger.users.access_tokens import make_personal_token
    from ledger.users.proving.coming_in import Halfway, try_code, try_password
    from ledger.users.proving.refusals import Comer
    from ledger.users.store import is_anybody

    if not is_anybody(connection):
        message = "there is no account yet: `wattledger up` prints a link that makes the first"
        raise DeployError(message)
    if not sys.stdin.isatty():
        raise NobodyAskedError
    name = name or ask("Name: ")
    comer = Comer(_TERMINAL)
    came = try_password(connection, name, getpass.getpass("Password: "), comer, clock.now())
    if isinstance(came, Halfway):
        if came.is_new:
            message = "a second factor is asked of you: set it first, at /console/login"
            raise DeployError(message)
        came = try_code(connection, came, ask("Code: "), comer, clock.now())
    now = clock.now()
    what_for = f"{socket.gethostname()[:40]} {now:%Y-%m-%d %H:%M:%S}"
    return make_personal_token(connection, came, what_for, now)
