"""What each component counted: runs of a component over consecutive stretches of a session."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tariffs.adjustments import Grant
from tariffs.compiled import CompiledComponent, Selection, Why
from tariffs.periods import register_at
from tariffs.policy import FlatPolicy, PricingPolicy


class Run(msgspec.Struct, gc=False):
    """One component and the volume it counts; `billed` differs from `volume` by the step only.

    With a `grant` it is the volume that the grant covers.
    """

    component: CompiledComponent
    starts_us: int
    ends_us: int = 0
    volume: int = 0
    billed: int = 0
    grant: Grant | None = None

    @property
    def why(self) -> Why:
        """Return why this counts: the component holds, or a grant lowers it."""
        return self.component.why if self.grant is None else Why.GRANT

    def close(self, at: int, volume: int) -> None:
        """End the run."""
        self.ends_us = at
        self.volume = self.billed = volume


class Tally:
    """Opens and closes runs as the selection of components changes.

    Neighbouring stretches with the same component are one run, however finely they were cut.
    """

    __slots__ = (
        "_energy",
        "_flats",
        "_pinned",
        "_points",
        "_policy",
        "_register",
        "_runs",
        "_timed",
    )

    def __init__(self, points: Sequence[tuple[int, int]], policy: PricingPolicy) -> None:
        self._points, self._policy = points, policy
        self._runs: list[Run] = []
        self._flats: list[CompiledComponent] = []
        self._energy: Run | None = None
        self._timed: Run | None = None
        self._register = 0
        self._pinned = (-1, 0)

    def reached(self, register: int, at: int) -> None:
        """Note that a threshold was reached: at that instant the register is exactly it."""
        self._pinned = (at, register)

    def switch(self, selection: Selection, at: int) -> None:
        """Let the components of *selection* count from *at* on."""
        flat, energy, timed = selection
        if flat is not None and is_flat_due(flat, self._flats, self._policy):
            self._flats.append(flat)
            self._runs.append(Run(flat, at, at, 1, 1))
        if self._energy is None or self._energy.component is not energy:
            self._close_energy(at)
            self._energy = Run(energy, at)
            self._runs.append(self._energy)
        if self._timed is None or self._timed.component is not timed:
            if self._timed is not None:
                self._timed.close(at, at - self._timed.starts_us)
            self._timed = None if timed is None else Run(timed, at)
            if self._timed is not None:
                self._runs.append(self._timed)

    def finish(self, at: int) -> list[Run]:
        """Close what is open at the end of the session and return the runs that count."""
        if self._energy is not None:
            total = self._points[-1][1] if self._points else 0
            self._energy.close(at, total - self._register)
        if self._timed is not None:
            self._timed.close(at, at - self._timed.starts_us)
        return [run for run in self._runs if run.volume]

    def _close_energy(self, at: int) -> None:
        if self._energy is None:
            return
        now = self._pinned[1] if self._pinned[0] == at else register_at(self._points, at)
        self._energy.close(at, now - self._register)
        self._register = now


def is_flat_due(
    flat: CompiledComponent, billed: Sequence[CompiledComponent], policy: PricingPolicy
) -> bool:
    """Tell whether *flat* is to be billed: each once, or by policy the first only.

    The FLAT of a reservation and that of the session are never in each other's way (OCPI
    tariff_16 bills both).
    """
    if any(done is flat for done in billed):
        return False
    return policy.flats is FlatPolicy.EACH_COMPONENT or not any(
        done.for_reservation == flat.for_reservation for done in billed
    )
