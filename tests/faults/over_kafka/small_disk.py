"""A disk that can be made full and be given room again: a tmpfs, which only root may mount."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final, Self

ROOM_MAX: Final = "4g"
LEFT_BYTES: Final = 64 << 10
FULL_BYTES: Final = 16 << 10
"""With less than that free the disk counts as full: a page or two may be left over."""


def can_mount() -> bool:
    """Say whether this process may mount anything."""
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        check=False,
    )
    return os.geteuid() == 0 and done.returncode == 0


class SmallDisk:
    """A file system of its own at *place*, from `__enter__` to `__exit__`."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __enter__(self) -> Self:
        self.place.mkdir(parents=True)
        _mount("-t", "tmpfs", "-o", f"size={ROOM_MAX},mode=755", "none", str(self.place))
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: whoever was killed may hold a file for a moment more.
        subprocess.run(["umount", "--lazy", str(self.place)], check=True)

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be written."""
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize < FULL_BYTES

    def fill(self) -> None:
        """Leave room for next to nothing."""
        found = os.statvfs(self.place)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self._resize(str(used + LEFT_BYTES))

    def make_room(self) -> None:
        """Give back what `fill` took."""
        self._resize(ROOM_MAX)

    def _resize(self, size: str) -> None:
        _mount("-o", f"remount,size={size}", str(self.place))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)
