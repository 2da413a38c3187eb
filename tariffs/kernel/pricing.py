"""The kernel: a session and a compiled tariff in, priced lines with their reasons out.

Pure: no clock, no database, no float. Source: OCPI 2.3.0, mod_tariffs and mod_cdrs.

A session has no price of its own. A tariff is a list of elements, each with prices and with
restrictions on when it holds: by the clock of the site, by how long or how much was charged, by
power. All of these change while the session lasts, each at its own instants. So only a stretch in
which none of them changes has a price, and the session is cut into such stretches. What then
follows the sum (steps, adjustments, limits, taxes, rounding) gives another total in another order.

The order:

1. `timeline_of` checks the usage and finds where charging, parking and reservation begin.
2. `stretches_of` collects as events every instant at which another element may begin or cease to
   hold. Four causes (clock, duration, energy, measurements) each keep a mask of the elements that
   they allow. What all four allow, and the state, choose the components: per dimension the first
   element of the list that has a price for it (`CompiledTariff.select`).
3. `runs_of` says what each component counts; neighbouring stretches of one component are one run.
4. `settle` makes of that what is owed: steps, adjustments, limits, taxes, one rounding.

Two examples, prices before taxes. 10 kWh are drawn evenly from 21:30 to 22:30. Element 1 is energy
at 0.30 from 22:00 to 06:00; element 2 is energy at 0.50 and a session fee of 1.00:

    FLAT    1.00             element 2, once; element 1 has no fee to take its place at night
    ENERGY  5 kWh x 0.50     element 2, until 22:00
    ENERGY  5 kWh x 0.30     element 1, from 22:00 on             total 5.00

10.4 kWh at 0.50 with a step of 1000 Wh and 20 % VAT, max_price 5.00, an excise of 0.03 per kWh:

    ENERGY  11 kWh x 0.50 = 5.50, VAT 1.10     the step comes before the limit
    SESSION -0.50, VAT -0.10                   the limit, with its share of the VAT
    TAX     10.4 kWh x 0.03 = 0.312            after the limit, on metered kWh, never on steps
                                               total 5.00 and taxes 1.31

Why not period by period as readings come: a reading every 15 minutes would price up to 15 minutes
at the wrong side of 22:00. Why not in fixed slices of time: that is right only for tariffs whose
windows lie on the slices, and slow. (The second kernel of the tests does it, as the plainest way.)
Why per dimension: OCPI 2.1.1 can be read as if the first matching element priced everything; then
a session that begins at night would pay no fee. 2.2 says per dimension, and everybody does it.

What must stay true, and what holds it: lines add up to the energy and to the money, and cutting
more finely changes nothing (tests/tariffs/kernel/test_pricing.py); two kernels that share no code
agree (test_agreement.py); the examples of OCPI come out to the digit (test_worked_examples.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Final

from tariffs.kernel.compiled import CompiledTariff, Select
from tariffs.kernel.measurements import Evidence
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.settling import settle
from tariffs.kernel.tally import Stretch, runs_of
from tariffs.kernel.timeline import Timeline, timeline_of
from tariffs.model.policy import DEFAULT, PricingPolicy
from tariffs.model.tariff import Tariff
from tariffs.model.usage import SessionUsage
from tariffs.phrases.phrase import Phrase

# What an event changes: one of the four masks, or the state; the end changes nothing.
_CLOCK, _DURATION, _ENERGY, _MEASURED, _STATE, _END = range(6)
_Event = tuple[int, int, int]
# Of several at one instant the last one stands: the sort keeps their order.
_INSTANT: Final = itemgetter(0)


def compile_tariff(tariff: Tariff) -> CompiledTariff:
    """Make *tariff* ready for pricing; do it once per version.

    Raises:
        UnpriceableTariffError, UnknownCurrencyError: If no session could be priced with it.
    """
    return CompiledTariff(tariff)


def price_session(
    usage: SessionUsage, compiled: CompiledTariff, *, policy: PricingPolicy = DEFAULT
) -> PricedSession:
    """Price one session as its CPO: we cut the periods, readings between are interpolated.

    Raises:
        UnusableUsageError: If the usage contradicts itself.
        UnknownZoneError: If its time zone does not exist.
    """
    policy = compiled.policy(policy)
    timeline = timeline_of(usage, compiled.grace_us)
    notes: list[Phrase] = []
    stretches = stretches_of(timeline, compiled, policy, notes)
    runs = runs_of(stretches, timeline, policy)
    return settle(runs, compiled, policy, usage=usage, ends_us=timeline.end_us, notes=notes)


def stretches_of(
    timeline: Timeline,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    notes: list[Phrase],
) -> list[Stretch]:
    """Return from which instant on which components hold, neighbours different.

    What may change is the state and, for each of four causes, the mask of elements it allows.
    """
    start, end = timeline.start_us, timeline.end_us
    choose: Select = compiled.select
    masks = [compiled.all_elements] * 4
    events: list[_Event] = []
    for at, to in timeline.changes:
        events.append((at, _STATE, to))
    if compiled.clock_restricted:
        clock = compiled.clock(timeline.usage.zone)
        masks[_CLOCK], later = clock.within(start, end)
        for at, mask in later:
            events.append((at, _CLOCK, mask))
    if compiled.has_bands:
        _add_thresholds(timeline, compiled, masks, events)
        if compiled.bands.measured:
            evidence = Evidence(compiled, policy, choose)
            _add_measurements(timeline, evidence, masks, events)
            notes.extend(evidence.notes())
            choose = evidence.select
            if evidence.above:
                masks[:_MEASURED] = [mask | evidence.above for mask in masks[:_MEASURED]]
                events = [
                    (at, kind, value | evidence.above if kind < _MEASURED else value)
                    for at, kind, value in events
                ]
    events.sort(key=_INSTANT)
    # The end is an event too: what holds until then is added when the next one comes.
    events.append((end, _END, timeline.total))
    thresholds = () if compiled.bands.energy is None else compiled.bands.energy.thresholds
    return _walk(timeline, masks, events, iter(thresholds), choose)


def _walk(
    timeline: Timeline,
    masks: list[int],
    events: list[_Event],
    thresholds: Iterator[int],
    select: Select,
) -> list[Stretch]:
    """Return what holds until the last of the sorted *events*.

    Time goes on from event to event. Where it does not, the register may: of what it jumps at one
    moment each part between two *thresholds* has its own price, as of a session of no length.
    """
    stretches: list[Stretch] = []
    current: object = None
    cursor, state = timeline.start_us, int(timeline.state)
    # The register at the cursor, where it is known: nothing at the start, or a threshold.
    reached: int | None = 0
    for at, kind, value in events:
        jumps = reached is not None and (kind == _ENERGY or (kind == _END and reached < value))
        # A session of no length and no energy may still owe a fee.
        if at > cursor or jumps or (kind == _END and not stretches):
            clock_mask, duration, energy, measured = masks
            selection = select(clock_mask & duration & energy & measured, state)
            if selection is not current:
                current = selection
                stretches.append((cursor, selection, reached))
        if at > cursor:
            cursor, reached = at, None
        if kind == _STATE:
            state = value
        elif kind != _END:
            masks[kind] = value
            if kind == _ENERGY:
                reached = next(thresholds)
    return stretches


def _add_thresholds(
    timeline: Timeline, compiled: CompiledTariff, masks: list[int], events: list[_Event]
) -> None:
    """Add the instants at which a duration or an amount of energy is reached."""
    duration, energy = compiled.bands.duration, compiled.bands.energy
    if duration is not None:
        masks[_DURATION] = duration.masks[0]
        for threshold, mask in zip(duration.thresholds, duration.masks[1:], strict=True):
            # From the end of the reservation (the text is silent): who reserved early must not
            # find the first hour used up.
            at = timeline.charging_us + threshold
            if at < timeline.end_us:
                events.append((at, _DURATION, mask))
    if energy is not None:
        masks[_ENERGY] = energy.masks[0]
        for threshold, mask in zip(energy.thresholds, energy.masks[1:], strict=True):
            reached = timeline.reaches(threshold)
            if reached is not None:
                events.append((reached, _ENERGY, mask))


def _add_measurements(
    timeline: Timeline,
    evidence: Evidence,
    masks: list[int],
    events: list[_Event],
) -> None:
    """Add what power and current allow from each reading until the next."""
    for at, mask in evidence.masks(timeline):
        if at <= timeline.start_us:
            masks[_MEASURED] = mask
        elif at < timeline.end_us:
            events.append((at, _MEASURED, mask))
