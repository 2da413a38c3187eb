"""Which of several things raise: searched by halves, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def culprits(
    things: Sequence[T], raised: Callable[[Sequence[T]], Exception | None]
) -> list[tuple[T, Exception]]:
    """Return those of *things* with which the ones kept before them raise, and what.

    The first ones are kept: of two that raise only together it is the later one. One that raises
    among a thousand is found in some twenty tries, and a thousand that all raise in two thousand.

    Args:
        things: In their order.
        raised: Tries some of them, in their order; returns what was raised, None for nothing.
    """
    kept: list[T] = []
    found: list[tuple[T, Exception]] = []
    waiting = [things] if things else []
    while waiting:
        some = waiting.pop()
        error = raised([*kept, *some])
        if error is None:
            kept += some
        elif len(some) == 1:
            found.append((some[0], error))
        else:
            middle = len(some) // 2
            waiting += [some[middle:], some[:middle]]
    return found
