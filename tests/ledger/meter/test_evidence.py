"""What facts say of energy before any judgement: roles, phases, repeats, energy given back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_clock import SessionClock
from ledger.facts.station_facts import (
    Measurand,
    Reading,
    ReadingContext,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
)
from ledger.meter.evidence import MeterEvidence, PowerReading, gather_evidence
from ledger.meter.series import RegisterReading
from tests.ledger.meter.readings import powers, readings
from tests.station_story import Story16, Story201, at, wh

EXPORT: dict[str, Any] = {"measurand": "Energy.Active.Export.Register", "unit": "Wh"}
PHASES = ("L1", "L2", "L3")


def _facts(story: Story16 | Story201) -> list[SessionFact]:
    return [
        fact
        for fact in story.facts()
        if isinstance(fact, SessionStarted | SessionUpdated | SessionEnded)
    ]


def _evidence(story: Story16 | Story201) -> MeterEvidence:
    return gather_evidence(_facts(story), SessionClock())


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


def test_what_is_told_again_counts_once_and_what_differs_in_time_or_value_is_another() -> None:
    story = Story16()
    for minute, register in ((0, 1000), (0, 1001), (1, 1000), (0, 1000)):
        story.start(minute, register)

    told = _evidence(story).declared_start

    assert [(each.at, each.value_wh, each.position) for each in told] == [
        (at(0), Decimal(1000), 0),
        (at(0), Decimal(1001), 1),
        (at(1), Decimal(1000), 2),
    ]


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


def _update(*told: Reading, line: int = 0, occurred_at: datetime | None = None) -> SessionUpdated:
    return SessionUpdated(
        station_id="CS-1",
        position=7,
        line=line,
        received_at=at(50),
        transaction_ref="1",
        evse_id=1,
        connector_id=1,
        occurred_at=at(40) if occurred_at is None else occurred_at,
        readings=told,
    )


def _register(value: str, context: ReadingContext = ReadingContext.PERIODIC) -> Reading:
    return Reading(at(30), Measurand.ENERGY_REGISTER_WH, Decimal(value), context)


@pytest.mark.parametrize("context", list(ReadingContext))
def test_a_reading_is_of_the_start_or_the_stop_by_its_context_alone(
    context: ReadingContext,
) -> None:
    evidence = gather_evidence([_update(_register("3000", context))], SessionClock())

    roles = {"begins": evidence.begins, "ends": evidence.ends, "samples": evidence.samples}
    role = {ReadingContext.BEGIN: "begins", ReadingContext.END: "ends"}.get(context, "samples")
    assert roles.pop(role) == (RegisterReading(at(30), Decimal(3000), 7, 0),)
    assert list(roles.values()) == [(), ()]


def test_a_reading_without_a_time_of_its_own_is_of_its_frames() -> None:
    told = Reading(None, Measurand.ENERGY_REGISTER_WH, Decimal(3000))

    assert gather_evidence([_update(told)], SessionClock()).samples[0].at == at(40)


def test_each_measurand_goes_where_it_belongs() -> None:
    kinds = [
        Reading(at(30), kind, Decimal(index), phase=phase)
        for index, kind in enumerate(Measurand, 1)
        for phase in (None, "L1")
    ]
    values = {kind: Decimal(index) for index, kind in enumerate(Measurand, 1)}

    evidence = gather_evidence([_update(*kinds)], SessionClock())

    assert [each.value_wh for each in evidence.samples] == [values[Measurand.ENERGY_REGISTER_WH]]
    assert [each.value_wh for each in evidence.intervals] == [values[Measurand.ENERGY_INTERVAL_WH]]
    taken = values[Measurand.POWER_W] - values[Measurand.POWER_EXPORT_W]
    assert evidence.powers == (PowerReading(at(30), taken),)
    assert evidence.exported == (values[Measurand.ENERGY_EXPORT_WH],)


SAMPLED, ALIGNED, BY_TRIGGER = "Sample.Periodic", "Sample.Clock", "Trigger"


@pytest.mark.parametrize(
    ("told", "counted", "again"),
    [
        # by the clock what was sampled is told once more
        ([(5, 100, SAMPLED), (10, 100, SAMPLED), (15, 250, ALIGNED)], [100, 100], [250]),
        ([(15, 100, None), (15, 250, ALIGNED)], [100], [250]),
        # alone it counts, and what the stop says goes on from it
        ([(15, 250, ALIGNED), (20, 50, "Transaction.End")], [250, 50], []),
        ([(15, 250, ALIGNED), (16, 20, BY_TRIGGER), (30, 200, ALIGNED)], [250, 200], [20]),
        ([(5, 100, SAMPLED), (7, 40, "Transaction.End"), (7, 9, ALIGNED)], [100, 40], [9]),
        ([(16, 20, BY_TRIGGER)], [20], []),
        ([(5, 100, SAMPLED), (5, 100, "Transaction.End")], [100], []),
    ],
)
def test_intervals_told_for_two_reasons_tell_one_energy(
    told: list[tuple[int, int, str | None]], counted: list[int], again: list[int]
) -> None:
    story = Story16()
    for minute, value, context in told:
        interval = wh(value, measurand="Energy.Active.Import.Interval")
        story.sample(minute, interval if context is None else interval | {"context": context})

    evidence = _evidence(story)

    assert [each.value_wh for each in evidence.intervals] == counted
    assert [each.value_wh for each in evidence.told_again] == again
    assert evidence.spread_wh == 0


def test_power_is_less_by_what_is_given_back_at_that_moment() -> None:
    taken, given = ({"measurand": f"Power.Active.{way}"} for way in ("Import", "Export"))
    story = Story201()
    story.start()
    story.sample(10, {"value": 5000, **taken}, {"value": 0, **given})
    story.sample(20, {"value": 2000, **taken}, {"value": 500, **given})
    story.sample(30, *({"value": 1000, "phase": phase, **given} for phase in PHASES))

    assert _evidence(story).powers == powers((10, 5000), (20, 1500), (30, -3000))


def test_power_is_the_total_or_the_sum_of_its_phases_over_all_frames_of_a_moment() -> None:
    phases = [Reading(at(30), Measurand.POWER_W, Decimal(2000), phase=each) for each in PHASES]
    total = Reading(at(30), Measurand.POWER_W, Decimal(6100))

    summed = gather_evidence([_update(phases[0]), _update(*phases[1:], line=1)], SessionClock())
    told = gather_evidence([_update(total), _update(*phases, line=1)], SessionClock())

    assert summed.powers == (PowerReading(at(30), Decimal(6000)),)
    assert told.powers == (PowerReading(at(30), Decimal(6100)),)


def test_a_register_of_two_phases_is_their_sum() -> None:
    told = [
        Reading(at(30), Measurand.ENERGY_REGISTER_WH, Decimal(100), phase=phase)
        for phase in PHASES[:2]
    ]

    evidence = gather_evidence([_update(*told)], SessionClock())

    assert [each.value_wh for each in evidence.samples] == [200]
    assert evidence.flags == {Flag.PHASES_SUMMED}


def test_a_declared_unit_holds_for_whatever_a_register_says() -> None:
    story = Story16()
    story.start(0, 1)
    story.sample(30, wh(3))
    story.sample(30, wh(4))
    story.stop(60, 6)
    updates = [fact for fact in _facts(story) if isinstance(fact, SessionUpdated)]

    whole = gather_evidence(_facts(story), SessionClock(), factor=Decimal(1000))
    update = gather_evidence(updates, SessionClock(), factor=Decimal(1000))

    assert [each.value_wh for each in whole.declared_start] == [1000]
    assert [each.value_wh for each in update.samples] == [3000]
    assert [each.value_wh for each in whole.declared_stop] == [6000]
    assert whole.spread_wh == 1000
    assert whole.flags == update.flags == {Flag.UNIT_OVERRIDDEN}
    assert not gather_evidence([], SessionClock(), factor=Decimal(1000)).flags


def test_a_start_below_zero_is_told_and_not_used() -> None:
    story = Story16()
    story.start(0, -1)

    told = _evidence(story)

    assert told.declared_start == ()
    assert told.flags == {Flag.READING_NEGATIVE}


@pytest.mark.parametrize("role", ["declared_start", "declared_stop"])
def test_beside_energy_given_back_one_of_start_and_stop_proves_no_import(role: str) -> None:
    told: dict[str, Any] = {role: tuple(readings((0, 1000)))}

    assert MeterEvidence(exported=(Decimal(5),), **told).is_export_only
