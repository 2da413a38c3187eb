"""How what something costs grows with its size, on a machine that has other things to do."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

RATIO_MAX: Final = 6.0
"""What four times as much may cost: a quadratic pattern costs sixteen times as much."""
LOOKS_MIN: Final = 3
LOOKS_MAX: Final = 40


class Stopwatch:
    """Processor time of this process."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what is spent in the block; the garbage collector waits for its end."""
        gc.disable()
        began = time.process_time()
        try:
            yield
        finally:
            self.seconds += time.process_time() - began
            gc.enable()


async def least_costs(
    small: Callable[[], Awaitable[float]],
    large: Callable[[], Awaitable[float]],
    ratio_max: float = RATIO_MAX,
) -> tuple[float, float]:
    """Return the least seconds of *small* and of *large*, looking by turns.

    What else the machine does only ever adds; so it is looked again until the two stand in at
    most *ratio_max*, `LOOKS_MAX` times. No look makes a quadratic cost linear.
    """
    least = (float("inf"), float("inf"))
    for look in range(LOOKS_MAX):
        least = min(least[0], await small()), min(least[1], await large())
        if look + 1 >= LOOKS_MIN and least[1] <= ratio_max * least[0]:
            break
    return least


def growth(
    small: Callable[[], object], large: Callable[[], object], ratio_max: float = RATIO_MAX
) -> float:
    """Return how many times as much processor time *large* takes as *small*."""

    async def seconds(work: Callable[[], object]) -> float:
        gc.collect()
        watch = Stopwatch()
        with watch.running():
            work()
        return watch.seconds

    least = asyncio.run(least_costs(lambda: seconds(small), lambda: seconds(large), ratio_max))
    return least[1] / least[0]
