"""What the components of each session count, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tariffs.bulk.columns import Flags, Integers
from tariffs.bulk.sums import Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """Rows of volumes with the number of their component, in order of session and time."""

    units: Integers
    component: Integers
    firsts: Integers

    def cost(self, sums_: Sums) -> None:
        """Add what the volumes cost."""
        sums_.add_volumes(self.units, self.component, self.firsts)

    def touch(self, components: Flags) -> Flags:
        """Tell which sessions have a volume of any of *components* (flags by number)."""
        touched: Flags = np.logical_or.reduceat(
            components[self.component] & (self.units > 0), self.firsts
        )
        return touched
