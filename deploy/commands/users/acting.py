"""Who acts when a command changes something.

Before there are accounts it is who `--by` names, or the login on this machine. Once there are, it
is who ran `wattledger login` here: each command that changes something asks for a permission
(`needs.py`), and the person's name stands beside what it does. Who only reads is not asked.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from deploy.commands.data_folder import FOLDER, DataFolder
from deploy.commands.users.token_file import kept_token
from deploy.errors import DeployError

if TYPE_CHECKING:
    from ledger.users.roles import Permission
    from ledger.users.user import User

_ACTING: Final[ContextVar[str]] = ContextVar("acting", default="")


class NotSignedInError(DeployError):
    """There are accounts, and nobody acts here with one of them."""

    def __init__(self) -> None:
        super().__init__(
            "there are accounts here: `wattledger login` first, and what you do stands under "
            "your name"
        )


class TokenEndedError(DeployError):
    """Who acted here does so no more."""

    def __init__(self) -> None:
        super().__init__("your token holds no more: `wattledger login` gets another one")


class NamedByHandError(DeployError):
    """Somebody is named by `--by` where there are accounts."""

    def __init__(self) -> None:
        super().__init__(
            "--by names nobody where there are accounts: leave it out; what you do stands under "
            "the name with which you ran `wattledger login`"
        )


class CommandRefusedError(DeployError):
    """The roles of who acts do not let a command be run."""

    def __init__(self, name: str, permission: Permission, *, is_partly: bool) -> None:
        from ledger.users.roles import PERMISSIONS

        self.name, self.permission = name, permission
        roles = ", ".join(role for role in PERMISSIONS if permission in PERMISSIONS[role])
        why = (
            "your role holds of a part alone, and the command line acts on all: use the console"
            if is_partly
            else f"it takes one of the roles {roles}; an administrator gives them"
        )
        super().__init__(f"{name} may not do this ({permission}): {why}")


def acting(by: str | None = None) -> str:
    """Return the name that stands beside what a command does; *by*: as it was typed."""
    return _ACTING.get() or by or _login()


@contextmanager
def let_in(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Iterator[None]:
    """Let a command be run by who may, and `acting` know who that is.

    Raises:
        DeployError: If there are accounts, and nobody acts here who may.
    """
    user = _who_may(function, arguments)
    token = _ACTING.set(user.name if user else "")
    try:
        yield
    finally:
        _ACTING.reset(token)


def _who_may(function: Callable[..., Any], arguments: Mapping[str, Any]) -> User | None:
    from deploy.commands.users.needs import permission_for

    permission = permission_for(function)
    if permission is None:
        return None
    folder = arguments.get("folder", FOLDER)
    assert isinstance(folder, DataFolder)
    settings = folder.settings()
    if not (settings.database_url or (settings.data / "postgresql").exists()):
        return None  # nothing was ever kept, so no account
    from deploy.running.opening import opened
    from ledger.users.access_tokens import token_user
    from ledger.users.store import is_anybody

    with opened(settings) as connection:
        if not is_anybody(connection):
            return None
        if _named_by_hand(arguments):
            raise NamedByHandError
        token = kept_token(settings)
        if not token:
            raise NotSignedInError
        user = token_user(connection, token)
    if user is None:
        raise TokenEndedError
    reach = user.reach(permission)
    if not reach.is_everywhere:
        raise CommandRefusedError(user.name, permission, is_partly=bool(reach))
    return user


def _named_by_hand(arguments: Mapping[str, Any]) -> bool:
    """Say whether `--by` was given, alone or among options that belong together."""
    return bool(arguments.get("by")) or any(
        getattr(each, "by", None) for each in arguments.values() if not isinstance(each, str)
    )


def _login() -> str:
    """Return the name under which this person works on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
