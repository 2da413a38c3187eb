"""One day's price over time as an SVG: steps, axes, a title and a description in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Final

from tariffs.calendar.week import Fee, Stretch, WeekCalendar
from tariffs.calendar.words import amount_text, clock_text, local_pieces, price_text
from tariffs.model.restrictions import MIDNIGHT
from tariffs.phrases.printable import html_text
from tariffs.zones import instant_of, zone

_WIDTH: Final = 760
_HEIGHT: Final = 240
_LEFT: Final = 64
_RIGHT: Final = 744
_TOP: Final = 20
_BOTTOM: Final = 200
_TICKS_MAX: Final = 5
_HOURS_PER_TICK: Final = 3
_NICE_STEPS: Final = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))


def day_plot(calendar: WeekCalendar, fee: Fee, day: date) -> str:
    """Return the price of *fee* over local *day* as one svg element.

    The axis runs in real time: the day on which clocks go forward has 23 hours, the other 25.
    """
    plot = _Plot(calendar, fee, day)
    name = f"{fee.name.lower()}-{day.isoformat()}"
    title = f"{fee.value} on {day:%A}, {day.isoformat()}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"',
        f'role="img" aria-labelledby="t-{name} d-{name}"',
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<title id="t-{name}">{html_text(title)}</title>',
        f'<desc id="d-{name}">{html_text(plot.description())}</desc>',
        *plot.value_axis(),
        *plot.time_axis(),
        *plot.steps(),
        "</svg>",
    ]
    return "\n".join(parts)


def busiest_day(calendar: WeekCalendar) -> date:
    """Return the day with the most price changes, the first of them."""
    starts = [
        stretch.starts_at.astimezone(zone(calendar.time_zone)).date()
        for stretches in calendar.stretches.values()
        for stretch in stretches[1:]
    ]
    return max(calendar.days, key=lambda day: (starts.count(day), -day.toordinal()))


class _Plot:
    """The geometry of one plot."""

    def __init__(self, calendar: WeekCalendar, fee: Fee, day: date) -> None:
        self.calendar, self.fee, self.day = calendar, fee, day
        self.begin = instant_of(day, MIDNIGHT, zone(calendar.time_zone))
        self.end = instant_of(day + timedelta(days=1), MIDNIGHT, zone(calendar.time_zone))
        self.stretches = tuple(
            s
            for s in calendar.stretches[fee]
            if s.starts_at < self.end and self.begin < s.ends_at and s.valid
        )
        self.tick = _tick_step(max((_price(s) for s in self.stretches), default=Decimal(0)))
        top = max((_price(s) for s in self.stretches), default=Decimal(0))
        ticks = (top / self.tick).to_integral_value(rounding=ROUND_CEILING)
        self.top = max(self.tick, ticks * self.tick)

    def description(self) -> str:
        """Say in words what the plot shows."""
        currency = self.calendar.tariff.currency
        texts = []
        for stretch in self.stretches:
            begin, end = max(stretch.starts_at, self.begin), min(stretch.ends_at, self.end)
            price = price_text(stretch.price, self.fee, currency)
            for _, start, stop in local_pieces(begin, end, self.calendar.time_zone):
                until = "24:00" if stop == MIDNIGHT else clock_text(stop)
                texts.append(f"{clock_text(start)} to {until}: {price}")
        return "; ".join(texts) + "." if texts else "The tariff does not hold on this day."

    def value_axis(self) -> Iterator[str]:
        """Yield grid lines with prices, and the unit."""
        currency = self.calendar.tariff.currency
        value = Decimal(0)
        while value <= self.top:
            y = self._y(value)
            yield (
                f'<line x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}" stroke="currentColor" '
                f'stroke-opacity="{"0.8" if value == 0 else "0.15"}"/>'
                f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end" fill="currentColor">'
                f"{amount_text(value, currency)}</text>"
            )
            value += self.tick
        yield f'<text x="4" y="12" fill="currentColor">{html_text(currency)}{self.fee.unit}</text>'

    def time_axis(self) -> Iterator[str]:
        """Yield a tick for every third local hour."""
        instant = self.begin
        while instant <= self.end:
            local = instant.astimezone(zone(self.calendar.time_zone))
            at_end = instant == self.end
            if (local.hour % _HOURS_PER_TICK == 0 and local.fold == 0) or at_end:
                x = self._x(instant)
                yield (
                    f'<line x1="{x}" y1="{_BOTTOM}" x2="{x}" y2="{_BOTTOM + 5}" '
                    'stroke="currentColor"/>'
                    f'<text x="{x}" y="{_BOTTOM + 20}" text-anchor="middle" fill="currentColor">'
                    f"{'24:00' if at_end else clock_text(local.time())}</text>"
                )
            instant += timedelta(hours=1)

    def steps(self) -> Iterator[str]:
        """Yield the filled steps and their outline."""
        path = ""
        for stretch in self.stretches:
            begin, end = max(stretch.starts_at, self.begin), min(stretch.ends_at, self.end)
            y = self._y(_price(stretch))
            # What the driver is paid hangs below the line of nothing.
            yield (
                f'<rect x="{self._x(begin)}" y="{min(y, _BOTTOM)}" '
                f'width="{self._x(end) - self._x(begin)}" height="{abs(_BOTTOM - y)}" '
                'fill="#2c6f93" fill-opacity="0.18"/>'
            )
            path += f"{'L' if path else 'M'}{self._x(begin)} {y}L{self._x(end)} {y}"
        if path:
            yield f'<path d="{path}" fill="none" stroke="#2c6f93" stroke-width="2.5"/>'

    def _x(self, instant: datetime) -> Decimal:
        seconds = int((instant.astimezone(UTC) - self.begin).total_seconds())
        whole = int((self.end - self.begin).total_seconds())
        return _LEFT + _tenth(Decimal(seconds * (_RIGHT - _LEFT)) / whole)

    def _y(self, value: Decimal) -> Decimal:
        return _BOTTOM - _tenth(value * (_BOTTOM - _TOP) / self.top)


def _price(stretch: Stretch) -> Decimal:
    return Decimal(0) if stretch.price is None else stretch.price.price


def _tenth(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)


def _tick_step(top: Decimal) -> Decimal:
    """Return 1, 2 or 5 times a power of ten, at most five of which reach *top*."""
    if top == 0:
        return Decimal(1)
    power = Decimal(1).scaleb(top.adjusted() - 1)
    while True:
        for nice in _NICE_STEPS:
            if power * nice * _TICKS_MAX >= top:
                return power * nice
        power *= 10
