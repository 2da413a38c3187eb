"""The kernel: a session and a compiled tariff in, priced lines with their reasons out.

Pure: no clock, no database, no float. Cut the session wherever another price may hold, let the
first matching element per dimension supply its component, add up what each component counts,
then steps, grants, limits, rounding. Source: OCPI 2.3.0, mod_tariffs and mod_cdrs.
"""

from __future__ import annotations

from tariffs.compiled import CompiledTariff
from tariffs.measurements import NO_DATA_NOTES, measured_mask
from tariffs.periods import DAY_US, crossings
from tariffs.policy import DEFAULT, PricingPolicy
from tariffs.priced import Note, PricedSession
from tariffs.settling import settle
from tariffs.tally import Run, Tally
from tariffs.tariff import Tariff
from tariffs.timeline import Timeline, timeline_of
from tariffs.usage import SessionUsage

# What an event changes: one of the four masks, or the state.
_CLOCK, _DURATION, _ENERGY, _MEASURED, _STATE = range(5)
_Event = tuple[int, int, int]


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
    masks = [compiled.all_elements] * 4
    events = _events(usage, timeline, compiled, masks)
    if compiled.bands.measured:
        _add_measurements(usage, timeline, compiled, policy, masks, events, notes)
    events.sort()
    events.append((timeline.end_us, _STATE, 0))
    runs = _runs(timeline, compiled, policy, masks, events)
    return settle(runs, compiled, policy, usage=usage, ends_us=timeline.end_us, notes=notes)


def _events(
    usage: SessionUsage, timeline: Timeline, compiled: CompiledTariff, masks: list[int]
) -> list[_Event]:
    """Return every instant inside the session at which another price may hold."""
    start, end = timeline.start_us, timeline.end_us
    events: list[_Event] = [(at, _STATE, state) for at, state in timeline.changes]
    if compiled.clock_restricted:
        clock = compiled.clock(usage.time_zone)
        for day in range(start // DAY_US, end // DAY_US + 1):
            for at, mask in clock.changes(day):
                if at <= start:
                    masks[_CLOCK] = mask
                elif at < end:
                    events.append((at, _CLOCK, mask))
    _add_thresholds(timeline, compiled, masks, events)
    return events


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
        events.extend(
            (at, _ENERGY, energy.thresholds.index(threshold))
            for at, threshold in crossings(timeline.points, energy.thresholds)
        )


def _runs(
    timeline: Timeline,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    masks: list[int],
    events: list[_Event],
) -> list[Run]:
    """Walk the events and return how long, or for how much, each component held."""
    cursor, end = timeline.start_us, timeline.end_us
    instant = cursor == end
    state: int = timeline.state
    tally = Tally(timeline.points, policy)
    select, energy_bands = compiled.select, compiled.bands.energy
    current: object = None
    for at, kind, value in events:
        if at > cursor or instant:
            clock, duration, energy, measured = masks
            selection = select(clock & duration & energy & measured, state)
            if selection is not current:
                current = selection
                tally.switch(selection, cursor)
            cursor = at
        if kind == _STATE:
            state = value
        elif kind == _ENERGY and energy_bands is not None:
            masks[_ENERGY] = energy_bands.masks[value + 1]
            tally.reached(energy_bands.thresholds[value], at)
        else:
            masks[kind] = value
    return tally.finish(end)


def _add_measurements(
    usage: SessionUsage,
    timeline: Timeline,
    compiled: CompiledTariff,
    policy: PricingPolicy,
    masks: list[int],
    events: list[_Event],
    notes: list[Note],
) -> None:
    """Add what power and current allow from each reading until the next."""
    missing = False
    for (at, _), point in zip(timeline.points, usage.points, strict=True):
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
    if missing or not timeline.points:
        notes.append(NO_DATA_NOTES[policy.no_data])
