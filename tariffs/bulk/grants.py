"""What groups and validations take off, in tables: who is granted something has his own prices.

A grant of a percentage without a limit lowers each price that it is on, and steps of it alike. So
the sessions with the same grants are rated together, like those of a cheaper tariff with the same
elements; the denominator has room for the percentages (`CompiledTariff`), so prices stay whole.

A grant within kWh or minutes a session is on the first of them. Each component that it is on then
stands in the table twice, first at what all grants leave, then at what the others leave of it, and
each volume is parted where the limit is reached. What a step adds costs what the end of its volume
does, for the kernel values it so: all of it is granted, or nothing.

Example, 0.40 per kWh, half of it off for the first 5 kWh, 10.2 kWh drawn, step 1000 Wh:

    by the table    5 x 0.20, 5.2 x 0.40, and 0.8 of the step at 0.40        3.40
    as the kernel   11 x 0.40 = 4.40, less half of 5/11 of it                3.40

Two limits on one dimension are in no table: the second is on what the first left of a volume,
which no price tells. The kernel prices those sessions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

import numpy as np
from msgspec.structs import replace

from tariffs.adjustments.adjusting import concerns
from tariffs.adjustments.adjustment import GroupGrant, ValidationGrant
from tariffs.adjustments.grants import budget_of
from tariffs.bulk.columns import Flags, Integers, SessionColumns
from tariffs.bulk.scale import LIMBS, Scale, scale_of
from tariffs.bulk.volumes import Volumes
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, Why
from tariffs.model.tariff import Dimension
from tariffs.model.usage import EPOCH, SessionUsage
from tariffs.taxes.taxes import decimals_of, scaled

# Whom a tariff grants what, in the file's order.
Grants = tuple[GroupGrant | ValidationGrant, ...]
Component = CompiledComponent | None
NONE: Final[Grants] = ()
# Each set of grants in a chunk is rated by itself, which costs as much as the kernel takes for some
# dozens of sessions. With so many sets the smaller ones go there.
_SETS_MAX: Final = 64
_ROWS_MIN: Final = 64
# More than any session has, and far from what 64 bits hold.
_LIMIT_MAX: Final = 2**61
_NOBODY: Final = SessionUsage(starts_at=EPOCH, ends_at=EPOCH, time_zone="UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """The components of a tariff under some grants, and the scales of their prices.

    `components` go on, behind the last number of the tariff, with those of `limits`, of which the
    first units a session cost less. `lowered` are those whose price a grant made less.
    """

    components: tuple[Component, ...]
    scales: tuple[Scale, ...]
    lowered: Flags
    limits: Mapping[Dimension, int]

    def steps(self) -> Integers:
        """Return each component's step in volume units, 1 where none applies."""
        units = [1 if each is None else max(each.step_units, 1) for each in self.components]
        return np.array(units, dtype=np.int64)

    def priced(self, dimension: Dimension) -> Integers:
        """Return 1 for each component that prices *dimension*, else 0."""
        flags = [
            each is not None and each.why is Why.PRICED and each.dimension is dimension
            for each in self.components
        ]
        return np.array(flags, dtype=np.int64)

    def at_limit(self, dimension: Dimension) -> Integers:
        """Return the number of what each component's first units cost; its own, if no less."""
        numbers = np.arange(len(self.components), dtype=np.int64)
        half = len(self.components) // 2
        for number, component in enumerate(self.components[half:] if self.limits else ()):
            if component is not None and component.dimension is dimension:
                numbers[number] += half
        return numbers


def granted_rows(columns: SessionColumns, compiled: CompiledTariff) -> dict[Grants, Integers]:
    """Return the rows of *columns* that each set of the tariff's grants concerns."""
    possible = [
        each for each in compiled.line_adjustments if isinstance(each, GroupGrant | ValidationGrant)
    ]
    if not possible:
        return {NONE: np.arange(len(columns))}
    sets: defaultdict[Grants, list[int]] = defaultdict(list)
    numbers, which = np.unique(columns.privilege, return_inverse=True)
    for place, number in enumerate(numbers.tolist()):
        usage = _anybody(columns, number)
        sets[tuple(each for each in possible if concerns(each, usage))].append(place)
    return {grants: np.flatnonzero(np.isin(which, found)) for grants, found in sets.items()}


