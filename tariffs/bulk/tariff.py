"""A compiled tariff and a policy as tables: which components hold, their steps, their prices."""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec
import numpy as np

from tariffs.adjustments.adjustment import GroupGrant, IdleGrace, ValidationGrant
from tariffs.bulk.clock import ClockTables
from tariffs.bulk.columns import Integers
from tariffs.bulk.grants import NONE, Grants, PriceList, price_list
from tariffs.bulk.scale import Scale
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, Selection, State
from tariffs.model.policy import DEFAULT, PricingPolicy, StepPolicy
from tariffs.model.tariff import PriceComponent, Restrictions, Tariff, TariffElement

STATES: Final = len(State)
_KEYS_MAX: Final = 100_000
_THRESHOLDS_MAX: Final = 64
# Of these, a grace is part of the tables, and grants have prices of their own.
_KNOWN: Final = (IdleGrace, GroupGrant, ValidationGrant)


# What the tables are known to say. A field that the model gets later is missing here, so that its
# tariffs go to the kernel until somebody teaches the tables.
_FIELDS: Final[dict[type, str]] = {
    Tariff: "id currency elements tax_included min_price max_price start_date_time end_date_time"
    " adjustments name type country_code party_id alt_text alt_url last_updated holidays"
    " sales_taxes step_policy rounding rounding_mode flat_policy below_zero",
    TariffElement: "price_components restrictions name",
    PriceComponent: "dimension price vat step_size",
    Restrictions: "start_time end_time start_date end_date min_kwh max_kwh min_current max_current"
    " min_power max_power min_duration max_duration day_of_week reservation holidays season_start"
    " season_end",
}


def _is_known(tariff: Tariff) -> bool:
    """Tell whether *tariff* uses only what the tables can say, whatever is added to the model."""
    structs: list[msgspec.Struct] = [tariff]
    for element in tariff.elements:
        structs += [element, element.restrictions, *element.price_components]
    return all(isinstance(each, _KNOWN) for each in tariff.adjustments) and not any(
        getattr(struct, field.name) != field.default
        for struct in structs
        for field in _unknown_fields(type(struct))
    )


def _is_known_policy(policy: PricingPolicy) -> bool:
    """Tell whether *policy* is the default one but for its name, rounding mode and lack of steps.

    What is done without data concerns power and current alone.
    """
    has_steps = policy.steps is not StepPolicy.NONE_3_0
    plain = msgspec.structs.replace(
        policy,
        name=DEFAULT.name,
        version=DEFAULT.version,
        rounding_mode=DEFAULT.rounding_mode,
        no_data=DEFAULT.no_data,
        steps=policy.steps if has_steps else DEFAULT.steps,
    )
    return plain == DEFAULT


@cache
def _unknown_fields(kind: type[msgspec.Struct]) -> list[msgspec.structs.FieldInfo]:
    known = set(_FIELDS[kind].split())
    return [field for field in msgspec.structs.fields(kind) if field.name not in known]


class ComponentTable:
    """The components of a tariff by number; 0 is none."""

    def __init__(self) -> None:
        self.components: list[CompiledComponent | None] = [None]

    def number(self, component: CompiledComponent | None) -> int:
        """Return the number of *component*, which may be new."""
        # By identity, as the kernel tells runs and fees apart.
        for i, known in enumerate(self.components):
            if known is component:
                return i
        self.components.append(component)
        return len(self.components) - 1


class BulkTariff:
    """One tariff version and policy, ready for bulk rating; keep it and rate many chunks."""

    def __init__(self, compiled: CompiledTariff, policy: PricingPolicy) -> None:
        self.compiled, self.policy = compiled, compiled.policy(policy)
        self.clocks = ClockTables(compiled)
        bands = compiled.bands
        self.durations = () if bands.duration is None else bands.duration.thresholds
        self.energies = () if bands.energy is None else bands.energy.thresholds
        self._table = ComponentTable()
        self._selections: dict[int, tuple[Integers, Integers, Integers]] = {}
        self._prices: dict[tuple[Grants, int], PriceList | None] = {}

    def refusal(self) -> str | None:
        """Say why no session can be rated in bulk, if so."""
        reasons = {
            "it has what the tables do not know": not _is_known(self.compiled.tariff),
            "it restricts by power or current": self.compiled.bands.measured,
            "it has too many thresholds": len(self.durations) + len(self.energies)
            > _THRESHOLDS_MAX,
            "its policy is not what the tables say": not _is_known_policy(self.policy),
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def has_tables(self) -> bool:
        """Tell whether the tables for the clock masks known so far are of a reasonable size."""
        masks = max(len(self.clocks.masks), 1)
        keys = masks * (len(self.durations) + 1) * (len(self.energies) + 1) * STATES
        if keys > _KEYS_MAX:
            return False
        self.selections()
        return bool(self.scales())

    def selections(self) -> tuple[Integers, Integers, Integers]:
        """Return the number of the FLAT, ENERGY and timed component of each key.

        The key of clock mask c, duration band d, energy band e and state s is
        ((c x durations + d) x energies + e) x states + s.
        """
        masks = self.clocks.masks or [self.compiled.all_elements]
        known = self._selections.get(len(masks))
        if known is None:
            chosen = [
                [self._table.number(component) for component in self._selection(mask, state)]
                for clock in masks
                for mask in self._banded(clock)
                for state in State
            ]
            flat, energy, timed = np.array(chosen, dtype=np.int64).T.copy()
            known = self._selections[len(masks)] = (flat, energy, timed)
        return known

    def _selection(self, mask: int, state: State) -> Selection | tuple[None, ...]:
        if state is State.GRACE and not self.compiled.grace_us:
            return (None, None, None)  # no tariff without grace has this state
        return self.compiled.select(mask, state)

    def _banded(self, clock: int) -> list[int]:
        bands = self.compiled.bands
        all_of = (self.compiled.all_elements,)
        durations = all_of if bands.duration is None else bands.duration.masks
        energies = all_of if bands.energy is None else bands.energy.masks
        return [clock & duration & energy for duration in durations for energy in energies]

    def scales(self) -> tuple[Scale, ...]:
        """Return what can be used of the limb sizes where nobody is granted anything."""
        prices = self.prices(NONE)
        return () if prices is None else prices.scales

    def prices(self, grants: Grants) -> PriceList | None:
        """Return what the components known so far cost under *grants*, if tables can say it."""
        components = tuple(self._table.components)
        key = grants, len(components)
        if key not in self._prices:
            if self.policy.steps is StepPolicy.NONE_3_0:
                components = tuple(
                    c and msgspec.structs.replace(c, step_units=0) for c in components
                )
            self._prices[key] = price_list(self.compiled, components, grants)
        return self._prices[key]
