"""The load curve of a session as SVG: its power as a step line, its price windows shaded.

The same picture stands on the page and on the screen. Greys alone: it is read in print, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from itertools import pairwise
from typing import Final, NamedTuple

from projections.documents.content.legible import legible
from projections.documents.evidence import ShownReading

_WIDTH, _HEIGHT = 330, 96
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 4, 14, 15
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_SHADES: Final = ("#f4f4f4", "#e2e2e2", "#cfcfcf")
_LETTER_WIDTH: Final = Decimal("4.4")
"""What a letter of a window's label takes at most, on the average."""
_TEXT: Final = 'font-family="Source Sans Pro, sans-serif" fill="#444"'
_SIZE: Final = Decimal("8.5")

_OPENING: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
)
_DOTTED: Final = 'stroke="#bbb" stroke-width=".5" stroke-dasharray="2 2"'


class PriceWindow(NamedTuple):
    """A stretch in which one price holds, and what that is."""

    starts_at: datetime
    ends_at: datetime
    label: str


class CurveWords(NamedTuple):
    """What is written at the axes: the highest power, the start, the end, and what it is."""

    power_max: str
    start: str
    end: str
    title: str


def power_max_w(readings: Sequence[ShownReading]) -> Decimal:
    """Return the highest mean power (W) between two readings, 0 where there are no two."""
    return max((_power_w(*each) for each in pairwise(readings)), default=Decimal(0))


def curve_svg(
    readings: Sequence[ShownReading], windows: Sequence[PriceWindow], words: CurveWords
) -> str:
    """Return the curve; empty where there is no time or no power to be drawn."""
    most = power_max_w(readings)
    if most <= 0 or readings[-1].at <= readings[0].at:
        return ""
    scale = _Scale(readings[0].at, readings[-1].at, most)
    base = _TOP + _PLOT_HEIGHT
    left, right = _LEFT, _WIDTH - _RIGHT
    parts = [
        _OPENING,
        f"<title>{_safe(words.title)}</title>",
        *_windows(windows, scale),
        f'<path d="M{left} {_TOP}H{right}" {_DOTTED}/>',
        f'<path d="{_steps(readings, scale)}" fill="none" stroke="#111" stroke-width="1.2"/>',
        f'<path d="M{left} {base}H{right}" stroke="#444" stroke-width=".7"/>',
        _text(left - 4, _TOP + 4, words.power_max, "end", room=left - 6),
        _text(left - 4, base, "0", "end"),
        _text(left, _HEIGHT - 4, words.start, "start"),
        _text(right, _HEIGHT - 4, words.end, "end"),
        "</svg>",
    ]
    return "".join(parts)


class _Scale(NamedTuple):
    """From times and powers to hundredths of the picture's units, exactly."""

    start: datetime
    end: datetime
    power_max_w: Decimal

    def x(self, at: datetime) -> str:
        """Return where a moment stands from left to right."""
        inside = min(max(at, self.start), self.end)
        share = (inside - self.start) * 100 * _PLOT_WIDTH // (self.end - self.start)
        return _hundredths(100 * _LEFT + share)

    def y(self, power_w: Decimal) -> str:
        """Return where a power stands from top to bottom."""
        share = int(max(power_w, Decimal(0)) * 100 * _PLOT_HEIGHT / self.power_max_w)
        return _hundredths(100 * (_TOP + _PLOT_HEIGHT) - share)


def _steps(readings: Sequence[ShownReading], scale: _Scale) -> str:
    path = f"M{scale.x(readings[0].at)} {scale.y(Decimal(0))}"
    for earlier, later in pairwise(readings):
        if later.at > earlier.at:
            path += f"V{scale.y(_power_w(earlier, later))}H{scale.x(later.at)}"
    return path + f"V{scale.y(Decimal(0))}"


def _windows(windows: Sequence[PriceWindow], scale: _Scale) -> list[str]:
    shades: dict[str, str] = {}
    drawn = []
    for window in windows:
        left, right = Decimal(scale.x(window.starts_at)), Decimal(scale.x(window.ends_at))
        if right <= left:
            continue
        shade = shades.setdefault(window.label, _SHADES[len(shades) % len(_SHADES)])
        drawn.append(
            f'<rect x="{left}" y="{_TOP}" width="{right - left}" height="{_PLOT_HEIGHT}" '
            f'fill="{shade}"/>'
        )
        # What has no room stands in the table of lines.
        if right - left >= _LETTER_WIDTH * len(window.label):
            drawn.append(_text((left + right) / 2, _TOP - 5, window.label, "middle"))
    return drawn


def _power_w(earlier: ShownReading, later: ShownReading) -> Decimal:
    lasted = later.at - earlier.at
    micros = Decimal(lasted.days * 86_400_000_000 + lasted.seconds * 1_000_000) + (
        lasted.microseconds
    )
    energy_wh = later.energy_wh - earlier.energy_wh
    return energy_wh * 3_600_000_000 / micros if micros > 0 else Decimal(0)


def _hundredths(value: int) -> str:
    return f"{value // 100}.{value % 100:02}"


def _text(x: Decimal | int, y: int, text: str, anchor: str, room: int = _WIDTH) -> str:
    """Return a text of the usual size, or of the one in which it has *room*."""
    needed = _LETTER_WIDTH * len(text)
    size = _SIZE if needed <= room else (_SIZE * room / needed).quantize(Decimal("0.1"))
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place} {_TEXT}>{_safe(text)}</text>"


def _safe(text: str) -> str:
    return escape(legible(text))
