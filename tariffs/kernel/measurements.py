"""Power and current restrictions against what was measured, follows from readings, or is unknown.

A station need not send power. The readings of a session of ours say it all the same: what the
register gained from one to the next, over that time, is the mean. It is the same straight line on
which the register is interpolated, so a tier of power and its energy never contradict each other.
20 kWh between 17:00 and 18:00 are 20 kW, and no tier from 50 kW.

Current follows from no register, and of a session without length no power does. What nobody
knows must not cost more than what may be true: of all the prices that some power or current would
give, the cheapest holds, for each dimension. Each is a note on the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, Select, Selection
from tariffs.kernel.timeline import Timeline
from tariffs.model.policy import NoDataPolicy, PricingPolicy
from tariffs.model.restrictions import SECOND_US, Bands
from tariffs.model.usage import UsagePoint
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import EXACT

# The least and the most that was measured in a stretch, in W or A.
Range = tuple[Decimal | None, Decimal | None]
# 1e-9 Wh in a microsecond are this many mW.
_MILLI_WATTS: Final = 3_600
_MILLI: Final = Decimal(1000)
_MEAN_OVER_US_MIN: Final = 60 * SECOND_US
_CHEAPEST: Final = "cheapest_price"


def no_data_note(policy: PricingPolicy) -> Phrase:
    """Say what *policy* did with restrictions on what a partner's CDR does not say."""
    done = policy.no_data
    if done is NoDataPolicy.MEAN_BETWEEN_READINGS:
        done = NoDataPolicy.IGNORE_RESTRICTION
    return phrase("restriction_without_data", policy=done.value)


def measured_mask(
    compiled: CompiledTariff, policy: PricingPolicy, *, power: Range, current: Range
) -> tuple[int, bool]:
    """Return the elements that the measurements allow, and whether one that was needed lacks."""
    bands = compiled.bands
    mask, missing = compiled.all_elements, False
    for band, (low, high), lower in (
        (bands.min_power, power, True),
        (bands.max_power, power, False),
        (bands.min_current, current, True),
        (bands.max_current, current, False),
    ):
        if band is None:
            continue
        # A bound must hold all the while: a minimum against the least, a maximum against the most.
        value = (low, high)[0 if lower else 1]
        if value is None:
            value = high if lower else low
        if value is None:
            missing = True
            mask &= _without_data(band, compiled, policy)
        else:
            mask &= band.mask_at(int(EXACT.multiply(value, Decimal(1000))))
    return mask, missing


def _without_data(band: Bands, compiled: CompiledTariff, policy: PricingPolicy) -> int:
    if policy.no_data is NoDataPolicy.SKIP_ELEMENT:
        return band.unrestricted
    return compiled.all_elements


