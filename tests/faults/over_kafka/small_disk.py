"""What lets a server run out of room: a small disk, or where nobody may mount one, small files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final, Self

DISK_SIZE: Final = "4g"
LEFT_BYTES: Final = 64 << 10
FULL_BYTES: Final = 16 << 10
"""With less than that free the disk counts as full: a page or two may be left over."""
FILE_BYTES_MAX: Final = 4 << 10
LOOK_SECONDS: Final = 0.05


def can_mount() -> bool:
    """Say whether this process may mount a disk: only root may, and not in every container."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class SmallDisk(AbstractContextManager["SmallDisk"]):
    """A file system of its own at *place*, in memory, from `__enter__` to `__exit__`."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __enter__(self) -> Self:
        self.place.mkdir(parents=True)
        _mount("-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=755", "none", str(self.place))
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: whoever was killed may hold a file for a moment more.
        subprocess.run(["umount", "--lazy", str(self.place)], check=True)

    @property
    def is_full(self) -> bool:
        """Whether next to nothing can be written."""
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize < FULL_BYTES

    def fill(self) -> None:
        """Make the disk as small as what is on it, and a little."""
        found = os.statvfs(self.place)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._resize(str(used + LEFT_BYTES))

    def make_room(self) -> None:
        """Give it its size back."""
        self._resize(DISK_SIZE)

    def _resize(self, size: str) -> None:
        _mount("-o", f"remount,size={size}", str(self.place))


class SmallFiles(AbstractContextManager["SmallFiles"]):
    """A limit for the files of some processes, and of those that take their place meanwhile."""

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        self._processes = processes
        self._ending = threading.Event()
        self._limiting: threading.Thread | None = None

    def __exit__(self, *_: object) -> None:
        self.make_room()

    @property
    def is_full(self) -> bool:
        """Whether hardly a file can grow."""
        return self._limiting is not None

    def fill(self) -> None:
        """Refuse whatever is written further back in a file."""
        self._ending.clear()
        self._limiting = threading.Thread(target=self._limit)
        self._limiting.start()

    def make_room(self) -> None:
        """Let files grow again."""
        self._ending.set()
        if self._limiting is not None:
            self._limiting.join()
        self._limiting = None
        self._set(resource.RLIM_INFINITY)

    def _limit(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            self._set(FILE_BYTES_MAX)

    def _set(self, size: int) -> None:
        for pid in self._processes():
            with suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


Room = SmallDisk | SmallFiles
"""What a server has for its files, until it is filled."""
