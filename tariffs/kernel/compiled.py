"""A tariff version made ready for pricing: integer factors, bit masks, cached selections.

One tariff version prices many sessions. What depends on the tariff alone is worked out once:

* Prices become whole numbers. An amount is volume units x factor / denominator, and all amounts of
  the tariff, before taxes and tax, have the same denominator. So pricing multiplies and adds whole
  numbers, is exact, and has nothing to round before the end.
* Restrictions become bit masks: bit i is element i. Each cause (clock, duration, energy, power)
  says which elements it allows; one `and` says which hold.
* The choice of components becomes a look-up by mask and state. Most sessions see a few pairs.

Example 1, a price: 0.49 per kWh with 19 % VAT. The denominator is 9 x 10^12 (which 1e-9 Wh in a
kWh and microseconds in an hour both divide) x 100 (two decimals) x 100 (percent). A unit of 1e-9
Wh then costs 44,100 and its VAT 8,379. 10 kWh are 10^13 units: 4.90 and 0.931 exactly. With prices
that include 19 % the denominator also has the factor 119, so that 1.19 is exactly 1.00 and 0.19.

Example 2, a choice. Element 1: energy 0.30, at night. Element 2: energy 0.49 and time 1.00.
Element 3: a session fee of 2.00.

    mask 111, charging       fee of element 3, energy of element 1, time of element 2
    mask 110, charging       fee of element 3, energy of element 2, time of element 2
    mask 111, parking        fee of element 3, energy of element 1, and nothing for time: no
                             element prices parking, and a line of 0.00 would only be noise
    mask 111, reservation    no fee, energy free, nothing for time: an element without a
                             reservation restriction never prices a reservation

Where no element in the mask prices energy, or another element prices this time at other hours, the
answer is a component that is free and says so: a reader asks why there is no amount.

Why not decimals: a third of something has no last digit, and bench/pricing.py, which has the same
rules written plainly in Decimal, shows them slower. Why not fractions: each is reduced after every
step, and all of them would be reduced to the same denominators again and again.

A component is made once and compared by identity: runs join, and a session fee is billed once,
because `select` returns the same object again. A change that makes components anew on each call
breaks both (test_cutting_more_finely_changes_no_total, test_cases).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec

from tariffs.adjustments.adjustment import (
    FreeFirst,
    GroupGrant,
    IdleGrace,
    SessionAdjustment,
    ValidationGrant,
)
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap, SharedGrant
from tariffs.currencies import currency_exponent
from tariffs.model.canonical import tariff_hash
from tariffs.model.checking import check_tariff
from tariffs.model.having import ElementsHaving, elements_having
from tariffs.model.periods import WallClock
from tariffs.model.policy import PricingPolicy
from tariffs.model.price_series import SeriesTable
from tariffs.model.reasons import grace_reason, priced_reason, unpriced_reason
from tariffs.model.restrictions import QuantityBands, clock_boundaries, quantity_bands
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    ReservationRestriction,
    Tariff,
    TariffElement,
)
from tariffs.phrases.phrase import Phrase
from tariffs.quantities import EXACT
from tariffs.taxes.taxes import (
    ENERGY_UNITS_PER_KWH,
    ENERGY_UNITS_PER_WH,
    Factors,
    decimals_of,
    factors_of,
)
from tariffs.taxes.untaxed import untaxed

SECOND_US = 1_000_000


class State(IntEnum):
    """What a stretch of a session is, for the choice of components."""

    CHARGING = 0
    PARKING = 1
    GRACE = 2
    RESERVATION = 3
    RESERVATION_EXPIRED = 4


class Why(StrEnum):
    """Why a line stands where it stands, in the fewest kinds; its phrases say more."""

    PRICED = "priced"
    UNPRICED = "unpriced"
    GRACE = "grace"
    GRANT = "grant"
    ADJUSTMENT = "adjustment"
    TAX = "tax"
    MIN_PRICE = "min_price"
    MAX_PRICE = "max_price"
    CASH = "cash"


class CompiledComponent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One price component (or the lack of one) with its integer factors.

    `step_units` is the step in volume units, 0 for none; volumes of one `step_group` are rounded
    up as one sum, those of group 0 never. `element_index` counts from 0 and is None where no
    element applies.
    """

    why: Why
    dimension: Dimension
    element_index: int | None
    element_name: str | None
    price: Decimal
    vat: Decimal | None
    step_units: int
    step_group: int = 0
    before_factor: int
    tax_factor: int
    tariff_id: str
    reasons: tuple[Phrase, ...] = ()
    for_reservation: bool = False
    follows_series: bool = False


# The components that hold at once: FLAT, ENERGY, and the one that time counts for.
Selection = tuple[CompiledComponent | None, CompiledComponent, CompiledComponent | None]
# The components that hold where a mask of elements may apply, in a state.
Select = Callable[[int, int], Selection]

_STEP_UNITS = {
    Dimension.FLAT: 0,
    Dimension.ENERGY: ENERGY_UNITS_PER_WH,
    Dimension.TIME: SECOND_US,
    Dimension.PARKING_TIME: SECOND_US,
    Dimension.RESERVATION_TIME: SECOND_US,
}


