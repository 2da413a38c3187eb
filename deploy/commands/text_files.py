"""The text files that people name on the command line, and what nobody may see there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deploy.errors import DeployError

FromStdin = Annotated[bool, Parameter(negative=())]
"""A secret is read from standard input: a command line is seen by everybody on the machine."""


def read_text(path: Path) -> str:
    """Return a file's text.

    Raises:
        DeployError: If it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8Error(path, error) from error
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise DeployError(message) from error


class NotUtf8Error(DeployError):
    """A file holds bytes that are no UTF-8; `line` and `column` (from 1) say where."""

    def __init__(self, path: Path, error: UnicodeDecodeError) -> None:
        before = error.object[: error.start]
        self.path, self.line = path, before.count(b"\n") + 1
        self.column = error.start - before.rfind(b"\n")
        self.why = "not UTF-8: save the file as UTF-8"
        super().__init__(f"{path}:{self.line}:{self.column}: {self.why}")


def read_secret() -> str:
    """Return a secret from standard input; at a terminal it is asked for, and not shown.

    Raises:
        DeployError: If it is no UTF-8.
    """
    try:
        if sys.stdin.isatty():
            import getpass

            secret = getpass.getpass("password: ")
        else:
            secret = sys.stdin.readline().rstrip("\r\n")
        secret.encode()  # some locales let any bytes through
    except UnicodeError as error:
        message = "what came from standard input is not UTF-8"
        raise DeployError(message) from error
    return secret
