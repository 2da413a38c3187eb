"""What a session uses of the caps that it shares: what its lines owe, once they are rounded.

A cap sees exact amounts, a driver pays minor units. Which line bears the odd cent is settled with
the whole session (`tariffs.kernel.rounding`), so only then is it known what of a cap was used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm

import msgspec

from tariffs.adjustments.consumption import Consumed, Consumption
from tariffs.kernel.rounding import apportion


class CappedLines(msgspec.Struct, frozen=True):
    """The lines (by index) that the shared cap `name` bounds.

    `periods` are what it leaves of each, exactly, in minor units; `outside` is what of the lines
    lies in no period.
    """

    name: str
    lines: tuple[int, ...]
    periods: tuple[tuple[str, Fraction], ...]
    outside: Fraction

    @property
    def exact(self) -> Fraction:
        """Return what all the lines owe, not yet rounded."""
        return sum((left for _, left in self.periods), self.outside)


def cap_uses(capped: CappedLines, owed_minor: int) -> Iterator[Consumed]:
    """Yield what each period has of the minor units that the lines owe together."""
    parts = [*(left for _, left in capped.periods), capped.outside]
    whole = lcm(*(part.denominator for part in parts))
    shares = apportion([int(part * whole) for part in parts], whole, owed_minor)
    for (period, _), share in zip(capped.periods, shares, strict=False):
        # Where a policy rounds line by line, a period of less than a unit may bear another's rest.
        if share > 0:
            yield Consumed(capped.name, period, Consumption(amount_minor=share, uses=1))


def apart(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return *groups* of lines, those that share a line as one."""
    joined: list[set[int]] = []
    for group in groups:
        lines = set(group).union(*(other for other in joined if not other.isdisjoint(group)))
        joined = [*(other for other in joined if other.isdisjoint(group)), lines]
    return [sorted(lines) for lines in joined]
