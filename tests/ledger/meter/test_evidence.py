"""What facts say of energy before any judgement: roles, phases, repeats, energy given back."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import SessionEnded, SessionStarted, SessionUpdated
from ledger.meter.evidence import MeterEvidence, gather_evidence
from tests.station_story import Story16, Story201, wh

EXPORT: dict[str, Any] = {"measurand": "Energy.Active.Export.Register", "unit": "Wh"}
PHASES = ("L1", "L2", "L3")


def _evidence(story: Story16 | Story201) -> MeterEvidence:
    facts = [
        fact
        for fact in story.facts()
        if isinstance(fact, SessionStarted | SessionUpdated | SessionEnded)
    ]
    return gather_evidence(facts, SessionClock())


@pytest.mark.parametrize(
    ("first", "second", "spread"), [(3000, 3000, 0), (3000, 3005, 5), (3005, 3000, 5)]
)
def test_of_two_values_of_one_moment_the_lower_one_stands_in_any_order(
    first: int, second: int, spread: int
) -> None:
    story = Story16()
    story.sample(30, wh(first))
    story.sample(30, wh(second))

    told = _evidence(story)

    assert [reading.value_wh for reading in told.samples] == [3000]
    assert told.spread_wh == spread


def test_the_most_that_two_values_of_one_moment_differ_by_is_told() -> None:
    story = Story16()
    for value in (3000, 3009, 3005):
        story.sample(30, wh(value))
    story.sample(40, wh(4000))
    story.sample(40, wh(4001))

    assert _evidence(story).spread_wh == 9


@pytest.mark.parametrize(
    ("second", "blockers"), [(3016, ()), (3017, (Flag.READINGS_OF_ONE_MOMENT,))]
)
def test_two_values_of_one_second_that_no_power_explains_hold_the_session(
    second: int, blockers: tuple[Flag, ...]
) -> None:
    """In a second 22 kW and a tenth bring 6.7 Wh, and 10 more are no contradiction."""
    story = Story16()
    story.start(0, 1000)
    story.sample(30, wh(3000))
    story.sample(30, wh(second))
    story.stop(60, 6000)

    assert story.session().blockers == blockers


def test_a_value_below_zero_is_not_used_and_zero_is() -> None:
    story = Story16()
    story.sample(10, wh(0))
    story.sample(20, wh(-1))

    told = _evidence(story)

    assert [reading.value_wh for reading in told.samples] == [0]
    assert told.flags == {Flag.READING_NEGATIVE}


@pytest.mark.parametrize(
    ("samples", "values", "flags"),
    [
        ([dict.fromkeys(PHASES, 100)], [300], {Flag.PHASES_SUMMED}),
        ([{"L1": 100}], [100], {Flag.SINGLE_PHASE_REGISTER}),
        ([{"L1": 100, None: 300}], [300], set()),
        ([{"L1": 100}, {None: 300}], [300], set()),
        (
            [dict.fromkeys(PHASES, 100), {"L1": 200}],
            [300],
            {Flag.PHASES_SUMMED, Flag.PHASES_INCOMPLETE},
        ),
    ],
)
def test_a_register_is_the_total_or_the_sum_of_all_its_phases(
    samples: list[dict[str | None, int]], values: list[int], flags: set[Flag]
) -> None:
    story = Story16()
    for minute, phases in enumerate(samples):
        told = [wh(v) if p is None else wh(v, phase=p) for p, v in phases.items()]
        story.sample(minute, *told)

    evidence = _evidence(story)

    assert [reading.value_wh for reading in evidence.samples] == values
    assert evidence.flags == flags


@pytest.mark.parametrize(
    ("start", "exported", "stop", "imported", "is_held"),
    [
        (1000, [5, 9], 1000, [], True),
        (1000, [5], 1000, [], True),
        (1000, [5, 9], 1004, [], True),
        (1000, [9, 5], 1004, [], True),
        (1000, [5, 5], 1004, [], False),
        (1000, [5, 9], 1004, [1002], False),
        (1000, [], 1000, [], False),
    ],
)
def test_a_session_with_readings_of_energy_given_back_alone_says_so(
    start: int, exported: list[int], stop: int, imported: list[int], *, is_held: bool
) -> None:
    story = Story16()
    story.start(0, start)
    for minute, value in enumerate(exported, 10):
        story.sample(minute, {"value": str(value)} | EXPORT)
    for minute, value in enumerate(imported, 10):
        story.sample(minute, wh(value))
    story.stop(60, stop)

    assert (Flag.EXPORT_ONLY in story.session().blockers) is is_held


def test_a_numbered_session_with_readings_of_energy_given_back_alone_says_so() -> None:
    story = Story201()
    story.event("Started", 0, {"value": "5"} | EXPORT, token="TAG-1")
    story.event("Ended", 60, {"value": "5"} | EXPORT, place=None)

    assert story.session().energy_wh is None
    assert Flag.EXPORT_ONLY in story.session().blockers