def is_worthwhile(rows: Integers, sets: Mapping[Grants, Integers]) -> bool:
    """Tell whether tables price the *rows* of one of the *sets* faster than the kernel."""
    return len(sets) <= _SETS_MAX or len(rows) >= _ROWS_MIN


def _anybody(columns: SessionColumns, number: int) -> SessionUsage:
    """Return a session with one privilege, which alone decides what grants concern it."""
    privilege = columns.privileged(number)
    return replace(_NOBODY, groups=privilege.groups, validations=privilege.validations)


def price_list(
    compiled: CompiledTariff, components: tuple[Component, ...], grants: Grants
) -> PriceList | None:
    """Return what *components* cost under *grants*; None where the tables cannot say it."""
    limits: dict[Dimension, int] = {}
    for dimension in Dimension:
        found = [budget_of(each, dimension) for each in _on(dimension, grants)]
        told = [limit for limit in found if limit is not None]
        if len(told) > 1:
            return None
        if told:
            limits[dimension] = min(told[0], _LIMIT_MAX)
    plain = [_lowered(each, grants, limits=False) for each in components]
    first = [
        _lowered(each, grants, limits=True) if _is_fee(each) and each.dimension in limits else None
        for each in components
    ]
    old = (*components, *components) if limits else components
    new = (*plain, *first) if limits else tuple(plain)
    made = (scale_of(compiled, new, limb) for limb in LIMBS)
    return PriceList(
        components=new,
        scales=tuple(scale for scale in made if scale is not None),
        lowered=np.array([a is not b for a, b in zip(old, new, strict=True)], dtype=np.bool_),
        limits=limits,
    )


def part(volumes: Volumes, prices: PriceList) -> Volumes:
    """Part each of *volumes* where the limit on its dimension is reached."""
    for dimension, limit in prices.limits.items():
        first = prices.at_limit(dimension)[volumes.component]
        counted = np.where(first != volumes.component, volumes.units, 0)
        if counted.any():
            # Running sums of a chunk may wrap; what a session has of them does not.
            before = np.cumsum(counted) - counted
            rows = np.diff(np.append(volumes.firsts, len(counted)))
            left = limit - (before - np.repeat(before[volumes.firsts], rows))
            granted = np.minimum(np.maximum(left, 0), counted)
            volumes = Volumes(
                units=np.stack((granted, volumes.units - granted), axis=1).ravel(),
                component=np.stack((first, volumes.component), axis=1).ravel(),
                firsts=volumes.firsts * 2,
            )
    return volumes


def _is_fee(component: Component) -> TypeGuard[CompiledComponent]:
    """Tell whether there is something to lower: what is below zero is no fee."""
    return component is not None and component.why is Why.PRICED and component.before_factor > 0


def _lowered(component: Component, grants: Grants, *, limits: bool) -> Component:
    """Return *component* at what *grants* leave of its price, with or without those of a limit."""
    if not _is_fee(component):
        return component
    before, tax = component.before_factor, component.tax_factor
    for grant in _on(component.dimension, grants):
        if limits or budget_of(grant, component.dimension) is None:
            decimals = decimals_of(grant.percent)
            hundred = 100 * 10**decimals
            left = hundred - scaled(grant.percent, decimals)
            # Whole: the denominator has each grant's hundred as a factor.
            before, tax = before * left // hundred, tax * left // hundred
    if before == component.before_factor:
        return component
    return replace(component, before_factor=before, tax_factor=tax)


def _on(dimension: Dimension, grants: Grants) -> Grants:
    return tuple(each for each in grants if not each.dimensions or dimension in each.dimensions)
