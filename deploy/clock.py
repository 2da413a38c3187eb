"""The two clocks: the real one, and one that is moved step by step. Only `deploy` reads time."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import Final, NamedTuple, Self

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NOW: Final = struct.Struct("<q")
_SLEEPER: Final = struct.Struct("<qq")
_SLEEPERS_MAX: Final = 32
_SIZE: Final = _NOW.size + _SLEEPERS_MAX * _SLEEPER.size
_LOOK_SECONDS: Final = 0.001


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for *seconds*."""
        await asyncio.sleep(seconds)


class _Sleeper(NamedTuple):
    """A process in which something sleeps: where it is written down, and when it is to wake."""

    offset: int
    pid: int
    wakes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedClock:
    """A clock that stands until it is moved, the same for all processes that have a copy.

    The file at `path` holds the instant and who sleeps until when. So whoever moves the clock knows
    the next instant at which something is to happen, and when that is done: a sleeper that sleeps
    again. In each process one task may sleep; one that woke and never sleeps again keeps the clock
    waiting.
    """

    path: Path

    @classmethod
    def starting_at(cls, origin: datetime, *, path: Path) -> Self:
        """Return a clock that shows *origin*, kept in a new file at *path*."""
        path.write_bytes(_NOW.pack(_ticks(origin)).ljust(_SIZE, b"\0"))
        return cls(path=path)

    def now(self) -> datetime:
        """Return the present moment of this clock in UTC."""
        (now,) = _NOW.unpack_from(_shared(self.path))
        return _moment(now)

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has been moved on by *seconds*."""
        wakes_at = self.now() + timedelta(seconds=seconds)
        self._write_down(wakes_at)
        while self.now() < wakes_at:  # noqa: ASYNC110 - another process moves it
            await asyncio.sleep(_LOOK_SECONDS)

    def move_to(self, moment: datetime) -> None:
        """Show *moment* from now on, in every process. Time does not run backwards."""
        assert moment >= self.now(), moment
        _NOW.pack_into(_shared(self.path), 0, _ticks(moment))

    def next_wake(self) -> datetime | None:
        """Return when the next sleeper is to wake, None if nobody sleeps."""
        now = self.now()
        return min(
            (each.wakes_at for each in self._sleepers() if each.wakes_at > now), default=None
        )

    def is_anyone_awake(self) -> bool:
        """Say whether a sleeper whose time has come still does what it woke for."""
        now = self.now()
        return any(each.wakes_at <= now for each in self._sleepers())

    def _sleepers(self) -> Iterator[_Sleeper]:
        """Yield the sleepers of processes that still live: a killed part wakes no more."""
        return (each for each in self._written() if each.pid and _is_alive(each.pid))

    def _written(self) -> Iterator[_Sleeper]:
        shared = _shared(self.path)
        for offset in range(_NOW.size, _SIZE, _SLEEPER.size):
            pid, wakes_at = _SLEEPER.unpack_from(shared, offset)
            yield _Sleeper(offset, pid, _moment(wakes_at))

    def _write_down(self, wakes_at: datetime) -> None:
        """Take the place of this process, a free one or that of a dead process."""
        pid = os.getpid()
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            written = list(self._written())
            offset = next(
                (each.offset for each in written if each.pid == pid),
                next(each.offset for each in written if not each.pid or not _is_alive(each.pid)),
            )
            _SLEEPER.pack_into(_shared(self.path), offset, pid, _ticks(wakes_at))


@cache
def _shared(path: Path) -> mmap:
    """Return the file at *path* as memory that all processes share."""
    with path.open("r+b") as file:
        return mmap(file.fileno(), _SIZE)


def _ticks(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(ticks: int) -> datetime:
    return _EPOCH + ticks * _MICROSECOND


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
