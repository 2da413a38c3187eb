"""One `wattledger run PART`, started again whenever it ends, and what is wrong with it on purpose.

What a test breaks, or moves, it does within the process alone: a few lines run before the program.
The clock of each can be moved while it runs: the product asks `SystemClock` alone what time it is,
and here that adds what a file says. Time that a process only measures goes on, as on a machine
whose clock is set.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.tree import ROOT

PROGRAM: Final = "from deploy.cli import main; main()"
END_SECONDS_MAX: Final = 20
_CLOCK_FILE: Final = "CLOCK_OF_THIS_TEST"
_CLOCK: Final = f"""
import os, pathlib
from datetime import timedelta
from deploy.clock import SystemClock
right, ahead = SystemClock.now, pathlib.Path(os.environ["{_CLOCK_FILE}"])
SystemClock.now = lambda self: right(self) + timedelta(seconds=int(ahead.read_text()))
"""
# What each thread and task waits for, in the process's log, at a signal.
_WHEREABOUTS: Final = """
import asyncio, faulthandler, signal, sys
def tell_whereabouts(*_):
    faulthandler.dump_traceback(all_threads=True)
    for task in list(asyncio.tasks._all_tasks):
        print(task, file=sys.stderr)
signal.signal(signal.SIGUSR1, tell_whereabouts)
"""


class KeptProcess:
    """One part as a process, over and over; *broken* is what runs before it begins."""

    def __init__(self, part: str, home: Path, words: Sequence[str], *, broken: str = "") -> None:
        self._program = _CLOCK + _WHEREABOUTS + broken + "\n" + PROGRAM
        self._words = words
        self._log, self._clock = home / f"{part}.log", home / f"{part}.clock"
        self.move_clock(0)
        self.is_wanted = True
        self.running = self._start()

    @property
    def has_begun(self) -> bool:
        """Whether it has said so, at its first start or a later one."""
        text = self._log.read_text("utf-8", "replace")
        return "stations connect" in text or "is ready" in text

    def look_after(self) -> None:
        """Start it again if it ended."""
        if self.is_wanted and self.running.poll() is not None:
            self.running = self._start()

    def move_clock(self, seconds: int) -> None:
        """Let it think that it is so much later than it is."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(self._clock)

    def tell_whereabouts(self) -> None:
        """Have it write to its log what each of its threads and tasks waits for."""
        self.running.send_signal(signal.SIGUSR1)

    def end(self) -> None:
        """Stop it in the ordinary way, or kill it."""
        self.is_wanted = False
        self.running.send_signal(signal.SIGCONT)
        self.running.terminate()
        try:
            self.running.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-c", self._program, "run", *self._words],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT), _CLOCK_FILE: str(self._clock)},
            )
