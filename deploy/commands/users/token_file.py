"""Where the command line keeps the token of a person: a private file, one a data folder."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.errors import DeployError
from deploy.postgres.private_files import open_private

if TYPE_CHECKING:
    from deploy.settings import Settings

_FOLDER: Final = "wattledger"
_NAME_CHARACTERS: Final = 24
_TOKEN_BYTES_MAX: Final = 1024


class TokenFileError(DeployError):
    """The file with the token cannot be used."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"cannot use {path}: {error.strerror or error}")


class NoHomeError(DeployError):
    """Nobody knows where this person's files are."""

    def __init__(self) -> None:
        super().__init__(
            "there is no home folder for the token that says who you are: set HOME, or "
            "XDG_CONFIG_HOME"
        )


def token_path(settings: Settings) -> Path:
    """Return where the token for the data of *settings* is kept."""
    home = os.environ.get("XDG_CONFIG_HOME") or _home() / ".config"
    which = f"{settings.data.resolve()}\n{settings.database_url}"
    name = sha256(which.encode(errors="surrogateescape")).hexdigest()[:_NAME_CHARACTERS]
    return Path(home) / _FOLDER / f"{name}.token"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise NoHomeError from None


def kept_token(settings: Settings) -> str:
    """Return the token that is kept here, "" where none is.

    Raises:
        TokenFileError: If it cannot be read.
    """
    path = token_path(settings)
    try:
        return path.read_bytes()[:_TOKEN_BYTES_MAX].decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise TokenFileError(path, error) from error


def keep_token(settings: Settings, token: str) -> Path:
    """Keep *token* in place of what was kept; return where.

    Raises:
        TokenFileError: If it cannot be written.
    """
    path = token_path(settings)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            path.unlink()
        with open_private(path) as file:
            file.write(f"{token}\n".encode())
    except OSError as error:
        raise TokenFileError(path, error) from error
    return path


def forget_token(settings: Settings) -> None:
    """Keep no token any more.

    Raises:
        TokenFileError: If the file cannot be removed.
    """
    path = token_path(settings)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise TokenFileError(path, error) from error
