"""What each component counted: runs of a component over consecutive stretches of a session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tariffs.adjustments.adjustment import LineAdjustment, QuantityTax, waives_least_price
from tariffs.kernel.compiled import CompiledComponent, Selection, Why
from tariffs.kernel.timeline import Timeline
from tariffs.model.policy import FlatPolicy, PricingPolicy

# From which instant on a selection holds, and the register there where a threshold says it.
Stretch = tuple[int, Selection, int | None]


class Run(msgspec.Struct, gc=False):
    """One component and the volume it counts; `billed` differs from `volume` by the step only.

    With an `adjustment` it is what that adjustment lowers or adds.
    """

    component: CompiledComponent
    starts_us: int
    ends_us: int = 0
    volume: int = 0
    billed: int = 0
    adjustment: LineAdjustment | None = None

    @property
    def why(self) -> Why:
        """Return why this counts: the component holds, or an adjustment changes it."""
        if self.adjustment is None:
            return self.component.why
        if isinstance(self.adjustment, QuantityTax):
            return Why.TAX
        return Why.GRANT if waives_least_price(self.adjustment) else Why.ADJUSTMENT

    def close(self, at: int, volume: int) -> None:
        """End the run."""
        self.ends_us = at
        self.volume = self.billed = volume


def runs_of(stretches: Iterable[Stretch], timeline: Timeline, policy: PricingPolicy) -> list[Run]:
    """Return how long, or for how much, each component held; what counted nothing is left out.

    Neighbouring stretches with the same component are one run, however finely they were cut, and
    the register is asked for only where another component takes over the energy.
    """
    runs: list[Run] = []
    flats: list[CompiledComponent] = []
    fed: Run | None = None
    timed: Run | None = None
    register = 0
    for at, (flat, energy, time), reached in stretches:
        if flat is not None and is_flat_due(flat, flats, policy):
            flats.append(flat)
            runs.append(Run(flat, at, at, 1, 1))
        # By identity, not by price: two elements at one price are two reasons and stay two lines.
        if fed is None or fed.component is not energy:
            if fed is not None:
                now = timeline.register_at(at) if reached is None else reached
                fed.close(at, now - register)
                register = now
            fed = Run(energy, at)
            runs.append(fed)
        if timed is None or timed.component is not time:
            if timed is not None:
                timed.close(at, at - timed.starts_us)
            timed = None if time is None else Run(time, at)
            if timed is not None:
                runs.append(timed)
    if fed is not None:
        fed.close(timeline.end_us, timeline.total - register)
    if timed is not None:
        timed.close(timeline.end_us, timeline.end_us - timed.starts_us)
    # A component that counted nothing must not be the last one, whose step and price decide.
    return [run for run in runs if run.volume]


def is_flat_due(
    flat: CompiledComponent, billed: Sequence[CompiledComponent], policy: PricingPolicy
) -> bool:
    """Tell whether *flat* is to be billed: each once, or by policy the first only.

    The FLAT of a reservation and that of the session are never in each other's way (OCPI
    tariff_16 bills both).
    """
    for done in billed:
        if done is flat:
            return False
        if policy.flats is FlatPolicy.FIRST_ONLY and done.for_reservation == flat.for_reservation:
            return False
    return True
