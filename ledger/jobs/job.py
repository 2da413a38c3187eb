"""A job: long work that somebody asked for, how far it is and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple


class JobState(StrEnum):
    """How far a job is; the last three are for good."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class Job(NamedTuple):
    """One job without its parameters and result, which may be long.

    `subject`: what it is about, in the kind's own words. `done` of `whole` counts in the work's own
    units, 0 of 0 before it said so. `error`: of one that failed, in words.
    """

    number: int
    kind: str
    subject: str
    asked_by: str
    asked_at: datetime
    state: JobState
    done: int
    whole: int
    ended_at: datetime | None
    error: str

    @property
    def is_over(self) -> bool:
        """Whether nothing becomes of it any more."""
        return self.state in OVER

    @property
    def percent(self) -> int:
        """Return how much of it is done; 100 only once all of it is."""
        if self.state is JobState.DONE:
            return 100
        return min(self.done * 100 // self.whole, 99) if self.whole > 0 else 0


class JobMove(NamedTuple):
    """What became of a job at a moment; `by` is "" where its runner did it."""

    move: str
    by: str
    at: datetime
