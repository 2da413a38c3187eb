"""The secret that keys what the edge remembers of stations' passwords: a file, not a row.

Who reads the database alone could else try passwords against fast digests. Without the file, or
with another one, each weak password is proven once more by its slow hash; nothing else is lost.
"""

from __future__ import annotations

import os
import secrets
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
    try:
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise BadSecretError(path, str(error)) from error
    else:
        with os.fdopen(made, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise BadSecretError(path, str(error)) from error
    if len(secret) != _BYTES:
        raise BadSecretError(path, f"it has {len(secret)} bytes, not {_BYTES}")
    return secret
