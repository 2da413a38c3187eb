"""Who serves a data folder: at most one `wattledger up` at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from deploy.errors import DeployError
from deploy.settings import Settings


class DataFolderError(DeployError):
    """The data folder cannot be made or written."""

    def __init__(self, data: Path, error: OSError) -> None:
        self.data = data
        is_file = isinstance(error, FileExistsError)
        why = "it is a file" if is_file else error.strerror or str(error)
        super().__init__(f"{data} cannot be the data folder: {why}; --data names another one")


class AlreadyUpError(DeployError):
    """Another `wattledger up` serves this data folder."""

    def __init__(self, data: Path, pid: str) -> None:
        self.data, self.pid = data, pid
        super().__init__(
            f"{data} is already served by process {pid or '?'}: stop that one, "
            "or choose another folder with --data"
        )


def make_folder(data: Path) -> None:
    """Make the data folder where there is none.

    Raises:
        DataFolderError: If that cannot be done.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataFolderError(data, error) from error


@contextmanager
def sole_owner(data: Path) -> Iterator[None]:
    """Hold the folder's lock; it goes with the process, however that ends.

    Raises:
        AlreadyUpError: If another process holds it.
    """
    with _lock_file(data) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyUpError(data, lock.read().strip()) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                lock.truncate(0)


def is_up(settings: Settings) -> bool:
    """Say whether a `wattledger up` serves the data folder at this moment."""
    with _lock_file(settings.data) as lock:
        try:
            # Shared, so that commands that look at the same moment do not take each other for it.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _lock_file(data: Path) -> TextIO:
    make_folder(data)
    try:
        lock = (data / "up.lock").open("a+")
    except OSError as error:
        raise DataFolderError(data, error) from error
    lock.seek(0)
    return lock