# FLAT is never rounded; the order of the others is that of `step_group`.
STEP_GROUPS = (
    Dimension.FLAT,
    Dimension.ENERGY,
    Dimension.RESERVATION_TIME,
    Dimension.TIME,
    Dimension.PARKING_TIME,
)


class CompiledTariff:
    """One tariff version, compiled; keep it and price many sessions with it.

    `tariff` is without the taxes that it states though none apply (`ignores_taxes`); `hash` is that
    of the tariff as it was published.
    """

    __slots__ = (
        "_at_series_prices",
        "_choices",
        "_clocks",
        "_components",
        "_havings",
        "_policies",
        "_selections",
        "all_elements",
        "bands",
        "clock_restricted",
        "denominator",
        "exponent",
        "factors",
        "free_before_steps",
        "grace_us",
        "has_bands",
        "hash",
        "ignores_taxes",
        "is_noted",
        "line_adjustments",
        "minor_scale",
        "series",
        "shared",
        "tariff",
    )

    def __init__(self, tariff: Tariff) -> None:
        check_tariff(tariff)
        self.hash = tariff_hash(tariff)
        self.tariff = untaxed(tariff)
        self.ignores_taxes = self.tariff is not tariff
        tariff = self.tariff
        self.exponent = currency_exponent(tariff.currency)
        self.minor_scale: int = 10**self.exponent
        self.line_adjustments: tuple[SessionAdjustment, ...] = tuple(
            a for a in tariff.adjustments if not isinstance(a, IdleGrace)
        )
        self.shared: tuple[SharedGrant, ...] = tuple(
            a for a in self.line_adjustments if isinstance(a, Allowance | PeriodCap | CouponGrant)
        )
        grants = [a for a in self.line_adjustments if isinstance(a, GroupGrant | ValidationGrant)]
        series = tariff.price_series
        self.series: SeriesTable | None = None if series is None else SeriesTable(series)
        self._at_series_prices: dict[tuple[int, Decimal], CompiledComponent] = {}
        graces = [a for a in tariff.adjustments if isinstance(a, IdleGrace)]
        self.grace_us = max((grace.seconds for grace in graces), default=0) * SECOND_US
        spare = 1
        for grant in grants:
            # Else each session with a grant would have to write all its amounts over more
            # decimals.
            spare *= 100 * 10 ** decimals_of(grant.percent)
        self.factors: Factors = factors_of(tariff, grants=spare)
        self.denominator = self.factors.denominator
        # The mask of every element.
        self.all_elements = (1 << len(tariff.elements)) - 1
        self.bands: QuantityBands = quantity_bands(tariff.elements)
        self.has_bands = self.bands.measured or any((self.bands.duration, self.bands.energy))
        self.clock_restricted = any(clock_boundaries(e.restrictions) for e in tariff.elements)
        self._clocks: dict[tzinfo, WallClock] = {}
        self.free_before_steps = tuple(_free_before_steps(self.line_adjustments))
        flats = [element for element in tariff.elements if element.has_session_fee]
        self._choices = tariff.choices
        self.is_noted = bool(
            self.ignores_taxes or tariff.holidays or self._choices or len(flats) > 1
        )
        self._selections: dict[int, Selection] = {}
        self._havings: dict[tuple[Dimension, ReservationRestriction | None], ElementsHaving] = {}
        self._policies: dict[PricingPolicy, PricingPolicy] = {}
        self._components: dict[tuple[int, Dimension, bool], CompiledComponent] = {}

    def policy(self, policy: PricingPolicy) -> PricingPolicy:
        """Return *policy* with what the tariff chooses itself."""
        if not self._choices:
            return policy
        own = self._policies.get(policy)
        if own is None:
            own = self._policies[policy] = msgspec.structs.replace(policy, **self._choices)
        return own

    def clock(self, zone: tzinfo) -> WallClock:
        """Return the elements that the wall clock of *zone* allows, cached by day."""
        clock = self._clocks.get(zone)
        if clock is None:
            restrictions = tuple(element.restrictions for element in self.tariff.elements)
            clock = self._clocks[zone] = WallClock(restrictions, zone)
        return clock

    def select(self, mask: int, state: int) -> Selection:
        """Return the components that hold where the elements in *mask* may apply.

        Per dimension the first element that has a component of it and whose restrictions hold.
        Source: OCPI 2.3.0, mod_tariffs, Tariff object.
        """
        # Three bits for the five states.
        key = mask << 3 | state
        selection = self._selections.get(key)
        if selection is None:
            selection = self._selections[key] = self._select(mask, State(state))
        return selection

    def _select(self, mask: int, state: State) -> Selection:
        match state:
            case State.CHARGING:
                flat = self._first(mask, Dimension.FLAT, (None,))
                timed = self._timed(mask, Dimension.TIME)
            case State.PARKING | State.GRACE:
                flat = self._first(mask, Dimension.FLAT, (None,))
                timed = self._timed(mask, Dimension.PARKING_TIME)
                # Where parking is never priced there is nothing to be free of, and no line.
                if state is State.GRACE and timed is not None:
                    timed = self._free(Dimension.PARKING_TIME, Why.GRACE)
            case State.RESERVATION | State.RESERVATION_EXPIRED:
                kinds = _reservation_kinds(expired=state is State.RESERVATION_EXPIRED)
                flat = self._first(mask, Dimension.FLAT, kinds)
                timed = self._first(mask, Dimension.TIME, kinds)
                # OCPI prices a reservation by FLAT and TIME only: energy within one is free.
                return flat, self._free(Dimension.ENERGY, Why.UNPRICED), timed
        energy = self._first(mask, Dimension.ENERGY, (None,))
        return flat, energy or self._free(Dimension.ENERGY, Why.UNPRICED), timed

    def at_series_price(self, component: CompiledComponent, price: Decimal) -> CompiledComponent:
        """Return *component* where the series has *price*, its own price on top."""
        # By identity: components live as long as this object, and an id is cheaper than a hash.
        key = (id(component), price)
        found = self._at_series_prices.get(key)
        if found is None and self.series is not None:
            series = self.series.series
            total = EXACT.add(series.resolved(price), component.price)
            found = self._at_series_prices[key] = msgspec.structs.replace(
                component,
                price=total,
                before_factor=self.factors.before(component.dimension, total, component.vat),
                tax_factor=self.factors.tax(component.dimension, total, component.vat),
                reasons=(*component.reasons, series.formula(price, component.price)),
            )
        return found or component

    def _timed(self, mask: int, dimension: Dimension) -> CompiledComponent | None:
        """Return the component for time, a free one if other elements price this dimension."""
        found = self._first(mask, dimension, (None,))
        if found is None and self._first(self.all_elements, dimension, (None,)) is not None:
            return self._free(dimension, Why.UNPRICED)
        return found

    def _first(
        self,
        mask: int,
        dimension: Dimension,
        kinds: tuple[ReservationRestriction | None, ...],
    ) -> CompiledComponent | None:
        # Kind by kind over all elements: EXPIRES wins also where it stands further down.
        for kind in kinds:
            having = self._havings.get((dimension, kind))
            if having is None:
                having = elements_having(self.tariff.elements, dimension, kind)
                self._havings[dimension, kind] = having
            index = having.first(mask)
            if index is not None:
                element = self.tariff.elements[index]
                return self._compiled(index, element, having.components[index])
        return None

    def _compiled(
        self, index: int, element: TariffElement, component: PriceComponent
    ) -> CompiledComponent:
        reserved = element.restrictions.reservation is not None
        key = (index, component.dimension, reserved)
        compiled = self._components.get(key)
        if compiled is None:
            dimension = component.dimension
            if reserved and dimension is Dimension.TIME:
                dimension = Dimension.RESERVATION_TIME
            compiled = self._components[key] = CompiledComponent(
                why=Why.PRICED,
                dimension=dimension,
                element_index=index,
                element_name=element.name,
                price=component.price,
                vat=component.vat,
                step_units=component.step_size * _STEP_UNITS[dimension],
                step_group=STEP_GROUPS.index(dimension),
                before_factor=self.factors.before(dimension, component.price, component.vat),
                tax_factor=self.factors.tax(dimension, component.price, component.vat),
                tariff_id=self.tariff.id,
                reasons=(priced_reason(element.restrictions),),
                for_reservation=reserved,
                follows_series=component.series,
            )
        return compiled

    def _free(self, dimension: Dimension, why: Why) -> CompiledComponent:
        # Below 0, where no element's index can be.
        key = (-1 if why is Why.GRACE else -2, dimension, False)
        compiled = self._components.get(key)
        if compiled is None:
            graces = [a for a in self.tariff.adjustments if isinstance(a, IdleGrace)]
            compiled = self._components[key] = CompiledComponent(
                why=why,
                dimension=dimension,
                element_index=None,
                element_name=None,
                price=Decimal(0),
                vat=None,
                step_units=0,
                before_factor=0,
                tax_factor=0,
                tariff_id=self.tariff.id,
                reasons=(
                    grace_reason(graces[0].reason) if why is Why.GRACE else unpriced_reason(),
                ),
            )
        return compiled


def _free_before_steps(adjustments: Iterable[SessionAdjustment]) -> Iterator[tuple[int, int]]:
    """Yield (step group, units) of what is free before a step rounds up what is left."""
    for each in adjustments:
        if isinstance(each, FreeFirst) and each.before_steps:
            units = (each.seconds or 0) * SECOND_US
            if each.kwh is not None:
                units = int(EXACT.multiply(each.kwh, Decimal(ENERGY_UNITS_PER_KWH)))
            yield STEP_GROUPS.index(Dimension(each.dimensions[0])), units


def _reservation_kinds(*, expired: bool) -> tuple[ReservationRestriction, ...]:
    """Return which elements price a reservation, the stronger kind first.

    Source: OCPI 2.3.0, mod_tariffs, ReservationRestrictionType (the NOTE: EXPIRES wins).
    """
    if expired:
        return (ReservationRestriction.RESERVATION_EXPIRES, ReservationRestriction.RESERVATION)
    return (ReservationRestriction.RESERVATION,)
