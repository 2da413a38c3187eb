"""Who uses the embedded server of a folder: locks, which go with their processes in any case."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


class ServerUsers:
    """One user of the server over the folder *data*, or one who looks whether there are any.

    Each user holds a shared lock of one file. Its content says for how many seconds the server is
    kept after the last of them; it is written with each user that comes.
    """

    def __init__(self, data: Path, *, only_looks: bool = False) -> None:
        """Open the folder's files; who *only_looks* makes none, not even while others delete them.

        Raises:
            FileNotFoundError: If there are none and we only look.
        """
        self._data, self._flags = data, 0 if only_looks else os.O_CREAT
        self._users = open_lock(data / "postgresql.users", self._flags)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from coming, and from starting and stopping the server, meanwhile.

        Raises:
            FileNotFoundError: If the file is gone and we only look.
        """
        with open_lock(self._data / "postgresql.lock", self._flags) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def join(self, *, keep_seconds: int) -> None:
        """Become a user; the server is to be kept for *keep_seconds* afterwards (alone only)."""
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self._users.seek(0)
        self._users.truncate()
        self._users.write(b"%d\n" % keep_seconds)
        self._users.flush()

    def leave(self) -> None:
        """Use the server no more."""
        self._users.close()

    def is_last(self) -> bool:
        """Say whether nobody else uses the server (alone only); a user that asks gives up its use.

        For a lock is exchanged by letting it go first, whether or not the other one is to be had.
        """
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._users, fcntl.LOCK_UN)
        return True

    def keep_seconds(self) -> int:
        """Return for how long the user that came last wants the server kept (alone only)."""
        self._users.seek(0)
        with suppress(ValueError):
            return int(self._users.read())
        return 0

    def last_came(self) -> int:
        """Return a number that changes with each user that comes."""
        return os.fstat(self._users.fileno()).st_mtime_ns


def open_lock(path: Path, flags: int = os.O_CREAT) -> BinaryIO:
    """Return a file to lock; one that root makes is the folder's owner's, who may need it too."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o644)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return os.fdopen(descriptor, "r+b")
