"""Scalar pricing: sessions of 4 periods under a tariff of 3 elements, explained, on one core."""

from __future__ import annotations

import sys
import time as clock
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypedDict

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.peers.decimal_rater import decimal_total
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan


class Row(TypedDict):
    """One measured figure beside its peer from the same run."""

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float


START = datetime(2026, 3, 2, 17, 30, tzinfo=UTC)


def bench_tariff() -> Tariff:
    """Return three elements: peak with a session fee, off-peak, an idle fee."""

    def component(dimension: Dimension, price: str, step_size: int = 1) -> PriceComponent:
        return PriceComponent(
            dimension=dimension, price=Decimal(price), vat=Decimal(19), step_size=step_size
        )

    return Tariff(
        id="bench",
        currency="EUR",
        elements=(
            TariffElement(
                price_components=(
                    component(Dimension.FLAT, "0.5"),
                    component(Dimension.ENERGY, "0.59"),
                ),
                restrictions=Restrictions(start_time=time(7), end_time=time(20)),
            ),
            TariffElement(price_components=(component(Dimension.ENERGY, "0.39"),)),
            TariffElement(price_components=(component(Dimension.PARKING_TIME, "6", 60),)),
        ),
    )


def bench_session(number: int) -> SessionUsage:
    """Return a session of four periods: readings every hour, the last hour parked."""
    start = START + timedelta(hours=number % 200, minutes=number % 60)
    hours = [start + timedelta(hours=hour) for hour in range(5)]
    registers = ("0", "7000", "14000.5", "20123", "20123")
    return SessionUsage(
        starts_at=start,
        ends_at=hours[-1],
        time_zone="Europe/Berlin",
        points=tuple(UsagePoint(at, Decimal(wh)) for at, wh in zip(hours, registers, strict=True)),
        spans=(UsageSpan(start, Activity.CHARGING), UsageSpan(hours[3], Activity.PARKING)),
    )


def rows(seconds: float) -> list[Row]:
    """Measure for about *seconds*: the result with its runs, and with a line object for each."""
    tariff = bench_tariff()
    compiled = compile_tariff(tariff)
    sessions = [bench_session(number) for number in range(1000)]

    def ours(session: SessionUsage) -> object:
        return price_session(session, compiled)

    def ours_with_lines(session: SessionUsage) -> object:
        return price_session(session, compiled).lines

    def peer(session: SessionUsage) -> object:
        return decimal_total(session, tariff)

    # Equal before fast: a rate of wrong prices would mean nothing.
    for session in sessions:
        priced = price_session(session, compiled)
        paid = (priced.total_before_taxes.amount, priced.total_after_taxes.amount)
        assert paid == decimal_total(session, tariff)
    peer_value = _rate(peer, sessions, seconds / 4)
    measured = {
        "pricing_sessions": _rate(ours, sessions, seconds / 2),
        "pricing_sessions_with_lines": _rate(ours_with_lines, sessions, seconds / 4),
    }
    return [
        {
            "name": name,
            "value": value,
            "unit": "sessions/s",
            "peer": "the same rules written plainly in Decimal (bench/peers/decimal_rater.py)",
            "peer_value": peer_value,
            "ratio": value / peer_value,
        }
        for name, value in measured.items()
    ]


def _rate(
    price: Callable[[SessionUsage], object], sessions: list[SessionUsage], seconds: float
) -> float:
    """Return how many of *sessions* are priced in a second of this process's own time."""
    begun, done = clock.process_time(), 0
    while not done or clock.process_time() - begun < seconds:
        for session in sessions:
            price(session)
        done += len(sessions)
    return done / (clock.process_time() - begun)


if __name__ == "__main__":
    for row in rows(2.0):
        print(f"{row['name']}: {row['value']:,.0f} {row['unit']}, {row['ratio']:,.0f} x the peer")
