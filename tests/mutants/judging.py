"""Switches mutants on, one in each fork, and sees whether a test goes red."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final, NamedTuple

import pytest

from tests.mutants.loading import MutantFinder

_KILLED: Final = 1
_ALIVE: Final = 0


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    HUNG = "hung"
    SURVIVED = "survived"
    UNREACHED = "unreached"


class _Fork(NamedTuple):
    number: int
    until: float


def fates(
    finder: MutantFinder,
    tests: Mapping[int, Sequence[str]],
    *,
    processes: int,
    seconds_max: float,
) -> Iterator[tuple[int, Fate]]:
    """Yield what becomes of each mutant of *tests* (by number), in no order.

    Args:
        finder: Which loaded the modules in this process.
        tests: The tests that reach each mutant.
        processes: How many forks live at once.
        seconds_max: After so long a fork is taken for one that hangs.
    """
    living: dict[int, _Fork] = {}
    left = iter(tests.items())
    is_over = False
    try:
        while living or not is_over:
            while len(living) < processes and not is_over:
                if (following := next(left, None)) is None:
                    is_over = True
                elif not following[1]:
                    yield following[0], Fate.UNREACHED
                else:
                    pid = _forked(finder, *following)
                    living[pid] = _Fork(following[0], time.monotonic() + seconds_max)
            yield from _ended(living)
            time.sleep(0.01)
    finally:
        for pid in living:
            _kill(pid)


def _ended(living: dict[int, _Fork]) -> Iterator[tuple[int, Fate]]:
    """Yield and take out the forks that are over."""
    for pid, fork in list(living.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del living[pid]
            code = os.waitstatus_to_exitcode(status)
            yield fork.number, Fate.SURVIVED if code == _ALIVE else Fate.KILLED
        elif time.monotonic() > fork.until:
            _kill(pid)
            del living[pid]
            yield fork.number, Fate.HUNG


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _forked(finder: MutantFinder, number: int, tests: Sequence[str]) -> int:
    """Fork a process that runs *tests* with one mutant switched on; return its id."""
    pid = os.fork()
    if pid:
        return pid
    code = _KILLED
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(nothing, each)
        finder.switch_on(number)
        result = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests])
        code = _ALIVE if result == pytest.ExitCode.OK else _KILLED
    finally:
        os._exit(code)
