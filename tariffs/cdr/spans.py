"""Whether another price would hold before a period of a CDR ends.

OCPI wants a new period wherever the price changes (mod_cdrs, ChargingPeriod). A partner who did
not cut there is priced as sent, by what holds at the period's start, and told so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from tariffs.cdr.cdr import ChargingPeriod
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, State
from tariffs.kernel.priced import Note
from tariffs.model.periods import DAY_US, WallClock
from tariffs.model.restrictions import Bands
from tariffs.model.usage import moment_of
from tariffs.phrases.english import ENGLISH
from tariffs.phrases.phrase import phrase
from tariffs.phrases.wording import duration_text
from tariffs.quantities import decimal_of_ratio
from tariffs.taxes.taxes import ENERGY_UNITS_PER_KWH
from tariffs.zones import zone

_CLOCK, _DURATION, _ENERGY = range(3)


class Cut(msgspec.Struct, gc=False):
    """One period as it was priced: its bounds in time and energy, and what allowed which element.

    `masks` are those of clock, duration, energy and measurements at the start.
    """

    index: int
    period: ChargingPeriod
    state: State
    start: int
    end: int
    energy_before: int
    energy_after: int
    masks: tuple[int, int, int, int]


def spans_note(
    cut: Cut,
    compiled: CompiledTariff,
    clock: WallClock | None,
    charging_us: int,
    *,
    time_zone: str,
) -> Note | None:
    """Return a note if another component would hold somewhere inside the period."""
    now = _holding(cut, compiled, cut.masks)
    for kind, at, mask in _changes(cut, compiled, clock, charging_us):
        masks = list(cut.masks)
        masks[kind] = mask
        for component, later in zip(now, _holding(cut, compiled, masks), strict=True):
            # Another element at the same price and VAT changes nothing that is owed.
            if component is not later and _price(component) != _price(later):
                where = _where(kind, at, time_zone)
                message = (
                    f"spans a change of price: {_named(component)} holds at its start, "
                    f"{_named(later)} {where}; priced as sent, by what holds at its start"
                )
                return Note("period_spans_price_change", message, f"charging_periods[{cut.index}]")
    return None


def _holding(
    cut: Cut, compiled: CompiledTariff, masks: tuple[int, ...] | list[int]
) -> list[CompiledComponent | None]:
    """Return the components that price what the period has."""
    mask = masks[0] & masks[1] & masks[2] & masks[3]
    _, energy, timed = compiled.select(mask, cut.state)
    holding: list[CompiledComponent | None] = []
    if cut.energy_after > cut.energy_before:
        holding.append(energy)
    if cut.period.time or cut.period.parking_time or cut.period.reservation_time:
        holding.append(timed)
    return holding


def _changes(
    cut: Cut, compiled: CompiledTariff, clock: WallClock | None, charging_us: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (what changes, where, the elements allowed from there) inside the period."""
    if clock is not None:
        for day in range(cut.start // DAY_US, (cut.end - 1) // DAY_US + 1):
            changes = clock.changes(day)
            for at, mask in changes[bisect_right(changes, cut.start, key=_at) :]:
                if at >= cut.end:
                    break
                yield _CLOCK, at, mask
    # Measurements are no cause: a period states one range for all of its time.
    elapsed = (cut.start - charging_us, cut.end - charging_us)
    yield from _crossed(_DURATION, compiled.bands.duration, elapsed)
    yield from _crossed(_ENERGY, compiled.bands.energy, (cut.energy_before, cut.energy_after))


def _at(change: tuple[int, int]) -> int:
    return change[0]


def _crossed(
    kind: int, bands: Bands | None, between: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    if bands is not None:
        first = bisect_right(bands.thresholds, between[0])
        for index in range(first, bisect_left(bands.thresholds, between[1])):
            yield kind, bands.thresholds[index], bands.masks[index + 1]


def _price(component: CompiledComponent | None) -> tuple[Decimal, Decimal | None] | None:
    if component is None or not component.price:
        return None
    return component.price, component.vat


def _named(component: CompiledComponent | None) -> str:
    if component is None or component.element_index is None:
        return "no element"
    index, name = component.element_index, component.element_name
    said = phrase("element", element=index, name=name or None, dimension=component.dimension.value)
    return ENGLISH.words(said)


def _where(kind: int, at: int, time_zone: str) -> str:
    if kind == _CLOCK:
        return f"from {moment_of(at).astimezone(zone(time_zone)):%Y-%m-%d %H:%M:%S}"
    if kind == _DURATION:
        return f"after {duration_text(at // 1_000_000)}"
    return f"from {decimal_of_ratio(at, ENERGY_UNITS_PER_KWH):f} kWh on"
