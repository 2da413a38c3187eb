"""How a campaign goes from stage to stage, and when it stops."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.campaigns.stages import (
    BadStageError,
    CampaignState,
    Progress,
    StageCount,
    progress,
    stage_ends,
)

RUNNING, STOPPED, DONE = CampaignState.RUNNING, CampaignState.STOPPED, CampaignState.DONE


@pytest.mark.parametrize(
    ("said", "count", "ends"),
    [
        (["1", "10%", "100%"], 50, [1, 5, 50]),
        (["1", "10%", "100%"], 5, [1, 5]),
        (["1", "10%", "100%"], 11, [1, 2, 11]),
        (["1"], 3, [1, 3]),
        (["100%"], 7, [7]),
        (["500"], 7, [7]),
        ([], 7, [7]),
        (["1%"], 1, [1]),
        (["50%"], 3, [2, 3]),
    ],
)
def test_stages_end_where_is_said(said: list[str], count: int, ends: list[int]) -> None:
    assert stage_ends(said, count) == ends


@pytest.mark.parametrize(
    "said", [["0"], ["ten"], ["101%"], ["-1"], ["5", "4"], ["50%", "1"], ["1.5"]]
)
def test_a_stage_is_no_smaller_than_the_one_before(said: list[str]) -> None:
    with pytest.raises(BadStageError, match="a stage is a number"):
        stage_ends(said, 100)


@given(st.lists(st.integers(1, 100), max_size=5).map(sorted), st.integers(1, 10_000))
def test_each_station_is_in_one_stage(shares: list[int], count: int) -> None:
    ends = stage_ends([f"{each}%" for each in shares], count)

    assert ends == sorted(set(ends))
    assert (ends[0] > 0, ends[-1]) == (True, count)


@pytest.mark.parametrize(
    ("stages", "stage", "expected"),
    [
        # The first one is still on its way.
        ([(0, 0, 1, 0, 0), (9, 9, 0, 0, 0)], 1, Progress(RUNNING, 1)),
        ([(0, 0, 0, 1, 0), (9, 9, 0, 0, 0)], 1, Progress(RUNNING, 2)),
        # One stage a look.
        ([(0, 0, 0, 1, 0), (0, 0, 0, 1, 0), (9, 9, 0, 0, 0)], 1, Progress(RUNNING, 2)),
        # Nobody of the first one is there: nobody tried it.
        ([(1, 0, 0, 0, 0), (9, 9, 0, 0, 0)], 1, Progress(RUNNING, 1)),
        # Half of the stage has ended, and the others are away.
        ([(2, 0, 0, 2, 0), (9, 9, 0, 0, 0)], 1, Progress(RUNNING, 2)),
        ([(3, 0, 0, 2, 0), (9, 9, 0, 0, 0)], 1, Progress(RUNNING, 1)),
        ([(2, 1, 0, 2, 0), (9, 9, 0, 0, 0)], 1, Progress(RUNNING, 1)),
        # The limit is 10 % of the stations of opened stages.
        ([(0, 0, 0, 0, 1), (9, 9, 0, 0, 0)], 1, Progress(STOPPED, 1)),
        ([(0, 0, 0, 1, 0), (9, 9, 0, 0, 1)], 2, Progress(RUNNING, 2)),
        ([(0, 0, 0, 1, 0), (8, 8, 0, 0, 1)], 2, Progress(STOPPED, 2)),
        # All is over, whatever came of it.
        ([(0, 0, 0, 1, 0), (0, 0, 0, 8, 2)], 2, Progress(DONE, 2)),
        ([(0, 0, 0, 1, 0), (1, 0, 0, 8, 0)], 2, Progress(RUNNING, 2)),
    ],
)
def test_a_campaign_goes_on_as_its_stations_do(
    stages: list[tuple[int, ...]], stage: int, expected: Progress
) -> None:
    counts = [StageCount(*each) for each in stages]

    assert progress(counts, stage, failures_percent=Decimal(10), failures_noted=0) == expected


@pytest.mark.parametrize(
    ("percent", "noted", "state"),
    [(0, 0, STOPPED), (20, 0, STOPPED), (21, 0, RUNNING), (0, 2, RUNNING), (10, 1, STOPPED)],
)
def test_what_failed_is_held_against_the_limit_but_for_what_was_noted(
    percent: int, noted: int, state: CampaignState
) -> None:
    counts = [StageCount(0, 0, 8, 0, 2)]

    found = progress(counts, 1, failures_percent=Decimal(percent), failures_noted=noted)
    assert found.state is state


def test_none_that_fails_stops_none() -> None:
    counts = [StageCount(5, 5, 0, 5, 0)]

    found = progress(counts, 1, failures_percent=Decimal(0), failures_noted=0)
    assert found.state is RUNNING
