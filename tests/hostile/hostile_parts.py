"""Long hostile runs go in parts, each with a seed of its own, so that one may go on with any.

`HOSTILE_PARTS=8-20 make fuzz` leaves the first seven out; `HOSTILE_PARTS=8` runs the eighth alone.
"""

from __future__ import annotations

import os
import time
from typing import Final

import pytest

VARIABLE: Final = "HOSTILE_PARTS"
SEEDS_APART: Final = 1_000
_BAR: Final = 20


def chosen_parts(count: int) -> range:
    """Return the parts to run of 1 to *count*: all, or those that the environment names."""
    first, _, last = os.environ.get(VARIABLE, f"1-{count}").partition("-")
    return range(int(first), min(int(last or first), count) + 1)


def seed_of(part: int) -> int:
    """Return the seed of *part*; as many as SEEDS_APART may be counted from it."""
    return part * SEEDS_APART


class Progress:
    """Says on the terminal, past pytest, how far a run in parts is and how long it will take."""

    def __init__(self, parts: range, capsys: pytest.CaptureFixture[str]) -> None:
        self._parts, self._capsys, self._done = parts, capsys, 0
        self._began = time.monotonic()

    def part_done(self, part: int, said: str) -> None:
        """Say that *part* is done and what was seen."""
        self._done += 1
        total = len(self._parts)
        bar = f"{'#' * (_BAR * self._done // total):.<{_BAR}}"
        left = (time.monotonic() - self._began) / self._done * (total - self._done)
        line = f"[{bar}] part {part} ({self._done} of {total}): {said}; {left / 60:.1f} min left"
        self.say(line)

    def say(self, line: str) -> None:
        """Print *line*."""
        with self._capsys.disabled():
            print(f"\n{line}", end="", flush=True)  # noqa: T201 - make fuzz is asked for it
