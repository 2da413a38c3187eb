"""The secret that keys what the edge remembers of stations' passwords: a file, not a row.

Who reads the database alone could else try passwords against fast digests. Without the file, or
with another one, each weak password is proven once more by its slow hash; nothing else is lost.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from deploy.errors import DeployError

FILE_NAME: Final = "edge.secret"
_BYTES: Final = 32


class BadSecretError(DeployError):
    """The file with the edge's secret cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(
            f"cannot use {path}: {why}; delete it, and a new one is made: stations' passwords stay"
        )


def edge_secret(data: Path) -> bytes:
    """Return the secret in the folder *data*, made at the first start.

    Raises:
        BadSecretError: If the file is no secret of ours or cannot be read.
    """
    path = data / FILE_NAME
    if not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise BadSecretError(path, str(error)) from error
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise BadSecretError(path, str(error)) from error
    if len(secret) != _BYTES:
        raise BadSecretError(path, f"it has {len(secret)} bytes, not {_BYTES}")
    return secret


def _make(path: Path) -> None:
    """Make the file, whole or not at all: two servers may begin in one folder at once."""
    descriptor, making = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(making, path)
    finally:
        Path(making).unlink()
