"""A load curve as pages draw it: power over time between readings, its price windows shaded.

Where lines stand is worked out here, exactly; the macro `ui.curve` draws it with classes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 22, 22
_ACROSS: Final = WIDTH - _LEFT - _RIGHT
_DOWN: Final = HEIGHT - _TOP - _BOTTOM
_MICROSECOND: Final = timedelta(microseconds=1)
_LETTER: Final = 7
"""What a letter of a window's label takes at most."""


class CurvePoint(NamedTuple):
    """Energy since the start at a moment, in Wh."""

    at: datetime
    energy_wh: Decimal


class CurveWindow(NamedTuple):
    """A stretch in which one price holds, and what that is."""

    starts_at: datetime
    ends_at: datetime
    label: str


class DrawnWindow(NamedTuple):
    """Where a window is drawn; `label` "" where there is no room for it: the table has it."""

    x: int
    width: int
    label: str
    is_second: bool


class Curve(NamedTuple):
    """A picture of `WIDTH` by `HEIGHT`; `power_max_w` is at the top, `path` an SVG path."""

    path: str
    power_max_w: Decimal
    starts_at: datetime
    ends_at: datetime
    windows: Sequence[DrawnWindow]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top: int = _TOP
    base: int = _TOP + _DOWN
    right: int = WIDTH - _RIGHT


def curve_of(points: Sequence[CurvePoint], windows: Sequence[CurveWindow] = ()) -> Curve | None:
    """Return the curve of cumulated *points*, in time; None where no time or no power is known."""
    steps = [(a.at, b.at, _power_w(a, b)) for a, b in pairwise(points) if b.at > a.at]
    most = max((power for _, _, power in steps), default=Decimal(0))
    if most <= 0:
        return None
    starts_at, ends_at = points[0].at, points[-1].at
    base = _TOP + _DOWN
    path = f"M{_x(starts_at, starts_at, ends_at)} {base}"
    for _, until, power in steps:
        height = int(max(power, Decimal(0)) * _DOWN / most)
        path += f"V{base - height}H{_x(until, starts_at, ends_at)}"
    drawn = tuple(_drawn(windows, starts_at, ends_at))
    return Curve(f"{path}V{base}", most, starts_at, ends_at, drawn)


def _x(at: datetime, starts_at: datetime, ends_at: datetime) -> int:
    inside = min(max(at, starts_at), ends_at)
    return _LEFT + (inside - starts_at) * _ACROSS // (ends_at - starts_at)


def _drawn(
    windows: Sequence[CurveWindow], starts_at: datetime, ends_at: datetime
) -> Iterator[DrawnWindow]:
    for place, each in enumerate(windows):
        left = _x(each.starts_at, starts_at, ends_at)
        width = _x(each.ends_at, starts_at, ends_at) - left
        if width > 0:
            label = each.label if width >= _LETTER * len(each.label) else ""
            yield DrawnWindow(left, width, label, place % 2 == 1)


def _power_w(earlier: CurvePoint, later: CurvePoint) -> Decimal:
    micros = Decimal((later.at - earlier.at) // _MICROSECOND)
    return (later.energy_wh - earlier.energy_wh) * 3_600_000_000 / micros