class Evidence:
    """What power and current allow, from each reading of one session of ours to the next."""

    def __init__(self, compiled: CompiledTariff, policy: PricingPolicy, select: Select) -> None:
        self._compiled, self._policy, self._select = compiled, policy, select
        bands = compiled.bands
        self._power = (bands.min_power, bands.max_power)
        self._current = (bands.min_current, bands.max_current)
        self._every = compiled.all_elements
        self._width = self._every.bit_length()
        self._said: set[str] = set()
        # What may hold where something is unknown; its number stands above the elements' bits.
        self._unknown: list[tuple[int, ...]] = [()]
        self._chosen: dict[tuple[int, int], Selection] = {}

    def masks(self, timeline: Timeline) -> Iterator[tuple[int, int]]:
        """Yield (instant, mask) for `select`: from there on these elements are allowed."""
        points = timeline.usage.points or (UsagePoint(timeline.usage.starts_at, Decimal(0)),)
        readings = timeline.points or [(timeline.start_us, 0)]
        means = dict(self._means([*readings, (timeline.end_us, timeline.total)]))
        for point, (at, _) in zip(points, readings, strict=True):
            power = None if point.power_w is None else int(EXACT.multiply(point.power_w, _MILLI))
            if power is None and at in means:
                power = means[at]
                self._said.add(NoDataPolicy.MEAN_BETWEEN_READINGS.value)
            if at < timeline.end_us or timeline.start_us == timeline.end_us:
                yield at, self._mask(power, point.current_a)

    def _means(self, readings: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield (instant, mW) for the mean power from each reading on, where it is derived.

        Readings within a minute count as one: a stop that comes a second after the last reading
        has a register, but the second's energy over the second is no power that anybody drew.
        What the register jumps at one moment is none either.
        """
        if self._policy.no_data is not NoDataPolicy.MEAN_BETWEEN_READINGS or not any(self._power):
            return
        registers: dict[int, tuple[int, int]] = {}
        for at, register in readings:
            registers[at] = (registers.get(at, (register,))[0], register)
        moments = list(registers)
        knots = [0]
        for index, at in enumerate(moments):
            if at - moments[knots[-1]] >= _MEAN_OVER_US_MIN:
                knots.append(index)
        if knots[-1] != len(moments) - 1:
            # What is left is no minute: it belongs to the one before, if there is one.
            del knots[max(len(knots) - 1, 1) :]
            knots.append(len(moments) - 1)
        for first, last in pairwise(knots):
            begins, ends = moments[first], moments[last]
            risen = registers[ends][0] - registers[begins][1]
            # Jumps on the way are left out as well.
            risen -= sum(
                high - low for low, high in (registers[at] for at in moments[first + 1 : last])
            )
            for at in moments[first:last]:
                yield at, risen * _MILLI_WATTS // (ends - begins)

    def _mask(self, power_mw: int | None, current_a: Decimal | None) -> int:
        current_ma = None if current_a is None else int(EXACT.multiply(current_a, _MILLI))
        allowed = tuple(
            dict.fromkeys(
                by_power & by_current
                for by_power in self._allowed(self._power, power_mw)
                for by_current in self._allowed(self._current, current_ma)
            )
        )
        if len(allowed) == 1:
            return allowed[0]
        self._said.add(_CHEAPEST)
        if allowed not in self._unknown:
            self._unknown.append(allowed)
        return self._every | self._unknown.index(allowed) << self._width

    def _allowed(self, bands: tuple[Bands | None, Bands | None], value: int | None) -> list[int]:
        """Return the masks that *value* gives, or any value that it may have had."""
        known = [band for band in bands if band is not None]
        if value is None and self._policy.no_data is not NoDataPolicy.MEAN_BETWEEN_READINGS:
            if known:
                self._said.add(self._policy.no_data.value)
            return [_all_of(_without_data(b, self._compiled, self._policy) for b in known)]
        # Every value behaves as the lowest one of its band.
        values = {0, *(t for b in known for t in b.thresholds)} if value is None else {value}
        return [_all_of(band.mask_at(each) for band in known) for each in sorted(values)]

    @property
    def above(self) -> int:
        """Return what other causes' masks have above the elements' bits: all that may be there."""
        return -1 << self._width if len(self._unknown) > 1 else 0

    def select(self, mask: int, state: int) -> Selection:
        """Return the components that hold; where something is unknown, the cheapest of all."""
        number, allowed = mask >> self._width, mask & self._every
        if not number:
            return self._select(allowed, state)
        chosen = self._chosen.get((mask, state))
        if chosen is None:
            possible = [self._select(allowed & each, state) for each in self._unknown[number]]
            flats, energies, timed = zip(*possible, strict=True)
            energy = min(energies, key=_cost)
            chosen = (min(flats, key=_cost), energy, min(timed, key=_cost))
            self._chosen[mask, state] = chosen
        return chosen

    def notes(self) -> Iterator[Phrase]:
        """Yield what a reader should know of how the measurements came about."""
        for said in sorted(self._said, reverse=True):
            yield phrase("restriction_without_data", policy=said)


def _all_of(masks: Iterable[int]) -> int:
    # Without a restriction every bit is set; the elements' own bits are what is left of it.
    allowed = -1
    for mask in masks:
        allowed &= mask
    return allowed


def _cost(component: CompiledComponent | None) -> int:
    return 0 if component is None else component.before_factor + component.tax_factor
