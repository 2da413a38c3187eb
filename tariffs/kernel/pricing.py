"""The kernel: a session and a compiled tariff in, priced lines with their reasons out.

Pure: no clock, no database, no float. Cut the session wherever another price may hold, let the
first matching element per dimension supply its component, add up what each component counts,
then steps, grants, limits, rounding. Source: OCPI 2.3.0, mod_tariffs and mod_cdrs.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final

from tariffs.kernel.compiled import CompiledTariff, Selection
from tariffs.kernel.measurements import NO_DATA_NOTES, measured_mask
from tariffs.kernel.priced import Note, PricedSession
from tariffs.kernel.settling import settle
from tariffs.kernel.tally import Stretch, runs_of
from tariffs.kernel.timeline import Timeline, timeline_of
from tariffs.model.policy import DEFAULT, PricingPolicy
from tariffs.model.tariff import Tariff
from tariffs.model.usage import SessionUsage, microseconds

# What an event changes: one of the four masks, or the state.
_CLOCK, _DURATION, _ENERGY, _MEASURED, _STATE = range(5)
_Event = tuple[int, int, int]
# The components that hold where a mask of elements may apply, in a state.
Select = Callable[[int, int], Selection]
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
    timeline = timeline_of(usage, compiled.grace_us)
    notes: list[Note] = []
    stretches = stretches_of(timeline, compiled, policy, notes)
    runs = runs_of(stretches, timeline, policy)
    return settle(runs, compiled, policy, usage=usage, ends_us=timeline.end_us, notes=notes)


def stretches_of(
    timeline: Timeline,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    notes: list[Note],
    *,
    select: Select | None = None,
) -> list[Stretch]:
    """Return from which instant on which components hold, neighbours different.

    What may change is the state and, for each of four causes, the mask of elements it allows.
    *select* chooses the components in the tariff's place.
    """
    start, end, state = timeline.start_us, timeline.end_us, timeline.state
    masks = [compiled.all_elements] * 4
    events: list[_Event] = []
    for at, to in timeline.changes:
        events.append((at, _STATE, to))
    if compiled.clock_restricted:
        clock = compiled.clock(timeline.usage.time_zone)
        masks[_CLOCK], later = clock.within(start, end)
        for at, mask in later:
            events.append((at, _CLOCK, mask))
    if compiled.has_bands:
        _add_thresholds(timeline, compiled, masks, events)
        if compiled.bands.measured:
            _add_measurements(timeline, compiled, policy, masks, events, notes)
    events.sort(key=_INSTANT)
    events.append((end, _STATE, 0))
    return _walk(start, state, masks, events, select or compiled.select)


def _walk(
    start: int, state: int, masks: list[int], events: list[_Event], select: Select
) -> list[Stretch]:
    """Return what holds from *start* until the last of the sorted *events*."""
    stretches: list[Stretch] = []
    current: object = None
    cursor, instant = start, start == events[-1][0]
    for at, kind, value in events:
        if at > cursor or instant:
            clock_mask, duration, energy, measured = masks
            selection = select(clock_mask & duration & energy & measured, state)
            if selection is not current:
                current = selection
                stretches.append((cursor, selection))
            cursor = at
        if kind == _STATE:
            state = value
        else:
            masks[kind] = value
    return stretches


def _add_thresholds(
    timeline: Timeline, compiled: CompiledTariff, masks: list[int], events: list[_Event]
) -> None:
    """Add the instants at which a duration or an amount of energy is reached."""
    duration, energy = compiled.bands.duration, compiled.bands.energy
    if duration is not None:
        masks[_DURATION] = duration.masks[0]
        for threshold, mask in zip(duration.thresholds, duration.masks[1:], strict=True):
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
    compiled: CompiledTariff,
    policy: PricingPolicy,
    masks: list[int],
    events: list[_Event],
    notes: list[Note],
) -> None:
    """Add what power and current allow from each reading until the next."""
    missing = False
    points = timeline.usage.points
    for point in points:
        at = microseconds(point.at)
        mask, incomplete = measured_mask(
            compiled,
            policy,
            power=(point.power_w, point.power_w),
            current=(point.current_a, point.current_a),
        )
        missing = missing or incomplete
        if at <= timeline.start_us:
            masks[_MEASURED] = mask
        elif at < timeline.end_us:
            events.append((at, _MEASURED, mask))
    if missing or not points:
        notes.append(NO_DATA_NOTES[policy.no_data])
