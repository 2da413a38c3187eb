"""How a campaign goes from stage to stage, and when it stops. Pure.

1, 10%, 100% of 50 stations     1, then 4 more, then 45
the same of 5                   1, then 4: a stage that adds nobody is none
one of 1 fails, limit 10 %      stops: what failed is a share of the stages that were opened
one of 11 fails                 goes on; the second one stops it
one is away                     the others open the next stage, once they are half of theirs
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from ingest.errors import IngestError

_SIZE: Final = re.compile(r"(\d{1,7})(%?)", re.ASCII)
_ALL: Final = 100


class BadStageError(IngestError):
    """A stage is no number of stations and no share of them, or less than the one before."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"a stage is a number of stations or a share of all, each more than the one before, as "
            f"1 10% 100%; not {said!r}"
        )


def stage_ends(said: Sequence[str], count: int) -> list[int]:
    """Return how many of *count* stations are asked up to each stage; the last one has all.

    Raises:
        BadStageError: If a stage is less than the one before, or cannot be read.
    """
    ends: list[int] = []
    for each in said:
        found = _SIZE.fullmatch(each.strip())
        if found is None or not int(found[1]) or (found[2] and int(found[1]) > _ALL):
            raise BadStageError(each)
        size = int(found[1])
        if found[2]:
            share = Decimal(size) * count / _ALL
            size = int(share.to_integral_value(ROUND_CEILING))
        size = min(size, count)
        if ends and size < ends[-1]:
            raise BadStageError(each)
        if not ends or size > ends[-1]:
            ends.append(size)
    return ends if ends and ends[-1] == count else [*ends, count]


class StageCount(NamedTuple):
    """How far the stations of a stage are; `reachable` of those that wait are connected."""

    waiting: int
    reachable: int
    asked: int
    done: int
    failed: int

    @property
    def size(self) -> int:
        """All of them."""
        return self.waiting + self.asked + self.done + self.failed

    @property
    def is_passed(self) -> bool:
        """Whether the next stage may open: who is away holds up nobody, unless most are."""
        ended = self.done + self.failed
        return not self.asked and not self.reachable and ended * 2 >= self.size


class CampaignState(StrEnum):
    """How a campaign goes on; `stopped`: too many stations failed."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    DONE = "done"


class Progress(NamedTuple):
    """How a campaign goes on from now, and the stage that is open, counted from 1."""

    state: CampaignState
    stage: int


def progress(
    stages: Sequence[StageCount], stage: int, *, failures_percent: Decimal, failures_noted: int
) -> Progress:
    """Return how a running campaign goes on.

    Args:
        stages: How far the stations of each stage are.
        stage: The one that is open, counted from 1.
        failures_percent: At which share of the stations in opened stages it stops.
        failures_noted: Failures that a person took note of.
    """
    if all(not each.waiting and not each.asked for each in stages):
        state = CampaignState.DONE
    else:
        state = CampaignState.RUNNING
    opened = stages[:stage]
    failed = sum(each.failed for each in opened) - failures_noted
    if failed > 0 and failed * _ALL >= failures_percent * sum(each.size for each in opened):
        return Progress(CampaignState.STOPPED if state is CampaignState.RUNNING else state, stage)
    if stage < len(stages) and stages[stage - 1].is_passed:
        stage += 1
    return Progress(state, stage)
