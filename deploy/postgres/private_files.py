"""Files that nobody else may read: logs quote statements, frames and persons."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_MODE = 0o600


def open_private(path: Path) -> BinaryIO:
    """Open *path* to append to it, and take from others what an older version let them read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
    if os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, _MODE)
    if os.geteuid() == 0:  # the folder's owner, who may be another, needs it too
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return os.fdopen(descriptor, "ab")
