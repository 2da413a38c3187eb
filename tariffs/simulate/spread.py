"""How a change of prices spreads: sessions by how much dearer or cheaper each becomes.

    ... | 0.51 .. 1.00 cheaper | 0.11 .. 0.50 | .. 0.10 | the same | .. 0.10 dearer | ...

The steps are in minor units, the same for every currency, so that two results can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from tariffs.bulk.columns import Integers

STEPS_MINOR: Final = (10, 50, 100, 200, 500, 1000, 2000, 5000)
"""Up to and with which change each step goes; the last one goes on for ever."""
_EDGES: Final = np.array(STEPS_MINOR, dtype=np.int64)


class SpreadStep(NamedTuple):
    """One step: changes of more than `above` and at most `to` minor units (None: any more).

    `sign` is 1 for dearer, -1 for cheaper, 0 for the same.
    """

    sign: int
    above: int
    to: int | None


def _steps() -> tuple[SpreadStep, ...]:
    bounds = [*zip((0, *STEPS_MINOR), (*STEPS_MINOR, None), strict=True)]
    return (
        *(SpreadStep(-1, above, to) for above, to in reversed(bounds)),
        SpreadStep(0, 0, 0),
        *(SpreadStep(1, above, to) for above, to in bounds),
    )


STEPS: Final[Sequence[SpreadStep]] = _steps()
"""From the most that becomes cheaper to the most that becomes dearer."""
NAMES: Final = tuple(map(str, range(len(STEPS))))
_SAME: Final = len(STEPS) // 2


def steps_of(difference_minor: Integers) -> Integers:
    """Return in which of `STEPS` each change lies."""
    sizes = np.searchsorted(_EDGES, np.abs(difference_minor), side="left") + 1
    found: Integers = _SAME + np.sign(difference_minor) * sizes
    return found.astype(np.int64)
